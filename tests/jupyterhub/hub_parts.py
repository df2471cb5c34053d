# SPDX-License-Identifier: GPL-3.0-or-later
"""What these tests run, and where it is. A test that lacks a part is skipped, but not in CI (``CI=true``): there it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "venvs" / "jupyterhub" / "bin" / "python"
PROXY = ROOT / "build" / "npm" / "node_modules" / ".bin" / "configurable-http-proxy"
SLAPD = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), Path("/nowhere"))  # the folder of its programs


def _lacks(part: str) -> bool:
    found = {
        "jupyterhub": PYTHON.exists(),
        "proxy": PROXY.exists(),
        "slapd": bool(SLAPD),
        "postgresql": (POSTGRES / "initdb").exists(),
        "moto": any(PYTHON.parents[1].glob("lib/python3*/site-packages/moto")),
    }
    return not found[part]


def needed(*parts: str) -> None:
    """Go on where all these parts are there; at the head of a file it is all of its tests that do not."""
    if lacking := [part for part in parts if _lacks(part)]:
        reason = f"no {' and no '.join(lacking)} here; `make jupyterhub` installs what it can, with APT=1 as root all"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)
