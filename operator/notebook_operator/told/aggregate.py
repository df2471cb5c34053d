# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of one application together: a ConfigMap for each ``app.kubernetes.io/part-of`` in a namespace."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import CONFIG_MAPS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import is_ours, labels
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS

PART_OF = "app.kubernetes.io/part-of"
COMPONENT = "aggregate"
_LOG = logging.getLogger(__name__)
_PAUSE = 1.0  # seconds in which changes are gathered before they are written
_AGAIN = 30.0  # seconds before what the cluster did not take is written again
_TRIES = 5  # where others write the same object
_JSON_PATCH = "application/json-patch+json"
# State of a job: how the summary and the entry of the ConfigMap have it.
_WORDS = {
    "Succeeded": ("succeeded", "succeeded"),
    "Failed": ("failed", "failed"),
    "Running": ("under way", "running"),
    "Suspended": ("suspended", "suspended"),
}


def name_of(part: str) -> str:
    """Return the name of the ConfigMap of an application."""
    name = f"notebook-validation-{part}"
    if re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name) and ".." not in name:
        return name
    # Labels may have letters that names have not.
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"{plain}-{hashlib.sha256(part.encode()).hexdigest()[:8]}"


def carried(metadata: dict) -> dict[str, str]:
    """Return the labels of a job that its pods have too. Others, such as those by which Argo CD knows what is its own, stay away."""
    return {name: value for name, value in (metadata.get("labels") or {}).items() if name == PART_OF}


@dataclass
class _Part:
    """jobs: by uid. whole: all of them are known. planned: they will be written. late: they changed while that was done."""

    namespace: str
    name: str
    jobs: dict[str, dict] = field(default_factory=dict)
    whole: bool = False
    planned: bool = False
    late: bool = False


class Aggregates:
    """Takes what is seen of jobs, and keeps the ConfigMaps of their applications. Nothing is asked while nothing changes."""

    def __init__(self, cluster: Cluster):
        self._cluster, self._lock = cluster, threading.Lock()
        self._parts: dict[tuple[str, str], _Part] = {}
        self._places: dict[str, tuple[str, str]] = {}  # uid of a job -> its application

    def see(self, found: dict) -> None:
        """Take a job as it is now."""
        self._take(found, (found["metadata"].get("labels") or {}).get(PART_OF) or None)

    def forget(self, found: dict) -> None:
        """Take that a job is gone."""
        self._take(found, None)

    def _take(self, found: dict, name: str | None) -> None:
        uid, namespace = found["metadata"]["uid"], found["metadata"]["namespace"]
        with self._lock:
            before, now = self._places.pop(uid, None), (namespace, name) if name else None
            if before and before != now:
                self._parts[before].jobs.pop(uid, None)
                self._plan(self._parts[before])
            if now is None:
                return
            self._places[uid] = now
            part = self._parts.setdefault(now, _Part(namespace, name))
            told = _told(found)
            if part.jobs.get(uid) != told:
                part.jobs[uid] = told
                self._plan(part)

    def _plan(self, part: _Part, seconds: float | None = None) -> None:
        """Have a part written soon, with all that changes until then."""
        if part.planned:
            part.late = True
            return
        part.planned, part.late = True, False
        timer = threading.Timer(_PAUSE if seconds is None else seconds, self._write, (part,))
        timer.daemon = True
        timer.start()

    def _write(self, part: _Part) -> None:
        pause = None
        try:
            if not part.whole:
                self._learn(part)
            with self._lock:
                part.late = False
                jobs = dict(part.jobs)
            self._put(part, jobs)
        except ClusterError as error:
            _LOG.warning("%s/%s was not written: %s", part.namespace, name_of(part.name), error.message)
            pause = _AGAIN if error.transient or error.status in (409, 422) else None
        with self._lock:
            part.planned = False
            if part.late or pause:
                self._plan(part, pause)
            elif not part.jobs:
                self._parts.pop((part.namespace, part.name), None)

    def _learn(self, part: _Part) -> None:
        """Ask once for all jobs of a part, so that a process that has just begun writes nothing that is not whole."""
        selector = {"labelSelector": f"{PART_OF}={part.name}"}
        there = {one["metadata"]["uid"]: one for one in self._cluster.items(JOBS.path(part.namespace), selector)}
        with self._lock:
            place = (part.namespace, part.name)
            for uid, found in there.items():
                if uid not in part.jobs and "deletionTimestamp" not in found["metadata"]:
                    part.jobs[uid], self._places[uid] = _told(found), place
            part.whole = True

    def _put(self, part: _Part, jobs: dict[str, dict]) -> None:
        path = CONFIG_MAPS.path(part.namespace, name_of(part.name))
        for left in reversed(range(_TRIES)):
            found = self._cluster.find(path)
            if found is not None and not is_ours(found):
                _LOG.warning("%s/%s is not the operator's: it is left as it is.", part.namespace, name_of(part.name))
                return
            try:
                self._send(path, part, jobs, found)
                return
            except ClusterError as error:
                if error.status not in (404, 409, 422) or not left:
                    raise

    def _send(self, path: str, part: _Part, jobs: dict[str, dict], found: dict | None) -> None:
        if not jobs:
            if found is not None:
                self._cluster.delete(path, {"preconditions": {"uid": found["metadata"]["uid"]}})
            return
        wanted = _manifest(part, jobs)
        if found is None:
            self._cluster.create(CONFIG_MAPS.path(part.namespace), wanted)
            return
        owners = wanted["metadata"]["ownerReferences"]
        if found.get("data") == wanted["data"] and found["metadata"].get("ownerReferences") == owners:
            return
        version = found["metadata"]["resourceVersion"]
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/ownerReferences", "value": owners},
            {"op": "add", "path": "/data", "value": wanted["data"]},
        ]
        self._cluster.request("PATCH", path, body=patch, content_type=_JSON_PATCH)


def _told(found: dict) -> dict:
    """Return what is told of a job; what is said of an older generation does not count."""
    metadata, status = found["metadata"], found.get("status") or {}
    fresh = status.get("observedGeneration") == metadata.get("generation")
    states = {"True": "Succeeded", "False": "Failed"}
    complete = next((one for one in status.get("conditions") or () if one["type"] == "ValidationComplete"), {})
    same = complete.get("observedGeneration") == metadata.get("generation")
    waits = "Suspended" if complete.get("reason") == "Suspended" else "Running"
    names = ("phase", "code", "completionTime", "observedGeneration")
    told = {
        "name": metadata["name"],
        "state": states.get(complete.get("status"), waits) if same else "Running",
        **({name: status.get(name) for name in names} if fresh else {}),
    }
    return {name: value for name, value in told.items() if value is not None}


def _manifest(part: _Part, jobs: dict[str, dict]) -> dict:
    """The ConfigMap belongs to all jobs, so that it goes with the last of them even if no operator runs."""
    ordered = sorted(jobs.items(), key=lambda item: item[1]["name"])
    counts = Counter(job["state"] for job in jobs.values())
    state = next(state for state in ("Failed", "Running", "Suspended", "Succeeded") if counts[state])
    words = ", ".join(f"{counts[one]} {_WORDS[one][0]}" for one in _WORDS if counts[one])
    told = [job for _uid, job in ordered]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name_of(part.name),
            "namespace": part.namespace,
            "labels": labels(COMPONENT, part.name, part_of=part.name),
            "ownerReferences": [
                {"apiVersion": JOBS.api_version, "kind": JOBS.kind, "name": job["name"], "uid": uid}
                for uid, job in ordered
            ],
        },
        "data": {
            "state": state,
            "total": str(len(jobs)),
            **{entry: str(counts[one]) for one, (_word, entry) in _WORDS.items()},
            "summary": f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}: {words}.",
            "jobs.json": json.dumps(told, indent=1),
        },
    }
