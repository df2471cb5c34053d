# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a notebook as data."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, shorten

from .exposure import Exposure
from .question import Question
from .refusal import Refusal
from .state import Said

IDLE = "idle since "  # how a stop begins that the operator has asked for
_TEXT = 1000  # characters
Told = Mapping[str, tuple[bool, str, str]]


def now() -> str:
    """Return this moment as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def refused(refusal: Refusal) -> Told:
    """Return what is said of a notebook that cannot be had."""
    return {
        "Accepted": (False, refusal.reason, refusal.message),
        "Ready": (False, refusal.reason, refusal.message),
    }


def accepted(asked: Question, said: Said) -> Told:
    """Return what is said of a notebook whose objects are there."""
    told = {"Accepted": (True, "Accepted", "All objects of the notebook are as they are to be.")}
    if asked.stopped is None:
        return {
            **told,
            "Stopped": (False, "Runs", "Nobody asked for a stop."),
            "Ready": (said.ready, said.reason, said.message),
        }
    idle = asked.stopped.startswith(IDLE)
    words = f"The server was {asked.stopped}" if idle else f"A stop was asked for ({asked.stopped})"
    message = f"{words}; the project is kept, and the server starts when the annotation is removed."
    reason = "Idle" if idle else "Asked"
    return {**told, "Stopped": (True, reason, message), "Ready": (False, "Stopped", message)}


def troubled(reason: str, message: str) -> Told:
    """Return what is said of a notebook that waits for the cluster."""
    return {"Accepted": (False, reason, message)}


def fresh(before: Mapping, generation: int, told: Told, token: str | None, more: Mapping | None = None) -> dict:
    """Return the whole status; what others wrote into it stays.

    token: must not be in any message. more: further fields.
    """
    conditions = [
        _condition(one, told[one["type"]], generation) if one["type"] in told else one for one in _known(before)
    ]
    missing = [{"type": kind} for kind in told if kind not in [one["type"] for one in conditions]]
    conditions += [_condition(one, told[one["type"]], generation) for one in missing]
    for one in conditions:
        one["message"] = shorten(clean(without(one["message"], token)), _TEXT)
    return {**before, **(more or {}), "observedGeneration": generation, "conditions": conditions}


def without(text: str, token: str | None) -> str:
    """Return a text without the token."""
    return text.replace(token, "***") if token else text


def condition(status: Mapping, kind: str) -> dict:
    """Return a condition, {} where there is none."""
    return next((one for one in _known(status) if one["type"] == kind), {})


def jupyter(asked: Question, way: Exposure, token: str) -> dict:
    """Return what Data Managers read."""
    memory = {part: {"memory": amounts["memory"]} for part, amounts in sorted(asked.resources.items(), reverse=True)}
    project = {"claimName": asked.claim, "id": asked.project}
    return {
        "notebook": {"url": way.url(token), "token": token, "interface": asked.interface},
        "image": asked.image_text,
        "serviceAccountName": asked.account,
        "resources": memory,
        "project": {name: value for name, value in project.items() if value is not None},
    }


def _known(status: Mapping) -> list[dict]:
    return [dict(one) for one in status.get("conditions") or () if isinstance(one, dict) and one.get("type")]


def _condition(old: dict, told: tuple[bool, str, str], generation: int) -> dict:
    state = str(told[0])
    since = old.get("lastTransitionTime") if old.get("status") == state else None
    return {
        "type": old["type"], "status": state, "observedGeneration": generation,
        "lastTransitionTime": since or now(), "reason": told[1], "message": told[2],
    }  # fmt: skip
