# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting objects of ours, and only these."""

from __future__ import annotations

from .client import MANAGER, Cluster
from .deadline import Deadline
from .discovery import Resource
from .errors import ClusterError
from .goals import absent
from .objects import KEY, MANAGED_BY, is_ours, is_owned_by
from .wait import wait


def remove(
    cluster: Cluster,
    resource: Resource,
    deadline: Deadline,
    *,
    name: str | None = None,
    key: str | None = None,
    owner: str | None = None,
    namespace: str | None = None,
    propagation: str = "Background",
    waiting: bool = True,
    dry_run: bool = False,
) -> tuple[str, ...]:
    """Delete objects of one resource that carry our label; return their names.

    What is chosen: the object of this name, those of this key, or those owned by the object of this uid.
    propagation: ``Foreground`` (dependents first), ``Background`` or ``Orphan`` (Kubernetes, "Garbage Collection").
    waiting: until they are gone. dry_run: only say which they would be.
    Raises ClusterError: ``cluster_conflict`` where the object of the name is not ours, ``cluster_timeout`` where
    something is still there at the deadline.
    """
    namespace = namespace or cluster.namespace
    scope = namespace if resource.namespaced else None
    chosen = _chosen(cluster, resource, scope, deadline, name, key, owner)
    for found in chosen if not dry_run else ():
        try:
            remove_this(cluster, resource, found, deadline, propagation)
        except ClusterError as error:
            if error.status != 409:
                raise
    names = tuple(found["metadata"]["name"] for found in chosen)
    if names and waiting and not dry_run:
        _wait_until_gone(cluster, resource, names, scope, deadline)
    return names


def remove_this(
    cluster: Cluster, resource: Resource, found: dict, deadline: Deadline, propagation: str = "Background"
) -> None:
    """Delete this very object, and what depends on it; one of the same name that came in its place is left alone.

    Raises ClusterError: 409 where another has come.
    """
    metadata = found["metadata"]
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": propagation,
        "preconditions": {"uid": metadata["uid"]},
    }
    cluster.delete(resource.path(metadata.get("namespace"), metadata["name"]), body, deadline=deadline)


def _chosen(cluster, resource: Resource, scope, deadline, name, key, owner) -> list[dict]:
    if name is not None:
        found = cluster.find(resource.path(scope, name), deadline=deadline)
        if found is not None and not is_ours(found):
            raise ClusterError(
                f"{resource.kind} {name} was not deleted, since it is not of this collection (it has no label "
                f"{MANAGED_BY}={MANAGER}): delete it yourself, or choose another name.", "cluster_conflict",
            )  # fmt: skip
        return [found] if found else []
    selector = f"{MANAGED_BY}={MANAGER}" + (f",{KEY}={key}" if key else "")
    listed = cluster.items(resource.path(scope), {"labelSelector": selector}, deadline)
    return [found for found in listed if owner is None or is_owned_by(found, owner)]


def _wait_until_gone(cluster, resource: Resource, names, scope, deadline: Deadline) -> None:
    waited = wait(cluster, resource, names, absent(), deadline, namespace=scope)
    if waited.pending:
        trouble = f" ({waited.trouble.message})" if waited.trouble else ""
        raise ClusterError(
            f"{resource.kind} {', '.join(waited.pending)} is still there{trouble}: look at its finalizers, "
            "or give it more time.", "cluster_timeout",
        )  # fmt: skip
