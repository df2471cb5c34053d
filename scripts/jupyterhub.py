# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/jupyterhub runs: a hub in build/venvs/jupyterhub, the proxy before it from npm, and from Debian a directory, a database and a browser."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import debian
import jupyter

# Programs, and the packages of Debian that have them.
PROGRAMS = {"slapd": "slapd", "pg_ctlcluster": "postgresql", "chromium": "chromium"}


def main() -> int:
    jupyter.environment("jupyterhub", "requirements-jupyterhub.txt", "JupyterHub")
    jupyter.proxy()
    for name, package in PROGRAMS.items():
        if not debian.program((name,), package):
            print(f"no {name} here; tests that need it are skipped: `APT=1` as root installs {package}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
