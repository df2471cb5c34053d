# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads for many works at once, of which none holds up the end of the process."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Workers:
    """Calls functions in threads, so many at once; the others wait in their order.

    The threads are daemons: what runs when the process ends is taken up by the next one.
    """

    def __init__(self, limit: int):
        self._limit, self._busy = limit, 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def submit(self, function: Callable[[], None]) -> bool:
        """Have the function called; return whether that is at once."""
        with self._lock:
            if self._busy >= self._limit:
                self._waiting.append(function)
                return False
            self._busy += 1
        threading.Thread(target=self._work, args=(function,), daemon=True).start()
        return True

    def _work(self, function: Callable[[], None]) -> None:
        while True:
            try:
                function()
            except Exception:  # nobody looks at what a thread raises
                _LOG.exception("A work ended by an error of the operator's own.")
            with self._lock:
                if not self._waiting:
                    self._busy -= 1
                    return
                function = self._waiting.popleft()
