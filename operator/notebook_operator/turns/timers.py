# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done at some time, for any number of jobs in one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
_LONGEST = 300.0  # seconds until the clock is looked at again: somebody may have set it


class Timers:
    """Calls functions at their times, one after the other; each key has one time at most.

    now: the clock, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time):
        self.now = now
        self._heap: list[tuple[float, int, str]] = []
        self._set: dict[str, tuple[int, Callable[[], None]]] = {}
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def at(self, key: str, moment: float, function: Callable[[], None]) -> None:
        """Have the function called at a moment, at once where that is past; what was set for the key before is not."""
        with self._changed:
            number = next(self._numbers)
            self._set[key] = (number, function)
            heapq.heappush(self._heap, (moment, number, key))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="timers")
                self._thread.start()
            self._changed.notify_all()

    def cancel(self, key: str) -> None:
        """Have nothing called for the key."""
        with self._changed:
            self._set.pop(key, None)

    def look(self) -> None:
        """Look at the clock now, which was set."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            function = self._due()
            try:
                function()
            except Exception:  # nobody looks at what a thread raises
                _LOG.exception("What was to be done at its time ended by an error of the operator's own.")

    def _due(self) -> Callable[[], None]:
        """Wait for the next one that is due."""
        with self._changed:
            while True:
                while self._heap and self._set.get(self._heap[0][2], (None,))[0] != self._heap[0][1]:
                    heapq.heappop(self._heap)  # cancelled, or set anew
                left = self._heap[0][0] - self.now() if self._heap else None
                if left is not None and left <= 0:
                    return self._set.pop(heapq.heappop(self._heap)[2])[1]
                self._changed.wait(left if left is None else min(left, _LONGEST))
