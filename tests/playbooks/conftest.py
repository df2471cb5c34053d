# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as a user calls them: ansible-playbook on the installed collection, real git, real servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def write_notebook(path: Path, *cells: str, kernel: str = "python3") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [
        {
            "cell_type": "code",
            "id": f"c{index}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for index, source in enumerate(cells)
    ]
    metadata = {"kernelspec": {"name": kernel, "language": kernel.rstrip("3"), "display_name": kernel}}
    path.write_text(
        json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8"
    )


def git(*arguments: str, cwd: Path) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()


@dataclass
class Played:
    """What a playbook ended with."""

    status: int
    text: str
    work: Path
    stats: dict = field(default_factory=dict)

    @property
    def changed(self) -> int:
        return int(self.text.rpartition("changed=")[2].split()[0])

    @property
    def codes(self) -> dict[str, str | None]:
        report = json.loads((self.work / "validation-report" / "report.json").read_text())
        return {verdict["notebook"]: verdict["code"] for verdict in report["verdicts"]}


@dataclass
class Player:
    """Calls mlops.notebooks.validate in a directory of its own."""

    work: Path
    environment: dict

    def command(self, *arguments: str, **variables) -> list[str]:
        given = ["-e", json.dumps({"checkout_dir": str(self.work / "checkout"), **variables})]
        playbook = Path(sys.executable).with_name("ansible-playbook")
        return [str(playbook), "mlops.notebooks.validate", *given, *arguments]

    def __call__(self, *arguments: str, environment: dict | None = None, **variables) -> Played:
        done = subprocess.run(
            self.command(*arguments, **variables),
            cwd=self.work,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=600,
        )
        return Played(done.returncode, done.stdout + done.stderr, self.work)


@pytest.fixture(scope="session")
def cache():
    """A cache of these tests' own, where runs under another UID reach it."""
    with tempfile.TemporaryDirectory(prefix="mlops-test-") as directory:
        os.chmod(directory, 0o755)
        yield directory


@pytest.fixture
def play(tmp_path, cache):
    work = tmp_path / "work"
    (work / "home").mkdir(parents=True)
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(work / "home"),
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(ROOT / "build" / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "MLOPS_NOTEBOOKS_CACHE": cache,
    }
    environment |= {name: os.environ[name] for name in ("PIP_CERT", "SSL_CERT_FILE") if name in os.environ}
    return Player(work, environment)


@pytest.fixture
def repository(tmp_path):
    """A git repository: main, a branch, a tag, and a commit that none of them names."""
    place = tmp_path / "repositories" / "notebooks"
    place.mkdir(parents=True)
    git("init", "--quiet", cwd=place)
    write_notebook(place / "which.ipynb", "raise SystemError('first')")
    git("add", ".", cwd=place)
    git("commit", "--quiet", "-m", "first", cwd=place)
    git("tag", "v1", cwd=place)
    write_notebook(place / "which.ipynb", "assert True")
    write_notebook(place / "deep" / "other.ipynb", "print('other')")
    git("add", ".", cwd=place)
    git("commit", "--quiet", "-m", "second", cwd=place)
    return place


@pytest.fixture
def recorded_git(tmp_path, play):
    """A git that notes its command lines, as a process list would show them, and then is git."""
    place = tmp_path / "bin"
    place.mkdir()
    log = tmp_path / "git-command-lines"
    log.touch()
    wrapper = place / "git"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    play.environment["PATH"] = f"{place}{os.pathsep}{play.environment['PATH']}"
    return log
