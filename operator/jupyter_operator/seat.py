# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator knows of one notebook."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from .question import Question
from .state import Pod

PREFIX = "notebooks.mlops.dev/"  # of the annotations that the operator obeys


@dataclass
class Seat:
    """found: the newest JupyterNotebook that was seen. gone: it is there no more.

    pods: by name. had_pods: there were some before. refused: why the cluster lets no pod come to be.
    token, asked: None = not known yet.
    whole: the children are to be looked at, and not only what is said of them. tries: in a row that did not come to an end.
    """

    found: dict
    pods: dict[str, Pod] = field(default_factory=dict)
    had_pods: bool = False
    refused: str = ""
    token: str | None = None
    asked: Question | None = None
    whole: bool = True
    tries: int = 0
    gone: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def uid(self) -> str:
        """Of the notebook."""
        return self.found["metadata"]["uid"]

    def take(self, fresh: dict) -> bool:
        """Take the notebook as it was seen, if that is news; return whether anything follows."""
        with self._lock:
            if _version(fresh) <= _version(self.found):
                return False
            more, other = _asks(fresh) != _asks(self.found), fresh["status"] != self.found["status"]
            self.found = fresh
            if more:
                self.whole, self.tries = True, 0
            return more or other

    def written(self, fresh: dict) -> bool:
        """Take the notebook as a write of ours left it; return whether somebody has changed what it asks for."""
        with self._lock:
            if _version(fresh) <= _version(self.found):
                return False
            more = _asks(fresh) != _asks(self.found)
            self.found = fresh
            self.whole = self.whole or more
            return more


def trimmed(found: Mapping) -> dict:
    """Return a notebook without what nobody here reads."""
    metadata = {name: value for name, value in found["metadata"].items() if name != "managedFields"}
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": metadata,
        "spec": dict(found.get("spec") or {}),
        "status": dict(found.get("status") or {}),
    }


def _version(found: dict) -> int:
    # Numbers that grow (Kubernetes API concepts, "Resource versions").
    text = found["metadata"].get("resourceVersion") or "0"
    return int(text) if text.isdigit() else 0


def _asks(found: dict) -> tuple:
    metadata = found["metadata"]
    notes = {name: value for name, value in (metadata.get("annotations") or {}).items() if name.startswith(PREFIX)}
    return found["spec"], notes
