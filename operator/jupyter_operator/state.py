# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be said of a server, from its pods and its Deployment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster import pods

from .pod import CONTAINER

_HELD = {
    "image": ("ImageNotPulled", "The image cannot be pulled"),
    "config": ("PodNotConfigured", "The pod lacks something that it refers to"),
    "place": ("Unschedulable", "No node can take the pod"),
}
_BACK_OFF = "Back-off pulling image"


@dataclass(frozen=True)
class Said:
    """ready: the server answers. reason, message: as a condition has them. failed: somebody has to do something."""

    ready: bool
    reason: str
    message: str
    failed: bool = False


STARTING = Said(False, "Starting", "The pod of the server is being made.")
READY = Said(True, "Answers", "The server answers.")


@dataclass(frozen=True)
class Pod:
    """What is kept of a pod. made: when, as the cluster writes it. over: it works no more, or is to end."""

    uid: str
    made: str
    over: bool
    said: Said


def of_pod(found: dict, before: Pod | None = None) -> Pod:
    """Return what is to be said of a pod. before: what was said last of this one."""
    metadata, phase = found["metadata"], (found.get("status") or {}).get("phase")
    over = phase in ("Succeeded", "Failed") or bool(metadata.get("deletionTimestamp"))
    said = _ended(found) if phase == "Failed" else _living(found)
    if before and said.reason == before.said.reason == "ImageNotPulled" and _BACK_OFF in said.message:
        said = before.said  # which says why
    return Pod(metadata["uid"], metadata.get("creationTimestamp") or "", over, said)


def of_all(found: Iterable[Pod], refused: str) -> Said:
    """Return what is to be said of the server. refused: why the cluster lets no pod come to be, empty where it does."""
    newest = max(found, key=lambda pod: (not pod.over, pod.made), default=None)
    if newest is not None and not newest.over:
        return newest.said
    if refused:
        return Said(False, "PodRefused", f"The cluster lets no pod come to be: {refused.rstrip('.')}.", True)
    return newest.said if newest is not None and newest.said.failed else STARTING


def refusal_of(deployment: dict) -> str:
    """Return why the cluster lets no pod of a Deployment come to be; empty where it does."""
    for one in (deployment.get("status") or {}).get("conditions") or ():
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            return one.get("message") or "it gives no reason"
    return ""


def _living(pod: dict) -> Said:
    held = pods.held_up(pod)
    if held:
        reason, words = _HELD[held[0]]
        return Said(False, reason, f"{words}: {held[1].rstrip('.')}.", True)
    mine = next(
        (one for one in (pod.get("status") or {}).get("containerStatuses") or () if one["name"] == CONTAINER), {}
    )
    if any((one["type"], one["status"]) == ("Ready", "True") for one in pod["status"].get("conditions") or ()):
        return READY
    state, last = mine.get("state") or {}, (mine.get("lastState") or {}).get("terminated")
    ended = state.get("terminated") or last
    if ended:
        return Said(
            False, "Crashed", f"The server ended {_how(ended)}, and is started again: see the log of the pod.", True
        )
    if "running" in state:
        return Said(False, "Starting", "The server does not answer yet.")
    return STARTING


def _ended(pod: dict) -> Said:
    status = pod["status"]
    words = status.get("message") or status.get("reason") or "it gives no reason"
    return Said(False, status.get("reason") or "PodFailed", f"The pod ended: {words.rstrip('.')}.", True)


def _how(ended: dict) -> str:
    if ended.get("reason") == "OOMKilled":
        return "since it needed more memory than resources.limits.memory"
    return f"with the status {ended.get('exitCode', 'unknown')}"
