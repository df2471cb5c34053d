# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs that are worked on: each one alone, its newest generation only, all of them side by side.

Of a job at rest nothing is held but its generation, and the time at which something is to be done for it.
"""

from __future__ import annotations

import functools
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from operator_common import logs

from ..process.metrics import observe
from ..settings import Settings
from ..told import lifecycle, status
from ..told.record import Record
from ..work.reconcile import give_up, reconcile, wait_for_cluster
from . import resting
from .timers import Timers
from .workers import Workers

_LOG = logging.getLogger(__name__)
_PAUSES = (1.0, 300.0)  # seconds before the first new try, and at most


@dataclass(slots=True)
class _Seat:
    """A job that is worked on, or waits for that.

    generation: the newest that was seen. found: the job where it is still to be worked on. about: what its work is about.
    begun: somebody works on it. changed: there is a newer generation that asks for the same. failures: of the cluster, in a
    row. pausing: it waits after one. telling: held while it is said that the job waits, before which nobody begins.
    """

    generation: int
    found: dict | None
    about: tuple[str, bool]
    stop: Stop = field(default_factory=Stop)
    begun: bool = False
    changed: bool = False
    failures: int = 0
    pausing: bool = False
    telling: threading.Lock = field(default_factory=threading.Lock)


class Jobs:
    """Takes what is seen of jobs, however often and late, and works on what has no verdict.

    namespace: of the operator itself. now: the clock, in seconds since 1970.
    """

    def __init__(self, cluster: Cluster, settings: Settings, now: Callable[[], float] = time.time):
        self._cluster, self._settings = cluster, settings
        self.namespace = cluster.namespace
        self.timers = Timers(now)
        self._workers = Workers(settings.jobs, settings.jobs_per_namespace)
        self._seats: dict[str, _Seat] = {}
        self._ended: dict[str, int] = {}  # the generation of jobs whose work ended here
        self._lock = threading.Lock()

    def knows_none(self) -> bool:
        """Return whether the cluster has no definition of jobs."""
        return self._cluster.discovery.serves(JOBS.group, JOBS.plural) is False

    def see(self, found: dict) -> None:
        """Work on a job, unless its generation is worked on already or has its verdict."""
        observe.saw(found)
        self._see(found, fresh=False)

    def forget(self, uid: str) -> None:
        """Stop the work on a job that goes."""
        with self._lock:
            seat = self._detach(uid)
            self._ended.pop(uid, None)
        self.timers.cancel(uid)
        observe.gone(uid)
        if seat:
            seat.stop.ask()

    def _see(self, found: dict, *, fresh: bool) -> None:
        """fresh: nobody has seen it in another state since."""
        uid, generation = found["metadata"]["uid"], found["metadata"]["generation"]
        over = lifecycle.is_over(found)
        with self._lock:
            seat, ended = self._seats.get(uid), self._ended.get(uid, 0)
            if generation < ended or seat and generation <= seat.generation:
                return  # who works on it looks at it again in the end
            if seat and seat.begun and not seat.pausing:
                self._change(seat, found)
                return
            if seat:
                self._detach(uid)
                observe.forgotten(uid)
            is_new = not over and generation > ended and not (lifecycle.is_current(found) and lifecycle.is_held(found))
            seat = self._sit(found) if is_new else None
        if seat is not None:
            self._start(uid, seat)
        elif over:
            self._guarded(_names(found), functools.partial(self._rest, found, fresh))

    def _sit(self, found: dict) -> _Seat:
        about = (lifecycle.digest(found["spec"]), lifecycle.is_suspended(found))
        seat = _Seat(found["metadata"]["generation"], found, about)
        self._seats[found["metadata"]["uid"]] = seat
        return seat

    def _detach(self, uid: str) -> _Seat | None:
        seat = self._seats.pop(uid, None)
        if seat:
            seat.found = None
        return seat

    def _change(self, seat: _Seat, found: dict) -> None:
        """See a newer generation of what is worked on."""
        about = (lifecycle.digest(found["spec"]), lifecycle.is_suspended(found))
        seat.generation, seat.changed = found["metadata"]["generation"], True
        if about != seat.about:
            seat.about, seat.found, seat.failures = about, found, 0
            seat.stop.ask()

    # --- work

    def _start(self, uid: str, seat: _Seat) -> None:
        work, found = functools.partial(self._work, uid, seat), seat.found
        if found is None:
            return  # it is gone, or has changed
        if lifecycle.is_suspended(found):
            work()  # which is soon done, and needs no place
            return
        observe.seen(uid)
        if not self._workers.submit(found["metadata"]["namespace"], work):
            self._say_waiting(seat)

    def _say_waiting(self, seat: _Seat) -> None:
        with seat.telling:
            found = seat.found
            if found is None:
                return  # somebody has begun meanwhile
            full = self._workers.is_full(found["metadata"]["namespace"])
            who = "of the namespace as it may at once" if full else "as it may"
            message = f"It waits for its turn: the operator works on as many jobs {who}."
            try:
                Record(self._cluster, self._with_times(found), seat.stop).write(
                    status.working("Queued", message), phase="Pending", message=message
                )
            except (ClusterError, Stopped) as error:
                _LOG.info("%s/%s: %s", found["metadata"]["namespace"], found["metadata"]["name"], error)

    def _with_times(self, found: dict) -> dict:
        return lifecycle.with_times(found, lifecycle.times(found, self.timers.now()))

    def _work(self, uid: str, seat: _Seat) -> None:
        last = None
        while turn := self._turn(uid, seat):
            last, stop = turn
            with seat.telling:
                pass
            with logs.about(last["metadata"]):
                self._one(uid, seat, self._with_times(last), stop)
        if last and not seat.pausing:
            self._look_again(seat, last)

    def _turn(self, uid: str, seat: _Seat) -> tuple[dict, Stop] | None:
        """Return what is to be worked on now; None where the seat has nothing more, or is not that of the job."""
        with self._lock:
            found, seat.found = seat.found, None
            if found is not None:
                seat.begun = True
                if seat.stop.asked:
                    seat.stop = Stop()
                return found, seat.stop
            if self._seats.get(uid) is seat and not seat.pausing:
                del self._seats[uid]
                self._ended[uid] = seat.generation
            return None

    def _look_again(self, seat: _Seat, found: dict) -> None:
        """See to what came while somebody worked, and to the times of the job."""
        if seat.changed or "schedule" in found["spec"] or "ttlSecondsAfterFinished" in found["spec"]:
            self._look(_names(found))

    def _one(self, uid: str, seat: _Seat, found: dict, stop: Stop) -> None:
        name = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
        try:
            if seat.failures:
                found = self._with_times(self._as_it_is(found))
            if lifecycle.is_suspended(found):
                if not lifecycle.is_over(found):
                    resting.hold(self._cluster, found, stop)
                return
            if lifecycle.is_held(found) and not seat.failures:
                resting.resume(self._cluster, found, stop)
            elif lifecycle.has_changed(found):
                resting.clear(self._cluster, found)
            with observe.job(uid):
                reconcile(self._cluster, self._settings, found, stop)
        except Stopped:
            return
        except ClusterError as error:
            _LOG.warning("%s: %s", name, error.message)
            self._try_again(uid, seat, found, stop, error)
        except Exception as error:
            _LOG.exception("%s: The operator failed.", name)
            try:
                give_up(self._cluster, found, stop, error)
            except ClusterError as second:
                _LOG.warning("%s: %s", name, second.message)
                self._try_again(uid, seat, found, stop, second)

    def _as_it_is(self, found: dict) -> dict:
        """Return a job with the status that was written before the cluster failed. Raises Stopped, ClusterError."""
        now = resting.find(self._cluster, found["metadata"]["namespace"], found["metadata"]["name"])
        names = ("uid", "generation")
        if now is None or any(now["metadata"][name] != found["metadata"][name] for name in names):
            raise Stopped  # the watch tells of that
        return found if lifecycle.is_over(now) else now

    def _try_again(self, uid: str, seat: _Seat, found: dict, stop: Stop, error: ClusterError) -> None:
        if not lifecycle.is_suspended(found):
            try:
                wait_for_cluster(self._cluster, found, stop, error)
            except (ClusterError, Stopped):
                _LOG.info("Nothing can be said of that in the status now.")
        with self._lock:
            if self._seats.get(uid) is not seat or seat.found is not None:
                return  # it is gone, or has changed
            seat.failures += 1
            seat.pausing, seat.found = True, None
            pause = self._pause(seat.failures, error)
        self.timers.at(f"{uid} again", self.timers.now() + pause, functools.partial(self._again, uid, seat, found))

    @staticmethod
    def _pause(failures: int, error: ClusterError) -> float:
        """Return the seconds before the next try, which are not the same for all jobs of a cluster that was away."""
        pause = min(_PAUSES[1], _PAUSES[0] * 2 ** min(failures - 1, 10))
        return max(pause * random.uniform(0.75, 1.0), error.retry_after or 0.0)

    def _again(self, uid: str, seat: _Seat, found: dict) -> None:
        """Begin anew after a pause, by a seat of its own: who had the old one may still be about to leave it."""
        with self._lock:
            if self._seats.get(uid) is not seat or not seat.pausing:
                return
            fresh = self._seats[uid] = _Seat(
                seat.generation, found, seat.about, changed=seat.changed, failures=seat.failures
            )
        self._start(uid, fresh)

    # --- rest

    def _rest(self, found: dict, fresh: bool) -> None:
        """See to a job that has its verdict. Raises ClusterError."""
        uid, now = found["metadata"]["uid"], self.timers.now()
        if not lifecycle.is_confirmed(found, now):
            found = resting.confirm(self._cluster, found, now)
        due, end = lifecycle.due(found), lifecycle.end(found)
        moment = due if end is None else end
        if moment is None:
            self.timers.cancel(uid)
        elif moment > now or not fresh:
            self.timers.at(uid, moment, functools.partial(self._look, _names(found)))
        elif end is not None:
            resting.delete(self._cluster, found)
        else:
            self._begin_anew(uid, lifecycle.anew(found, now))

    def _begin_anew(self, uid: str, found: dict) -> None:
        with self._lock:
            if uid in self._seats:
                return
            seat = self._sit(found)
        self._start(uid, seat)

    def _look(self, metadata: dict) -> None:
        """Look at a job as it is now, and do what is due."""
        self._guarded(metadata, functools.partial(self._look_now, metadata))

    def _look_now(self, metadata: dict) -> None:
        found = resting.find(self._cluster, metadata["namespace"], metadata["name"])
        if found is None or found["metadata"]["uid"] != metadata["uid"]:
            self.forget(metadata["uid"])
        elif not found["metadata"].get("deletionTimestamp"):
            self._see(found, fresh=True)

    def _guarded(self, metadata: dict, function: Callable[[], None]) -> None:
        """Call a function; where the cluster does not let it be done, look at the job again after a while."""
        try:
            function()
        except Stopped:
            return  # the watch tells of what came meanwhile
        except ClusterError as error:
            _LOG.warning("%s/%s: %s", metadata["namespace"], metadata["name"], error.message)
            moment = self.timers.now() + max(_PAUSES[0] * 60 * random.uniform(0.75, 1.0), error.retry_after or 0.0)
            self.timers.at(metadata["uid"], moment, functools.partial(self._look, metadata))


def _names(found: dict) -> dict[str, str]:
    """Return what is held of a job at rest."""
    return {name: found["metadata"][name] for name in ("namespace", "name", "uid")}
