# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of work before its own: somebody asks for it, or its time is over."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped

_T = TypeVar("_T")


class Clock:
    """A stop that is asked for with another one, or after some seconds; ``over`` tells that it was the time."""

    def __init__(self, outer: Stop, seconds: float | None):
        self.stop, self.over = Stop(), False
        outer.listen(self.stop.ask)
        self._timer = threading.Timer(max(0.0, seconds), self.end) if seconds is not None else None

    def __enter__(self) -> Clock:
        if self._timer:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_exception) -> None:
        if self._timer:
            self._timer.cancel()

    def end(self) -> None:
        """Let the time be over."""
        self.over = True
        self.stop.ask()


def interruptible(function: Callable[[], _T], stop: Stop) -> _T:
    """Return what the function returns, or raise what it raises; raise Stopped as soon as the stop is asked for.

    The function goes on in a thread of its own then, and nobody hears of its end.
    """
    stop.check()
    ends: queue.SimpleQueue = queue.SimpleQueue()

    def work() -> None:
        try:
            ends.put((function(), None))
        except BaseException as error:
            ends.put((None, error))

    stop.listen(lambda: ends.put((None, Stopped())))
    threading.Thread(target=work, daemon=True).start()
    value, error = ends.get()
    if error is not None:
        raise error
    return value
