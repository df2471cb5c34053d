# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a notebook as data."""

from __future__ import annotations

from collections.abc import Mapping

from operator_common.told import condition as told_condition

from .exposure import Exposure
from .question import Question
from .refusal import Refusal
from .state import Said

IDLE = "idle since "  # how a stop begins that the operator has asked for
Told = Mapping[str, tuple[bool, str, str]]


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
    known = {one["type"]: one for one in _known(before)}
    conditions = list(
        {**known, **{kind: _fresh(kind, known.get(kind), told[kind], generation, token) for kind in told}}.values()
    )
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


def _fresh(kind: str, old: dict | None, told: tuple[bool, str, str], generation: int, token: str | None) -> dict:
    state, reason, message = told
    return told_condition(kind, old, (str(state), reason, without(message, token)), generation)
