# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/jupyter runs: Jupyter servers in build/venvs/jupyter, and the proxy before them from npm in build/npm."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import debian
import venvs

PROXY = "configurable-http-proxy@5"
NPM = venvs.BUILD / "npm"


def main() -> int:
    venvs.ensure(
        venvs.BUILD / "venvs" / "jupyter",
        sys.executable,
        ["-r", "tests/jupyter/requirements.txt"],
        "Jupyter servers in build/venvs/jupyter",
    )
    proxy()
    return 0


def proxy() -> None:
    """Install the proxy, unless it stands or there is no npm; the tests say what they skip."""
    program, key = NPM / "node_modules" / ".bin" / "configurable-http-proxy", venvs.digest(PROXY)
    npm = debian.program(("npm",), "npm")
    if venvs.is_fresh("npm", key, program) or not npm:
        return
    with venvs.step("configurable-http-proxy in build/npm"):
        shutil.rmtree(NPM, ignore_errors=True)
        NPM.mkdir(parents=True)
        venvs.run(npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", NPM, PROXY)
    venvs.stamp("npm", key)


if __name__ == "__main__":
    sys.exit(main())
