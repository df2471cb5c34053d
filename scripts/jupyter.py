# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/jupyter runs: Jupyter servers in build/venvs/jupyter, and the proxy before them from npm in build/npm."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import debian
import venvs

PROXY = "configurable-http-proxy@5"
NPM = venvs.BUILD / "npm"


def main() -> int:
    environment("jupyter", "tests/jupyter/requirements.txt", "Jupyter servers")
    proxy()
    return 0


def environment(name: str, requirements: str, what: str) -> None:
    """Make build/venvs/NAME, compiled, and without what makes each start of a server slow."""
    place = venvs.BUILD / "venvs" / name
    if venvs.ensure(place, sys.executable, ["-r", requirements], f"{what} in build/venvs/{name}"):
        # A grammar that jsonschema, where it is there, compiles at each import, which takes longer than all else.
        for grammar in (place / "lib").glob("python3*/site-packages/rfc3987_syntax"):
            shutil.rmtree(grammar)
        code = "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('purelib'), quiet=2, workers=0)"
        subprocess.run([place / "bin" / "python", "-c", code], check=False)


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
