# SPDX-License-Identifier: GPL-3.0-or-later
"""What may go wrong for one part of the detection without ending it."""

from __future__ import annotations

from dataclasses import dataclass

from ..cluster.client import Cluster
from ..cluster.errors import ClusterError

NO_CLUSTER = "No cluster is configured."


@dataclass(frozen=True)
class Answer:
    """What a request gave: the object, or why there is none (a sentence, and the HTTP status)."""

    body: dict | None
    reason: str = ""
    status: int = 200


def ask(cluster: Cluster, path: str, query: dict | None = None, body: dict | None = None) -> Answer:
    """GET a path, or POST a review to it, and let a refusal be an answer.

    Raises ClusterError where asking for anything else is of no use: no answer at all, or 401.
    """
    try:
        found = cluster.get(path, query) if body is None else cluster.create(path, body)
    except ClusterError as error:
        if error.status in (None, 401):
            raise
        return Answer(None, error.message, error.status)
    return Answer(found)
