# SPDX-License-Identifier: GPL-3.0-or-later
"""What kopf calls. Run it by ``python -m notebook_operator``, or by ``kopf run`` with flags of your own."""

from __future__ import annotations

import functools
import os
from typing import Any

import kopf
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS

from .jobs import Jobs
from .settings import Settings


@functools.cache
def jobs() -> Jobs:
    """Return the jobs of this process; the cluster is that of kopf: KUBECONFIG, or the account of the pod."""
    return Jobs(Cluster({}), Settings.of(os.environ))


@kopf.on.startup()
def start(settings: kopf.OperatorSettings, **_kwargs: Any) -> None:
    """Have kopf write nothing itself: what is to be told stands in the status, and in events of ours.

    And look at nothing but the jobs: to see namespaces and definitions come and go, it would need rights in all of the cluster.
    """
    settings.posting.enabled = False
    settings.scanning.disabled = True
    if jobs().knows_none():
        raise kopf.PermanentError("The cluster knows no NotebookValidationJob: apply operator/crds, and start again.")


@kopf.on.event(JOBS.group, JOBS.version, JOBS.plural)
def changed(event: dict, **_kwargs: Any) -> None:
    """Look at a job that is there, has changed, or is gone."""
    found = event["object"]
    if event["type"] == "DELETED" or found["metadata"].get("deletionTimestamp"):
        jobs().forget(found["metadata"]["uid"])
    else:
        jobs().see(found)
