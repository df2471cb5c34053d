# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs that make one environment: Jobs, TaskRuns or BuildRuns with a number each, one of them at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ...cluster.client import MANAGER, Cluster
from ...cluster.deadline import Deadline
from ...cluster.discovery import Resource
from ...cluster.errors import ClusterError
from ...cluster.goals import Outcome
from ...cluster.objects import KEY, MANAGED_BY
from ...cluster.removal import remove_this
from .record import record_name

_NUMBER = re.compile(r".*-(\d+)")


@dataclass(frozen=True)
class Attempts:
    """The runs of one key. judge: how a run stands (``pending``, ``reached`` or ``failed``)."""

    cluster: Cluster
    resource: Resource
    namespace: str
    key: str
    judge: Callable[[dict], Outcome]
    deadline: Deadline

    def all(self, deadline: Deadline | None = None) -> list[dict]:
        """Return the runs that are there, the oldest first."""
        selector = f"{KEY}={self.key},app.kubernetes.io/component=environment,{MANAGED_BY}={MANAGER}"
        listed = self.cluster.items(
            self.resource.path(self.namespace), {"labelSelector": selector}, deadline or self.deadline
        )
        return sorted(listed, key=_number)

    def begin(self, manifest: Callable[[str], dict], anew: bool) -> tuple[dict, bool]:
        """Return the run to wait for, and whether it was started here.

        That is one that has not ended; else, unless ``anew``, one that succeeded; else a new one. Its name is the same
        for all that start it at once, so one of them makes it and the others wait for it.
        """
        known = self.all()
        taken = [run for run in known if self._counts(run, anew)]
        if taken:
            return taken[-1], False
        number = max((_number(run) for run in known), default=0) + 1
        name = f"{record_name(self.key)}-{number}"
        try:
            return self.cluster.create(self.resource.path(self.namespace), manifest(name), deadline=self.deadline), True
        except ClusterError as error:
            found = error.reason == "AlreadyExists" and self.cluster.find(self.resource.path(self.namespace, name))
            if not found:
                raise
            return found, False

    def remove(self, run: dict, deadline: Deadline | None = None) -> None:
        """Delete this very run with its pods, which ends it."""
        remove_this(self.cluster, self.resource, run, deadline or self.deadline)

    def prune(self, keep_complete: int, keep_failed: int) -> None:
        """Remove the oldest ended runs beyond these numbers."""
        until = Deadline.after(30)
        runs = self.all(until)
        for state, keep in (("reached", keep_complete), ("failed", keep_failed)):
            ended = [run for run in runs if self.judge(run).state == state]
            for run in ended[: max(0, len(ended) - keep)]:
                self.remove(run, until)

    def _counts(self, run: dict, anew: bool) -> bool:
        if run["metadata"].get("deletionTimestamp"):
            return False
        state = self.judge(run).state
        return state == "pending" or (state == "reached" and not anew)


def _number(run: dict) -> int:
    told = _NUMBER.fullmatch(run["metadata"]["name"])
    return int(told[1]) if told else 0
