# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a validation is, and when it will be done: a line at each tenth."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..values.verdict import Verdict

_FEWEST = 20  # notebooks to run for which it is worth saying


class Pace:
    """Counts verdicts. total: notebooks of the call, those included that need no run."""

    def __init__(self, total: int, progress: Callable[[dict], None]):
        self._total, self._progress = total, progress
        self._done = self._failed = self._ran = self._pending = self._told = 0
        self._start = 0.0

    def begin(self, pending: int) -> None:
        """Notebooks begin to run. pending: how many."""
        self._pending, self._start = pending, time.monotonic()

    def ended(self, verdict: Verdict) -> None:
        """A verdict has fallen; say how far it all is where that is news."""
        self._done += 1
        self._failed += verdict.status == "failed"
        if not self._pending:
            return
        self._ran += 1
        tenth = 10 * self._ran // self._pending
        if self._pending < _FEWEST or tenth == self._told:
            return
        self._told = tenth
        left = (time.monotonic() - self._start) / self._ran * (self._pending - self._ran)
        estimate = f", about {_words(left)} left" if self._ran < self._pending else ""
        text = f"{self._done} of {self._total} notebooks done, {self._failed} failed{estimate}"
        self._progress(
            {"event": "progress", "done": self._done, "total": self._total, "failed": self._failed, "text": text}
        )


def _words(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
