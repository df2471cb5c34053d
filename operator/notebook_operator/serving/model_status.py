# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found of models, as the status of a job tells it: bounded, and without what stands in no status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.spec import NOTHING, Request
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.model import ModelVerdict
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, shorten

_TEXT = 2000  # characters of one text
_WORD = 250  # characters of a name, a version or a quantity
_DEFINITIONS = 20
# Client libraries that the platforms bring; a notebook that speaks HTTP itself needs none of them.
_LIBRARIES = {
    "kserve": ("kserve",),
    "openshift-ai": ("kserve",),
    "vllm": ("openai",),
    "tensorflow-serving": ("tensorflow-serving-api",),
    "triton": ("tritonclient",),
    "ray-serve": ("ray",),
    "seldon": ("seldon-core",),
    "bentoml": ("bentoml",),
}


@dataclass(frozen=True)
class Platform:
    """What is there of a platform. detected: it was told. allowed: the operator may look at its models.

    definitions: its resources, with their group. code: of the taxonomy table where something is not as it should be.
    """

    available: bool = True
    detected: bool = False
    allowed: bool = True
    definitions: tuple[str, ...] = ()
    code: str | None = None
    message: str = ""


def told(phase: str, name: str, request: Request, platform: Platform, verdicts: Sequence[ModelVerdict]) -> dict:
    """Return modelValidationResult. name: of the platform. verdicts: on the models of the request, () where none was looked at."""
    found = {"phase": phase, "platform": name, "platformDetected": platform.detected or any(map(_detected, verdicts))}
    parts = {}
    if phase != "existing":
        parts["cleanEnvironmentCheck"] = _clean_check(name, platform, verdicts)
    if phase != "clean" and not platform.code:
        parts["existingEnvironmentCheck"] = _existing_check(request, verdicts)
    failed = [part["message"] for part in parts.values() if not part["success"]]
    message = failed[0] if failed else " ".join(part["message"] for part in parts.values())
    return {**found, "success": not failed, "message": _text(message), **parts}


def _clean_check(name: str, platform: Platform, verdicts: Sequence[ModelVerdict]) -> dict:
    missing = next((one.cause for one in verdicts if one.code == "model_platform_missing"), None)
    silent = next((one.cause for one in verdicts if one.code == "model_unreachable"), None)
    trouble = platform.message if platform.code else missing or silent
    told_of = {
        "platformAvailable": platform.available and missing is None,
        "crdsInstalled": [_text(one, _WORD) for one in platform.definitions[:_DEFINITIONS]],
        "rbacPermissions": platform.allowed,
        "networkConnectivity": silent is None,
        "requiredLibraries": list(_LIBRARIES.get(name, ())),
        "success": trouble is None,
        "message": _text(trouble or platform.message),
    }
    return {field: value for field, value in told_of.items() if value != []}


def _existing_check(request: Request, verdicts: Sequence[ModelVerdict]) -> dict:
    cause = next((one.cause for one in verdicts if one.status == "failed"), None)
    passed = f"{len(verdicts)} {'model is' if len(verdicts) == 1 else 'models are'} as they should be."
    found: dict = {"modelsChecked": [_model(one) for one in verdicts]} if verdicts else {}
    prediction = _prediction(request, verdicts)
    if prediction:
        found["predictionValidation"] = prediction
    message = cause or (passed.replace("they", "it") if len(verdicts) == 1 else passed)
    return {**found, "success": cause is None, "message": _text(message if verdicts else "No models are named.")}


def _model(one: ModelVerdict) -> dict:
    states = {name: getattr(one.checks, name).status for name in ("resource", "health", "prediction")}
    available = states["resource"] == "passed" or "passed" in (states["health"], states["prediction"])
    usage = {f"{name}Usage": _text(amount, _WORD) for name, amount in one.resources.items()}
    found = {
        "modelName": one.title,
        "available": available,
        "healthy": available and states["health"] != "failed" and states["resource"] != "failed",
        "version": _text(one.version or "", _WORD),
        "resourceStatus": usage,
        "url": _text(one.url or "", _TEXT),
        "message": _text(one.cause or ""),
    }
    return {field: value for field, value in found.items() if value not in ("", {})}


def _prediction(request: Request, verdicts: Sequence[ModelVerdict]) -> dict | None:
    """Return what came of the predictions: the first that is not as it should be, else the first."""
    asked = [(model, one) for model, one in zip(request.models, verdicts, strict=False) if model.test_data is not None]
    if not asked:
        return None
    model, one = next(((model, one) for model, one in asked if one.status == "failed"), asked[0])
    mismatch = one.code == "model_prediction_mismatch"
    found = {
        "success": one.checks.prediction.status == "passed",
        "actualOutput": _text(one.predicted or ""),
        "expectedOutput": "" if model.expected is NOTHING else _text(json.dumps(model.expected, ensure_ascii=False)),
        "difference": _text(one.cause or "") if mismatch else "",
        "message": _text(one.checks.prediction.message if not one.cause else one.cause),
    }
    return {field: value for field, value in found.items() if value != ""}


def _detected(one: ModelVerdict) -> bool:
    return one.checks.platform.status == "passed" or one.checks.resource.status == "passed"


def _text(text: str, limit: int = _TEXT) -> str:
    return shorten(clean(text), limit)
