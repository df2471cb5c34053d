# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the living parts of the cluster together: the admission chain and the actors."""

from __future__ import annotations

from collections.abc import Callable

from .actors.actor import Activity, Actor
from .actors.build import BuildConfigController, BuildController
from .actors.claim import ClaimController
from .actors.deployment import DeploymentController, ReplicaSetController, StatefulSetController
from .actors.imagestream import ImageStreamController
from .actors.job import JobController
from .actors.kubelet import Kubelet
from .actors.namespace import NamespaceController
from .actors.pod import SimulatedRuntime
from .actors.process import ProcessRuntime
from .actors.quota import QuotaController
from .admission import limitrange, namespace, ownership, podsecurity, quota, scc, serviceaccount
from .clock import ManualClock


def admission_chain(profile: str) -> list[Callable]:
    """What every write passes, in this order: first what changes objects, then what judges the result."""
    constraints = [scc.admit] if profile == "openshift" else []
    mutating = [namespace.admit, serviceaccount.admit, limitrange.admit, *constraints]
    return [*mutating, ownership.admit, podsecurity.admit, quota.admit]


def actors_of(server) -> list[Actor]:
    """The actors of the server's profile, not yet started; they are to be stopped in reverse order."""
    activity = Activity()
    kinds: list[type[Actor]] = [NamespaceController, ClaimController, JobController]
    kinds += [QuotaController, DeploymentController, ReplicaSetController, StatefulSetController]
    actors = [kind(server, activity) for kind in kinds]
    if server.pods != "none":
        actors.append(_kubelet(server, activity))
    if server.profile == "openshift":
        server.builds = BuildController(server, activity)
        actors += [ImageStreamController(server, activity), server.builds, BuildConfigController(server, activity)]
    if isinstance(server.clock, ManualClock):
        server.clock.settle.append(lambda: settle(server, activity))
    return actors


def further_actors(server, kinds) -> list[Actor]:
    """Actors of an operator that is installed while the server runs, not yet started."""
    activity = Activity()
    if isinstance(server.clock, ManualClock):
        server.clock.settle.append(lambda: settle(server, activity))
    return [kind(server, activity) for kind in kinds]


def _kubelet(server, activity: Activity) -> Kubelet:
    simulated = SimulatedRuntime(server)
    return Kubelet(server, activity, ProcessRuntime(server) if server.pods == "process" else simulated, simulated)


def settle(server, activity: Activity) -> None:
    """Return once no actor has work left: the events are delivered, the queues are empty, and it stays so."""
    while True:
        server.store.flush()
        activity.wait_idle()
        before = server.store.version
        server.store.flush()
        if not activity.busy() and server.store.version == before:
            return
