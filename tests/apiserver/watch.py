# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: the stream of events from a resourceVersion on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from queue import Empty

from . import errors
from .bodies import number
from .resources import ResourceType
from .selectors import Selector, everything
from .states import Event, Stored
from .values import clone, encode, is_true

IDLE = 5  # seconds after which the connection is looked at
DEFAULT_TIMEOUT = 1800
Form = Callable[[Stored, ResourceType], bytes]


def _event(kind: str, body: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"


def _left(event: Event) -> Stored:
    """The old state, as the DELETED event shows an object that left the selector."""
    obj = clone(event.old.obj)
    obj["metadata"]["resourceVersion"] = str(event.version)
    return Stored(obj, event.version)


def seen(event: Event, selector: Selector) -> tuple[str, Stored] | None:
    """What a watcher with this selector sees of the event."""
    if selector is everything:
        return event.type, event.now
    now = event.type != "DELETED" and selector(event.now.obj)
    before = event.old is not None and selector(event.old.obj)
    if event.type == "DELETED":
        return ("DELETED", event.now) if before else None
    if now:
        return ("MODIFIED" if before else "ADDED"), event.now
    return ("DELETED", _left(event)) if before else None


class Watch:
    """One watch request; iterating gives the chunks of the answer, b"" when there is nothing to say for a while."""

    def __init__(
        self, server, resource: ResourceType, namespace: str | None, query: dict, selector: Selector, form: Form
    ):
        self._server, self._resource, self._selector, self._form = server, resource, selector, form
        self._namespace = namespace
        self._bookmarks = is_true(query, "allowWatchBookmarks")
        given, initial = query.get("resourceVersion", ""), "sendInitialEvents" in query
        if given and not given.isdigit():
            raise errors.bad_request(f"invalid resource version {given!r}")
        if initial and query.get("resourceVersionMatch") != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise errors.bad_option("ListOptions", "forbidden", "resourceVersionMatch", why)
        self._since = int(given) if given not in ("", "0") else None
        self._initial_wanted = is_true(query, "sendInitialEvents")
        if self._initial_wanted:
            self._since = None
        elif initial and self._since is None:
            self._since = server.store.version
        self._seconds = number(query, "timeoutSeconds") or DEFAULT_TIMEOUT
        self.events_left: int | None = None  # a fault cuts the watch after so many
        self.gone = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            if self.gone:
                raise errors.expired()
            watcher, states, version = self._server.store.watch(self._resource, self._namespace, self._since)
        except errors.ApiError as problem:
            yield _event("ERROR", encode(problem.status()))
            return
        try:
            yield from self._limited(self._initial(states, version))
            yield from self._limited(self._events(watcher))
        finally:
            self._server.store.unwatch(self._resource, watcher)

    def _limited(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.events_left is not None and chunk:
                if self.events_left <= 0:
                    raise ConnectionAbortedError("a fault cut the watch")
                self.events_left -= 1
            yield chunk

    def _initial(self, states: list[Stored], version: int) -> Iterator[bytes]:
        for state in states:
            if self._selector(state.obj):
                yield _event("ADDED", self._form(state, self._resource))
        if self._initial_wanted:
            yield self._bookmark(version, {"k8s.io/initial-events-end": "true"})

    def _bookmark(self, version: int, annotations: dict | None = None) -> bytes:
        metadata = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        body = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        return _event("BOOKMARK", encode(body))

    def _current(self, watcher) -> Iterator[bytes]:
        """A bookmark, if everything before it has been sent."""
        with self._server.store.lock:
            version = self._server.store.version if watcher.queue.empty() else None
        if version is not None:
            yield self._bookmark(version)

    def _events(self, watcher) -> Iterator[bytes]:
        start = time.monotonic()
        end = start + self._seconds
        bookmark = start + self._server.bookmark_seconds
        while True:
            now = time.monotonic()
            if now >= end:
                if self._bookmarks:
                    yield from self._current(watcher)
                return
            if self._bookmarks and now >= bookmark:
                yield from self._current(watcher)
                bookmark = now + self._server.bookmark_seconds
            waiting = min(end, bookmark if self._bookmarks else end, now + IDLE) - now
            try:
                event = watcher.queue.get(timeout=max(0.0, waiting))
            except Empty:
                yield b""
                continue
            if event is None:
                return
            shown = seen(event, self._selector)
            if shown:
                yield _event(shown[0], self._form(shown[1], self._resource))
