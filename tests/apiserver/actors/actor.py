# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller pattern: events put keys on a queue, one thread reconciles key after key."""

from __future__ import annotations

import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime

from ..errors import ApiError
from ..untraced import untraced
from ..values import timestamp

Key = tuple[str, str]  # namespace ("" for cluster scope) and name
RETRY_DELAY = 1.0  # seconds, after an unexpected refusal; doubled up to 60


def key_of(obj: dict) -> Key:
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


def itself(obj: dict) -> Iterable[Key]:
    return [key_of(obj)]


def controllers(obj: dict, kind: str) -> list[dict]:
    owners = obj["metadata"].get("ownerReferences") or []
    return [owner for owner in owners if owner.get("controller") and owner["kind"] == kind]


def controller_of(kind: str) -> Callable[[dict], Iterable[Key]]:
    """The key of the owner of that kind which controls an object."""

    def keys(obj: dict) -> Iterable[Key]:
        return [(obj["metadata"].get("namespace") or "", owner["name"]) for owner in controllers(obj, kind)]

    return keys


def is_ready(pod: dict) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def owner_reference(owner: dict) -> dict:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def set_condition(
    conditions: list[dict], kind: str, status: str, now: datetime, reason: str = "", message: str = ""
) -> None:
    """Add or change a condition; its transition time moves only when its status does."""
    fresh = {"type": kind, "status": status, "lastTransitionTime": timestamp(now)}
    fresh.update({key: value for key, value in (("reason", reason), ("message", message)) if value})
    for index, old in enumerate(conditions):
        if old["type"] == kind:
            if old["status"] == status:
                fresh["lastTransitionTime"] = old.get("lastTransitionTime", fresh["lastTransitionTime"])
            conditions[index] = fresh
            return
    conditions.append(fresh)


class Activity:
    """How much work the actors have at hand, so that a test with a manual clock can wait for rest."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    def begin(self) -> None:
        with self._condition:
            self._count += 1

    def end(self) -> None:
        with self._condition:
            self._count -= 1
            if not self._count:
                self._condition.notify_all()

    def busy(self) -> bool:
        with self._condition:
            return self._count > 0

    def wait_idle(self, seconds: float = 30) -> None:
        with self._condition:
            if not self._condition.wait_for(lambda: not self._count, seconds):
                raise TimeoutError(f"The actors still had work after {seconds} seconds.")


class Actor:
    """A controller. Subclasses name what they watch, and bring one object to its desired state in `reconcile`."""

    name = "actor"
    watches: dict[str, Callable[[dict], Iterable[Key]]] = {}

    def __init__(self, server, activity: Activity):
        self.server = server
        self.system = server.system
        self.clock = server.clock
        self._activity = activity
        self._condition = threading.Condition()
        self._queue: dict[Key, None] = {}  # a set that keeps its order
        self._failures: dict[Key, int] = defaultdict(int)
        self._stopped = False
        self._unsubscribe: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Actor:
        self._unsubscribe = self.server.store.subscribe(self._observe)
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()
        for plural, keys in self.watches.items():
            for obj in self.system.list(plural):
                self._enqueue_all(keys(obj))
        return self

    def stop(self) -> None:
        if self._unsubscribe:
            self._unsubscribe()
        with self._condition:
            self._stopped = True
            for _key in self._queue:
                self._activity.end()
            self._queue.clear()
            self._condition.notify_all()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def reconcile(self, namespace: str, name: str) -> None:
        raise NotImplementedError

    def observe(self, event: str, plural: str, obj: dict) -> None:
        """A hook for what must be remembered of an event; runs on the store's thread and must be quick."""

    def enqueue(self, key: Key) -> None:
        with self._condition:
            if self._stopped or key in self._queue:
                return
            self._activity.begin()
            self._queue[key] = None
            self._condition.notify()

    def enqueue_later(self, key: Key, seconds: float) -> None:
        if not self._stopped:
            self.clock.call_later(seconds, lambda: self.enqueue(key))

    def record(self, obj: dict, kind: str, reason: str, message: str) -> None:
        """An event about an object; it is no harm if it cannot be written."""
        metadata, now = obj["metadata"], timestamp(self.clock.now())
        namespace = metadata.get("namespace") or "default"
        involved = {key: obj[key] for key in ("apiVersion", "kind")}
        involved |= {key: metadata[key] for key in ("name", "uid", "namespace") if key in metadata}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": namespace},
            "involvedObject": involved,
            **{"type": kind, "reason": reason, "message": message, "source": {"component": self.name}},
            **{"firstTimestamp": now, "lastTimestamp": now, "count": 1},
            **{"reportingComponent": self.name, "reportingInstance": ""},
        }
        try:
            self.system.create("events", event)
        except ApiError:
            return

    def _observe(self, event: str, resource, obj: dict) -> None:
        self.observe(event, resource.qualified, obj)
        if keys := self.watches.get(resource.qualified):
            self._enqueue_all(keys(obj))

    def _enqueue_all(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.enqueue(key)

    def _work(self) -> None:
        untraced()
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._queue or self._stopped)
                if self._stopped:
                    return
                key = next(iter(self._queue))
                del self._queue[key]
            try:
                self._reconcile(key)
            finally:
                self._activity.end()

    def _reconcile(self, key: Key) -> None:
        failures = self._failures.get(key, 0)
        try:
            self.reconcile(*key)
            if self._failures.get(key, 0) == failures:  # it may have asked for another try itself
                self._failures.pop(key, None)
        except ApiError as error:
            if error.code == 409:
                # Real time on purpose: a lost race is no part of the story that a manual clock tells.
                self.enqueue(key)
                return
            self._retry(key)
        except Exception:  # a bug in one object's handling must not end the controller
            traceback.print_exc(file=sys.stderr)
            self._retry(key)

    def _retry(self, key: Key) -> None:
        self._failures[key] += 1
        self.enqueue_later(key, min(60.0, RETRY_DELAY * 2 ** (self._failures[key] - 1)))
