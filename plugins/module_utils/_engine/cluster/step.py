# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of waiting as a pure function: what to do next, given what has just been learnt.

Rules from "Kubernetes API concepts": list, then watch from the list's resourceVersion, or from that of an object, after
which every change of this object comes; go on from the last event's or bookmark's version; after 410 Gone list anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LIST, WATCH, FETCH, RENEW, FAIL = "list", "watch", "fetch", "renew", "fail"


@dataclass(frozen=True)
class State:
    """Where the exchange stands.

    doing: the request under way. version: what to watch from; None = list first. failures: in a row, 0 after anything
    good. heard: the watch under way has brought something. can_watch, can_list: the caller may. renewed: the credentials
    were read anew since something good.
    """

    doing: str = LIST
    version: str | None = None
    failures: int = 0
    heard: bool = False
    can_watch: bool = True
    can_list: bool = True
    renewed: bool = False


@dataclass(frozen=True)
class Action:
    """What to do: one of the five verbs above.

    failures: how many there were in a row, by which the pause before it is measured; 0 = at once. retry_after: seconds
    that the server asked for. poll: it is the next of a series of polls, to be paced.
    """

    do: str
    failures: int = 0
    retry_after: float | None = None
    poll: bool = False


class Event:
    """What has just been learnt: one of the classes below."""


@dataclass(frozen=True)
class Started(Event):
    """Nothing has been asked yet. version: of the only object that matters, where it is known."""

    version: str | None = None


@dataclass(frozen=True)
class Listed(Event):
    """The list, or every object by name, was read. version: of the list."""

    version: str | None


@dataclass(frozen=True)
class Heard(Event):
    """An event or bookmark of the watch. version: of its object."""

    version: str | None


@dataclass(frozen=True)
class Ended(Event):
    """The watch ended without an error: its time was over, or the connection broke."""


@dataclass(frozen=True)
class Renewed(Event):
    """The credentials were read anew. changed: they are others now."""

    changed: bool


@dataclass(frozen=True)
class Refused(Event):
    """The request under way failed. status: of HTTP; None = no answer. transient: may pass when repeated."""

    status: int | None
    transient: bool
    retry_after: float | None = None


def step(state: State, event: Event) -> tuple[State, Action | None]:
    """Return the state after the event, and what to do; None = go on reading the watch."""
    if isinstance(event, Heard):
        version = event.version or state.version
        return replace(state, version=version, heard=True, failures=0, renewed=False), None
    if isinstance(event, Started):
        return _go(replace(state, version=event.version), WATCH if event.version else LIST)
    if isinstance(event, Listed):
        good = replace(state, version=event.version, failures=0, renewed=False)
        return _go(good, WATCH) if good.can_watch and event.version else _go(good, state.doing, poll=True)
    if isinstance(event, Ended):
        # A server that ends watches at once must not be asked in a tight loop.
        return _again(state) if state.heard else _again(replace(state, failures=state.failures + 1))
    if isinstance(event, Renewed):
        return _again(replace(state, renewed=True)) if event.changed else _go(state, FAIL)
    return _refused(state, event)


def _refused(state: State, event: Refused) -> tuple[State, Action]:
    if event.status == 410:
        return _go(replace(state, version=None, failures=state.failures + 1), LIST, pause=state.failures)
    if event.status == 401 and not state.renewed:
        return state, Action(RENEW)
    if event.status == 403 and state.doing == WATCH:
        return _go(replace(state, can_watch=False), LIST, poll=True)
    if event.status == 403 and state.doing == LIST:
        return _go(replace(state, can_watch=False, can_list=False), FETCH)
    if not event.transient:
        return _go(state, FAIL)
    return _again(replace(state, failures=state.failures + 1), event.retry_after)


def _again(state: State, retry_after: float | None = None) -> tuple[State, Action]:
    """Repeat what was under way. The first drop of a watch that had brought something is no reason to pause."""
    return _go(state, state.doing, pause=state.failures, retry_after=retry_after)


def _go(state: State, do: str, pause: int = 0, retry_after: float | None = None, poll: bool = False):
    doing = state.doing if do == FAIL else do
    return replace(state, doing=doing, heard=False), Action(do, pause, retry_after, poll)
