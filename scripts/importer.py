# SPDX-License-Identifier: GPL-3.0-or-later
"""Run galaxy-importer, Automation Hub's gate, on the built tarball. Needs no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import setup

CONFIG = """\
[galaxy-importer]
CHECK_CHANGELOG = True
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
"""


def main() -> int:
    scratch = setup.BUILD / "importer"
    scratch.mkdir(parents=True, exist_ok=True)
    config = scratch / "importer.cfg"
    config.write_text(CONFIG)
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(setup.COLLECTIONS),
        "GALAXY_IMPORTER_CONFIG": str(config),
        # Automation Hub has kubernetes.core, whose documentation fragments ours extend, among its own packages.
        "PYTHONPATH": str(setup.COLLECTIONS),
        "PATH": f"{setup.DEV / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    tarball = next(setup.TARBALLS.glob("*.tar.gz"))
    command = [str(setup.DEV / "bin" / "python"), "-m", "galaxy_importer.main", str(tarball)]
    done = subprocess.run(
        command, cwd=scratch, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print(done.stdout, flush=True)
    complaints = [line for line in done.stdout.splitlines() if line.startswith(("ERROR", "WARNING"))]
    if done.returncode or complaints:
        print(f"galaxy-importer: {len(complaints)} complaints", flush=True)
        return 1
    print("galaxy-importer: no complaints", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
