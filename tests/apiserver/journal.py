# SPDX-License-Identifier: GPL-3.0-or-later
"""A record of every request, so that tests can hold a client to a budget."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    number: int
    method: str
    path: str
    query: str
    user: str
    status: int  # 0: the connection was closed without an answer
    verb: str
    dry_run: bool
    user_agent: str

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}" + (f"?{self.query}" if self.query else "")


class Journal:
    """Requests in the order of their answers (a watch: of its start); those to /_control are left out."""

    def __init__(self):
        self._changed = threading.Condition()
        self._entries: list[Entry] = []
        self._number = 0

    def add(self, **fields) -> None:
        with self._changed:
            self._number += 1
            self._entries.append(Entry(self._number, **fields))
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._entries = []

    def entries(self, pattern: str = "", verb: str | None = None) -> list[Entry]:
        """Those whose `METHOD PATH?QUERY` the pattern is found in; `verb` may be several, parted by blanks."""
        expression, verbs = re.compile(pattern), verb.split() if verb else None
        with self._changed:
            found = list(self._entries)
        return [one for one in found if expression.search(one.line) and (verbs is None or one.verb in verbs)]

    def count(self, pattern: str = "", verb: str | None = None) -> int:
        return len(self.entries(pattern, verb))

    def writes(self) -> list[Entry]:
        """What changed, or would have changed, objects; reviews and dry runs are no writes."""
        verbs = "create update patch apply delete deletecollection"
        return [entry for entry in self.entries(verb=verbs) if not entry.dry_run and "reviews" not in entry.path]

    def wait_for(self, pattern: str, count: int = 1, timeout: float = 10, verb: str | None = None) -> list[Entry]:
        """The matching entries, as soon as there are `count` of them; TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.count(pattern, verb) >= count, timeout):
                raise TimeoutError(f"fewer than {count} requests match {pattern!r}")
        return self.entries(pattern, verb)
