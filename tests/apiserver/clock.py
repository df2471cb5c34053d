# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of the stand-in: real, or moved by a test."""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from .untraced import untraced


class Handle:
    """One scheduled call; `cancel()` is harmless once it has run."""

    def __init__(self, due: float, function: Callable[[], object]):
        self.due = due
        self.function = function
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        if self.cancelled:
            return
        try:
            self.function()
        except Exception:  # one bad call must not end the clock of the whole server
            traceback.print_exc(file=sys.stderr)


class Clock:
    """What both clocks share: a heap of calls, in the order of their time and of their registration."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._calls: list[tuple[float, int, Handle]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The time of day in UTC, as the objects of the server show it."""
        raise NotImplementedError

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        raise NotImplementedError

    def call_later(self, seconds: float, function: Callable[[], object]) -> Handle:
        """Call `function` once, `seconds` from now."""
        with self._condition:
            handle = Handle(self.monotonic() + max(0.0, seconds), function)
            heapq.heappush(self._calls, (handle.due, next(self._order), handle))
            self._condition.notify_all()
        return handle

    def stop(self) -> None:
        """Forget every call that has not run."""
        with self._condition:
            self._calls.clear()
            self._condition.notify_all()


class RealClock(Clock):
    """Wall-clock time; calls run on one thread that starts with the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, seconds: float, function: Callable[[], object]) -> Handle:
        with self._condition:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
                self._thread.start()
        return super().call_later(seconds, function)

    def stop(self) -> None:
        self._stopped = True
        super().stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        untraced()
        while not self._stopped:
            with self._condition:
                wait = self._calls[0][0] - time.monotonic() if self._calls else None
                if wait is None or wait > 0:
                    self._condition.wait(wait)
                    continue
                handle = heapq.heappop(self._calls)[2]
            handle.run()


class ManualClock(Clock):
    """Time that stands still until `advance`.

    `settle` functions are called before time moves and after every moment at which calls ran; each returns once
    what those calls set off has come to rest, so that a chain of delays inside one `advance` is run in full.
    """

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        self._start = start or datetime(2030, 1, 1, tzinfo=timezone.utc)
        self._elapsed = 0.0
        self._advancing = threading.Lock()
        self.settle: list[Callable[[], object]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move time by `seconds`; returns when every call that fell due has run."""
        with self._advancing:
            self._settle()
            target = self._elapsed + seconds
            while handle := self._next(target):
                self._elapsed = max(self._elapsed, handle.due)
                handle.run()
                self._settle()
            self._elapsed = target

    def _next(self, target: float) -> Handle | None:
        with self._condition:
            if self._calls and self._calls[0][0] <= target:
                return heapq.heappop(self._calls)[2]
            return None

    def _settle(self) -> None:
        for function in list(self.settle):
            function()
