# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects: one resourceVersion for all, a bounded history for watches, subscribers for the actors.

An object in the store is never changed, only replaced, so that it may be read and encoded without a lock.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from . import errors
from .resources import Registry, ResourceType
from .states import Event, Stored, Watcher
from .untraced import untraced
from .values import clone, timestamp

HISTORY = 50_000  # events kept for each resource
FIRST_VERSION = 1_000  # so that a watch from "1" is one from before the history
SYSTEM_FIELDS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
_GENERATION = {
    ("", "pods"), ("", "replicationcontrollers"), ("apps", "daemonsets"), ("apps", "deployments"), ("apps", "replicasets"),
    ("apps", "statefulsets"), ("batch", "cronjobs"), ("batch", "jobs"), ("networking.k8s.io", "ingresses"),
    ("networking.k8s.io", "networkpolicies"), ("policy", "poddisruptionbudgets"), ("autoscaling", "horizontalpodautoscalers"),
    ("apiextensions.k8s.io", "customresourcedefinitions"), ("apps.openshift.io", "deploymentconfigs"),
    ("image.openshift.io", "imagestreams"), ("config.openshift.io", "clusterversions"),
}  # fmt: skip


class Store:
    def __init__(self, clock, registry: Registry):
        self.lock = threading.RLock()
        self.revisions: dict[tuple[str, str], int] = {}  # resource key: version of its last change
        self.hooks: dict[tuple[str, str], Callable[[str, dict], None]] = {}  # called within the write
        self._clock, self._registry = clock, registry
        self._objects: dict[tuple[str, str], dict[tuple[str, str], Stored]] = {}
        self._version = self._floor = FIRST_VERSION
        self._history: dict[tuple[str, str], deque[Event]] = {}
        self._floors: dict[tuple[str, str], int] = {}
        self._watchers: dict[tuple[str, str], list[Watcher]] = {}
        self._uids: dict[str, tuple[tuple[str, str], str, str]] = {}
        self._dependents: dict[str, set[tuple[tuple[str, str], str, str]]] = {}
        self._callbacks: list[Callable] = []
        self._outbox: SimpleQueue = SimpleQueue()
        self._committed = self._delivered = 0
        self._delivery = threading.Condition()
        self._dispatcher = threading.Thread(target=self._dispatch, name="store-events", daemon=True)
        self._dispatcher.start()

    # Reading

    @property
    def version(self) -> int:
        return self._version

    @property
    def compacted(self) -> int:
        """The version from before which nothing is remembered."""
        return self._floor

    def find(self, resource: ResourceType, namespace: str | None, name: str) -> Stored | None:
        return self._objects.get(resource.key, {}).get((namespace or "", name))

    def stored(self, resource: ResourceType, namespace: str | None, name: str) -> Stored:
        found = self.find(resource, namespace, name)
        if found is None:
            raise errors.not_found(resource.group, resource.plural, name)
        return found

    def get(self, resource: ResourceType, namespace: str | None, name: str) -> dict:
        return clone(self.stored(resource, namespace, name).seen_as(resource))

    def snapshot(self, resource: ResourceType, namespace: str | None = None) -> tuple[list[Stored], int]:
        """All states in order of namespace and name, and the version of the whole."""
        with self.lock:
            table = self._objects.get(resource.key, {})
            found = [(place, one) for place, one in table.items() if not namespace or place[0] == namespace]
            version = self._version
        return [one for _place, one in sorted(found, key=lambda pair: pair[0])], version

    def by_uid(self, uid: str) -> tuple[tuple[str, str], str, str] | None:
        """(resource key, namespace, name) of the object with this uid."""
        return self._uids.get(uid)

    def dependents(self, uid: str) -> list[tuple[tuple[str, str], str, str]]:
        with self.lock:
            return sorted(self._dependents.get(uid, ()))

    # Writing

    def insert(self, resource: ResourceType, obj: dict) -> Stored:
        """Takes the object over, which has its uid already."""
        metadata = obj["metadata"]
        with self.lock:
            if self.find(resource, metadata.get("namespace"), metadata["name"]):
                raise errors.already_exists(resource.group, resource.plural, metadata["name"])
            for field in SYSTEM_FIELDS:
                if field != "uid":
                    metadata.pop(field, None)
            metadata["creationTimestamp"] = timestamp(self._clock.now())
            if self._has_generation(resource):
                metadata["generation"] = 1
            return self._commit("ADDED", resource, obj, None)

    def update(self, resource: ResourceType, obj: dict, subresource: str = "") -> dict:
        return clone(self.replace(resource, clone(obj), subresource).seen_as(resource))

    def replace(self, resource: ResourceType, obj: dict, subresource: str = "") -> Stored:
        """Like update, but takes the object over. An update that changes nothing is no event."""
        metadata = obj["metadata"]
        with self.lock:
            old = self.stored(resource, metadata.get("namespace"), metadata["name"])
            if metadata.get("resourceVersion") not in (None, "", old.obj["metadata"]["resourceVersion"]):
                raise errors.conflict(resource.group, resource.plural, metadata["name"])
            obj = self.settle(resource, obj, old.obj, subresource)
            if obj == old.obj:
                return old
            if obj["metadata"].get("deletionTimestamp") and not self._held(resource, obj):
                return self._commit("DELETED", resource, obj, old)
            return self._commit("MODIFIED", resource, obj, old)

    def settle(self, resource: ResourceType, obj: dict, old: dict, subresource: str = "") -> dict:
        """The object as an update would store it: what the server owns, and what the subresource may not touch, is kept."""
        obj["apiVersion"], obj["kind"] = old["apiVersion"], old["kind"]
        metadata, before = obj["metadata"], old["metadata"]
        if subresource == "status":
            kept = {key: value for key, value in old.items() if key not in ("status", "metadata")}
            obj = {**kept, "metadata": metadata, **({"status": obj["status"]} if "status" in obj else {})}
            if resource.custom:
                obj["metadata"] = metadata = {**before, "managedFields": metadata.get("managedFields", [])}
            elif "ownerReferences" in before:
                metadata["ownerReferences"] = before["ownerReferences"]
            else:
                metadata.pop("ownerReferences", None)
        elif resource.has_status and subresource != "finalize":
            obj.pop("status", None)
            if "status" in old:
                obj["status"] = old["status"]
        for field in (*SYSTEM_FIELDS, "resourceVersion"):
            metadata.pop(field, None)
            if field in before:
                metadata[field] = before[field]
        if not metadata.get("managedFields"):
            metadata.pop("managedFields", None)
        if (
            self._has_generation(resource)
            and subresource != "status"
            and self._desired(obj, resource) != self._desired(old, resource)
        ):
            metadata["generation"] = before.get("generation", 0) + 1
        return obj

    @staticmethod
    def _has_generation(resource: ResourceType) -> bool:
        return resource.custom or resource.key in _GENERATION

    @staticmethod
    def _desired(obj: dict, resource: ResourceType) -> dict:
        if not resource.custom:
            return obj.get("spec", {})
        left_out = ("metadata", "status") if resource.has_status else ("metadata",)
        return {key: value for key, value in obj.items() if key not in left_out}

    def remove(
        self, resource: ResourceType, namespace: str | None, name: str, grace: int = 0, finalizers: tuple[str, ...] = ()
    ) -> Stored:
        """Remove the object, or mark it as deleted where finalizers or the grace (seconds) hold it."""
        with self.lock:
            old = self.stored(resource, namespace, name)
            obj = clone(old.obj)
            metadata = obj["metadata"]
            wanted = [*metadata.get("finalizers", []), *finalizers]
            metadata["finalizers"] = list(dict.fromkeys(wanted))
            if not wanted:
                del metadata["finalizers"]
            if grace <= 0 and "deletionGracePeriodSeconds" in metadata:
                metadata["deletionGracePeriodSeconds"] = 0
            if grace <= 0 and not self._held(resource, obj):
                return self._commit("DELETED", resource, obj, old)
            if "deletionTimestamp" not in metadata:
                metadata["deletionTimestamp"] = timestamp(self._clock.now())
                metadata["deletionGracePeriodSeconds"] = grace
                if self._has_generation(resource):
                    metadata["generation"] = metadata.get("generation", 0) + 1
            elif metadata.get("deletionGracePeriodSeconds", 0) > grace:
                metadata["deletionGracePeriodSeconds"] = grace
            if resource.key == ("", "namespaces"):
                obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
            return old if obj == old.obj else self._commit("MODIFIED", resource, obj, old)

    @staticmethod
    def _held(resource: ResourceType, obj: dict) -> bool:
        """Whether something must happen before the object may go."""
        metadata = obj["metadata"]
        if metadata.get("finalizers"):
            return True
        if resource.key == ("", "namespaces"):
            return bool(obj.get("spec", {}).get("finalizers"))
        return (
            bool(metadata.get("deletionTimestamp"))
            and metadata.get("deletionGracePeriodSeconds", 0) > 0
            and (resource.key == ("", "pods"))
        )

    def _commit(self, kind: str, resource: ResourceType, obj: dict, old: Stored | None) -> Stored:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        now = Stored(obj, self._version)
        key, place = resource.key, now.place
        table = self._objects.setdefault(key, {})
        if kind == "DELETED":
            del table[place]
        else:
            table[place] = now
        self._index(key, place, None if kind == "DELETED" else now, old)
        self.revisions[key] = self._version
        event = Event(self._version, kind, now, old)
        history = self._history.setdefault(key, deque())
        history.append(event)
        if len(history) > HISTORY:
            self._floors[key] = history.popleft().version
        if key in self.hooks:
            self.hooks[key](kind, obj)
        for watcher in self._watchers.get(key, ()):
            watcher.push(event)
        self._committed += 1
        self._outbox.put((event, self._registry.by_key(key) if resource.storage else resource))
        return now

    def _index(self, key, place, now: Stored | None, old: Stored | None) -> None:
        here = (key, *place)
        for state, add in ((old, False), (now, True)):
            if state is None:
                continue
            metadata = state.obj["metadata"]
            if add:
                self._uids[metadata["uid"]] = here
            elif now is None:
                self._uids.pop(metadata["uid"], None)
            for owner in metadata.get("ownerReferences") or ():
                known = self._dependents.setdefault(owner.get("uid", ""), set())
                (known.add if add else known.discard)(here)
                if not known:
                    del self._dependents[owner.get("uid", "")]

    # Watching

    def watch(
        self, resource: ResourceType, namespace: str | None, since: int | None
    ) -> tuple[Watcher, list[Stored], int]:
        """A watcher that continues gaplessly: after `since`, or (None) after the returned states of now."""
        with self.lock:
            watcher = Watcher(namespace or None)
            states: list[Stored] = []
            if since is None:
                states, _version = self.snapshot(resource, namespace)
            else:
                self.check_version(resource, since)
                for event in self._history.get(resource.key, ()):
                    if event.version > since:
                        watcher.push(event)
            self._watchers.setdefault(resource.key, []).append(watcher)
            return watcher, states, self._version

    def check_version(self, resource: ResourceType, since: int) -> None:
        floor = max(self._floor, self._floors.get(resource.key, 0))
        if since < floor:
            raise errors.expired(f"too old resource version: {since} ({floor})")
        if since > self._version:
            message = f"Timeout: Too large resource version: {since}, current: {self._version}"
            details = {"retryAfterSeconds": 1, "causes": [{"reason": "ResourceVersionTooLarge", "message": message}]}
            raise errors.ApiError(504, "Timeout", message, details, {"Retry-After": "1"})

    def unwatch(self, resource: ResourceType, watcher: Watcher) -> None:
        with self.lock:
            watchers = self._watchers.get(resource.key, [])
            if watcher in watchers:
                watchers.remove(watcher)

    def cut_watches(self, key: tuple[str, str] | None = None) -> int:
        """End every watch (of one resource); returns how many."""
        with self.lock:
            cut = [one for known, watchers in self._watchers.items() if key in (None, known) for one in watchers]
            for watcher in cut:
                watcher.queue.put(None)
            return len(cut)

    def watch_count(self) -> int:
        with self.lock:
            return sum(len(watchers) for watchers in self._watchers.values())

    def compact(self) -> int:
        """Forget the history: watches from before now are answered with 410."""
        with self.lock:
            self._history.clear()
            self._version += 1  # so that even the newest version that a client may hold is too old
            self._floor = self._version
            return self._floor

    # Subscribers

    def subscribe(self, callback: Callable[[str, ResourceType, dict], None]) -> Callable[[], None]:
        """Call `callback(event type, resource, object)` for every change from now on, in order, on one thread.

        The object is one copy for all subscribers: read it, don't change it. Callbacks may write to the store.
        """
        self._callbacks = [*self._callbacks, callback]

        def unsubscribe() -> None:
            self._callbacks = [one for one in self._callbacks if one is not callback]

        return unsubscribe

    def flush(self) -> None:
        """Return once every event committed so far has been delivered to the subscribers."""
        if threading.current_thread() is self._dispatcher:
            return
        with self._delivery:
            wanted = self._committed
            self._delivery.wait_for(lambda: self._delivered >= wanted, timeout=30)

    def stop(self) -> None:
        self.cut_watches()
        self._outbox.put(None)
        self._dispatcher.join(timeout=5)

    def _dispatch(self) -> None:
        untraced()
        while (item := self._outbox.get()) is not None:
            event, resource = item
            if self._callbacks:
                obj = clone(event.now.obj)
                for callback in self._callbacks:
                    try:
                        callback(event.type, resource, obj)
                    except Exception:  # one bad subscriber must not end the others
                        traceback.print_exc(file=sys.stderr)
            with self._delivery:
                self._delivered += 1
                self._delivery.notify_all()
