# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the living parts of the cluster together: the admission chain, the first objects, the actors."""

from __future__ import annotations

from collections.abc import Callable

from .actors.actor import Activity, Actor, timestamp
from .actors.build import BuildConfigController, BuildController
from .actors.claim import ClaimController
from .actors.deployment import DeploymentController, ReplicaSetController, StatefulSetController
from .actors.imagestream import ImageStreamController
from .actors.job import JobController
from .actors.kubelet import NODE, Kubelet
from .actors.namespace import NamespaceController
from .actors.pod import SimulatedRuntime
from .actors.process import ProcessRuntime
from .actors.quota import QuotaController
from .actors.rules import PodRules
from .admission import limitrange, namespace, podsecurity, quota, scc, scc_defaults, serviceaccount
from .clock import ManualClock


def admission_chain(profile: str) -> list[Callable]:
    """What every write passes, in this order: first what changes objects, then what judges the result."""
    constraints = [scc.admit] if profile == "openshift" else []
    mutating = [namespace.admit, serviceaccount.admit, limitrange.admit, *constraints]
    return [*mutating, podsecurity.admit, quota.admit]


def seed(server) -> None:
    """The objects of a fresh cluster that its life needs."""
    if server.profile == "openshift":
        for constraint in scc_defaults.constraints():
            server.system.create("securitycontextconstraints.security.openshift.io", constraint)
        for plural, obj in scc_defaults.roles():
            server.system.create(plural, obj)
    now = timestamp(server.clock.now())
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    capacity = {"cpu": "16", "memory": "64Gi", "pods": "500"}
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    metadata = {"name": NODE, "labels": {**labels, "node-role.kubernetes.io/worker": ""}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}}
    made = server.system.create("nodes", node)
    made["status"] = {"conditions": [{**ready, **times}], "capacity": capacity, "allocatable": capacity}
    made["status"]["nodeInfo"] = {
        "architecture": "amd64",
        "operatingSystem": "linux",
        "kubeletVersion": f"v{server.version}.0",
    }
    server.system.update_status("nodes", made)


def start_actors(server) -> list[Actor]:
    """Start every actor of the server's profile; they are to be stopped in reverse order."""
    server.pod_rules = PodRules()
    server.builds = None
    seed(server)
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
    for actor in actors:
        actor.start()
    return actors


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
