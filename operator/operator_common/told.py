# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions and events, as the conventions of the Kubernetes API have them."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import EVENTS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, shorten

_CONDITION = 2000  # characters of a message
CLOCK = "%Y-%m-%dT%H:%M:%SZ"
_EVENT = 960  # an event may have 1,024
_LOG = logging.getLogger(__name__)


def now() -> str:
    """Return this moment as Kubernetes writes it."""
    return time.strftime(CLOCK, time.gmtime())


def condition(kind: str, old: Mapping | None, told: tuple[str, str, str], generation: int) -> dict:
    """Return a condition, whose time is that of the last change of its status.

    old: what it was before. told: status, reason, message (API conventions, "Typical status properties").
    """
    state, reason, message = told
    since = old.get("lastTransitionTime") if old and old.get("status") == state else None
    return {
        "type": kind, "status": state, "observedGeneration": generation, "lastTransitionTime": since or now(),
        "reason": reason, "message": shorten(clean(message), _CONDITION),
    }  # fmt: skip


def say(cluster: Cluster, about: Mapping, component: str, reason: str, message: str, *, warning: bool) -> None:
    """Write an event; where that cannot be, the log has it.

    about: apiVersion, kind, name, namespace and uid of the object. component: who says it.
    """
    moment, namespace = now(), about["namespace"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{about['name'][:200]}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
        "involvedObject": dict(about),
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": shorten(clean(message), _EVENT),
        "source": {"component": component},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
    try:
        cluster.create(EVENTS.path(namespace), event)
    except ClusterError as error:
        _LOG.warning("The event %s was not written: %s", reason, error.message)
