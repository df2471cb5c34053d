# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that are to be worked on, by some threads: each key by one at a time, and once more where it comes meanwhile."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable

_LOG = logging.getLogger(__name__)


class Work:
    """Calls ``handle`` with each key that is added, now or later. Its threads do not hold up the end of the process."""

    def __init__(self, handle: Callable[[Hashable], None], threads: int):
        self._handle, self._changed = handle, threading.Condition()
        self._ready: deque[Hashable] = deque()
        self._waiting: set[Hashable] = set()  # in _ready
        self._busy: set[Hashable] = set()
        self._again: set[Hashable] = set()  # came while they were busy
        self._later: list[tuple[float, int, Hashable]] = []
        self._due: dict[Hashable, float] = {}  # the next time that counts
        self._number = 0
        for _one in range(threads):
            threading.Thread(target=self._run, daemon=True).start()

    def add(self, key: Hashable) -> None:
        """Have a key worked on as soon as a thread is free."""
        with self._changed:
            self._due.pop(key, None)
            self._add(key)

    def after(self, seconds: float, key: Hashable) -> None:
        """Have a key worked on later; where it is added before, that is forgotten."""
        with self._changed:
            self._number += 1
            self._due[key] = time.monotonic() + seconds
            heapq.heappush(self._later, (self._due[key], self._number, key))
            self._changed.notify()

    def _add(self, key: Hashable) -> None:
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            key = self._take()
            try:
                self._handle(key)
            except Exception:  # nobody looks at what a thread raises
                _LOG.exception("The operator failed by an error of its own.")
            with self._changed:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self._add(key)

    def _take(self) -> Hashable:
        with self._changed:
            while True:
                moment = time.monotonic()
                while self._later and self._later[0][0] <= moment:
                    due, _number, key = heapq.heappop(self._later)
                    if self._due.get(key) == due:
                        del self._due[key]
                        self._add(key)
                if self._ready:
                    key = self._ready.popleft()
                    self._waiting.discard(key)
                    self._busy.add(key)
                    self._changed.notify()  # another one has to look at the clock now
                    return key
                self._changed.wait(self._later[0][0] - moment if self._later else None)
