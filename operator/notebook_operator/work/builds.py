# SPDX-License-Identifier: GPL-3.0-or-later
"""The builds that jobs of this process wait for: one that nobody waits for any more is cancelled."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped


@dataclass
class _Wait:
    """stop: of the build, asked for when the last job that waits for it is stopped."""

    stop: Stop = field(default_factory=Stop)
    jobs: int = 0


class Builds:
    """Counts who waits for what. Safe to use from several threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waits: dict[Sequence[str], _Wait] = {}

    @contextlib.contextmanager
    def waiting(self, *build: str) -> Iterator[Stop]:
        """Wait for a build inside of this; Stopped that comes out of it is the job's, and not the build's own end.

        What cancels the build is called before another job can begin to wait for it, which then starts its own.
        """
        with self._lock:
            wait = self._waits.setdefault(build, _Wait())
            wait.jobs += 1
        stopped = False
        try:
            yield wait.stop
        except Stopped:
            stopped = True
            raise
        finally:
            with self._lock:
                wait.jobs -= 1
                if not wait.jobs:
                    del self._waits[build]
                    if stopped:
                        wait.stop.ask()


BUILDS = Builds()
