# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done for a job that is not worked on: it is held, confirmed in its verdict, or deleted."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import JOBS as RUNS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import is_owned_by
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.removal import remove_this
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.batches import SELECTOR
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped

from ..told import lifecycle
from ..told.record import Record

_SECONDS = 30.0
_JSON_PATCH = "application/json-patch+json"
_SUSPENDED = "The job is suspended: nothing runs for it until suspend is false."


def find(cluster: Cluster, namespace: str, name: str) -> dict | None:
    """Return a job as it is now. Raises ClusterError."""
    return cluster.find(_path(namespace, name))


def hold(cluster: Cluster, found: dict, stop: Stop) -> None:
    """Remove what runs for a job, and say that it is suspended. Raises ClusterError, and Stopped."""
    if lifecycle.may_run(found):
        clear(cluster, found)
    record, why = Record(cluster, found, stop), ("Suspended", _SUSPENDED)
    told = {
        "Ready": ("False", *why),
        "Progressing": ("False", *why),
        "ValidationComplete": ("Unknown", *why),
        "Degraded": ("False", "AsExpected", "Nothing is wrong."),
    }
    record.write(told, phase="Pending", message=_SUSPENDED)
    record.say(*why)


def resume(cluster: Cluster, found: dict, stop: Stop) -> None:
    """Say that a job which was suspended goes on."""
    Record(cluster, found, stop).say("Resumed", "The job is not suspended any more.")


def clear(cluster: Cluster, found: dict) -> None:
    """Remove the runs that a job alone has, and that an operator left which is gone. Raises ClusterError."""
    namespace, uid = found["metadata"]["namespace"], found["metadata"]["uid"]
    deadline = Deadline.after(_SECONDS)
    for run in cluster.items(RUNS.path(namespace), {"labelSelector": SELECTOR}, deadline):
        if is_owned_by(run, uid) and len(run["metadata"]["ownerReferences"]) == 1:
            remove_this(cluster, RUNS, run, deadline)


def confirm(cluster: Cluster, found: dict, now: float) -> dict:
    """Say that the verdict of a job holds for it as it is now; return it so.

    Raises ClusterError, and Stopped where the job is gone or has changed meanwhile.
    """
    metadata, told = found["metadata"], lifecycle.confirmed(found, now)
    tests = [
        {"op": "test", "path": f"/metadata/{name}", "value": metadata[name]} for name in ("uid", "resourceVersion")
    ]
    path = _path(metadata["namespace"], metadata["name"]) + "/status"
    patch = [*tests, {"op": "add", "path": "/status", "value": told}]
    try:
        return cluster.request("PATCH", path, body=patch, content_type=_JSON_PATCH)
    except ClusterError as error:
        raise _gone_or(error) from None


def delete(cluster: Cluster, found: dict) -> None:
    """Delete a job as it is here. Raises ClusterError, and Stopped where it is gone or has changed meanwhile."""
    metadata = found["metadata"]
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {name: metadata[name] for name in ("uid", "resourceVersion")},
    }
    try:
        cluster.delete(_path(metadata["namespace"], metadata["name"]), body)
    except ClusterError as error:
        raise _gone_or(error) from None


def _gone_or(error: ClusterError) -> Exception:
    return Stopped() if error.status in (404, 409, 422) else error


def _path(namespace: str, name: str) -> str:
    return JOBS.path(namespace, name)
