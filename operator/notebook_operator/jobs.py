# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs that are worked on: each one alone, its newest generation only, all of them side by side."""

from __future__ import annotations

import functools
import logging
import threading
from dataclasses import dataclass, field

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped

from . import status
from .reconcile import give_up, reconcile, wait_for_cluster
from .record import Record
from .settings import Settings
from .workers import Workers

_LOG = logging.getLogger(__name__)
_PAUSES = (1.0, 300.0)  # seconds before the first new try, and at most


@dataclass
class _Seat:
    """generation: the newest that was seen. found: the job where it is still to be worked on. busy: somebody does.

    failures: of the cluster, in a row. telling: held while it is said that the job waits, before which nobody begins.
    """

    generation: int
    found: dict | None
    stop: Stop = field(default_factory=Stop)
    busy: bool = False
    failures: int = 0
    telling: threading.Lock = field(default_factory=threading.Lock)


class Jobs:
    """Takes what is seen of jobs, however often and late, and works on what has no verdict.

    namespace: of the operator itself.
    """

    def __init__(self, cluster: Cluster, settings: Settings):
        self._cluster, self._settings = cluster, settings
        self.namespace = cluster.namespace
        self._workers = Workers(settings.jobs)
        self._seats: dict[str, _Seat] = {}
        self._lock = threading.Lock()

    def knows_none(self) -> bool:
        """Return whether the cluster has no definition of jobs."""
        return self._cluster.discovery.serves(JOBS.group, JOBS.plural) is False

    def see(self, found: dict) -> None:
        """Work on a job, unless its generation is worked on already or has its verdict."""
        uid, generation = found["metadata"]["uid"], found["metadata"]["generation"]
        with self._lock:
            seat = self._seats.get(uid)
            if seat and seat.generation >= generation or status.is_over(found):
                return
            if seat is None:
                seat = self._seats[uid] = _Seat(generation, found)
            else:
                seat.stop.ask()  # what runs for the older generation
                seat.generation, seat.found, seat.failures = generation, found, 0
            if seat.busy:
                return  # whoever is busy goes on with it
            seat.busy, seat.stop = True, Stop()
        self._submit(uid, seat)

    def forget(self, uid: str) -> None:
        """Stop the work on a job that goes."""
        with self._lock:
            seat = self._seats.pop(uid, None)
            if seat:
                seat.found = None
        if seat:
            seat.stop.ask()

    def _submit(self, uid: str, seat: _Seat) -> None:
        if not self._workers.submit(functools.partial(self._work, uid, seat)):
            self._say_waiting(seat)

    def _say_waiting(self, seat: _Seat) -> None:
        message = "It waits for its turn: the operator works on as many jobs as it may."
        with seat.telling:
            found = seat.found
            if found is None:
                return  # somebody has begun meanwhile
            try:
                Record(self._cluster, found, seat.stop).write(
                    status.working("Queued", message), phase="Pending", message=message
                )
            except (ClusterError, Stopped) as error:
                _LOG.info("%s/%s: %s", found["metadata"]["namespace"], found["metadata"]["name"], error)

    def _work(self, uid: str, seat: _Seat) -> None:
        while True:
            with self._lock:
                found, seat.found = seat.found, None
                if found is None:
                    seat.busy = False
                    return
                if seat.stop.asked and uid in self._seats:
                    seat.stop = Stop()
                stop = seat.stop
            with seat.telling:
                pass
            self._one(uid, seat, found, stop)

    def _one(self, uid: str, seat: _Seat, found: dict, stop: Stop) -> None:
        name = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
        try:
            reconcile(self._cluster, self._settings, found, stop)
        except ClusterError as error:
            _LOG.warning("%s: %s", name, error.message)
            self._try_again(uid, seat, found, stop, error)
        except Exception as error:
            _LOG.exception("%s: The operator failed.", name)
            try:
                give_up(self._cluster, found, stop, error)
            except ClusterError as second:
                _LOG.warning("%s: %s", name, second.message)

    def _try_again(self, uid: str, seat: _Seat, found: dict, stop: Stop, error: ClusterError) -> None:
        try:
            wait_for_cluster(self._cluster, found, stop, error)
        except (ClusterError, Stopped):
            _LOG.info("Nothing can be said of that in the status now.")
        seat.failures += 1
        pause = min(_PAUSES[1], _PAUSES[0] * 2 ** min(seat.failures - 1, 10))
        timer = threading.Timer(max(pause, error.retry_after or 0.0), self._again, (uid, seat, found))
        timer.daemon = True
        timer.start()

    def _again(self, uid: str, seat: _Seat, found: dict) -> None:
        with self._lock:
            stale = self._seats.get(uid) is not seat or seat.generation > found["metadata"]["generation"]
            if stale or seat.busy:
                return
            seat.busy, seat.found, seat.stop = True, found, Stop()
        self._submit(uid, seat)
