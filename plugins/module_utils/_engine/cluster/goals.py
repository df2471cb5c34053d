# SPDX-License-Identifier: GPL-3.0-or-later
"""What is waited for: objects judged one by one as reached, failed for good, or still pending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..values.base import Value


@dataclass(frozen=True)
class Outcome(Value):
    """state: ``pending``, ``reached`` or ``failed`` (it cannot be reached any more). reason, message: the cluster's."""

    state: str
    reason: str | None = None
    message: str | None = None

    @property
    def settled(self) -> bool:
        """Nothing that comes can change it."""
        return self.state != "pending"


PENDING = Outcome("pending")
REACHED = Outcome("reached")
DELETED = Outcome("failed", "Deleted", "It was deleted before it got there.")


@dataclass(frozen=True)
class Goal:
    """judge: an object's outcome. absent: that of an object that was never seen. deleted: of one that went away."""

    judge: Callable[[dict], Outcome]
    absent: Outcome = PENDING
    deleted: Outcome = DELETED


def condition(wanted: str, failure: str | None = None, status: str = "True") -> Goal:
    """Wait for a condition of ``status.conditions``; another one being true means that it failed.

    A condition about an older generation than the object's does not count (API conventions, "Typical status properties").
    """

    def judge(found: dict) -> Outcome:
        if failure and (bad := _condition(found, failure)) and bad.get("status") == "True":
            return Outcome("failed", bad.get("reason"), bad.get("message"))
        good = _condition(found, wanted)
        if good and good.get("status") == status:
            return Outcome("reached", good.get("reason"), good.get("message"))
        return PENDING

    return Goal(judge)


def job_finished() -> Goal:
    """Wait until a Job has succeeded; that it failed is final (Kubernetes, "Jobs", terminal conditions)."""
    return condition("Complete", failure="Failed")


def pod_finished() -> Goal:
    """Wait until a Pod has succeeded; phase Failed is final, and so is a name of an image that is none."""

    def judge(found: dict) -> Outcome:
        status = found.get("status", {})
        if status.get("phase") == "Succeeded":
            return REACHED
        if status.get("phase") == "Failed":
            return Outcome("failed", status.get("reason") or "Failed", status.get("message") or _exit(status))
        waiting = [state for state in _waiting(status) if state.get("reason") in _NEVER]
        return Outcome("failed", waiting[0]["reason"], waiting[0].get("message")) if waiting else PENDING

    return Goal(judge)


def rolled_out() -> Goal:
    """Wait until a Deployment has all its pods at the newest template and available.

    As ``kubectl rollout status``; the condition Progressing with ProgressDeadlineExceeded is final.
    """

    def judge(found: dict) -> Outcome:
        status = found.get("status", {})
        if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
            return PENDING
        stuck = _condition(found, "Progressing")
        if stuck and stuck.get("reason") == "ProgressDeadlineExceeded":
            return Outcome("failed", stuck["reason"], stuck.get("message"))
        wanted = found.get("spec", {}).get("replicas", 1)
        counts = [status.get(name, 0) for name in ("updatedReplicas", "availableReplicas")]
        return REACHED if min(counts) >= wanted and status.get("replicas", 0) <= wanted else PENDING

    return Goal(judge)


def absent() -> Goal:
    """Wait until the object is gone."""
    return Goal(lambda _found: PENDING, absent=REACHED, deleted=REACHED)


# A container that waits for one of these waits for ever; others (ImagePullBackOff, a missing ConfigMap) may pass.
_NEVER = ("InvalidImageName", "ErrImageNeverPull")


def _condition(found: dict, kind: str) -> dict | None:
    generation = found.get("metadata", {}).get("generation", 0)
    for one in found.get("status", {}).get("conditions") or ():
        if one.get("type") == kind and one.get("observedGeneration", generation) >= generation:
            return one
    return None


def _containers(status: dict) -> list[dict]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _waiting(status: dict) -> list[dict]:
    return [one["state"]["waiting"] for one in _containers(status) if "waiting" in one.get("state", {})]


def _exit(status: dict) -> str | None:
    for one in _containers(status):
        ended = one.get("state", {}).get("terminated")
        if ended and ended.get("exitCode"):
            reason = ended.get("reason") or "Error"
            return f"Container {one['name']} ended with status {ended['exitCode']} ({reason})."
    return None
