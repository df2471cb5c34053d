# SPDX-License-Identifier: GPL-3.0-or-later
"""What events say of an object: for some refusals of a cluster there is no other place."""

from __future__ import annotations

from .client import Cluster
from .deadline import Deadline
from .kinds import EVENTS

_PATIENCE = 10.0  # seconds


def messages(cluster: Cluster, namespace: str, name: str, reason: str, kind: str | None = None) -> list[str]:
    """Return what the events of one reason say about an object of that name, the newest last. Raises ClusterError.

    kind: of the object, where another kind may have one of the same name.
    """
    query = {"fieldSelector": f"involvedObject.name={name}" + (f",involvedObject.kind={kind}" if kind else "")}
    found = cluster.get(EVENTS.path(namespace), query, deadline=Deadline.after(_PATIENCE)).get("items", ())
    return [event.get("message", "") for event in found if event.get("reason") == reason]


def is_over_quota(words: str) -> bool:
    """Return whether a refusal is one of the admission of quotas (Kubernetes, "Resource Quotas")."""
    return "exceeded quota" in words
