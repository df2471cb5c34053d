# SPDX-License-Identifier: GPL-3.0-or-later
"""Container logs: kept line by line with the moment of writing, followed without polling."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class _Log:
    """Lines are (moment, text with its newline); the last may still lack it. begin: the first that is not rotated away."""

    lines: list[tuple[datetime, bytes]] = field(default_factory=list)
    begin: int = 0
    closed: bool = False


class LogWriter:
    """Writes one container's output; usable from any thread."""

    def __init__(self, store: LogStore, log: _Log):
        self._store, self._log = store, log

    def write(self, data: bytes, moment: datetime | None = None) -> None:
        """Write; moment: of all lines that begin here, in place of the clock's, which never shows the same twice."""
        self._store.append(self._log, data, moment)

    def rotate(self) -> None:
        """Begin a new file, as the kubelet does at its size limit: who reads from now on gets only what comes after."""
        self._store.rotate(self._log)

    def close(self) -> None:
        self._store.close(self._log)


@dataclass(frozen=True)
class LogOptions:
    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None
    previous: bool = False


def stamp(moment: datetime) -> str:
    """RFC3339 with nanoseconds, as the kubelet writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


class LogStore:
    def __init__(self, clock):
        self._clock = clock
        self._changed = threading.Condition()
        self._logs: dict[tuple[str, str, str], list[_Log]] = {}
        self._last = None
        self._stopped = False

    def open(self, namespace: str, pod: str, container: str) -> LogWriter:
        """Start a new log for the container; a former one becomes its `previous` log."""
        log = _Log()
        with self._changed:
            self._logs.setdefault((namespace, pod, container), []).append(log)
            self._changed.notify_all()
        return LogWriter(self, log)

    def exists(self, namespace: str, pod: str, container: str) -> bool:
        with self._changed:
            return bool(self._logs.get((namespace, pod, container)))

    def has_previous(self, namespace: str, pod: str, container: str) -> bool:
        with self._changed:
            return len(self._logs.get((namespace, pod, container), ())) > 1

    def text(self, namespace: str, pod: str, container: str) -> str:
        """What the container has written so far."""
        with self._changed:
            logs = self._logs.get((namespace, pod, container), [_Log()])
            return b"".join(line for _moment, line in logs[-1].lines).decode("utf-8", "replace")

    def remove(self, namespace: str, pod: str) -> None:
        with self._changed:
            for key in [key for key in self._logs if key[:2] == (namespace, pod)]:
                for log in self._logs.pop(key):
                    log.closed = True
            self._changed.notify_all()

    def rotate(self, log: _Log) -> None:
        with self._changed:
            log.begin = len(log.lines)

    def append(self, log: _Log, data: bytes, given: datetime | None = None) -> None:
        with self._changed:
            moment = given or self._moment()
            for piece in data.splitlines(keepends=True):
                if log.lines and not log.lines[-1][1].endswith(b"\n"):
                    log.lines[-1] = (log.lines[-1][0], log.lines[-1][1] + piece)
                else:
                    log.lines.append((moment, piece))
                    moment = given or self._moment()
            self._changed.notify_all()

    def close(self, log: _Log) -> None:
        with self._changed:
            log.closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _moment(self) -> datetime:
        """Now, but later than every line before, so that lines can be told apart by their timestamps."""
        now = self._clock.now()
        if self._last is not None and now <= self._last:
            now = self._last + timedelta(microseconds=1)
        self._last = now
        return now

    def read(self, namespace: str, pod: str, container: str, options: LogOptions) -> Iterator[bytes]:
        """Pieces of the log as they are to be sent; a followed log ends when the container's log is closed.

        Yields b"" at least every five seconds of silence, so that the caller may look for a lost connection.
        """
        with self._changed:
            logs = self._logs.get((namespace, pod, container), [])
            log = logs[-2] if options.previous and len(logs) > 1 else (logs[-1] if logs else _Log(closed=True))
            position = log.begin
            if options.tail_lines is not None:
                position = max(position, len(log.lines) - options.tail_lines)
        left = options.limit_bytes
        while left is None or left > 0:
            with self._changed:
                complete = len(log.lines)
                ended = log.closed or self._stopped
                if complete and not ended and options.follow and not log.lines[-1][1].endswith(b"\n"):
                    complete -= 1  # a followed line is sent when it is whole
                if position >= complete:
                    if ended or not options.follow:
                        return
                    self._changed.wait(5)
                    fresh = []
                else:
                    fresh = log.lines[position:complete]
                    position = complete
            piece = b"".join(
                (stamp(moment).encode() + b" " + line) if options.timestamps else line
                for moment, line in fresh
                # The kubelet looks at each line by itself, wherever it stands.
                if options.since is None or moment >= options.since
            )
            if left is not None:
                piece = piece[:left]
                left -= len(piece)
            yield piece
