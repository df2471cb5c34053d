# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a log to its end, over as many connections as that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .client import Cluster
from .deadline import Deadline, pause
from .errors import ClusterError
from .repeats import Repeats, unstamped

_IDLE = 300.0  # seconds without a line after which the connection is made anew
# What the server says of a container that has no log yet (400), or of a build whose pod is not there (504).
_NOT_YET = ("waiting to start", "ContainerCreating", "PodInitializing", "timed out", "still waiting")


@dataclass(frozen=True)
class Followed:
    """How it ended. complete: to the log's own end. truncated: the limit in bytes was reached first.

    trouble: why not, where it is neither.
    """

    complete: bool
    truncated: bool = False
    trouble: ClusterError | None = None


def follow(
    cluster: Cluster,
    path: str,
    sink: Callable[[str], None],
    deadline: Deadline,
    *,
    ended: Callable[[], bool],
    container: str | None = None,
    limit: int | None = None,
) -> Followed:
    """Hand each line of a log to ``sink`` once, in order, until the log's end, the limit or the deadline.

    path: of the log subresource of a pod or build. ended: whether what writes the log has ended, asked when the server
    ends the stream, since a server does that on a restart too. container: where the pod has several.
    limit: bytes of lines, without time stamps; the line that crosses it is cut.
    Before the container starts there is no log: that is waited for. Raises ClusterError where it is refused for good.
    """
    return _Following(cluster, path, sink, deadline, ended, container, limit).run()


def read(cluster: Cluster, path: str, sink: Callable[[str], None], deadline: Deadline, *, container: str) -> None:
    """Hand each line of the log of a container that has ended to ``sink``, by one answer.

    Raises ClusterError where none comes. An answer that breaks off ends it: the caller knows what has to be there.
    """
    from urllib3.exceptions import HTTPError

    response = _answer(cluster, path, container, deadline)
    rest = b""
    try:
        for chunk in response.stream():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                sink(line.decode("utf-8", "replace"))
    except (HTTPError, OSError):
        response.close()
    finally:
        response.release_conn()


def _answer(cluster: Cluster, path: str, container: str, deadline: Deadline):
    failures = 0
    while True:
        used = cluster.credentials
        try:
            return cluster.send("GET", path, {"container": container}, accept="*/*", deadline=deadline)
        except ClusterError as error:
            failures += 1
            wait = pause(failures, error.retry_after)
            renewed = error.status == 401 and failures == 1 and cluster.renew(used)
            if not renewed and (not error.transient or wait >= deadline.left()):
                raise
        time.sleep(wait)


class _Following:
    def __init__(self, cluster, path, sink, deadline, ended, container, limit):
        self.cluster = cluster
        self.path = path
        self.sink = sink
        self.deadline = deadline
        self.ended = ended
        self.container = container
        self.left = limit
        self.cut = False
        self.repeats = Repeats()
        self.unended = b""  # the line that a stream ended within, though in good order
        self.news = False  # the reading under way has brought a line
        self.failures = 0

    def run(self) -> Followed:
        renewed = over = False
        trouble: ClusterError | None = None
        while not self.deadline.passed():
            used = self.cluster.credentials
            try:
                before, self.news = self.unended, False
                whole = self._read()
                if self.cut or (whole and over and not self.news and self.unended == before):
                    return self._done()
                # What it wrote between the end of the stream and its own end is in one more reading; and a server that
                # goes away ends a stream in good order too, so that only a reading without news is the last.
                over = whole and self.ended()
                trouble, renewed = None, False
                wait = not over
            except ClusterError as error:
                trouble = error
                if error.status == 401 and not renewed and self.cluster.renew(used):
                    renewed = True
                    continue
                if (over and not error.transient) or (error.status == 404 and self.repeats.begun):
                    return self._done()  # it ended without a log, or went away with its log
                if not error.transient and not _not_yet(error):
                    raise
                over = _not_yet(error) and self._has_ended()
                wait = not over
            if wait:
                self._rest(trouble.retry_after if trouble else None)
        return Followed(complete=False, trouble=trouble)

    def _done(self) -> Followed:
        last = unstamped(self.unended, must=self.repeats.begun)
        if last and not self.cut:
            self._hand_on(last)
        return Followed(complete=not self.cut, truncated=self.cut)

    def _has_ended(self) -> bool:
        try:
            return self.ended()
        except ClusterError:
            return False  # asked again after the next reading

    def _rest(self, retry_after: float | None = None) -> None:
        self.failures += 1
        time.sleep(min(pause(min(self.failures, 5), retry_after), self.deadline.left()))

    def _read(self) -> bool:
        """Read one connection; return whether the server ended it in good order."""
        from urllib3.exceptions import HTTPError

        since = self.repeats.again()
        query = {"follow": "true", "timestamps": "true", "container": self.container, "sinceTime": since}
        response = self.cluster.send("GET", self.path, query, accept="*/*", deadline=self.deadline, read_timeout=_IDLE)
        rest = b""
        try:
            for chunk in response.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._line(line)
                    if self.cut:
                        return True
                if self.deadline.passed():
                    return False
        except (HTTPError, OSError):
            return False  # a part of a line comes again as a whole
        finally:
            response.close()
        # It is a line only where the log ends with it; a server that goes away ends a stream within one.
        self.unended = rest
        return True

    def _line(self, line: bytes) -> None:
        text = self.repeats.fresh(line)
        if text is not None:
            self.unended, self.news = b"", True
            self.failures = 0
            self._hand_on(text)

    def _hand_on(self, text: bytes) -> None:
        if self.left is not None:
            self.cut = len(text) + 1 > self.left
            text = text[: self.left]
            self.left -= min(self.left, len(text) + 1)
        self.sink(text.decode("utf-8", "replace"))


def _not_yet(error: ClusterError) -> bool:
    return error.status in (400, 500, 504) and any(words in error.message for words in _NOT_YET)
