# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the collection keeps what it makes."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile

from .errors import EngineError


def default_cache_dir() -> str:
    """Return the directory for environments, build logs and verdicts of earlier runs.

    ``$MLOPS_NOTEBOOKS_CACHE`` where set; else, for root, ``/var/cache`` (FHS 5.5), since a run under another UID
    must reach it; else the caller's cache directory (XDG base directory specification); else, where that cannot be
    written, a directory of the caller's own among the temporary files. Raises EngineError where that one is not safe.
    """
    chosen = os.environ.get("MLOPS_NOTEBOOKS_CACHE")
    if chosen:
        return os.path.abspath(chosen)
    usual = _usual()
    return usual if _can_hold(usual) else _temporary()


def cache_warning(cache_dir: str) -> str:
    """Return what to warn of where the default had to be a temporary directory; empty where it had not."""
    usual = _usual()
    if cache_dir != _temporary_path() or _can_hold(usual):
        return ""
    return (
        f"The cache directory {usual} cannot be written, so {cache_dir} is used, which may not last:"
        " give cache_dir, or set MLOPS_NOTEBOOKS_CACHE."
    )


def _usual() -> str:
    if os.geteuid() == 0:
        return "/var/cache/mlops.notebooks"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "mlops.notebooks")


def _can_hold(path: str) -> bool:
    """Return whether a directory is writable, or could be made. A ``~`` that nobody knows leaves a relative path."""
    if not os.path.isabs(path):
        return False
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)


def _temporary_path() -> str:
    return os.path.join(tempfile.gettempdir(), f"mlops.notebooks-{os.geteuid()}")


def _temporary() -> str:
    """Make the directory, or take the one of an earlier call: others may write beside it, and never into it."""
    place = _temporary_path()
    with contextlib.suppress(FileExistsError):
        os.mkdir(place, 0o700)
    held = os.lstat(place)
    if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.geteuid() or stat.S_IMODE(held.st_mode) & 0o022:
        raise EngineError(
            f"The temporary cache directory {place} is not of this user alone: give cache_dir, or set MLOPS_NOTEBOOKS_CACHE."
        )
    return place
