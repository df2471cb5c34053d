# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts that a namespace keeps, for every machine that validates in it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..cluster.apply import put
from ..cluster.client import MANAGER, Cluster
from ..cluster.deadline import Deadline
from ..cluster.errors import ClusterError
from ..cluster.kinds import CONFIG_MAPS
from ..cluster.objects import KEY, MANAGED_BY
from ..cluster.removal import remove_this
from ..values.verdict import Verdict
from . import kept

_TOGETHER = 100  # keys that one request asks for: some 3,300 characters of a URL
_WRITERS = 2  # threads
_FORGOTTEN = 500  # verdicts that one call removes at most
_SELECTOR = f"app.kubernetes.io/component={kept.COMPONENT},{MANAGED_BY}={MANAGER}"


class Shared:
    """The memory of verdicts in one namespace. What it cannot read or keep it says in ``trouble``, and goes on without."""

    def __init__(self, cluster: Cluster, namespace: str, days: int):
        """days: after which a verdict does not count any more, and is removed."""
        self._cluster, self._namespace, self._days = cluster, namespace, days
        self._path = CONFIG_MAPS.path(namespace)
        self._writers = ThreadPoolExecutor(_WRITERS)
        self._writing: list[Future] = []
        self._forgotten: dict[str, dict] = {}
        self._lock = threading.Lock()
        self.trouble: str | None = None

    def find(self, keys: Sequence[str], since: float | None = None) -> dict[str, tuple[Verdict, bytes | None]]:
        """Return what is kept under these work keys: the verdict, and the executed notebook where it is kept too.

        since: only what fell at this moment or later, in seconds since 1970.
        """
        found = {}
        by_short = {kept.short(key): key for key in keys}
        wanted = sorted(by_short)
        for start in range(0, len(wanted), _TOGETHER):
            asked = ",".join(wanted[start : start + _TOGETHER])
            for one in self._listed(f"{_SELECTOR},{KEY} in ({asked})"):
                key = by_short.get(one["metadata"]["labels"][KEY])
                with contextlib.suppress(ValueError, OSError, TypeError, KeyError):
                    if key and not kept.is_older(one, self._days) and not kept.fell_before(one, since or 0.0):
                        found[key] = kept.unpack(one)
        return found

    def durations(self) -> dict[str, float]:
        """Return how long the notebooks took that have a verdict here, by path; the newest verdict counts."""
        newest: dict[str, tuple[str, float]] = {}
        for one in self._listed(_SELECTOR, metadata_only=True):
            notes = one["metadata"].get("annotations") or {}
            seconds, decided = kept.duration(one), notes.get(kept.DECIDED, "")
            if kept.is_older(one, self._days):
                self._forgotten[one["metadata"]["name"]] = one
            elif seconds is not None and decided >= newest.get(notes.get(kept.NOTEBOOK), ("", 0.0))[0]:
                newest[notes.get(kept.NOTEBOOK)] = (decided, seconds)
        return {notebook: seconds for notebook, (_decided, seconds) in newest.items()}

    def keep(self, key: str, verdict: Verdict, executed: bytes | None) -> None:
        """Keep a verdict, beside the work that goes on; it takes the place of one that is forgotten."""
        self._forgotten.pop(kept.name_of(key), None)
        self._writing.append(self._writers.submit(self._write, key, verdict, executed))

    def settle(self) -> None:
        """Wait until all that was to be kept so far is."""
        writing, self._writing = self._writing, []
        for one in writing:
            one.result()

    def close(self) -> None:
        """Wait until all that was to be kept is, and remove what is forgotten."""
        self._writers.shutdown()
        for one in list(self._forgotten.values())[:_FORGOTTEN]:
            try:
                remove_this(self._cluster, CONFIG_MAPS, one, Deadline.after(30))
            except ClusterError as error:
                if error.status != 409:
                    self._note("removed", error)
                    return

    def _write(self, key: str, verdict: Verdict, executed: bytes | None) -> None:
        manifest = kept.pack(key, self._namespace, verdict, executed)
        if manifest is None or self.trouble:
            return
        try:
            put(self._cluster, manifest, CONFIG_MAPS)
        except ClusterError as error:
            self._note("kept", error)

    def _listed(self, selector: str, *, metadata_only: bool = False) -> Iterator[dict]:
        try:
            yield from self._cluster.items(self._path, {"labelSelector": selector}, metadata_only=metadata_only)
        except ClusterError as error:
            self._note("found again", error)

    def _note(self, done: str, error: ClusterError) -> None:
        with self._lock:
            self.trouble = (
                self.trouble or f"Verdicts cannot be {done} in the namespace {self._namespace}: {error.message}"
            )
