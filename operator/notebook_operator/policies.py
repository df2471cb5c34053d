# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job asks of outputs, by the names that the engine has for it."""

from __future__ import annotations

import re

_POLICIES = {
    "strictMode": "strict",
    "failOnStderr": "fail_on_stderr",
    "failOnWarnings": "fail_on_warnings",
    "detectSilentFailures": "detect_silent_failures",
}
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


def policies(given: dict) -> dict:
    """Return the options of the verdict from validationConfig. What expectedOutputs says of types is always checked."""
    found = {ours: given[name] for name, ours in _POLICIES.items() if name in given}
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


def _snake(given: dict) -> dict:
    """Return an expectation by the engine's names. A default that checks nothing is left out."""
    found = {re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name): value for name, value in given.items()}
    return {name: value for name, value in found.items() if (name, value) != ("not_empty", False)}
