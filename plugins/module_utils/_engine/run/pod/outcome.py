# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod tells of its notebook: that results can be taken over, that it failed, or that it is held up."""

from __future__ import annotations

from dataclasses import dataclass

from ...cluster.client import Cluster
from ...cluster.errors import ClusterError
from ...cluster.events import is_over_quota, messages
from ...cluster.pods import container_has_begun, container_has_ended, failed, held_up, said, succeeded
from .fetch import UNAVAILABLE, UNREACHABLE
from .manifests import DELIVERY, FETCH, NOTEBOOK

_SMALL = 4_000_000  # bytes
_SOURCE = {UNAVAILABLE: "source_unavailable", UNREACHABLE: "source_unreachable"}
_REASONS = {"image": "image_unavailable", "config": "pod_refused", "place": "pod_unschedulable"}


@dataclass
class Seen:
    """One pod. waits: its notebook has no outcome. held: reason and words. runs: a container does.

    image: that it runs in, by digest. digest: of its results. at_once: they are small enough to be read by one answer, when their container has ended.
    """

    pod: str
    waits: bool = True
    runs: bool = False
    image: str | None = None
    digest: str = ""
    at_once: bool = False
    held: tuple[str, str] | None = None


def look(seen: Seen, pod: dict) -> str | None:
    """Note what a pod tells; return ``deliver``, ``failed`` or ``held`` where that is news."""
    phase = (pod.get("status") or {}).get("phase")
    seen.runs = phase == "Running" or container_has_begun(pod, NOTEBOOK)
    if not seen.waits:
        return None
    if succeeded(pod, NOTEBOOK):
        seen.digest, seen.at_once = _announced(said(pod, NOTEBOOK))
        there = container_has_ended if seen.at_once else container_has_begun
        if there(pod, DELIVERY) and container_has_begun(pod, DELIVERY) or phase == "Succeeded":
            seen.waits = False
            return "deliver"
    if phase in ("Failed", "Succeeded"):
        seen.waits = seen.runs = False
        return "failed"
    before, now = seen.held, held_up(pod)
    seen.held = (_REASONS[now[0]], now[1]) if now else None
    return "held" if now and not before else None


def _announced(message: str) -> tuple[str, bool]:
    """Return the digest that a pod tells of its results, and whether they are small.

    A log that is rotated away is lost, unless it is followed from its beginning (kubelet, ``containerLogMaxSize``, 10 MiB).
    """
    digest, _unused, size = message.strip().partition(" ")
    return digest, size.isdigit() and int(size) < _SMALL


def failure(pod: dict) -> tuple[str, str]:
    """Return the reason and a sentence for a notebook whose pod failed as a whole."""
    status = pod.get("status") or {}
    name, container, ended = pod["metadata"]["name"], *failed(pod)
    words = status.get("message") or ended.get("message") or ended.get("reason") or "no reason was given"
    if ended.get("reason") == "OOMKilled":
        return "out_of_memory", f"The pod {name} took more memory than its limit."
    if status.get("reason") == "DeadlineExceeded":
        return "run_timeout", f"The pod {name} took longer than its deadline."
    if pod["metadata"].get("deletionTimestamp"):
        return "pod_lost", f"The pod {name} was deleted before its notebook had ended."
    if container in (FETCH, NOTEBOOK) and ended.get("exitCode") in _SOURCE and not status.get("reason"):
        return _SOURCE[ended["exitCode"]], words
    if container == FETCH and not status.get("reason"):
        return (
            "source_unavailable",
            f"The container of the pod {name} that fetches the source failed: {words.rstrip('.')}.",
        )
    if container == NOTEBOOK and not status.get("reason"):
        return "results_missing", f"The runner in the pod {name} ended by itself: {words.rstrip('.')}."
    return "pod_lost", f"The pod {name} was lost ({status.get('reason') or words}): {words.rstrip('.')}."


def refusal(cluster: Cluster, namespace: str, job: str, *, queued: bool = False) -> tuple[str, str] | None:
    """Return a reason and a sentence where the events of a Job tell why it has no pods.

    queued: it may wait for others to end. A Job that may not, and whose events may not be read, is refused for all we know.
    """
    try:
        told = messages(cluster, namespace, job, "FailedCreate")
    except ClusterError as error:
        if error.status != 403 or queued:
            return None
        return "pod_refused", f"The Job {job} gets no pods, and why cannot be seen: {error.message}"
    if not told:
        return None
    reason = "quota_exceeded" if is_over_quota(told[-1]) else "pod_refused"
    return reason, f"The pods of the Job {job} are refused: {told[-1].rstrip('.')}."
