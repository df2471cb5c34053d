# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to end work that goes on in another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Stopped(Exception):
    """Work ended because somebody asked for that; what it began is cleaned up."""


class Stop:
    """Asked for once, heard by all who listen. Safe to use from several threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    def ask(self) -> None:
        """Ask all who listen, and all who will, to end."""
        with self._lock:
            self._asked.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    @property
    def asked(self) -> bool:
        """Whether somebody asked."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until somebody asks, at most so many seconds; return whether somebody did."""
        return self._asked.wait(seconds)

    def check(self) -> None:
        """Raise Stopped where somebody asked."""
        if self.asked:
            raise Stopped

    def listen(self, listener: Callable[[], None]) -> None:
        """Have the listener called when somebody asks, at once where somebody did."""
        with self._lock:
            if not self.asked:
                self._listeners.append(listener)
                return
        listener()
