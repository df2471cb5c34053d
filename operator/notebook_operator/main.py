# SPDX-License-Identifier: GPL-3.0-or-later
"""What kopf calls, and what there is once in a process."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import threading
from typing import Any

import kopf
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS

from .process.gate import Gate
from .process.metrics import ObservedCluster, observe
from .process.ports import health
from .settings import Settings
from .told.aggregate import Aggregates
from .turns.jobs import Jobs

ending = threading.Event()  # somebody asked for the end before kopf listened


class GatedCluster(ObservedCluster):
    """A cluster that is changed only as long as the gate is open."""

    gate = Gate()

    def send(self, method, *arguments, **options):
        """As that of Cluster."""
        with self.gate.passing(method):
            return super().send(method, *arguments, **options)

    def upload(self, *arguments, **options):
        """As that of Cluster."""
        with self.gate.passing("POST"):
            return super().upload(*arguments, **options)


def gate() -> Gate:
    """Return what all writes of this process pass, but those of the Lease."""
    return GatedCluster.gate


@functools.cache
def cluster() -> GatedCluster:
    """Return the cluster, which is that of kopf: KUBECONFIG, or the account of the pod."""
    return GatedCluster({})


@functools.cache
def jobs() -> Jobs:
    """Return the jobs of this process."""
    return Jobs(cluster(), Settings.of(os.environ))


@functools.cache
def aggregates() -> Aggregates:
    """Return what is told of jobs together."""
    return Aggregates(cluster())


@kopf.on.startup()
def start(settings: kopf.OperatorSettings, **_kwargs: Any) -> None:
    """Have kopf write nothing itself: what is to be told stands in the status, and in events of ours.

    And look at nothing but the jobs: to see namespaces and definitions come and go, it would need rights in all of the cluster.
    """
    settings.posting.enabled = False
    settings.scanning.disabled = True
    if jobs().knows_none():
        raise kopf.PermanentError("The cluster knows no NotebookValidationJob: apply operator/crds, and start again.")


@kopf.on.startup()
async def begin(**_kwargs: Any) -> None:
    """Say that the jobs are watched from now on."""
    health.begins(asyncio.get_running_loop())
    observe.leads(True)
    if ending.is_set():
        signal.raise_signal(signal.SIGTERM)  # which is kopf's now


@kopf.on.cleanup()
async def end(**_kwargs: Any) -> None:
    """Say that nothing is done any more."""
    health.ends()
    observe.leads(False)


@kopf.on.event(JOBS.group, JOBS.version, JOBS.plural)
def changed(event: dict, **_kwargs: Any) -> None:
    """Look at a job that is there, has changed, or is gone."""
    found = event["object"]
    if event["type"] == "DELETED" or found["metadata"].get("deletionTimestamp"):
        jobs().forget(found["metadata"]["uid"])
        aggregates().forget(found)
    else:
        jobs().see(found)
        aggregates().see(found)
