# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of waiting, against any order of answers that a server can give."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.step import (
    FAIL,
    FETCH,
    LIST,
    RENEW,
    WATCH,
    Ended,
    Heard,
    Listed,
    Refused,
    Renewed,
    Started,
    State,
    step,
)
from hypothesis import given
from hypothesis import strategies as st

TRANSIENT = [Refused(None, True), Refused(429, True, 0.5), Refused(500, True), Refused(503, True)]
FINAL = [Refused(400, False), Refused(404, False), Refused(422, False)]


def answers(action) -> list:
    """Every event that can follow an action."""
    if action is None:
        return [Heard("9"), Heard(None), Ended(), Refused(410, False), Refused(500, True)]
    common = [*TRANSIENT, *FINAL, Refused(401, False), Refused(403, False)]
    return {
        LIST: [Listed("5"), Refused(410, False), *common],
        FETCH: [Listed(None), *common],
        WATCH: [Heard("7"), Ended(), Refused(410, False), *common],
        RENEW: [Renewed(True), Renewed(False)],
    }[action.do]


@st.composite
def exchanges(draw):
    """A run of the protocol: (state before, event, state after, action)."""
    state, action = step(State(), Started())
    told = [(State(), Started(), state, action)]
    for _number in range(draw(st.integers(1, 30))):
        if action is not None and action.do == FAIL:
            break
        before, event = state, draw(st.sampled_from(answers(action)))
        state, action = step(before, event)
        told.append((before, event, state, action))
    return told


@given(exchanges())
def test_a_watch_goes_on_from_what_was_heard_last(exchange):
    last = None
    for _before, event, state, action in exchange:
        if isinstance(event, (Listed, Heard)) and event.version:
            last = event.version
        if event == Refused(410, False):
            last = None
        if action is not None and action.do == WATCH:
            assert last is not None and state.version == last


@given(exchanges())
def test_after_gone_everything_is_listed_anew(exchange):
    for _before, event, state, action in exchange:
        if isinstance(event, Refused) and event.status == 410:
            assert action.do == LIST and state.version is None


@given(exchanges())
def test_only_a_watch_that_speaks_is_read_on(exchange):
    for _before, event, _state, action in exchange:
        assert (action is None) == isinstance(event, Heard)


@given(exchanges())
def test_failures_in_a_row_are_paused_for_longer_each_time(exchange):
    row = 0
    for before, event, _state, action in exchange:
        if isinstance(event, (Listed, Heard)):
            row = 0
        elif isinstance(event, Refused) and event.transient:
            row += 1
            assert action.failures >= row or before.failures > row
            assert action.retry_after == event.retry_after


@given(exchanges())
def test_it_gives_up_only_for_what_is_final(exchange):
    for before, event, _state, action in exchange:
        if action is not None and action.do == FAIL:
            final = isinstance(event, Refused) and not event.transient and event.status not in (401, 403, 410)
            denied = isinstance(event, Refused) and event.status == 403 and before.doing == FETCH
            worn_out = event == Renewed(False) or (before.renewed and event == Refused(401, False))
            assert final or denied or worn_out


@given(exchanges())
def test_credentials_that_are_refused_are_renewed_once(exchange):
    renewed = False
    for _before, event, _state, action in exchange:
        if isinstance(event, (Listed, Heard)):
            renewed = False
        if action is not None and action.do == RENEW:
            assert not renewed
            renewed = True


@given(exchanges())
def test_what_is_forbidden_is_not_asked_again(exchange):
    forbidden = set()
    for before, event, _state, action in exchange:
        if isinstance(event, Refused) and event.status == 403:
            forbidden.add(before.doing)
        if action is not None and action.do in (WATCH, LIST):
            assert action.do not in forbidden


def test_a_server_that_ends_watches_at_once_is_not_asked_in_a_tight_loop():
    state, _action = step(State(), Listed("5"))
    pauses = []
    for _number in range(4):
        state, action = step(state, Ended())
        pauses.append(action.failures)
    assert pauses == [1, 2, 3, 4]


def test_a_watch_that_brought_something_goes_on_at_once():
    state, _action = step(State(), Listed("5"))
    state, _action = step(state, Heard("6"))
    state, action = step(state, Ended())
    assert (action.do, action.failures, state.version) == (WATCH, 0, "6")


class Server:
    """A server as a value: versions of objects in the order in which they came, and where a watch of it stands."""

    def __init__(self, changes: list[tuple[str, int]]):
        self.changes = changes
        self.now = 0

    def listing(self) -> tuple[dict, str]:
        return dict(self.changes[: self.now]), str(self.now)

    def after(self, version: str):
        return [
            (str(number + 1), change)
            for number, change in enumerate(self.changes[: self.now])
            if number >= int(version)
        ]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), min_size=1, max_size=20),
    st.lists(st.sampled_from(["move", "drop", "gone", "busy", "expire", "cut"]), max_size=60),
)
def test_nothing_is_missed_whatever_breaks(changes, moves):
    server, seen = Server(changes), {}
    state, action = step(State(), Started())
    moves = moves + ["move"] * (len(changes) + 3)
    for move in moves:
        if move == "move":
            server.now = min(server.now + 1, len(changes))
        if action is not None and action.do == RENEW:
            state, action = step(state, Renewed(True))
        elif move in ("busy", "drop", "expire") and not (move == "expire" and state.renewed):
            event = {"busy": Refused(429, True, 0.0), "drop": Refused(None, True), "expire": Refused(401, False)}[move]
            state, action = step(state, event)
        elif move == "gone" and action is not None and action.do == WATCH:
            state, action = step(state, Refused(410, False))
        elif action is not None and action.do == LIST:
            listed, version = server.listing()
            seen = dict(listed)
            state, action = step(state, Listed(version or None))
        else:
            for version, (name, value) in server.after(state.version):
                seen[name] = value
                state, _none = step(state, Heard(version))
                if move == "cut":
                    break
            state, action = step(state, Ended())
    assert seen == dict(changes)
