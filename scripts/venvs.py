# SPDX-License-Identifier: GPL-3.0-or-later
"""Make virtual environments on a machine that may have nothing but python3 and pip. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
BOOTSTRAP = BUILD / "bootstrap"
STAMPS = BUILD / "stamps"


class SetupError(Exception):
    """Setting up cannot go on; the message says what to do."""


def run(*command: object, **options) -> subprocess.CompletedProcess:
    """Run a command quietly; what it printed is shown when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        raise SetupError(f"`{' '.join(words)}` ended with status {done.returncode}:\n{done.stdout.strip()}")
    return done


@contextmanager
def step(what: str):
    """Announce a step, and how long it took."""
    print(f"  {what} ... ", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()


def is_fresh(name: str, key: str, product: Path) -> bool:
    stamp = STAMPS / name
    return product.exists() and stamp.is_file() and stamp.read_text() == key


def stamp(name: str, key: str) -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / name).write_text(key)


def pip_install_target(package: str) -> None:
    try:
        run(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", BOOTSTRAP, package)
    except SetupError as error:
        if "No module named pip" in str(error):
            raise SetupError(
                f"{sys.executable} has no pip: install it (Debian: apt-get install python3-pip)."
            ) from None
        raise


def find_uv() -> str | None:
    """uv from PATH, else from PyPI into build/bootstrap, else None: then pip does its work, slower."""
    ours = BOOTSTRAP / "bin" / "uv"
    for uv in (shutil.which("uv"), str(ours)):
        if (
            uv
            and Path(uv).exists()
            and subprocess.run([uv, "--version"], capture_output=True, check=False).returncode == 0
        ):
            return uv
    try:
        with step("uv from the package index"):
            pip_install_target("uv")
    except SetupError as error:
        if "has no pip" in str(error):
            raise
        print("  uv cannot be had here: going on with pip", flush=True)
        return None
    return str(ours)


def make_with_uv(uv: str, path: Path, python: str, requirements: list[str]) -> None:
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("VIRTUAL_ENV", None)
    run(uv, "venv", "--quiet", "--clear", "--python", python, path, env=env)
    install = [uv, "pip", "install", "--quiet", "--python", path / "bin" / "python", *requirements]
    try:
        run(*install, env=env)
    except SetupError:  # behind a proxy that signs for itself only the system's certificates will do, as with pip
        run(*install, env={**env, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"})


def make_with_pip(path: Path, python: str, requirements: list[str]) -> None:
    try:
        run(python, "-m", "venv", "--clear", path)
    except SetupError:  # Debian splits ensurepip off
        pip_install_target("virtualenv")
        run(
            sys.executable,
            "-m",
            "virtualenv",
            "--quiet",
            "--clear",
            "--python",
            python,
            path,
            env={**os.environ, "PYTHONPATH": str(BOOTSTRAP)},
        )
    run(path / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements)


def ensure(path: Path, python: str, requirements: list[str], label: str) -> bool:
    """Make the environment at `path` unless it stands already for the same interpreter and requirements.

    `requirements` are arguments of `pip install`. Returns whether it was made now.
    """
    files = [(ROOT / word).read_text() for word in requirements if word.endswith(".txt")]
    key = digest(os.path.realpath(python), *requirements, *files)
    name = f"venv-{path.name.lstrip('.')}"
    if is_fresh(name, key, path / "bin" / "python"):
        return False
    uv = find_uv()
    with step(label):
        try:
            if uv:
                make_with_uv(uv, path, python, requirements)
        except SetupError as error:  # pip knows mirrors that are set in pip.conf, uv does not
            print(f"\n  uv failed, trying pip: {str(error).splitlines()[-1]}", flush=True)
            uv = None
        if not uv:
            make_with_pip(path, python, requirements)
    stamp(name, key)
    return True
