# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads for many works at once, of which none holds up the end of the process."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Workers:
    """Calls functions in threads, so many at once, and so many of each namespace (None = as many as there are).

    The others wait: those of a namespace in their order, and namespaces take turns, so that one with much to do does not hold
    up another one. The threads are daemons: what runs when the process ends is taken up by the next one.
    """

    def __init__(self, limit: int, of_each: int | None = None):
        self._limit, self._of_each = limit, of_each or limit
        self._busy: dict[str, int] = {}
        self._waiting: dict[str, deque[Callable[[], None]]] = {}  # the namespace whose turn it is comes first
        self._lock = threading.Lock()

    def submit(self, namespace: str, function: Callable[[], None]) -> bool:
        """Have the function called; return whether that is at once."""
        with self._lock:
            if sum(self._busy.values()) >= self._limit or self._busy.get(namespace, 0) >= self._of_each:
                self._waiting.setdefault(namespace, deque()).append(function)
                return False
            self._busy[namespace] = self._busy.get(namespace, 0) + 1
        threading.Thread(target=self._work, args=(namespace, function), daemon=True).start()
        return True

    def is_full(self, namespace: str) -> bool:
        """Return whether a namespace has as much work as it may have."""
        with self._lock:
            return self._busy.get(namespace, 0) >= self._of_each

    def _work(self, namespace: str | None, function: Callable[[], None] | None) -> None:
        while function and namespace is not None:
            try:
                function()
            except Exception:  # nobody looks at what a thread raises
                _LOG.exception("A work ended by an error of the operator's own.")
            namespace, function = self._next(namespace)

    def _next(self, namespace: str) -> tuple[str | None, Callable[[], None] | None]:
        """Give the place of a namespace up, and take the next one that may have it."""
        with self._lock:
            self._busy[namespace] -= 1
            if not self._busy[namespace]:
                del self._busy[namespace]
            chosen = next((one for one in self._waiting if self._busy.get(one, 0) < self._of_each), None)
            if chosen is None:
                return None, None
            rest = self._waiting.pop(chosen)
            function = rest.popleft()
            if rest:
                self._waiting[chosen] = rest  # behind all others
            self._busy[chosen] = self._busy.get(chosen, 0) + 1
            return chosen, function
