# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the collection keeps what it makes."""

from __future__ import annotations

import os


def default_cache_dir() -> str:
    """Return the directory for environments, build logs and verdicts of earlier runs.

    ``$MLOPS_NOTEBOOKS_CACHE`` where set; else, for root, ``/var/cache`` (FHS 5.5), since a run under another UID
    must reach it; else the caller's cache directory (XDG base directory specification).
    """
    chosen = os.environ.get("MLOPS_NOTEBOOKS_CACHE")
    if chosen:
        return os.path.abspath(chosen)
    if os.geteuid() == 0:
        return "/var/cache/mlops.notebooks"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "mlops.notebooks")
