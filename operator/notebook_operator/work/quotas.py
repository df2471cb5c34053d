# SPDX-License-Identifier: GPL-3.0-or-later
"""So many of a kind at once in each namespace."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop


class Places:
    """Places that are taken by one after the other, in the order in which they came."""

    def __init__(self):
        self._lock = threading.Lock()
        self._taken: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[threading.Event]] = {}

    @contextmanager
    def place(self, where: Hashable, limit: int | None, stop: Stop, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold one of so many places, None = as many as there may be; on_wait is called where none is free yet.

        Raises Stopped where somebody asks for that meanwhile.
        """
        if limit is None:
            yield
            return
        turn = self._enter(where, limit)
        try:
            if not turn.is_set():
                on_wait()
                stop.listen(turn.set)
                turn.wait()
            stop.check()
            yield
        finally:
            self._leave(where, turn)

    def _enter(self, where: Hashable, limit: int) -> threading.Event:
        turn = threading.Event()
        with self._lock:
            if self._taken.get(where, 0) < limit:
                self._taken[where] = self._taken.get(where, 0) + 1
                turn.set()
            else:
                self._waiting.setdefault(where, deque()).append(turn)
        return turn

    def _leave(self, where: Hashable, turn: threading.Event) -> None:
        """Give the place to the next one, or the turn up where it had none yet."""
        with self._lock:
            waiting = self._waiting.get(where, deque())
            if turn in waiting:
                waiting.remove(turn)
            elif waiting:
                waiting.popleft().set()
            else:
                self._taken[where] -= 1
            if not waiting:
                self._waiting.pop(where, None)
            if not self._taken[where]:
                del self._taken[where]


PLACES = Places()  # of builds, by the cluster and the namespace
