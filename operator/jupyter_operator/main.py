# SPDX-License-Identifier: GPL-3.0-or-later
"""What kopf calls. Run it by ``python -m jupyter_operator``, or by ``kopf run`` with flags of your own."""

from __future__ import annotations

import functools
import os
from typing import Any

import kopf
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster

from .children import Plan
from .culling import Culling
from .exposure import choose
from .notebooks import Notebooks
from .record import NOTEBOOKS
from .settings import Settings
from .watches import watch


class Operator:
    """The notebooks of this process, and all that is seen of them."""

    def __init__(self, cluster: Cluster, settings: Settings):
        found = cluster.discovery
        self.plan = Plan(settings, choose(settings, found), found.is_openshift() is True, cluster.namespace)
        self.notebooks = Notebooks(
            cluster, self.plan, lambda namespace: watch(cluster, self.plan, self.notebooks, namespace)
        )
        self.culling = Culling(cluster, settings, self.notebooks)
        self.knows_none = found.serves(NOTEBOOKS.group, NOTEBOOKS.plural) is False


@functools.cache
def operator() -> Operator:
    """Return the operator of this process; the cluster is that of kopf: KUBECONFIG, or the account of the pod."""
    return Operator(Cluster({}), Settings.of(os.environ))


@kopf.on.startup()
def start(settings: kopf.OperatorSettings, **_kwargs: Any) -> None:
    """Have kopf write nothing itself, and look at nothing but notebooks: all else is told and watched here."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    if operator().knows_none:
        raise kopf.PermanentError(
            "The cluster knows no JupyterNotebook: apply operator/crds/jupyternotebooks.yaml, and start again."
        )
    operator().culling.start()


@kopf.on.event(NOTEBOOKS.group, NOTEBOOKS.version, NOTEBOOKS.plural)
def changed(event: dict, **_kwargs: Any) -> None:
    """Look at a notebook that is there, has changed, or is gone."""
    found = event["object"]
    if event["type"] == "DELETED" or found["metadata"].get("deletionTimestamp"):
        operator().notebooks.forget(found)
    else:
        operator().notebooks.see(found)
