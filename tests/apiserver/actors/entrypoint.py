# SPDX-License-Identifier: GPL-3.0-or-later
"""Tekton's entrypoint in a simulated container: it holds a step back until the one before it has ended.

Then the step works, or, where the one before failed, ends at once with a line that says so (tektoncd/pipeline, cmd/entrypoint).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

ENTRYPOINT = "/tekton/bin/entrypoint"
SKIPPED = "Skipping step because a previous step failed"


def is_step(spec: dict) -> bool:
    return spec.get("command") == [ENTRYPOINT]


def note(key: str, value: str, kind: int = 3) -> dict:
    """kind: 1 for a result of the Task, 3 for what is Tekton's own."""
    return {"key": key, "value": value, "type": kind}


def termination_message(spec: dict, message: str, moment: str, skipped: bool = False) -> str:
    """What the entrypoint leaves; `message`, where the step has left something, is the first result."""
    arguments = spec.get("args") or []
    names = arguments[arguments.index("-results") + 1].split(",") if "-results" in arguments else [""]
    found = [note("StartedAt", moment)]
    if message and names[0]:
        found.append(note(names[0], message, 1))
    if skipped:
        found.append(note("Reason", "Skipped"))
    return json.dumps(found)


def notes_of(ended: dict) -> list[dict]:
    """The notes in the termination message of a step."""
    try:
        return json.loads(ended.get("message") or "[]")
    except ValueError:
        return []


class Turns:
    """Which step of a pod has its turn; steps are (uid of the pod, container)."""

    def __init__(self):
        self._lock = threading.Lock()
        self._ended: dict[tuple[str, str], int] = {}
        self._waiting: dict[tuple[str, str], Callable[[bool], None]] = {}

    def wait(self, uid: str, before: str, go: Callable[[bool], None]) -> None:
        """Call `go` as soon as the step before has ended, with whether it failed."""
        with self._lock:
            code = self._ended.get((uid, before))
            if code is None:
                self._waiting[(uid, before)] = go
        if code is not None:
            go(code != 0)

    def end(self, uid: str, step: str, code: int) -> None:
        with self._lock:
            self._ended[(uid, step)] = code
            go = self._waiting.pop((uid, step), None)
        if go:
            go(code != 0)
