# SPDX-License-Identifier: GPL-3.0-or-later
"""Following one run to its end: a watch on it, the logs of its pod's containers beside it, and what holds it up."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.events import is_over_quota, messages
from ...cluster.goals import DELETED, PENDING, REACHED, Goal
from ...cluster.kinds import PODS
from ...cluster.logs import follow as follow_log
from ...cluster.pods import container_has_ended, failed, has_begun, has_ended, held_up, newest, workers
from ...cluster.wait import wait
from ...values.errors import EngineError
from ..buildlog import BuildLog
from ..logreader import GRACE, LogReader
from .attempts import Attempts


@dataclass(frozen=True)
class Ended:
    """run, pod: as they were seen last; pod is None where none was made. state: ``reached`` or ``failed``."""

    run: dict
    pod: dict | None
    state: str


class Following:
    """selector: labels of the run's pods. patience: seconds to wait for what may still come, such as a pull secret."""

    def __init__(self, attempts: Attempts, run: dict, selector: str, log: BuildLog, patience: float):
        self._attempts, self._run, self._selector = attempts, run, selector
        self._cluster: Cluster = attempts.cluster
        self._name, self._log, self._patience = run["metadata"]["name"], log, patience
        self._pod: dict | None = None
        self._logs: _Logs | None = None

    def run(self) -> Ended:
        """Wait until the run has ended. Raises EngineError where it is held up, goes away, or the time is over."""
        deadline = self._attempts.deadline
        try:
            if not self._until(lambda run: self._pod or self._ended(run), self._soon()):
                self._refused()
                self._until(lambda run: self._pod or self._ended(run), deadline, strict=True)
            if self._pod and not self._ended(self._run):
                self._begin_pod(deadline)
            self._until(self._ended, deadline, strict=True)
        finally:
            if self._logs:
                self._logs.over.set()
        if self._logs:
            self._logs.finish()
        return Ended(self._run, self._last_look(), self._attempts.judge(self._run).state)

    def _ended(self, run: dict) -> bool:
        return self._attempts.judge(run).settled

    def _look(self, run: dict) -> None:
        self._run = run
        if self._pod is None:
            self._pod = newest(self._cluster, self._attempts.namespace, self._selector, self._attempts.deadline)
            if self._pod:
                self._logs = _Logs(self._cluster, self._path(), self._pod, self._log, self._attempts.deadline)
                self._logs.start()

    def _path(self) -> str:
        return PODS.path(self._attempts.namespace, self._pod["metadata"]["name"])

    def _until(self, done, deadline: Deadline, strict: bool = False) -> bool:
        # It was there a moment ago: what is not there any more was deleted.
        goal = Goal(lambda run: REACHED if done(run) else PENDING, absent=DELETED)
        waited = wait(
            self._cluster, self._attempts.resource, [self._name], goal, deadline, namespace=self._attempts.namespace,
            on_change=self._look,
        )  # fmt: skip
        if waited.failed:
            raise EngineError(f"{self._name} was deleted before it had ended: start it again.", "build_pod_lost")
        if waited.pending and strict:
            raise EngineError(f"{self._name} had not ended in time; it was stopped.", "build_timeout")
        return not waited.pending

    def _begin_pod(self, deadline: Deadline) -> None:
        """Wait until the pod works; one that is held up for longer than the patience fails."""

        def moved(pod: dict) -> bool:
            return has_begun(pod) or has_ended(pod) or bool(held_up(pod))

        if not self._pod_until(moved, self._soon()):
            self._warned()
            self._pod_until(moved, deadline)
        self._pod_until(lambda pod: has_begun(pod) or has_ended(pod) or not held_up(pod), self._soon())
        held = held_up(self._pod)
        if held:
            what, words = held
            code = "builder_image_unavailable" if what == "image" else "build_pod_refused"
            raise EngineError(f"{self._name} cannot begin: {words.rstrip('.')}.", code)

    def _pod_until(self, done, deadline: Deadline) -> bool:
        """Wait for the pod; return whether it has begun, or is not held up any more."""

        def look(pod: dict) -> None:
            self._pod = pod

        goal = Goal(lambda pod: REACHED if done(pod) else PENDING, deleted=REACHED, absent=REACHED)
        name = self._pod["metadata"]["name"]
        waited = wait(
            self._cluster, PODS, [name], goal, deadline, namespace=self._attempts.namespace, on_change=look
        )  # fmt: skip
        return not waited.pending

    def _refused(self) -> None:
        """Raise why no pod was made, where the run itself or its events tell."""
        outcome = self._attempts.judge(self._run)
        told = [outcome.message] if outcome.message else self._events(self._name, "FailedCreate")
        if told:
            code = "quota_exceeded" if is_over_quota(told[-1]) else "build_pod_refused"
            raise EngineError(f"The pod of {self._name} was refused: {told[-1].rstrip('.')}.", code)

    def _warned(self) -> None:
        """Raise why the pod does not begin, where only the events tell: a volume that names what is not there."""
        told = self._events(self._pod["metadata"]["name"], "FailedMount")
        if told:
            raise EngineError(f"{self._name} cannot begin: {told[-1].rstrip('.')}.", "build_pod_refused")

    def _events(self, name: str, reason: str) -> list[str]:
        """Return what events of one reason say about an object; nothing where they may not be seen."""
        try:
            return messages(self._cluster, self._attempts.namespace, name, reason)
        except ClusterError:
            return []

    def _soon(self) -> Deadline:
        return Deadline.after(min(self._patience, self._attempts.deadline.left()))

    def _last_look(self) -> dict | None:
        if self._pod is None:
            return None
        return self._cluster.find(self._path(), deadline=Deadline.after(10)) or self._pod


class _Logs(LogReader):
    """The logs of a pod's containers, one after the other. over: the run has ended."""

    def __init__(self, cluster: Cluster, path: str, pod: dict, log: BuildLog, deadline: Deadline):
        super().__init__(log)
        self._cluster, self._path, self._pod = cluster, path, pod
        # The server says that a run has ended a moment after its log has.
        self._deadline = Deadline(deadline.at + GRACE)
        self.over = threading.Event()

    def read(self) -> None:
        for name in workers(self._pod):
            try:
                follow_log(
                    self._cluster, f"{self._path}/log", self.take, self._deadline,
                    container=name, ended=lambda name=name: self._has_ended(name),
                )  # fmt: skip
            except ClusterError as error:
                self.log.say(f"the log of {name} cannot be read: {error.message}")
            if failed(self._pod)[0] == name:
                return  # steps of Tekton's that come after it say only that they are left out

    def _has_ended(self, name: str) -> bool:
        if self._gone() or container_has_ended(self._pod, name):
            return True
        # Nothing comes any more once the run has ended: what has not begun by then never does.
        if self.over.wait(0.2):
            self._gone()
            return True
        return False

    def _gone(self) -> bool:
        pod = self._cluster.find(self._path, deadline=Deadline.after(10))
        self._pod = pod or self._pod
        return pod is None
