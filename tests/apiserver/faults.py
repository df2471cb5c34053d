# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: what a test wants a request to suffer."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from . import errors

STREAMS = ("cut-stream", "end-stream", "end-within")
KINDS = ("status", "drop", "drop-after-write", "slow", "gone", "truncate", "drop-watch", *STREAMS)


@dataclass
class Fault:
    """`kind` happens to the next `count` requests (0: to all) that match, after `after` of them went well.

    kinds: status (answer `status`; 429 carries Retry-After: `seconds`), drop (close without an answer, nothing is
    done), drop-after-write (do it, lose the answer), slow (wait `seconds` first), gone (a watch gets the 410 event),
    truncate (half of the body, then close), drop-watch (a watch ends after `events` events), cut-stream (a log or watch
    is cut once `bytes` were sent), end-stream (it ends in good order with the piece that reaches `bytes`), end-within
    (it ends in good order after `bytes`, be it within a line).
    """

    kind: str
    path: str = ""
    method: str = ""
    count: int = 1
    after: int = 0
    status: int = 500
    seconds: float = 1
    events: int = 0
    bytes: int = 0
    watch: bool | None = None  # only watches, or only other requests
    hits: int = 0
    id: int = 0

    def matches(self, method: str, target: str, watch: bool) -> bool:
        if self.method and self.method != method or self.watch is not None and self.watch != watch:
            return False
        if self.kind in ("gone", "drop-watch") and not watch:
            return False
        return bool(re.search(self.path, target))

    def error(self) -> errors.ApiError:
        known = {
            401: errors.unauthorized(),
            403: errors.ApiError(403, "Forbidden", "forbidden by a fault"),
            429: errors.too_many_requests(max(0, round(self.seconds))),
            500: errors.internal("a fault was asked for"),
            503: errors.ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
            504: errors.ApiError(504, "Timeout", "the server was unable to return a response in the time allotted"),
        }
        return known.get(self.status) or errors.ApiError(
            self.status, "", f"the server answered {self.status} as a fault"
        )


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._last = 0

    def add(self, kind: str, path: str = "", **fields) -> Fault:
        """`path` is a regular expression for the path with its query; the other fields are those of Fault."""
        if kind not in KINDS:
            raise ValueError(f"A fault of kind {kind!r} is not known; use one of {', '.join(KINDS)}.")
        with self._lock:
            self._last += 1
            fault = Fault(kind, path, id=self._last, **fields)
            self._rules.append(fault)
            return fault

    def clear(self) -> None:
        with self._lock:
            self._rules = []

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._rules)

    def take(self, method: str, target: str, watch: bool) -> Fault | None:
        """The fault for this request, counted; the first that matches."""
        with self._lock:
            for fault in self._rules:
                if not fault.matches(method, target, watch):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.count and fault.hits >= fault.count:
                    continue
                fault.hits += 1
                return fault
        return None
