# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory that this process works in; what killed ones left is removed, since a container that starts anew keeps its /tmp."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "notebook-operator-"


class Scratch:
    """A directory for temporary files, held by a lock that goes with the process."""

    def __init__(self):
        base = Path(tempfile.gettempdir())
        _sweep(base)
        self._path, self._lock = _make(base)
        tempfile.tempdir = str(self._path)

    def remove(self) -> None:
        """Remove it, whoever is still busy in it."""
        shutil.rmtree(self._path, ignore_errors=True)


def _make(base: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        lock = _locked(path)
        if lock is not None and path.is_dir():
            return path, lock  # else another process took it for one that was left


def _sweep(base: Path) -> None:
    for path in base.glob(f"{_PREFIX}*"):
        lock = _locked(path)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds a directory of this user, None where another process holds it."""
    try:
        found = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(found).st_uid == os.geteuid():
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return found
    except OSError:
        pass
    os.close(found)
    return None
