# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a build: one watch to its end, its log beside it, and a word about what holds it up."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.goals import PENDING, REACHED, Goal
from ...cluster.logs import follow
from ...cluster.wait import Waited, wait
from ...values.errors import EngineError
from ..buildlog import BuildLog
from ..logreader import GRACE, LogReader
from .builds import BUILDS, Builds
from .outcome import blocked_by, failure_of, has_ended, phase_of

_GOT_LOST = "Build {} was deleted before it had ended: start it again."


class TimedOut(Exception):
    """The build had not ended when the time was over, or is held up by what does not come. why: words or None."""

    def __init__(self, build: dict | None, why: EngineError | None = None):
        super().__init__()
        self.build = build
        self.why = why


@dataclass
class _Seen:
    """What was seen of a build. ended: tells the thread of the log that it has."""

    build: dict
    ended: threading.Event = field(default_factory=threading.Event)


def watch(builds: Builds, build: dict, log: BuildLog) -> tuple[dict, tuple[str, ...]]:
    """Wait until a build has ended; return it with warnings about its log.

    Raises TimedOut, and EngineError where the build goes away or the server refuses.
    """
    seen = _Seen(build)
    following = _Log(builds, seen, log)
    name = build["metadata"]["name"]

    def look(found: dict) -> None:
        if phase_of(found) != phase_of(seen.build) or blocked_by(found) != blocked_by(seen.build):
            reason = blocked_by(found)
            log.say(f"{name}: {phase_of(found)}" + (f" ({reason})" if reason else ""))
        seen.build = found
        if phase_of(found) == "Running" or has_ended(found):
            following.start()

    try:
        while not has_ended(seen.build):
            _until(builds, seen, look, lambda found: has_ended(found) or bool(blocked_by(found)), builds.deadline)
            if not has_ended(seen.build):
                patience = Deadline.after(min(builds.patience, builds.deadline.left()))
                try:
                    _until(builds, seen, look, lambda found: has_ended(found) or not blocked_by(found), patience)
                except TimedOut:
                    why = failure_of(seen.build, log.tail(), builds.refusals(seen.build))
                    raise TimedOut(seen.build, why) from None
        if phase_of(seen.build) != "Cancelled" or following.started:
            following.start()
    finally:
        seen.ended.set()
    return seen.build, following.told()


def settle(builds: Builds, names: list[str], goal: Goal, deadline: Deadline, keep=None) -> Waited:
    """Wait for several builds at once."""
    return wait(builds.cluster, BUILDS, names, goal, deadline, namespace=builds.namespace, keep=keep)


def until(done) -> Goal:
    """Return the goal that a build is as ``done`` says."""
    return Goal(lambda found: REACHED if done(found) else PENDING)


def _until(builds: Builds, seen: _Seen, look, done, deadline: Deadline) -> None:
    name = seen.build["metadata"]["name"]
    waited = wait(
        builds.cluster, BUILDS, [name], until(done), deadline,
        namespace=builds.namespace, on_change=look, known=seen.build,
    )  # fmt: skip
    if waited.failed:
        raise EngineError(_GOT_LOST.format(name), "build_pod_lost")
    if waited.pending:
        raise TimedOut(seen.build, waited.trouble)


class _Log(LogReader):
    """The log of one build, from the build's begin to its end."""

    def __init__(self, builds: Builds, seen: _Seen, log: BuildLog):
        super().__init__(log)
        self._builds, self._seen = builds, seen
        self._trouble: ClusterError | None = None

    def told(self) -> tuple[str, ...]:
        """Wait for the rest of the log; return what there is to say about it."""
        if not self.started:
            return ()
        if not self.finish():
            return ("The end of the log did not come in time: it may be incomplete.",)
        if self._trouble and phase_of(self._seen.build) != "Cancelled":
            return (f"The log is incomplete: {self._trouble.message}",)
        return ()

    def read(self) -> None:
        path = self._builds.path(self._seen.build["metadata"]["name"], "log")
        # The server closes the log a moment before it says that the build has ended.
        deadline = Deadline(self._builds.deadline.at + GRACE)
        try:
            followed = follow(self._builds.cluster, path, self.take, deadline, ended=lambda: self._seen.ended.wait(2))
            self._trouble = followed.trouble
        except ClusterError as error:
            self._trouble = error
