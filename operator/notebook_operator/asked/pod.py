# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job says of its pod, as the engine takes it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.merging import (
    require_mergeable,
    require_results,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.options import PodOptions, ResultsClaim
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

_RETRIES = 2
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(duration: str | None) -> float | None:
    """Return the seconds of a duration such as ``1h30m``; None for ``0s``, and where there is none."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", duration or "")
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or None


@dataclass(frozen=True)
class Retry:
    """limit: runs after the first. delay, most: seconds before the next one, doubled each time, and at most; None = the engine's."""

    limit: int = _RETRIES
    delay: float | None = None
    most: float | None = None


def retry(spec: dict) -> Retry:
    """Return how often a run is tried again, from ``retries`` or ``retryPolicy``."""
    given = spec.get("retryPolicy", {})
    return Retry(
        limit=given.get("limit", spec.get("retries", _RETRIES)),
        delay=seconds(given.get("backoff")),
        most=seconds(given.get("maxBackoff")),
    )


def results(claim: dict | None) -> ResultsClaim | None:
    """Return the claim on which pods leave their results too. Raises EngineError where it cannot be one."""
    if claim is None:
        return None
    found = ResultsClaim(claim["name"], claim.get("path", ""))
    try:
        require_results(found, ())
    except EngineError as error:
        # The rules are those of the modules, and so are their names of options.
        told = error.message.replace("results.claim", "artifacts.claim.name").replace(
            "results.path", "artifacts.claim.path"
        )
        raise EngineError(told, error.code) from None
    return found


def options(given: dict) -> PodOptions:
    """Return the options of the pod from podConfig. Raises EngineError for names and places that are the engine's own."""
    found = PodOptions(
        resources=given.get("resources", {}),
        service_account=given.get("serviceAccountName"),
        node_selector=given.get("nodeSelector", {}),
        tolerations=tuple(given.get("tolerations", ())),
        affinity=given.get("affinity", {}),
        priority_class=given.get("priorityClassName"),
        runtime_class=given.get("runtimeClassName"),
        image_pull_secrets=tuple(one["name"] for one in given.get("imagePullSecrets", ())),
        labels=given.get("labels", {}),
        annotations=given.get("annotations", {}),
        env=tuple(one for one in given.get("env", ()) if "valueFrom" in one),
        env_from=tuple(given.get("envFrom", ())),
        credentials=tuple(given.get("credentials", ())),
        volumes=tuple(given.get("volumes", ())),
        volume_mounts=tuple(given.get("volumeMounts", ())),
        queue=given.get("queue"),
        patience=seconds(given.get("patience")) or PodOptions.patience,
    )
    _check(given, found)
    return found


def variables(given: dict) -> dict[str, str]:
    """Return the variables of the notebook whose values stand in podConfig itself."""
    return {one["name"]: one.get("value", "") for one in given.get("env", ()) if "valueFrom" not in one}


def digest(given: dict) -> str:
    """Return a hash of all that podConfig says, since a run in another pod may end otherwise."""
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _check(given: dict, found: PodOptions) -> None:
    for one in given.get("env", ()):
        if "value" in one and "valueFrom" in one:
            raise EngineError(
                f"The variable {one['name']} of podConfig.env has both value and valueFrom: leave one out."
            )
    tokens = {one["name"] for one in given.get("volumes", ()) if "projected" in one}
    for one in given.get("volumeMounts", ()):
        if one["name"] in tokens:
            raise EngineError(
                f"podConfig.volumeMounts mounts {one['name']}, which holds a token that is not the notebook's: leave the mount out."
            )
    try:
        require_mergeable(found, variables(given))
    except EngineError as error:
        # The rules are those of the modules, and so are their names of options.
        told = error.message.replace("pod.volume_mounts", "pod.volumeMounts").replace("pod.", "podConfig.")
        told = told.replace("environment_variables or pass_variables", "a value there")
        raise EngineError(told, error.code) from None
