# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the log of a build beside the watch on it."""

from __future__ import annotations

import abc
import threading

from .buildlog import BuildLog

GRACE = 10.0  # seconds without a line after which the rest of a log is given up, once the build has ended


class LogReader(abc.ABC):
    """A thread that hands each line to the log of the build."""

    def __init__(self, log: BuildLog):
        self.log = log
        self._lines = 0
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether the thread has been started."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.read, daemon=True)
            self._thread.start()

    def finish(self) -> bool:
        """Wait for the rest of the log as long as lines come; return whether its end did."""
        seen = -1
        while self._thread.is_alive() and self._lines != seen:
            seen = self._lines
            self._thread.join(GRACE)
        return not self._thread.is_alive()

    def take(self, line: str) -> None:
        """Take one line."""
        self._lines += 1
        self.log(line)

    @abc.abstractmethod
    def read(self) -> None:
        """Follow the log to its end. Runs in the thread."""
