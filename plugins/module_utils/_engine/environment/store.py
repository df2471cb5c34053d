# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of local environments: complete ones only, one builder a key, none removed while it is used."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import time
from dataclasses import dataclass

from ..values.errors import EngineError

MANIFEST = "environment.json"
# A young environment was just made for somebody who has not begun to use it.
_GRACE = 600.0  # seconds
_SCRATCH = ".tmp"
_POLL = 0.05  # seconds


@dataclass(frozen=True)
class Usage:
    """One kept environment: bytes on disk, when it was used last (seconds since the epoch)."""

    key: str
    size: int
    used: float


class Store:
    """Environments by content key below ``<cache_dir>/environments``.

    An environment is complete exactly when its manifest exists, which is written last; whatever lies in a directory
    without one is the rest of a build that was killed. A file beside it is locked (flock(2)): exclusively by who
    builds or removes it, shared by who uses it. The kernel drops the lock with the process, so none is left behind.
    """

    def __init__(self, cache_dir: str):
        self.cache_dir = cache_dir
        self.root = os.path.join(cache_dir, "environments")

    def path(self, key: str) -> str:
        """Return the directory of an environment, whether it exists or not."""
        return os.path.join(self.root, key)

    def scratch(self, key: str) -> str:
        """Return the directory for the temporary files of a build; it is gone when the build ends."""
        return self.path(key) + _SCRATCH

    def log_path(self, key: str) -> str:
        """Return the file that keeps the log of the last build of a key."""
        return os.path.join(self.cache_dir, "builds", f"{key}.log")

    def manifest(self, key: str) -> dict | None:
        """Return what is known of a complete environment, None where there is none."""
        try:
            with open(os.path.join(self.path(key), MANIFEST), encoding="utf-8") as stream:
                return json.load(stream)
        except (OSError, ValueError):
            return None

    def complete(self, key: str, manifest: dict) -> None:
        """Write the manifest: from now on the environment counts."""
        place = os.path.join(self.path(key), MANIFEST)
        with open(place + ".new", "w", encoding="utf-8") as stream:
            json.dump(manifest, stream, indent=1, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(place + ".new", place)

    def touch(self, key: str) -> None:
        """Note that an environment was used."""
        with contextlib.suppress(OSError):
            os.utime(os.path.join(self.path(key), MANIFEST))

    def prepare(self) -> None:
        """Make the directories. Raises EngineError where others could plant an environment for root to run."""
        os.makedirs(self.root, mode=0o755, exist_ok=True)
        if os.geteuid() != 0:
            return
        for place in (self.cache_dir, self.root):
            state = os.stat(place)
            # Runs have group 0, so what that group may write a notebook may write.
            if state.st_uid != 0 or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise EngineError(
                    f"{place} could be changed by other users: it must belong to root and be writable by root only.",
                    code="environment_setup_failed",
                )

    @contextlib.contextmanager
    def building(self, key: str, deadline: float | None = None, waiting=None):
        """Hold a key alone, for a build: yields its directory; when the block fails, what it left is removed.

        waiting: called again and again while another process holds the key. Raises EngineError (``build_timeout``) at the
        deadline (``time.monotonic`` seconds).
        """
        with self._locked(key, fcntl.LOCK_EX, deadline, waiting):
            try:
                yield self.path(key)
            except BaseException:
                self.clear(key)
                raise
            finally:
                shutil.rmtree(self.scratch(key), ignore_errors=True)

    @contextlib.contextmanager
    def using(self, key: str):
        """Hold an environment for use, so that no pruning removes it meanwhile.

        Raises EngineError (``environment_setup_failed``) where it is gone.
        """
        gone = EngineError(
            f"The environment {key} is no longer in {self.root}: make it again with notebook_environment.",
            code="environment_setup_failed",
        )
        if self.manifest(key) is None:
            raise gone
        with self._locked(key, fcntl.LOCK_SH, None, None):
            if self.manifest(key) is None:
                raise gone
            self.touch(key)
            yield self.path(key)

    def require_unused(self, key: str) -> None:
        """Refuse to make an environment anew that runs use now; one that is being built is none of those.

        Raises EngineError (``environment_in_use``).
        """
        path = self.path(key) + ".lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            for _attempt in range(3):  # others may be asking the same at this moment
                if not _taken(descriptor, fcntl.LOCK_SH) or _taken(descriptor, fcntl.LOCK_EX):
                    return
                time.sleep(_POLL)
        finally:
            _discard(descriptor, path)
            os.close(descriptor)
        raise EngineError(
            f"The environment {key} is in use by another run, so it is not made anew: start again when that has ended.",
            code="environment_in_use",
        )

    def clear(self, key: str) -> None:
        """Remove what lies in the directory of a key that is held alone, the manifest first."""
        path = self.path(key)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(os.path.join(path, MANIFEST))
        for place in (path, self.scratch(key)):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(place)

    def delete(self, key: str) -> bool:
        """Remove an environment that nobody uses; tell whether it is gone."""
        try:
            with self._locked(key, fcntl.LOCK_EX, time.monotonic(), None):
                self.clear(key)
        except EngineError:
            return False
        return True

    def usage(self) -> list[Usage]:
        """Return the complete environments, the one used longest ago first."""
        found = []
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.root):
                manifest = self.manifest(entry.name) if entry.is_dir() else None
                with contextlib.suppress(OSError):
                    if manifest is not None:
                        used = os.stat(os.path.join(entry.path, MANIFEST)).st_mtime
                        found.append(Usage(entry.name, int(manifest.get("size", 0)), used))
        return sorted(found, key=lambda usage: usage.used)

    def prune(self, max_size: int | None, max_age: float | None, keep=()) -> list[str]:
        """Remove environments not used for max_age seconds, then the longest unused until max_size bytes are kept.

        keep: keys to leave alone. Whatever is in use or was used in the last minutes stays. Returns the keys removed.
        """
        kept, now, removed = self.usage(), time.time(), self._leftovers(keep)
        total = sum(usage.size for usage in kept)
        for usage in kept:
            idle = now - usage.used
            excess = (max_age is not None and idle > max_age) or (max_size is not None and total > max_size)
            if excess and idle > _GRACE and usage.key not in keep and self.delete(usage.key):
                removed.append(usage.key)
                total -= usage.size
                with contextlib.suppress(OSError):
                    os.unlink(self.log_path(usage.key))
        return removed

    def _leftovers(self, keep) -> list[str]:
        """Remove what killed builds left; a build that still runs holds its key and is passed over."""
        with contextlib.suppress(OSError):
            names = {entry.name.removesuffix(_SCRATCH) for entry in os.scandir(self.root) if entry.is_dir()}
            return [
                name for name in sorted(names.difference(keep)) if self.manifest(name) is None and self.delete(name)
            ]
        return []

    @contextlib.contextmanager
    def _locked(self, key: str, how: int, deadline: float | None, waiting):
        path = self.path(key) + ".lock"
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                _acquire(descriptor, how, deadline, waiting)
                # The holder before us may have removed the file, and somebody else made a new one.
                if _same_file(descriptor, path):
                    yield
                    return
            finally:
                _discard(descriptor, path)
                os.close(descriptor)


def _acquire(descriptor: int, how: int, deadline: float | None, waiting) -> None:
    while not _taken(descriptor, how):
        if deadline is not None and time.monotonic() >= deadline:
            raise EngineError("Another run holds the environment and did not release it in time.", code="build_timeout")
        if waiting:
            waiting()
        time.sleep(_POLL)


def _taken(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _discard(descriptor: int, path: str) -> None:
    """Remove a lock file that nobody else holds, before it is released."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _same_file(descriptor, path):
            os.unlink(path)


def _same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
