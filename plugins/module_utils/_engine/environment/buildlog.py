# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of one build: streamed, kept, and without credentials."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import time

from .lines import without_credentials

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")


class BuildLog:
    """Takes the lines of one build; a strategy gets one and calls it with each line.

    path: file that keeps the whole log, made at the first line, so that a build that only waits for another one
    leaves its log alone; None keeps none. report: called with one event a line, for the console. clean: takes out of a
    line what nobody may read. ``build`` is the name of the build, where it has one of its own.
    """

    def __init__(self, path: str | None, report, label: str = "", clean=without_credentials):
        self.path = path
        self._clean = clean
        self.stages: dict[str, float] = {}
        self.build: str | None = None
        self._report = report
        self._label = label
        self._tail = collections.deque(maxlen=40)
        self._stream = None

    def __call__(self, line: str, show: bool = True) -> None:
        """Keep one line; stream it, and have it in the tail, unless show is false."""
        line = self._clean(line.rstrip())
        if "\x1b" in line:
            line = _ANSI.sub("", line)
        if not line:
            return
        if show:
            self._tail.append(line)
        # Losing the log, for a full disk say, must not hide the failure that the build itself reports.
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            if self._stream is None and self.path:
                os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
                self._stream = open(self.path, "w", encoding="utf-8", opener=_private)  # noqa: SIM115
            if self._stream is not None:
                self._stream.write(line + "\n")
                self._stream.flush()
        if show:
            self.say(line)

    def say(self, text: str) -> None:
        """Show a line on the console only."""
        self._report({"event": "build", "text": f"{self._label}{text}"})

    @contextlib.contextmanager
    def stage(self, name: str):
        """Measure a stage of the build."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.stages[name] = round(self.stages.get(name, 0.0) + time.monotonic() - start, 3)

    def tail(self) -> tuple[str, ...]:
        """Return the last lines."""
        return tuple(self._tail)

    def forget(self) -> None:
        """Begin the tail anew, for another try."""
        self._tail.clear()

    @property
    def kept(self) -> str | None:
        """The path of the file, None where nothing was written."""
        return self.path if self._stream is not None else None

    def close(self) -> str | None:
        """End the log; return the path of the file, None where nothing was written."""
        if self._stream is None:
            return None
        with contextlib.suppress(OSError):
            self._stream.close()
        return self.path


def _private(path: str, flags: int) -> int:
    # An installer's words can hold more than we know how to mask.
    return os.open(path, flags, 0o600)
