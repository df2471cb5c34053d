# SPDX-License-Identifier: GPL-3.0-or-later
"""What notebooks are told about the models, as variables of their environment."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..values.model import ModelVerdict
from .spec import NOTHING, Model, Request

_PREFIX = "MODEL_VALIDATION_"
_PHASES = {"before": "clean", "after": "existing", "both": "both"}


def variables(request: Request, verdicts: Sequence[ModelVerdict]) -> dict[str, str]:
    """Return the variables by name, the same for the same request; {} without models.

    Lists are joined by commas in the order of the request. What belongs to a model (test data, expected output, tolerance) is
    JSON: as it is for one model, an object by ``namespace/name`` for several. No secret is among them.
    """
    models = request.models
    if not models:
        return {}
    custom = next((model for model in models if model.platform == "custom"), None)
    urls = {verdict.title: verdict.url for verdict in verdicts if verdict.url}
    found = {
        "ENABLED": "true",
        "PLATFORM": _joined(model.platform for model in models),
        "NAMESPACE": request.namespace,
        "PHASE": _PHASES[request.phase],
        "TARGET_MODELS": _joined(model.title for model in models),
        "TARGET_MODELS_ORIGINAL": _joined(model.original for model in models),
        "TARGET_NAMESPACES": _joined(sorted({model.namespace for model in models if model.namespace})),
        "URLS": json.dumps(urls, sort_keys=True),
        "PREDICTION_ENABLED": str(any(model.test_data is not None for model in models)).lower(),
        "PREDICTION_TEST_DATA": _each(models, lambda model: NOTHING if model.test_data is None else model.test_data),
        "PREDICTION_EXPECTED_OUTPUT": _each(models, lambda model: model.expected),
        "PREDICTION_TOLERANCE": _each(models, _tolerance),
        "CUSTOM_API_GROUP": custom.group if custom else "",
        "CUSTOM_RESOURCE_TYPE": (custom.kind or "") if custom else "",
        "CUSTOM_HEALTH_ENDPOINT": (custom.health_path or "") if custom else "",
        "CUSTOM_PREDICTION_ENDPOINT": (custom.predict_path or "") if custom else "",
        "TIMEOUT": f"{models[0].timeout:g}s",
    }
    return {f"{_PREFIX}{name}": value for name, value in found.items() if value}


def _tolerance(model: Model) -> object:
    """A number, or an object where a relative one is given."""
    given = {"absolute": model.tolerance.atol, "relative": model.tolerance.rtol}
    if given["relative"] is None:
        return NOTHING if given["absolute"] is None else given["absolute"]
    return {name: value for name, value in given.items() if value is not None}


def _joined(names) -> str:
    return ",".join(dict.fromkeys(names))


def _each(models: Sequence[Model], value_of) -> str:
    values = {model.title: value_of(model) for model in models}
    given = {title: value for title, value in values.items() if value is not NOTHING}
    if not given:
        return ""
    one = len(models) == 1
    return json.dumps(next(iter(given.values())) if one else given, sort_keys=True, ensure_ascii=False)
