# SPDX-License-Identifier: GPL-3.0-or-later
"""States of objects, the events that lead from one to the next, and the queues of those who watch."""

from __future__ import annotations

from queue import SimpleQueue

from .resources import ResourceType
from .values import encode


class Stored:
    """One state of one object, with its encodings (one for each version that was asked for)."""

    __slots__ = ("_json", "obj", "version")

    def __init__(self, obj: dict, version: int):
        self.obj, self.version, self._json = obj, version, {}

    @property
    def place(self) -> tuple[str, str]:
        metadata = self.obj["metadata"]
        return metadata.get("namespace", ""), metadata["name"]

    def seen_as(self, resource: ResourceType) -> dict:
        """The object in the version of the resource; not to be changed."""
        if self.obj["apiVersion"] == resource.api_version and self.obj["kind"] == resource.kind:
            return self.obj
        return {**self.obj, "apiVersion": resource.api_version, "kind": resource.kind}

    def json(self, resource: ResourceType, item: bool = False) -> bytes:
        """Encoded; as an item of a list, a built-in object shows neither kind nor apiVersion, as on a real server."""
        key = (resource.api_version, resource.kind, item)
        found = self._json.get(key)
        if found is None:
            obj = self.seen_as(resource)
            if item and not resource.custom:
                obj = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind")}
            found = self._json[key] = encode(obj)
        return found


class Event:
    __slots__ = ("now", "old", "type", "version")

    def __init__(self, version: int, kind: str, now: Stored, old: Stored | None):
        self.version, self.type, self.now, self.old = version, kind, now, old


class Watcher:
    """A queue of the events of one resource (in one namespace, if given); None in the queue ends the watch."""

    def __init__(self, namespace: str | None):
        self.namespace = namespace
        self.queue: SimpleQueue = SimpleQueue()

    def push(self, event: Event) -> None:
        if self.namespace is None or event.now.place[0] == self.namespace:
            self.queue.put(event)
