# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes of this process, as long as it may write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Gate:
    """What changes the cluster passes through it; once it is closed, whoever comes waits for the end of the process.

    holds: says whether this process still leads. A process that was asleep would not know otherwise.
    """

    def __init__(self, holds: Callable[[], bool] = lambda: True):
        self.holds = holds
        self._changed = threading.Condition()
        self._inside, self._closed = 0, False

    @contextmanager
    def passing(self, method: str) -> Iterator[None]:
        """Send a request by an HTTP method; those that only read are let through."""
        if method == "GET":
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._closed and self.holds())
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Let nobody in any more; wait so long, at most, for those that are inside."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._inside, seconds)
