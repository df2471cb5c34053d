# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod as data: its containers in the order in which they work, what holds it up, and which of them failed."""

from __future__ import annotations

from .client import Cluster
from .deadline import Deadline
from .kinds import PODS

STEP = "step-"  # how Tekton calls the containers that are steps (tektoncd/pipeline, pkg/pod); the others are its own
_ENDED = ("Succeeded", "Failed")
# Reasons for which the kubelet lets a container wait (kubernetes/pkg/kubelet/images, kuberuntime), and what they mean.
_HELD = {
    "ErrImagePull": "image",
    "ImagePullBackOff": "image",
    "InvalidImageName": "image",
    "ErrImageNeverPull": "image",
    "CreateContainerConfigError": "config",
    "CreateContainerError": "config",
}


def newest(cluster: Cluster, namespace: str, selector: str, deadline: Deadline) -> dict | None:
    """Return the newest pod with these labels that is not going away, None where there is none."""
    listed = cluster.items(PODS.path(namespace), {"labelSelector": selector}, deadline)
    found = [pod for pod in listed if not pod["metadata"].get("deletionTimestamp")]
    return max(found, key=lambda pod: pod["metadata"].get("creationTimestamp") or "", default=None)


def containers(pod: dict) -> list[str]:
    """Return the names of its containers in the order in which they work."""
    return [one["name"] for one in _containers(pod)]


def container(pod: dict, name: str) -> dict:
    """Return the container of this name. Raises StopIteration where there is none."""
    return next(one for one in _containers(pod) if one["name"] == name)


def _containers(pod: dict) -> list[dict]:
    return [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]


def workers(pod: dict) -> list[str]:
    """Return the names of those that do the work: the steps, where it has steps of Tekton's."""
    names = containers(pod)
    return [name for name in names if name.startswith(STEP)] or names


def has_ended(pod: dict) -> bool:
    """Return whether its phase is final."""
    return (pod.get("status") or {}).get("phase") in _ENDED


def has_begun(pod: dict) -> bool:
    """Return whether a container of it that does the work runs, or did."""
    known = workers(pod)
    return any(name in known and state.keys() & {"running", "terminated"} for name, state in _states(pod))


def container_has_begun(pod: dict, name: str) -> bool:
    """Return whether a container of it runs, or did."""
    return any(one == name and state.keys() & {"running", "terminated"} for one, state in _states(pod))


def container_has_ended(pod: dict, name: str) -> bool:
    """Return whether a container of it has ended, or never will begin."""
    return has_ended(pod) or any(one == name and "terminated" in state for one, state in _states(pod))


def image_of(pod: dict, name: str) -> str | None:
    """Return the image that a container of it runs or ran in, by digest, None where that is not known."""
    status = pod.get("status") or {}
    told = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    found = next((one.get("imageID") or "" for one in told if one["name"] == name), "")
    found = found.rpartition("://")[2]  # as dockershim's successor has it: docker-pullable://
    return found if "@sha256:" in found else None


def held_up(pod: dict) -> tuple[str, str] | None:
    """Return what keeps its containers from starting (``image``, ``config`` or ``place``) with the cluster's words, if something does."""
    for name, state in _states(pod):
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in _HELD:
            words = waiting.get("message") or waiting["reason"]
            return _HELD[waiting["reason"]], f"container {name}: {words}"
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return "place", condition.get("message") or "no node can take it"
    return None


def failed(pod: dict) -> tuple[str, dict]:
    """Return the container that failed first and how it ended; ``("", {})`` where none did."""
    for name, state in _states(pod):
        ended = state.get("terminated") or {}
        if ended.get("exitCode"):
            # The message of a step is a note of Tekton's to itself.
            return name, {**ended, "message": ""} if name.startswith(STEP) else ended
    return "", {}


def succeeded(pod: dict, name: str) -> bool:
    """Return whether a container of it ended with the status 0."""
    return any(one == name and (state.get("terminated") or {}).get("exitCode", 1) == 0 for one, state in _states(pod))


def said(pod: dict, container: str) -> str:
    """Return the termination message of a container (Kubernetes, "Customizing the termination message")."""
    return next(
        (state.get("terminated", {}).get("message") or "" for name, state in _states(pod) if name == container), ""
    )


def _states(pod: dict) -> list[tuple[str, dict]]:
    status = pod.get("status") or {}
    told = {
        one["name"]: one.get("state") or {}
        for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    }
    return [(name, told[name]) for name in containers(pod) if name in told]
