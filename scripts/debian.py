# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that tests need and pip cannot give: found, or installed from Debian where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


def program(names: tuple[str, ...], package: str) -> str | None:
    """Return the path of the first program that is there; as root, in CI and with APT=1, install its package first."""
    allowed = (os.environ.get("CI") or os.environ.get("APT") == "1") and os.geteuid() == 0
    if not find(names) and allowed and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update"], env=environment, **quiet)
        subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", package], env=environment, **quiet)
    return find(names)


def find(names: tuple[str, ...]) -> str | None:
    return next(filter(None, (shutil.which(name, path=PATH) for name in names)), None)


if __name__ == "__main__":
    # Pairs of a program and the package that has it.
    for name, package in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        found = program((name,), package)
        print(found or f"no {name} here; tests that need it are skipped: `APT=1` as root installs {package}")
