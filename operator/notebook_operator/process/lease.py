# SPDX-License-Identifier: GPL-3.0-or-later
"""One of several processes works: the one that holds a Lease.

The rules are those of client-go's leader election, so that its Leases and ours can be told apart by nobody.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timezone

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import MANAGER, Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError

LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", True)
_LOG = logging.getLogger(__name__)
_RENEW, _RETRY = 2 / 3, 2 / 15  # parts of the duration: 10 s and 2 s of 15 s
_JITTER = 1.2  # client-go's JitterFactor, so that those who wait do not ask at the same moment


class Election:
    """The Lease of a name in the namespace of the cluster's account. Its clocks are those of this process only.

    seconds: after which another may lead if the record does not change. identity: of this process.
    """

    def __init__(
        self, cluster: Cluster, name: str, seconds: int, identity: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):  # fmt: skip
        self._cluster, self._seconds, self._clock = cluster, seconds, clock
        self.identity = identity or f"{os.environ.get('HOSTNAME') or socket.gethostname()}_{uuid.uuid4()}"
        self._name, self._collection = name, LEASES.path(cluster.namespace)
        self._lock = threading.Lock()  # held while the Lease is read or written
        self._seen: dict | None = None  # the Lease as it was last
        self._since = 0.0  # when its record was first seen as it is
        self._renewed: float | None = None  # when the request was sent that last made it ours
        self._released, self._ended = False, threading.Event()
        self._trouble: str | None = None  # what was said last of what goes wrong

    def wait(self, stop: threading.Event) -> bool:
        """Wait until this process leads; return False where stop is set before that."""
        pause = self._seconds * _RETRY
        while not stop.is_set():
            if self.ask():
                _LOG.info("This process leads now: %s holds the Lease %s.", self.identity, self._name)
                return True
            stop.wait(pause * random.uniform(1.0, 1.0 + _JITTER))
        return False

    def keep(self, lost: Callable[[], None]) -> None:
        """Renew in the background; call lost, once, as soon as it did not succeed for too long, or another leads."""
        threading.Thread(target=self._renew, daemon=True, name="lease").start()
        threading.Thread(target=self._watch, args=(lost,), daemon=True, name="lease-deadline").start()

    def holds(self) -> bool:
        """Return whether this process may go on: its last renewal is younger than the deadline of renewals."""
        return self._left() > 0

    def release(self) -> None:
        """Leave the Lease to whoever asks next. What goes wrong is no trouble: it expires."""
        with self._lock:
            held, self._renewed, self._released = self._renewed is not None, None, True
            self._ended.set()
            if not held:
                return
            moment = _micro_time()
            ours = {"holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": moment, "renewTime": moment}
            try:
                self._put({**self._seen["spec"], **ours}, Deadline.after(2.0))
            except ClusterError as error:
                _LOG.info("The Lease was not released: %s", error.message)

    def _left(self) -> float:
        since = self._renewed
        return 0.0 if since is None else since + self._seconds * _RENEW - self._clock()

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds * _RETRY):
            self.ask()

    def _watch(self, lost: Callable[[], None]) -> None:
        while (left := self._left()) > 0 and not self._ended.wait(left):
            pass
        if not self._released:
            lost()

    # --- one try

    def ask(self) -> bool:
        """Take or renew the Lease; return whether it is ours."""
        with self._lock:
            if self._ended.is_set():
                return False
            began = self._clock()
            left = self._seconds * _RENEW / 2 if self._renewed is None else max(0.1, self._left())
            deadline = Deadline.after(min(left, self._seconds * _RENEW / 2))
            try:
                ours = self._attempt(deadline)
            except ClusterError as error:
                known, self._trouble = self._trouble, error.message
                level = logging.DEBUG if known == error.message else logging.WARNING
                _LOG.log(level, "The Lease %s was not asked for: %s", self._name, error.message)
                return False
            self._trouble = None
            if ours:
                self._renewed = began
            elif self._renewed is not None:
                _LOG.error("The Lease %s is held by %s now.", self._name, self._holder)
                self._renewed = None
                self._ended.set()
            return ours

    def _attempt(self, deadline: Deadline) -> bool:
        if self._renewed is not None:  # the record is as we left it
            try:
                self._put(self._record(), deadline)
                return True
            except ClusterError as error:
                if error.status not in (404, 409):
                    raise
        found = self._cluster.find(f"{self._collection}/{self._name}", deadline=deadline)
        if found is None:
            return self._create(deadline)
        self._look(found)
        if self._holder not in ("", self.identity) and not self._is_over():
            return False
        try:
            self._put(self._record(), deadline)
        except ClusterError as error:
            if error.status == 409:
                return False  # another was faster
            raise
        return True

    @property
    def _holder(self) -> str:
        return (self._seen or {}).get("spec", {}).get("holderIdentity") or ""

    def _is_over(self) -> bool:
        return self._since + self._seen["spec"].get("leaseDurationSeconds", 0) <= self._clock()

    def _look(self, found: dict) -> None:
        if self._seen is None or self._seen.get("spec") != found.get("spec"):
            self._since = self._clock()
        self._seen = {**found, "spec": found.get("spec") or {}}

    def _record(self) -> dict:
        old, moment = (self._seen or {}).get("spec", {}), _micro_time()
        ours = {"holderIdentity": self.identity, "leaseDurationSeconds": self._seconds, "renewTime": moment}
        if self._holder == self.identity:
            return {**old, **ours}
        changes = old.get("leaseTransitions", 0) + 1 if self._seen else 0
        return {**old, **ours, "acquireTime": moment, "leaseTransitions": changes}

    def _create(self, deadline: Deadline) -> bool:
        self._seen = None
        wanted = {
            "apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": {"name": self._name}, "spec": self._record(),
        }  # fmt: skip
        query = {"fieldManager": MANAGER}
        try:
            self._look(self._cluster.request("POST", self._collection, query=query, body=wanted, deadline=deadline))
        except ClusterError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _put(self, record: dict, deadline: Deadline) -> None:
        """Write the Lease, unless another has written it since it was seen."""
        body = {**self._seen, "spec": record}
        path = f"{self._collection}/{self._name}"
        self._look(self._cluster.request("PUT", path, query={"fieldManager": MANAGER}, body=body, deadline=deadline))


def _micro_time() -> str:
    """Return this moment as a MicroTime of Kubernetes."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
