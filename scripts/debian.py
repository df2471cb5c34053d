# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that tests need and pip cannot give: found, or installed from Debian where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ALONE = Path(__file__).resolve().parents[1] / "build" / "debian"  # programs that were taken out of packages
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:{ALONE}"
# Packages of which nothing but a program is wanted: installed, they would bring much, and start a server.
_TAKEN_APART = ("prometheus",)
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}


def program(names: tuple[str, ...], package: str) -> str | None:
    """Return the path of the first program that is there; as root, in CI and with APT=1, install its package first."""
    allowed = (os.environ.get("CI") or os.environ.get("APT") == "1") and os.geteuid() == 0
    if not find(names) and allowed and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update"], env=environment, **_QUIET)
        if package in _TAKEN_APART:
            _take(names[0], package)
        else:
            install = ["apt-get", "install", "--yes", "--no-install-recommends", package]
            subprocess.run(install, env=environment, **_QUIET)
    return find(names)


def _take(name: str, package: str) -> None:
    """Take a program out of a package, into ALONE."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["apt-get", "download", package], cwd=directory, **_QUIET)
        for file in Path(directory).glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", file, directory], **_QUIET)
        program = Path(directory, "usr", "bin", name)
        if program.is_file():
            ALONE.mkdir(parents=True, exist_ok=True)
            shutil.move(program, ALONE / name)


def find(names: tuple[str, ...]) -> str | None:
    return next(filter(None, (shutil.which(name, path=PATH) for name in names)), None)


if __name__ == "__main__":
    # Pairs of a program and the package that has it.
    for name, package in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        found = program((name,), package)
        print(found or f"no {name} here; tests that need it are skipped: `APT=1` as root installs {package}")
