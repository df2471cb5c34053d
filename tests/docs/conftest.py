# SPDX-License-Identifier: GPL-3.0-or-later
"""The scratch copy of the clone in which documentation is run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pages import ROOT

SECONDS = 180


@dataclass(frozen=True)
class Scratch:
    """A directory that looks like the clone's root to a user, and the environment of that user's shell."""

    path: Path
    env: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(
            command, cwd=self.path, env=self.env, text=True, start_new_session=True, **pipes
        ) as process:
            try:
                output, errors = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGTERM)  # a playbook ends what it started
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


def make_repository(path: Path, env: dict[str, str]) -> None:
    never_ends = shutil.ignore_patterns("slow-simulation.ipynb")
    shutil.copytree(ROOT / "examples" / "notebooks", path, ignore=never_ends)
    git = ["git", "-C", str(path), "-c", "user.name=Example", "-c", "user.email=example@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Add notebooks"]):
        subprocess.run([*git, *words], env=env, check=True)


@pytest.fixture
def scratch(tmp_path) -> Scratch:
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    clone.mkdir()
    for name in ("ansible.cfg", "requirements.txt", "requirements.yml"):
        shutil.copy(ROOT / name, clone)
    for name in ("docs", "examples", "playbooks"):
        shutil.copytree(ROOT / name, clone / name)
    (clone / "build").mkdir()
    (clone / "build" / "collections").symlink_to(ROOT / "build" / "collections")
    (clone / ".venv").symlink_to(ROOT / ".venv")
    real = Path.home()
    env = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        # Downloads are shared with the caller; nothing else of the caller's home is.
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(real / ".cache")),
        "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(real / ".config")),
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))},
    }
    make_repository(home / "my-repo", env)
    return Scratch(clone, env)
