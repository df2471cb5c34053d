# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for objects by one watch, for as many as there are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .client import PAGE, Cluster
from .deadline import Deadline, pause
from .discovery import Resource
from .errors import ClusterError, from_answer
from .goals import PENDING, Goal, Outcome
from .step import (
    FAIL,
    FETCH,
    LIST,
    RENEW,
    WATCH,
    Action,
    Ended,
    Event,
    Heard,
    Listed,
    Refused,
    Renewed,
    Started,
    State,
    step,
)

_WATCH_SECONDS = 290  # servers end watches after five to ten minutes
_IDLE = 90.0  # seconds without a byte; a server that works sends a bookmark each minute
_POLL = (0.5, 5.0)  # seconds between polls where watching is forbidden: the first, the longest


@dataclass(frozen=True)
class Waited:
    """outcomes: by name, of all objects waited for; those still pending when the time was over say ``pending``.

    kept: what ``keep`` made of each object when it settled. trouble: what kept the server from being asked when the time
    was over, if something did.
    """

    outcomes: dict[str, Outcome]
    kept: dict[str, object]
    trouble: ClusterError | None = None

    @property
    def pending(self) -> tuple[str, ...]:
        """The names of those that did not settle in time."""
        return tuple(name for name, outcome in self.outcomes.items() if not outcome.settled)

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of those that failed for good."""
        return tuple(name for name, outcome in self.outcomes.items() if outcome.state == "failed")


def wait(
    cluster: Cluster,
    resource: Resource,
    names: Iterable[str],
    goal: Goal,
    deadline: Deadline,
    *,
    namespace: str | None = None,
    selector: str | None = None,
    keep: Callable[[dict], object] | None = None,
    on_change: Callable[[dict], None] | None = None,
    known: dict | None = None,
) -> Waited:
    """Wait until each of the objects has settled, or the deadline is over, whichever is first.

    names: of the objects, which need not be there yet. selector: labels that all of them carry, so that the server sends
    only these. keep: what to keep of an object when it settles; of the others nothing is kept, so that memory does not
    grow with their size. on_change: called with each object waited for whenever it is seen.
    Raises ClusterError where the server refuses for good.
    """
    return _Waiting(cluster, resource, names, goal, deadline, namespace, selector, keep, on_change, known).run()


class _Waiting:
    def __init__(self, cluster, resource, names, goal, deadline, namespace, selector, keep, on_change, known):
        self.cluster = cluster
        self.goal = goal
        self.deadline = deadline
        self.outcomes = dict.fromkeys(names, PENDING)  # until the server has said something
        self.open = set(self.outcomes)
        self.seen: set[str] = set()
        self.kept: dict[str, object] = {}
        self.keep, self.on_change = keep, on_change
        scope = (namespace or cluster.namespace) if resource.namespaced else None
        self.path = resource.path(scope)
        self.query = {"labelSelector": selector}
        if len(self.outcomes) == 1:
            self.query["fieldSelector"] = f"metadata.name={next(iter(self.outcomes))}"
        self.state = State()
        self.polls = 0
        self.trouble: ClusterError | None = None
        self.used = cluster.credentials
        self.known = known

    def run(self) -> Waited:
        perform = {LIST: self._list, FETCH: self._fetch, WATCH: self._watch, RENEW: self._renew}
        action = self._learn(self._started())
        while self.open and self._pause(action):
            if action.do == FAIL:
                raise self.trouble
            try:
                event = perform[action.do]()
                self.trouble = None if event != Ended() else self.trouble
            except ClusterError as error:
                self.trouble = error
                event = Refused(error.status, error.transient, error.retry_after)
            action = self._learn(event)
        return Waited(self.outcomes, self.kept, self.trouble if self.open else None)

    def _started(self) -> Event:
        if self.known is None:
            return Started()
        self._judge(self.known)
        return Started(self.known["metadata"].get("resourceVersion"))

    def _learn(self, event: Event) -> Action | None:
        self.state, action = step(self.state, event)
        return action

    def _pause(self, action: Action) -> bool:
        """Wait as the action asks; False where the deadline comes first."""
        seconds = pause(action.failures, action.retry_after) if action.failures else action.retry_after or 0.0
        if action.poll:
            self.polls += 1
            seconds = max(seconds, min(_POLL[1], _POLL[0] * 1.5 ** (self.polls - 1)))
        time.sleep(min(seconds, self.deadline.left()))
        return action.do == FAIL or not self.deadline.passed()

    def _list(self) -> Event:
        query = {**self.query, "limit": PAGE}
        missing = set(self.outcomes)
        while True:
            page = self._once("GET", self.path, query)
            for found in page.get("items", ()):
                missing.discard(found["metadata"]["name"])
                self._judge(found)
            version = page["metadata"].get("resourceVersion")
            query["continue"] = page["metadata"].get("continue")
            if not query["continue"]:
                break
        for name in missing:
            self._missing(name)
        return Listed(version)

    def _fetch(self) -> Event:
        for name in sorted(self.open):
            try:
                self._judge(self._once("GET", f"{self.path}/{name}"))
            except ClusterError as error:
                if error.status != 404:
                    raise
                self._missing(name)
        return Listed(None)

    def _renew(self) -> Event:
        return Renewed(self.cluster.renew(self.used))

    def _watch(self) -> Event:
        left = self.deadline.left()
        query = {
            **self.query,
            "watch": "true",
            "resourceVersion": self.state.version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": max(1, int(min(left + 1, _WATCH_SECONDS))),
        }
        self.used = self.cluster.credentials
        response = self.cluster.send("GET", self.path, query, deadline=self.deadline, read_timeout=_IDLE)
        try:
            for event in self._events(response):
                if event.get("type") == "ERROR":
                    status = event.get("object") or {}
                    raise from_answer(
                        self.cluster.host, f"a watch of {self.path}", status.get("code", 500), json.dumps(status)
                    )
                self._hear(event)
                self._learn(Heard(event["object"]["metadata"].get("resourceVersion")))
                if not self.open or self.deadline.passed():
                    break
        finally:
            response.close()
        return Ended()

    def _hear(self, event: dict) -> None:
        found = event["object"]
        if event["type"] in ("ADDED", "MODIFIED"):
            self._judge(found)
        elif event["type"] == "DELETED":
            self.seen.add(found["metadata"]["name"])
            self._missing(found["metadata"]["name"])

    def _events(self, response):
        """Yield the events of a watch until it ends, breaks or says something that is none."""
        from urllib3.exceptions import HTTPError

        rest: list[bytes] = []
        try:
            for chunk in response.stream():
                *lines, last = chunk.split(b"\n")
                for line in lines:
                    text = b"".join([*rest, line])
                    rest = []
                    if text.strip():
                        yield json.loads(text)
                if last:
                    rest.append(last)
        except (HTTPError, OSError, ValueError):
            return  # what was heard counts; the watch goes on from there

    def _once(self, method: str, path: str, query: dict | None = None) -> dict:
        """One request, whose failure the protocol itself deals with."""
        self.used = self.cluster.credentials
        response = self.cluster.send(method, path, query, deadline=self.deadline)
        return self.cluster.read(response, f"{method} {path}")

    def _judge(self, found: dict) -> None:
        name = found["metadata"]["name"]
        if name not in self.open:
            return
        self.seen.add(name)
        if self.on_change:
            self.on_change(found)
        self._settle(name, self.goal.judge(found), found)

    def _missing(self, name: str) -> None:
        if name in self.open:
            self._settle(name, self.goal.deleted if name in self.seen else self.goal.absent, None)

    def _settle(self, name: str, outcome: Outcome, found: dict | None) -> None:
        self.outcomes[name] = outcome
        if outcome.settled:
            self.open.discard(name)
            if self.keep and found is not None:
                self.kept[name] = self.keep(found)
