# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of a log come a second time, when it is read anew from a moment on.

The kubelet reads the current file of the container's log from its begin, and leaves out each line whose own stamp is
older than ``sinceTime``, of which the API keeps whole seconds (ReadLogs of k8s.io/cri-client/pkg/logs). So the lines of
one second come again in their order, and before any new line of that second. Two things can differ: stamps may go back,
since two streams are stamped apart and clocks are set; and after a rotation the file begins later. Of each second it is
enough to know how many lines there were, the first and the last.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

# The fraction may lack the zeros at its end; as text it sorts as its number does.
_STAMPED = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d) ?")
_SLACK = timedelta(seconds=1)  # a line may be written that long after one with a newer stamp
_SECONDS = 3600  # how many seconds are known; a clock is rarely set back further


def unstamped(line: bytes, must: bool) -> bytes:
    """Return a line without its stamp. must: a line without one is none at all, such as the begin of a stamp."""
    stamp = _STAMPED.match(line)
    return line[stamp.end() :] if stamp else (b"" if must else line)


class _Second:
    """The lines of one second that were handed on; count is 0 where all are new. newest: the fraction of a second."""

    __slots__ = ("count", "first", "last", "newest")

    def __init__(self):
        self.count, self.first, self.last, self.newest = 0, 0, 0, b""


class _Skipping:
    """Which lines of one second come again, within one reading. exact: its first line is there, so all of them are."""

    __slots__ = ("exact", "left", "second")

    def __init__(self, second: _Second, mark: int):
        self.second, self.left, self.exact = second, second.count, mark == second.first

    def repeated(self, mark: int, fraction: bytes) -> bool:
        if not self.left:
            return False
        if fraction > self.second.newest:  # newer than all that was seen: the file was rotated, and lacks the rest
            self.left = 0
            return False
        self.left = 0 if mark == self.second.last and not self.exact else self.left - 1
        return True


class Repeats:
    """Tells new lines from those that were read before, in memory that does not grow with the lines.

    begun: whether a line with a stamp has been read.
    """

    def __init__(self):
        self.begun = False
        self._seconds: dict[bytes, _Second] = {}
        self._last = b""  # the second of the newest line that was handed on
        self._begin(again=False)

    def _begin(self, again: bool) -> None:
        self._skipping: dict[bytes, _Skipping | None] = {}
        self._key, self._fraction, self._lost = b"", b"", again

    def again(self) -> str | None:
        """Begin a reading; return the moment to read from, None for the whole log."""
        self._begin(self.begun)
        if not self.begun:
            return None
        moment = datetime.fromisoformat(self._last.decode().replace("Z", "+00:00")) - _SLACK
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def fresh(self, line: bytes) -> bytes | None:
        """Return a line without its stamp; None where it was handed on before."""
        stamp = _STAMPED.match(line)
        if stamp:
            self._key, self._fraction, self._lost = stamp[1] + stamp[3], stamp[2] or b"", False
        elif self._lost:
            return None  # the end of a long line whose first piece is older than what was asked for
        mark = hash(line)
        if self._is_repeated(mark):
            return None
        self._note(mark)
        self.begun = self.begun or stamp is not None
        return line[stamp.end() :] if stamp else line

    def _is_repeated(self, mark: int) -> bool:
        if self._key not in self._skipping:
            known = self._seconds.get(self._key)
            self._skipping[self._key] = _Skipping(known, mark) if known else None
        skipping = self._skipping[self._key]
        return skipping is not None and skipping.repeated(mark, self._fraction)

    def _note(self, mark: int) -> None:
        second = self._seconds.get(self._key)
        if second is None:
            second = self._seconds[self._key] = _Second()
            second.first = mark
            if len(self._seconds) > _SECONDS:
                del self._seconds[next(iter(self._seconds))]
        second.count += 1
        second.last = mark
        second.newest = max(second.newest, self._fraction)
        self._last = self._key
