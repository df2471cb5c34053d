# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator writes about a notebook: its status, events, and that it is to stop."""

from __future__ import annotations

import logging

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from operator_common.told import say

from . import status
from .children import OPERATOR
from .question import STOPPED

NOTEBOOKS = Resource("squonk.it", "v2", "jupyternotebooks", "JupyterNotebook", True)
_LOG = logging.getLogger(__name__)
_USUAL = ("Starting", "Runs")  # of what is new
_JSON_PATCH, _MERGE = "application/json-patch+json", "application/merge-patch+json"


def write(cluster: Cluster, found: dict, wanted: dict) -> dict | None:
    """Write a status; return the notebook, None where it is there no more. Raises ClusterError."""
    metadata = found["metadata"]
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
        {"op": "add", "path": "/status", "value": wanted},
    ]
    path = NOTEBOOKS.path(metadata["namespace"], metadata["name"], "status")
    return _patched(cluster, metadata, path, patch, _JSON_PATCH)


def stop(cluster: Cluster, found: dict, why: str) -> dict | None:
    """Ask for a stop as everybody does, by the annotation; return the notebook, None where it is there no more. Raises ClusterError."""
    metadata = found["metadata"]
    # The uid is a precondition: of another notebook of this name nothing is known.
    patch = {"metadata": {"uid": metadata["uid"], "annotations": {STOPPED: why}}}
    return _patched(cluster, metadata, NOTEBOOKS.path(metadata["namespace"], metadata["name"]), patch, _MERGE)


def _patched(cluster: Cluster, metadata: dict, path: str, patch, content_type: str) -> dict | None:
    try:
        return cluster.request("PATCH", path, body=patch, content_type=content_type, repeat=True)
    except ClusterError as error:
        if error.status == 404:
            return None
        if error.status in (409, 422):
            live = cluster.find(NOTEBOOKS.path(metadata["namespace"], metadata["name"]))
            if live is None or live["metadata"]["uid"] != metadata["uid"]:
                return None
        raise


def tell(cluster: Cluster, found: dict, before: dict, after: dict) -> None:
    """Write an event for each condition that came to another reason; where that cannot be, the log has it."""
    for one in after["conditions"]:
        old = status.condition(before, one["type"])
        same = (old.get("status"), old.get("reason")) == (one["status"], one["reason"])
        if same or not old and one["reason"] in _USUAL:
            continue
        warning = one["status"] == "False" and one["reason"] not in ("Starting", "Stopped", "Runs")
        _say(cluster, found["metadata"], one["reason"], one["message"], warning)
        if one["type"] == "Accepted" and one["status"] == "False":
            return  # Ready says the same


def _say(cluster: Cluster, metadata: dict, reason: str, message: str, warning: bool) -> None:
    _LOG.log(
        logging.WARNING if warning else logging.INFO,
        "%s/%s: %s: %s",
        metadata["namespace"],
        metadata["name"],
        reason,
        message,
    )
    about = {"apiVersion": NOTEBOOKS.api_version, "kind": NOTEBOOKS.kind}
    about |= {name: metadata[name] for name in ("name", "namespace", "uid")}
    say(cluster, about, OPERATOR, reason, message, warning=warning)
