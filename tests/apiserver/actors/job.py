# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job controller of batch/v1: makes pods, counts how they ended, decides.

Left out of the real one: successPolicy, elastic indexed jobs, the tracking finalizer of pods. The delay before a failed
pod is replaced starts at one second, not ten, so that tests of retries need not wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ApiError
from ..strategies import job_labels
from ..values import clone, parse_time, timestamp
from .actor import controller_of, controllers, is_ready, itself, key_of, owner_reference, set_condition
from .job_policy import failure_action, format_indexes
from .owner import Owner

USER = "system:serviceaccount:kube-system:job-controller"
BACKOFF = 1.0  # seconds, doubled with each failure up to six minutes
INDEX = "batch.kubernetes.io/job-completion-index"
DONE = {"Complete", "Failed"}


@dataclass
class Tally:
    """What is known of one job's pods, beyond what their objects still say: ended pods count once, also when deleted."""

    ended: dict[str, str] = field(default_factory=dict)  # pod uid -> succeeded, failed, ignored
    succeeded_indexes: set[int] = field(default_factory=set)
    index_failures: dict[int, int] = field(default_factory=dict)
    failed_indexes: set[int] = field(default_factory=set)
    verdict: tuple[str, str] | None = None  # reason and message of the failure that a policy decided
    not_before: float = 0.0  # monotonic time of the next pod
    index_not_before: dict[int, float] = field(
        default_factory=dict
    )  # the same by index, where indexes fail on their own
    awake_at: float = 0.0
    gone: list[dict] = field(default_factory=list)  # pods that were deleted, maybe before they were counted
    made: dict[int, str] = field(default_factory=dict)  # index -> uid of its newest pod

    def count(self, how: str) -> int:
        return sum(1 for ended in self.ended.values() if ended == how)


class JobController(Owner):
    name, kind = "job-controller", "Job"
    watches = {"jobs.batch": itself, "pods": controller_of("Job")}

    def __init__(self, server, activity):
        super().__init__(server, activity)
        self._tallies: dict[str, Tally] = {}

    def observe(self, event: str, plural: str, obj: dict) -> None:
        super().observe(event, plural, obj)
        if event == "DELETED":
            self._tallies.pop(obj["metadata"]["uid"], None)
            for owner in controllers(obj, self.kind):
                if tally := self._tallies.get(owner["uid"]):
                    tally.gone.append(obj)

    def reconcile(self, namespace: str, name: str) -> None:
        job = self.system.find("jobs.batch", namespace, name)
        if job is None or job["metadata"].get("deletionTimestamp"):
            return
        before = clone(job.get("status") or {})
        status = job.setdefault("status", {})
        if ended := _ended(status):
            self._expire(job, ended)
            return
        tally = self._tallies.setdefault(job["metadata"]["uid"], Tally())
        active = self._count(job, tally)
        if not job["spec"].get("suspend") and "startTime" not in status:
            status["startTime"] = timestamp(self.clock.now())
        self._decide(job, tally, active)
        if not _condition(status, "FailureTarget") and not _condition(status, "SuccessCriteriaMet"):
            active = self._steer(job, tally, active)
        else:
            self._delete_pods(active)
        self._conclude(job, active)
        self._fill(status, job, tally, active)
        if status != before:
            self.system.update_status("jobs.batch", job)

    def _count(self, job: dict, tally: Tally) -> list[dict]:
        """Take note of ended pods; returns those that are still active."""
        active = []
        gone, tally.gone = tally.gone, []
        for pod in [*gone, *self.children(job)]:
            phase, uid = (pod.get("status") or {}).get("phase"), pod["metadata"]["uid"]
            if uid in tally.ended:
                continue
            if phase == "Succeeded":
                tally.ended[uid] = "succeeded"
                tally.succeeded_indexes.add(_index(pod))
            elif phase == "Failed" or pod["metadata"].get("deletionTimestamp") or pod in gone:
                self._failed(job, tally, pod)
            else:
                active.append(pod)
        return active

    def _failed(self, job: dict, tally: Tally, pod: dict) -> None:
        action, message = failure_action(job, pod)
        tally.ended[pod["metadata"]["uid"]] = "ignored" if action == "Ignore" else "failed"
        if action == "Ignore":
            return
        if action == "FailJob":
            tally.verdict = ("PodFailurePolicy", message)
        index, limit = _index(pod), job["spec"].get("backoffLimitPerIndex")
        tally.index_failures[index] = tally.index_failures.get(index, 0) + 1
        if action == "FailIndex" or (limit is not None and tally.index_failures[index] > limit):
            tally.failed_indexes.add(index)
        if limit is None:
            tally.not_before = self._after(tally.count("failed"))
        else:
            tally.index_not_before[index] = self._after(tally.index_failures[index])

    def _after(self, failures: int) -> float:
        """The monotonic time of the next pod."""
        return self.clock.monotonic() + min(360.0, BACKOFF * 2 ** (failures - 1))

    def _decide(self, job: dict, tally: Tally, active: list[dict]) -> None:
        """Set SuccessCriteriaMet or FailureTarget once the outcome is certain."""
        status, spec = job["status"], job["spec"]
        if _condition(status, "FailureTarget") or _condition(status, "SuccessCriteriaMet"):
            return
        failure = tally.verdict or self._failure(job, tally, active)
        if failure:
            self._mark(job, "FailureTarget", *failure)
            self.record(job, "Warning", *failure)
            return
        succeeded, completions = _succeeded(job, tally), spec.get("completions")
        if (completions is None and succeeded and not active) or (completions is not None and succeeded >= completions):
            self._mark(job, "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")

    def _failure(self, job: dict, tally: Tally, active: list[dict]) -> tuple[str, str] | None:
        spec, status = job["spec"], job["status"]
        limit, per_index = spec.get("backoffLimit", 6), spec.get("backoffLimitPerIndex")
        restarts = sum(_restarts(pod) for pod in active)
        on_failure = spec["template"]["spec"].get("restartPolicy") == "OnFailure"
        if per_index is None and (tally.count("failed") > limit or (on_failure and restarts and restarts >= limit)):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and "startTime" in status and not spec.get("suspend"):
            left = deadline - (self.clock.now() - parse_time(status["startTime"])).total_seconds()
            if left <= 0:
                return "DeadlineExceeded", "Job was active longer than specified deadline"
            self._wake(job, tally, left)
        if per_index is not None and tally.failed_indexes:
            maximum = spec.get("maxFailedIndexes")
            if maximum is not None and len(tally.failed_indexes) > maximum:
                return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
            if len(tally.failed_indexes | tally.succeeded_indexes) >= spec.get("completions", 1):
                return "FailedIndexes", "Job has failed indexes"
        return None

    def _steer(self, job: dict, tally: Tally, active: list[dict]) -> list[dict]:
        """Make as many pods active as there should be."""
        spec, status = job["spec"], job["status"]
        if spec.get("suspend"):
            if not _condition(status, "Suspended"):
                self._mark(job, "Suspended", "JobSuspended", "Job suspended")
                status.pop("startTime", None)
            self._forget(tally, active)
            self._delete_pods(active)
            return []
        if _condition(status, "Suspended"):
            now = self.clock.now()
            set_condition(status["conditions"], "Suspended", "False", now, "JobResumed", "Job resumed")
            status["startTime"] = timestamp(now)
        parallelism, completions = spec.get("parallelism", 1), spec.get("completions")
        wanted = parallelism
        if completions is not None:
            wanted = min(parallelism, completions - _succeeded(job, tally) - len(tally.failed_indexes))
        elif tally.count("succeeded"):
            wanted = len(active)
        for pod in active[wanted:] if len(active) > wanted else []:
            self._forget(tally, [pod])
            self._delete_pods([pod])
        if len(active) < wanted and (left := tally.not_before - self.clock.monotonic()) > 0:
            self._wake(job, tally, left)
            return active
        return active[:wanted] + self._create_pods(job, tally, active, wanted - len(active))

    def _create_pods(self, job: dict, tally: Tally, active: list[dict], count: int) -> list[dict]:
        indexes: list[int | None] = [None] * count
        if job["spec"].get("completionMode") == "Indexed":
            taken = tally.succeeded_indexes | tally.failed_indexes | {_index(pod) for pod in active}
            taken |= {
                index for index, uid in tally.made.items() if uid not in tally.ended
            }  # gone, and not heard of yet
            taken |= self._delayed(job, tally, taken)
            indexes = [index for index in range(job["spec"].get("completions", 1)) if index not in taken][:count]
        made = []
        for index in indexes:
            try:
                pod = self.system.create("pods", _pod_of(job, index), user=USER)
            except ApiError as error:
                self.record(job, "Warning", "FailedCreate", f"Error creating: {error.message}")
                self._retry(key_of(job))
                break
            made.append(self.adopt(job, pod))
            if index is not None:
                tally.made[index] = pod["metadata"]["uid"]
            self.record(job, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return made

    def _delayed(self, job: dict, tally: Tally, taken: set[int]) -> set[int]:
        """Indexes whose next pod has to wait; the job is looked at again when the first has waited."""
        now = self.clock.monotonic()
        due = {index: at for index, at in tally.index_not_before.items() if at > now and index not in taken}
        if due:
            self._wake(job, tally, min(due.values()) - now)
        return set(due)

    def _forget(self, tally: Tally, pods: list[dict]) -> None:
        """Pods that this controller ends itself are no failures."""
        tally.ended.update({pod["metadata"]["uid"]: "ignored" for pod in pods})

    def _delete_pods(self, pods: list[dict]) -> None:
        for pod in pods:
            try:
                self.system.delete("pods", *key_of(pod))
            except ApiError as error:
                if error.code != 404:
                    raise

    def _conclude(self, job: dict, active: list[dict]) -> None:
        """The terminal condition, once no pod is active any more."""
        status = job["status"]
        if met := _condition(status, "SuccessCriteriaMet"):
            if not active:
                self._mark(job, "Complete", met["reason"], met["message"])
                status["completionTime"] = timestamp(self.clock.now())
                self.record(job, "Normal", "Completed", "Job completed")
        elif (target := _condition(status, "FailureTarget")) and not active:
            self._mark(job, "Failed", target["reason"], target["message"])

    def _mark(self, job: dict, kind: str, reason: str, message: str) -> None:
        conditions = job["status"].setdefault("conditions", [])
        now = self.clock.now()
        set_condition(conditions, kind, "True", now, reason, message)
        conditions[-1].setdefault("lastProbeTime", timestamp(now))

    def _fill(self, status: dict, job: dict, tally: Tally, active: list[dict]) -> None:
        counts = {"active": len(active), "succeeded": _succeeded(job, tally), "failed": tally.count("failed")}
        status.update({key: value for key, value in counts.items() if value})
        for key in counts:
            if not counts[key]:
                status.pop(key, None)
        status["ready"] = sum(1 for pod in active if is_ready(pod))
        status["terminating"] = 0
        status["uncountedTerminatedPods"] = {}
        if job["spec"].get("completionMode") == "Indexed" and (tally.succeeded_indexes or "completedIndexes" in status):
            status["completedIndexes"] = format_indexes(tally.succeeded_indexes)
        if job["spec"].get("backoffLimitPerIndex") is not None:
            status["failedIndexes"] = format_indexes(tally.failed_indexes)

    def _wake(self, job: dict, tally: Tally, seconds: float) -> None:
        due = self.clock.monotonic() + seconds
        if not self.clock.monotonic() < tally.awake_at <= due:
            tally.awake_at = due
            self.enqueue_later(key_of(job), seconds)

    def _expire(self, job: dict, ended: dict) -> None:
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return
        left = ttl - (self.clock.now() - parse_time(ended["lastTransitionTime"])).total_seconds()
        if left > 0:
            tally = self._tallies.setdefault(job["metadata"]["uid"], Tally())
            self._wake(job, tally, left)
        else:
            self.system.delete("jobs.batch", *key_of(job), propagation="Background")


def _condition(status: dict, kind: str) -> dict | None:
    found = (entry for entry in status.get("conditions") or [] if entry["type"] == kind and entry["status"] == "True")
    return next(found, None)


def _ended(status: dict) -> dict | None:
    return next((found for kind in DONE if (found := _condition(status, kind))), None)


def _succeeded(job: dict, tally: Tally) -> int:
    if job["spec"].get("completionMode") == "Indexed":
        return len(tally.succeeded_indexes)
    return tally.count("succeeded")


def _index(pod: dict) -> int:
    return int((pod["metadata"].get("annotations") or {}).get(INDEX, -1))


def _restarts(pod: dict) -> int:
    status = pod.get("status") or {}
    kinds = ("initContainerStatuses", "containerStatuses")
    return sum(entry.get("restartCount", 0) for kind in kinds for entry in status.get(kind) or [])


def _pod_of(job: dict, index: int | None) -> dict:
    template, name, uid = job["spec"]["template"], job["metadata"]["name"], job["metadata"]["uid"]
    metadata = clone(template.get("metadata") or {})
    labels = job_labels(name, uid)
    spec = clone(template["spec"])
    if index is not None:
        labels[INDEX] = str(index)
        metadata["annotations"] = {**(metadata.get("annotations") or {}), INDEX: str(index)}
        variable = {"name": "JOB_COMPLETION_INDEX"}
        variable["valueFrom"] = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
        for container in (spec.get("initContainers") or []) + spec["containers"]:
            container["env"] = (container.get("env") or []) + [variable]
        spec.setdefault("hostname", f"{name}-{index}")
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["generateName"] = f"{name}-" if index is None else f"{name}-{index}-"
    metadata["namespace"] = job["metadata"]["namespace"]
    metadata["ownerReferences"] = [owner_reference(job)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
