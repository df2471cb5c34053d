# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tests/browser where a Chromium is, or can be installed: in CI and with `APT=1`, as root, from Debian's package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import debian
import setup

NAMES = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    browser = debian.program(NAMES, "chromium")
    if not browser:
        print("browser tests skipped: no Chromium here; `make browser APT=1` as root installs Debian's package")
        return 1 if os.environ.get("CI") else 0
    command = [str(setup.DEV / "bin" / "python"), "-m", "pytest", "tests/browser", *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, "CHROMIUM": browser}, cwd=setup.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
