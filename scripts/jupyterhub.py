# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/jupyterhub runs: a hub in build/venvs/jupyterhub, the proxy before it from npm, and a directory of users from Debian."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import debian
import jupyter
import venvs

# Programs, and the packages of Debian that have them.
PROGRAMS = {"slapd": "slapd", "pg_ctlcluster": "postgresql"}


def main() -> int:
    venvs.ensure(
        venvs.BUILD / "venvs" / "jupyterhub",
        sys.executable,
        ["-r", "requirements-jupyterhub.txt"],
        "JupyterHub in build/venvs/jupyterhub",
    )
    compiled()
    jupyter.proxy()
    for name, package in PROGRAMS.items():
        if not debian.program((name,), package):
            print(f"no {name} here; tests that need it are skipped: `APT=1` as root installs {package}")
    return 0


def compiled() -> None:
    """Compile what a hub imports, which else takes longer at each start than all the rest."""
    python = venvs.BUILD / "venvs" / "jupyterhub" / "bin" / "python"
    code = "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('purelib'), quiet=2, workers=0)"
    subprocess.run([python, "-c", code], check=False)


if __name__ == "__main__":
    sys.exit(main())
