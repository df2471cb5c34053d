# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a process: what it answers for good and for bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = "ansible_collections.mlops.notebooks.plugins.modules.notebook_requirements"
TREE = next(path for path in map(Path, sys.path) if (path / "ansible_collections" / "mlops" / "notebooks").is_dir())


def call(path: Path, *, check: bool = False, **options) -> dict:
    """Run the module and return its result; anything but one JSON object on stdout is an error."""
    arguments = {"ANSIBLE_MODULE_ARGS": {"path": str(path), "_ansible_check_mode": check, **options}}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", MODULE],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TREE), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def notebook(path: Path, *cells: str, **metadata) -> None:
    """Write a notebook of code cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = [
        {"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None} for cell in cells
    ]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": code}))


@pytest.mark.parametrize("check", [False, True])
def test_options_reach_the_ladder_and_nothing_changes(tmp_path, check):
    notebook(tmp_path / "a.ipynb", "import pandas")
    notebook(tmp_path / "x" / "b.ipynb", "import rich")
    result = call(tmp_path, check=check, generate=True, exclude=["x"])
    assert result["changed"] is False
    assert "ansible_facts" not in result
    assert [(item["notebook"], item["tier"], item["requirements"]) for item in result["resolutions"]] == [
        ("a.ipynb", "generated", ["pandas"])
    ]
    assert result["refused"] == []
    assert set(result["resolutions"][0]) >= {
        "provenance",
        "warnings",
        "unresolved",
        "python_requires",
        "kernel",
        "imports",
    }
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.ipynb", "b.ipynb", "x"]


def test_engine_pipreqs_leaves_the_answer_readable(tmp_path):
    pytest.importorskip("pipreqs")
    notebook(tmp_path / "a.ipynb", "import sklearn", "import broken syntax")
    result = call(tmp_path, engine="pipreqs", fallback="auto")
    assert result["resolutions"][0]["requirements"] == ["scikit-learn"]


@pytest.mark.parametrize("name", ["a b.ipynb", "it's.ipynb", 'q"x.ipynb', "-dash.ipynb", "ünï.ipynb", "[1].ipynb"])
def test_odd_names_are_names(tmp_path, name):
    notebook(tmp_path / name, "import rich")
    result = call(tmp_path, notebooks=[name])
    assert [item["notebook"] for item in result["resolutions"]] == [name]


def broken(root: Path) -> dict[str, dict]:
    """Lay out one of each kind of bad input; return options and words of the answer."""
    notebook(root / "good" / "a.ipynb", "x = 1")
    notebook(root / "r" / "a.ipynb", kernelspec={"name": "ir", "language": "R", "display_name": "R"})
    (root / "empty").mkdir()
    (root / "json").mkdir()
    (root / "json" / "a.ipynb").write_text('{"cells": [}')
    (root / "latin").mkdir()
    (root / "latin" / "a.ipynb").write_bytes(b'{"cells": [], "x": "\xe9"}')
    (root / "loop").mkdir()
    (root / "loop" / "a.ipynb").symlink_to("a.ipynb")
    (root / "huge").mkdir()
    with (root / "huge" / "a.ipynb").open("wb") as file:
        file.truncate(50 * 1024**2)
    notebook(root / "reqs" / "a.ipynb", "import x")
    (root / "reqs" / "requirements.txt").write_text("fine\nnot fine\n")
    return {
        "no such directory": ("gone", {}, "There is no directory"),
        "empty directory": ("empty", {}, "There is no notebook"),
        "directory as notebook": (".", {"notebooks": ["good"]}, "'good' is a directory, not a notebook"),
        "notebook as directory": ("good/a.ipynb", {}, "is not a directory"),
        "broken JSON": ("json", {}, "a.ipynb is not JSON: "),
        "50 MB": ("huge", {}, "a.ipynb is larger than"),
        "not UTF-8": ("latin", {}, "a.ipynb is not UTF-8"),
        "symlink loop": ("loop", {"notebooks": ["a.ipynb"]}, "leads to itself"),
        "path with ..": ("good", {"notebooks": ["../json/a.ipynb"]}, "leaves the directory"),
        "kernel": ("r", {}, "a.ipynb asks for the kernel ir"),
        "syntax error": ("reqs", {}, "requirements.txt:2 is no requirement: 'not fine'"),
        "missing file": ("good", {"requirements_file": "x.txt"}, "The requirements file x.txt does not exist"),
        "file outside": ("good", {"requirements_file": "../reqs/requirements.txt"}, "is outside the source"),
        "no match": ("good", {"notebooks": ["*.nb"]}, "matches '*.nb'"),
        "all excluded": ("good", {"exclude": ["*"]}, "excluded"),
    }


def test_bad_input_is_answered_by_one_sentence(tmp_path):
    for kind, (path, options, expected) in broken(tmp_path).items():
        result = call(tmp_path / path, **options)
        assert result.get("failed") is True, kind
        assert expected in result["msg"], kind
        assert "\n" not in result["msg"], kind
        assert result["code"], kind


def test_a_failure_still_brings_what_was_resolved(tmp_path):
    notebook(tmp_path / "a.ipynb", "import json")
    notebook(tmp_path / "b.ipynb", "import pandas")
    result = call(tmp_path, fallback="fail")
    assert result["code"] == "requirements_missing"
    assert [item["notebook"] for item in result["resolutions"]] == ["a.ipynb"]
    assert [item["notebook"] for item in result["refused"]] == ["b.ipynb"]
