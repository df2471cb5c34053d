# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job asks of outputs, by the names that the engine has for it."""

from __future__ import annotations

import re

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.golden.options import GoldenOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.policies import Policies

_POLICIES = {
    "strictMode": "strict",
    "failOnStderr": "fail_on_stderr",
    "failOnWarnings": "fail_on_warnings",
    "detectSilentFailures": "detect_silent_failures",
}
# What a level asks for; a field that is given itself counts in its place.
LEVELS = {
    "learning": {},
    "development": {"detect_silent_failures": True},
    "staging": {"detect_silent_failures": True, "fail_on_warnings": True},
    "production": {"detect_silent_failures": True, "fail_on_warnings": True, "fail_on_stderr": True},
}
_LEVEL = "development"
_COMPARISON = {
    "relativeTolerance": "rtol",
    "absoluteTolerance": "atol",
    "imageTolerance": "image_tolerance",
    "ignoreTimestamps": "ignore_timestamps",
    "ignoreAddresses": "ignore_addresses",
    "ignoreTimings": "ignore_timings",
    "ignoreExecutionCount": "ignore_execution_count",
    "ignoreOutputTypes": "ignore_outputs",
    "compareSource": "compare_source",
    "patterns": "patterns",
}
# Nothing is taken out of texts, and no number may differ.
_EXACT = {
    "rtol": 0.0,
    "atol": 0.0,
    "ignore_timestamps": False,
    "ignore_addresses": False,
    "ignore_timings": False,
}
_MOMENT = "<time>"
# The engine's names of what it refuses -> those of the job.
_TOLD = {
    "comparison.ignore_outputs": "comparisonConfig.ignoreOutputTypes",
    "comparison.": "comparisonConfig.",
    "expected_outputs": "validationConfig.expectedOutputs",
}


def policies(given: dict | None) -> dict:
    """Return the options of the verdict from validationConfig. What expectedOutputs says of types is always checked.

    A job without validationConfig asks for nothing.
    """
    if given is None:
        return {}
    found = {**LEVELS[given.get("level", _LEVEL)]}
    found |= {ours: given[name] for name, ours in _POLICIES.items() if name in given}
    expected = [_snake(one) for one in given.get("expectedOutputs", ())]
    return {**found, **({"expected_outputs": expected} if expected else {})}


def comparison(given: dict) -> dict:
    """Return the options of the golden comparison from comparisonConfig."""
    found = {ours: given[name] for name, ours in _COMPARISON.items() if name in given}
    if "floatingPointTolerance" in given:
        found = {"rtol": given["floatingPointTolerance"], "atol": given["floatingPointTolerance"], **found}
    moments = [{"pattern": pattern, "replacement": _MOMENT} for pattern in given.get("customTimestampPatterns", ())]
    if moments:
        found["patterns"] = [*moments, *found.get("patterns", ())]
    return {**found, **(_EXACT if given.get("strategy") == "exact" else {})}


def require(policies: dict, comparison: dict) -> None:
    """Raise EngineError where these options cannot be meant, before anything is built: an expression that does not compile, say."""
    try:
        Policies.from_options(policies)
        GoldenOptions.from_options(comparison)
    except EngineError as error:
        told = error.message
        for ours, name in _TOLD.items():
            told = told.replace(ours, name)
        raise EngineError(told, error.code) from None


def _snake(given: dict) -> dict:
    """Return an expectation by the engine's names. A default that checks nothing is left out."""
    found = {re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name): value for name, value in given.items()}
    return {name: value for name, value in found.items() if (name, value) != ("not_empty", False)}
