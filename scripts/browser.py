# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tests/browser where a Chromium is; `APT=1` installs Debian's package first (as root). Never in CI: too slow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import setup

NAMES = ("chromium", "chromium-browser", "google-chrome")


def skipped(reason: str) -> int:
    print(f"browser tests skipped: {reason}", flush=True)
    return 0


def main() -> int:
    if os.environ.get("CI"):
        return skipped("not in CI")
    if os.environ.get("APT") == "1" and not any(map(shutil.which, NAMES)):
        subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"], check=False)
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if not browser:
        return skipped("no Chromium here; `make browser APT=1` as root installs Debian's package")
    command = [str(setup.DEV / "bin" / "python"), "-m", "pytest", "tests/browser", *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, "CHROMIUM": browser}, cwd=setup.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
