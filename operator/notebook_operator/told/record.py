# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator writes about one job: its status, and events."""

from __future__ import annotations

import logging
import threading

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean
from operator_common import logs
from operator_common.told import say

from . import lifecycle, status

_LOG = logging.getLogger(__name__)
_COMPONENT = "notebook-operator"
_JSON_PATCH = "application/json-patch+json"
_CARRIED = (
    "startTime",
    "phase",
    "message",
    "buildStatus",
    "validationPodName",
    "summary",
    "lastRetryTime",
    "modelValidationResult",
)


class Record:
    """The status of one generation of a job. Written as a whole, and only where it changes. Safe to use from several threads."""

    def __init__(self, cluster: Cluster, found: dict, stop: Stop):
        self._cluster, self._stop = cluster, stop
        self._lock, self._over = threading.Lock(), False
        self._metadata = found["metadata"]
        self._written = found.get("status") or {}
        same = self._written.get("observedGeneration") == self.generation
        carried = (*(_CARRIED if same else ()), *lifecycle.TIMES)
        self._status = {name: self._written[name] for name in carried if name in self._written}
        self._status[lifecycle.DIGEST] = lifecycle.digest(found["spec"])
        self._conditions = list(self._written.get("conditions") or ())
        # What the status says as long as notebooks run.
        ran = any((one["type"], one["reason"]) == ("Progressing", "Running") for one in self._conditions)
        self.resumed = bool(same and ran and "startTime" in self._status)

    @property
    def generation(self) -> int:
        """The generation that all is about."""
        return self._metadata["generation"]

    @property
    def namespace(self) -> str:
        """That the job is in."""
        return self._metadata["namespace"]

    @property
    def phase(self) -> str | None:
        """How far the job is, as its status tells it."""
        return self._status.get("phase")

    @property
    def began(self) -> str:
        """When the work on this generation began, whichever process did it."""
        return self._status.get("startTime") or status.now()

    @property
    def models(self) -> dict | None:
        """What was found of the models while the work on this generation was under way."""
        over = self._written.get("phase") in ("Succeeded", "Failed")
        return None if over else self._status.get("modelValidationResult")

    def check(self) -> None:
        """Raise Stopped where the job is known to have changed, or to go."""
        self._stop.check()

    def age(self) -> float:
        """Return the seconds since the work on this generation began, whichever process did it."""
        began = self._status.get("startTime")
        return status.seconds_since(began) if began else 0.0

    @property
    def owner(self) -> dict:
        """The job as an entry of ``metadata.ownerReferences``."""
        names = {name: self._metadata[name] for name in ("name", "uid")}
        return {"apiVersion": JOBS.api_version, "kind": JOBS.kind, **names}

    def write(self, told: dict[str, tuple[str, str, str]], *, last: bool = False, **changes) -> None:
        """Set conditions and fields; after what is the last word, nothing is written any more.

        Raises Stopped where the job is gone or has changed, and ClusterError.
        """
        with self._lock:
            if not self._over:
                self._write(told, changes)
            self._over = self._over or last

    def _write(self, told: dict[str, tuple[str, str, str]], changes: dict) -> None:
        self._stop.check()
        self._conditions = status.conditions(self._conditions, self.generation, told)
        fresh = {"startTime": status.now(), **self._status, **changes}
        fresh |= {"observedGeneration": self.generation, "conditions": self._conditions}
        self._status = fresh
        if fresh == self._written:
            return
        place = JOBS.path(self._metadata["namespace"], self._metadata["name"]) + "/status"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": self._metadata["uid"]},
            {"op": "add", "path": "/status", "value": fresh},
        ]
        try:
            self._cluster.request("PATCH", place, body=patch, content_type=_JSON_PATCH, repeat=True)
        except ClusterError as error:
            if error.status == 404 or error.status == 422 and self._is_gone():
                raise Stopped from None
            raise
        self._written = fresh

    def _is_gone(self) -> bool:
        found = self._cluster.find(JOBS.path(self._metadata["namespace"], self._metadata["name"]))
        return found is None or found["metadata"]["uid"] != self._metadata["uid"]

    def say(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Write an event; where that cannot be, the log has it."""
        words = (self._metadata["namespace"], self._metadata["name"], reason, clean(message))
        _LOG.info("%s/%s: %s: %s", *words, extra=logs.fields(self._metadata, reason))
        about = {**self.owner, "namespace": self._metadata["namespace"]}
        say(self._cluster, about, _COMPONENT, reason, message, warning=warning)
