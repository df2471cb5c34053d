# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply that writes only where something changes."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from ..values.base import Value
from .client import MANAGER, Cluster
from .deadline import Deadline
from .discovery import Resource
from .errors import ClusterError
from .fields import covers, owned

# What we applied last, so that what a server stores in another form (1000m as 1) is not taken for a change.
APPLIED = "notebooks.mlops.dev/applied"
_APPLY = "application/apply-patch+yaml"
_NOISE = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


@dataclass(frozen=True)
class Applied(Value):
    """The outcome: the object as the server has it, whether it changed, and how.

    before, after: the object without what changes by itself, Secret values hidden; before is {} where it is new.
    """

    object: dict
    changed: bool
    before: dict
    after: dict


def apply(
    cluster: Cluster, manifest: dict, *, force: bool = False, dry_run: bool = False, deadline: Deadline | None = None
) -> Applied:
    """Make the object be as the manifest says, by one read and at most one write.

    manifest: the whole of what we own of the object; what we no longer name is given up. namespace: where the manifest
    names none, that of the connection. force: take fields over that other managers own. dry_run: only say what would
    change (the server is asked, so that its admission has a say).
    Raises ClusterError; ``cluster_conflict`` names the other manager and the fields.
    """
    wanted = prepared(manifest)
    resource = cluster.discovery.find(wanted["apiVersion"], wanted["kind"])
    path = path_of(cluster, resource, wanted)
    live = cluster.find(path, deadline=deadline)
    before = shown(live)
    if live is not None and _stands(live, wanted):
        return Applied(live, False, *hide_secrets(before, before))
    try:
        after = _send(cluster, path, wanted, force=force, dry_run=dry_run, deadline=deadline)
    except ClusterError as error:
        raise _told(error, wanted) from None
    return _outcome(live, before, after)


def put(cluster: Cluster, manifest: dict, resource: Resource, deadline: Deadline | None = None) -> dict:
    """Make the object be as the manifest says, by one write that asks nothing before; return it. Raises ClusterError."""
    wanted = prepared(manifest)
    return _send(cluster, path_of(cluster, resource, wanted), wanted, force=True, dry_run=False, deadline=deadline)


def _send(cluster: Cluster, path: str, wanted: dict, *, force: bool, dry_run: bool, deadline: Deadline | None) -> dict:
    query = {"fieldManager": MANAGER, "force": "true" if force else "false", "dryRun": "All" if dry_run else None}
    return cluster.request("PATCH", path, query=query, body=wanted, content_type=_APPLY, repeat=True, deadline=deadline)


def prepared(manifest: dict) -> dict:
    """Return the manifest as it is sent: Secret text encoded, with the mark of what it says."""
    wanted = {**manifest}
    if wanted.get("kind") == "Secret" and "stringData" in wanted:
        plain = wanted.pop("stringData") or {}
        encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in plain.items()}
        wanted["data"] = {**(wanted.get("data") or {}), **encoded}
    metadata = manifest.get("metadata") or {}
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != APPLIED}
    wanted["metadata"] = {**metadata, "annotations": annotations}
    text = json.dumps(wanted, sort_keys=True, separators=(",", ":"))
    annotations[APPLIED] = hashlib.sha256(text.encode()).hexdigest()[:32]
    return wanted


def path_of(cluster: Cluster, resource: Resource, manifest: dict) -> str:
    """Return the URL path of the object that a manifest names."""
    metadata = manifest["metadata"]
    return resource.path(metadata.get("namespace") or cluster.namespace, metadata["name"])


def shown(live: dict | None) -> dict:
    """Return an object fit for a diff: without bookkeeping and status, the values of a Secret hidden."""
    if live is None:
        return {}
    found = {name: value for name, value in live.items() if name != "status"}
    metadata = {name: value for name, value in found.get("metadata", {}).items() if name not in _NOISE}
    notes = {name: value for name, value in metadata.pop("annotations", {}).items() if name != APPLIED}
    found["metadata"] = {**metadata, **({"annotations": notes} if notes else {})}
    return found


def hide_secrets(before: dict, after: dict) -> tuple[dict, dict]:
    """Return both with the values of a Secret hidden, so that one sees which changed."""
    if "Secret" not in (before.get("kind"), after.get("kind")):
        return before, after
    old, new = before.get("data") or {}, after.get("data") or {}
    changed = {name for name in old.keys() & new.keys() if old[name] != new[name]}

    def hidden(data: dict, side: str) -> dict:
        return {name: f"*** ({side})" if name in changed else "***" for name in data}

    return (
        {**before, "data": hidden(old, "before")} if before else before,
        {**after, "data": hidden(new, "after")} if after else after,
    )


def _stands(live: dict, wanted: dict) -> bool:
    noted = live["metadata"].get("annotations", {}).get(APPLIED)
    tree = owned(live, MANAGER)
    return noted == wanted["metadata"]["annotations"][APPLIED] and tree is not None and covers(tree, wanted)


def _outcome(live: dict | None, before: dict, after: dict) -> Applied:
    changed = live is None or shown(after) != before
    return Applied(after, changed, *hide_secrets(before, shown(after)))


def _told(error: ClusterError, wanted: dict) -> ClusterError:
    """Name the other managers of a conflict (reason ``FieldManagerConflict`` in the causes)."""
    causes = [cause for cause in error.causes if cause.get("reason") == "FieldManagerConflict"]
    if error.status != 409 or not causes:
        return error
    name = f"{wanted['kind']} {wanted['metadata']['name']}"
    claims = "; ".join(f"{cause.get('field')}: {cause.get('message')}" for cause in causes)
    return ClusterError(
        f"{name} was not changed, since others manage fields of it ({claims}): leave the fields to them, or force.",
        "cluster_conflict", status=409, reason="Conflict", causes=causes,
    )  # fmt: skip
