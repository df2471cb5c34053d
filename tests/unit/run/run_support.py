# SPDX-License-Identifier: GPL-3.0-or-later
"""A real environment with a kernel, in a place that an unprivileged user can reach."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.identity import can_drop, closed_directory
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import RunRequest

DROPPING = can_drop()
needs_root = pytest.mark.skipif(not DROPPING, reason="only root can become another user")


def notebook(*cells: str, **metadata) -> str:
    """Return the text of a notebook; a cell that starts with ``#markdown`` is one, ``#tag NAME`` sets a tag."""
    made = []
    for number, source in enumerate(cells):
        kind = "markdown" if source.startswith("#markdown") else "code"
        cell = {"cell_type": kind, "id": f"c{number}", "metadata": {}, "source": source}
        if source.startswith("#tag "):
            cell["metadata"]["tags"] = [source.split()[1]]
        if kind == "code":
            cell.update(execution_count=None, outputs=[])
        made.append(cell)
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="session")
def reachable():
    """A directory that any user can pass: pytest's own are closed to others."""
    base = "/var/tmp" if closed_directory(f"{tempfile.gettempdir()}/x") else tempfile.gettempdir()
    path = Path(tempfile.mkdtemp(prefix="mlops-test-", dir=base))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def python(reachable):
    """The interpreter of an environment with papermill and ipykernel."""
    own = getattr(sys, "_base_executable", sys.executable)
    base = own if not DROPPING or not closed_directory(own) else "/usr/bin/python3"
    environment = reachable / "environment"
    try:
        import uv

        subprocess.run([uv.find_uv_bin(), "venv", "-q", "-p", base, environment], check=True)
        install = [uv.find_uv_bin(), "pip", "install", "-q", "--compile-bytecode", "-p", environment]
    except ImportError:
        subprocess.run([base, "-m", "venv", environment], check=True)
        install = [environment / "bin" / "python", "-m", "pip", "install", "-q"]
    subprocess.run([*install, "papermill", "ipykernel", "pip"], check=True)
    return str(environment / "bin" / "python")


class Bench:
    """A source directory, the notebooks in it, and requests to run them."""

    def __init__(self, root: Path, python: str):
        self.root, self.python = root, python
        self.source, self.scratch = root / "source", root / "scratch"
        self.source.mkdir(parents=True)
        self.scratch.mkdir()

    def request(self, name: str, *cells: str, **options) -> RunRequest:
        path = self.source / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(notebook(*cells), encoding="utf-8")
        options = {"timeout": 60, "python": self.python, **options}
        output = str(self.root / "output" / name)
        return RunRequest(id=name, source=str(self.source), notebook=f"{name}.ipynb", output=output, **options)


@pytest.fixture
def bench(reachable, python, request):
    bench = Bench(Path(tempfile.mkdtemp(dir=reachable)), python)
    bench.root.chmod(0o755)
    return bench


def executed(result) -> list[dict]:
    """Return the cells of the executed notebook."""
    return json.loads(Path(result.executed).read_text(encoding="utf-8"))["cells"]


def text(cell: dict) -> str:
    """Return what a cell printed or showed as text."""
    parts = []
    for output in cell["outputs"]:
        shown = output["text"] if output["output_type"] == "stream" else output.get("data", {}).get("text/plain", "")
        parts.append("".join(shown))
    return "".join(parts)


def alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def processes_of(uid: int) -> list[str]:
    """Return the processes of a user."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid == uid:
                found.append(entry)
        except OSError:
            continue
    return found
