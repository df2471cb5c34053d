# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a gate on each ansible-core that an interpreter here can run: `matrix.py sanity|integration|import [word ...]`.

Words after the gate go to ansible-test: `matrix.py integration notebook_report -v`. CORES="2.19" names the versions.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import setup
import venvs

# ansible-core: the Python versions it runs on, the wanted one first. The ends of the range are the likeliest to break.
CORES = {
    "2.16": ["3.10", "3.11", "3.12"],
    "2.19": ["3.11", "3.12", "3.13"],
    "2.20": ["3.12", "3.13", "3.14"],
    "2.21": ["3.13", "3.12", "3.14"],
}
# The oldest of ansible-core goes with the oldest of what we ask for.
OLDEST = {"2.16": ["kubernetes==28.1.0"]}
TREES = venvs.BUILD / "ansible-test"
# The other gates run on a middle one, that of the tools' environment; the ends are what is left to show.
ENDS = ("2.16", "2.21")
AT_ONCE = 2  # each leaves a processor idle for most of its time
CACHE = Path("~/.ansible/test/cache").expanduser()
GET_PIP = """\
import runpy
import sys

sys.path.insert(0, {wheel!r})
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.argv[1:] = ["install", *words]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def interpreters() -> dict[str, str]:
    """Path of a working interpreter for each Python version here: our own, from PATH, from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    versions = sorted({version for wanted in CORES.values() for version in wanted})
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    for version in versions:
        candidates = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"*/bin/python{version}"))]
        for path in filter(None, candidates):
            probe = "import ctypes, sqlite3, ssl, sys; print('%d.%d' % sys.version_info[:2])"
            done = subprocess.run([str(path), "-c", probe], capture_output=True, text=True, check=False)
            if done.stdout.strip() == version:
                found.setdefault(version, str(path))
    return found


def environments() -> dict[str, Path]:
    """An environment for each ansible-core that can run here; says which cannot, and why."""
    here = interpreters()
    made = {}
    wanted = os.environ.get("CORES", "").split() or ENDS
    for core in wanted:
        python = next((here[version] for version in CORES[core] if version in here), None)
        if not python:
            print(f"  ansible-core {core}: left out, no Python {' or '.join(CORES[core])} here", flush=True)
            continue
        made[core] = venvs.BUILD / "venvs" / f"core-{core}"
        requirements = [f"ansible-core~={core}.0", "-r", "requirements.txt", "-r", "requirements-test.txt"]
        requirements += OLDEST.get(core, [])
        venvs.ensure(made[core], python, requirements, f"ansible-core {core} in build/venvs/core-{core}")
    return made


def make_tree(core: str) -> Path:
    """The installed collections, copied: ansible-test writes into the tree that it checks."""
    tree = TREES / core / "ansible_collections"
    for name in ("mlops/notebooks", "kubernetes/core"):
        source = setup.COLLECTIONS / "ansible_collections" / name
        shutil.rmtree(tree / name, ignore_errors=True)
        shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    ours = tree / "mlops" / "notebooks"
    if os.environ.get("KUBECONFIG"):  # a real cluster, for the targets that need one
        answers = ours / "tests" / "integration" / "integration_config.yml"
        answers.write_text(f"kubeconfig: {json.dumps(os.path.abspath(os.environ['KUBECONFIG']))}\n")
    venvs.run("git", "init", "--quiet", ours)  # else it takes the clone's git for its own, which ignores build/
    return ours


def provide_pip(venv: Path) -> None:
    """ansible-test downloads a script that installs pip; where its host is out of reach, pip's wheel does the same."""
    package = next(venv.glob("lib/python3*/site-packages/ansible_test"))
    source = (package / "_internal" / "python_requirements.py").read_text()
    version = re.search(r"default_packages = dict\(\s*pip='([\d.]+)'", source).group(1)
    script = CACHE / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    venvs.run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", CACHE, f"pip=={version}")
    script.write_text(GET_PIP.format(wheel=str(next(CACHE.glob(f"pip-{version}-*.whl")))))


def provide_key() -> None:
    """Make the key that ansible-test makes at its start: two of them at once stand in each other's way."""
    key = CACHE.parent / "id_rsa"
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        venvs.run("ssh-keygen", "-m", "PEM", "-q", "-t", "rsa", "-N", "", "-f", key)


def gate_command(gate: str, venv: Path, python: str, words: list[str]) -> list[str]:
    if gate == "import":
        return [str(venv / "bin" / "python"), "-m", "pytest", "-q", "-q", "--collect-only", *words]
    # Its own Python only: it takes every python3.* on PATH for one that runs, which a shim of pyenv may not be.
    return [str(venv / "bin" / "ansible-test"), gate, "--local", "--python", python, "--color", "no", *words]


def run_gate(gate: str, core: str, venv: Path, words: list[str]) -> int:
    python = next(venv.glob("lib/python3*")).name.removeprefix("python")
    tree = venvs.ROOT if gate == "import" else make_tree(core)
    command = gate_command(gate, venv, python, words)
    env = {**os.environ, "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=tree, env=env, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    title = f"--- {gate} on ansible-core {core}, Python {python}: "
    print(f"{done.stdout}{title}status {done.returncode}, {time.monotonic() - start:.0f} s", flush=True)
    return done.returncode


def main() -> int:
    gate, words = sys.argv[1], sys.argv[2:]
    setup.runtime()
    made = environments()
    if gate != "import":
        provide_key()
        for venv in made.values():
            provide_pip(venv)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(lambda core: run_gate(gate, core, made[core], words), made))
    return max(statuses)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except venvs.SetupError as error:
        sys.exit(f"Setting up failed: {error}")
