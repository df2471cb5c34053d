# SPDX-License-Identifier: GPL-3.0-or-later
"""Hearing of the children of notebooks: for each namespace with notebooks one watch of each kind, of labelled objects only.

Secrets and ConfigMaps are not watched: the right to watch them would be that to read all of them.
"""

from __future__ import annotations

import logging
import threading
import time

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import PODS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.observe import observe

from .children import DEPLOYMENTS, POLICIES, SELECTOR, SERVICES, Plan
from .exposure import KINDS
from .notebooks import Notebooks

_FOR_EVER = 10 * 365 * 86400.0  # seconds
_PAUSE = 30.0  # seconds after a refusal
_LOG = logging.getLogger(__name__)


def watch(cluster: Cluster, plan: Plan, notebooks: Notebooks, namespace: str) -> None:
    """Have the children of a namespace seen, until the process ends; its pods at once, so that of none is said that it lacks."""
    try:
        for found in cluster.items(PODS.path(namespace), {"labelSelector": SELECTOR}):
            notebooks.child(PODS, found)
    except ClusterError as error:
        _LOG.warning("The pods of %s cannot be listed: %s", namespace, error.message)
    kinds = [DEPLOYMENTS, SERVICES, KINDS[plan.exposure], PODS, *([POLICIES] if plan.settings.network_policy else [])]
    for resource in kinds:
        threading.Thread(target=_watch, args=(cluster, notebooks, resource, namespace), daemon=True).start()


def _watch(cluster: Cluster, notebooks: Notebooks, resource: Resource, namespace: str) -> None:
    while True:
        try:
            observe(
                cluster,
                resource,
                SELECTOR,
                Deadline.after(_FOR_EVER),
                on_change=lambda found: notebooks.child(resource, found),
                on_gone=lambda name: notebooks.lost(resource, namespace, name),
                going=lambda: True,
                namespace=namespace,
            )
        except ClusterError as error:
            _LOG.warning("%s of %s cannot be watched: %s", resource.plural, namespace, error.message)
        except Exception:  # nobody looks at what a thread raises
            _LOG.exception(
                "The watch of %s of %s failed by an error of the operator's own.", resource.plural, namespace
            )
        time.sleep(_PAUSE)
