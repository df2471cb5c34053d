# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreter that fits, and that a run can reach."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.interpreter import (
    choose,
    closed_directory,
    unprivileged,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs notebooks as somebody else")


@pytest.fixture
def reachable():
    place = Path(tempfile.mkdtemp(prefix="mlops-notebooks-test-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_the_one_that_is_chosen_starts_for_the_user_of_a_run():
    found = choose(None, ">=3.9")
    command = [found.path, "-I", "-c", "import json, sqlite3, platform; print(platform.python_version())"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", **unprivileged()).stdout
    assert told.strip() == found.version


def test_path_and_version_name_the_same():
    found = choose(None, None)
    minor = ".".join(found.version.split(".")[:2])
    assert choose(found.path, None) == found
    assert choose(minor, None).version.startswith(minor)
    assert choose(found.version, f"=={minor}.*").version == found.version


def test_the_interpreter_of_a_virtual_environment_stands_for_its_base(reachable):
    base = choose(None, None)
    subprocess.run([base.path, "-m", "venv", "--without-pip", str(reachable / "env")], check=True)
    assert choose(str(reachable / "env" / "bin" / "python"), None).path == base.path


@as_root
def test_one_below_a_closed_directory_is_passed_over_and_the_directory_named(reachable, monkeypatch):
    base = choose(None, None)
    closed = reachable / "closed" / "bin"
    closed.mkdir(parents=True)
    (closed / "python3").symlink_to(base.path)
    closed.parent.chmod(0o700)
    with pytest.raises(EngineError, match=f"cannot reach.*{closed.parent}") as caught:
        fake = closed / "python"
        shutil.copy(os.path.realpath(base.path), fake)
        choose(str(fake), None)
    assert caught.value.code == "python_unsupported"
    monkeypatch.setenv("PATH", f"{closed}:{os.environ['PATH']}")
    assert choose(None, None).path == base.path


@as_root
def test_group_0_decides_where_the_directory_belongs_to_it(reachable):
    (reachable / "x").mkdir()
    assert closed_directory(str(reachable / "x" / "file")) is None
    for mode, group, wall in ((0o705, 0, True), (0o750, 0, False), (0o705, 1234, False), (0o750, 1234, True)):
        os.chown(reachable / "x", 0, group)
        (reachable / "x").chmod(mode)
        assert bool(closed_directory(str(reachable / "x" / "file"))) is wall, (stat.filemode(mode), group)


@pytest.mark.parametrize(
    ("base", "requires", "words"),
    [
        (None, ">=3.99", "Python >=3.99"),
        ("3.99", None, "Python 3.99"),
        (None, "latest", "latest"),
        ("two", None, "base is 'two': write a version"),
    ],
)
def test_none_that_fits_is_said_with_what_to_do(base, requires, words):
    with pytest.raises(EngineError, match=words):
        choose(base, requires)


def test_a_named_one_that_is_none_or_does_not_fit_is_said(reachable):
    (reachable / "python").write_text("#!/bin/sh\necho no\n")
    (reachable / "python").chmod(0o755)
    with pytest.raises(EngineError, match="does not answer"):
        choose(str(reachable / "python"), None)
    with pytest.raises(EngineError, match=r"is Python 3\..* but >=3.99"):
        choose(choose(None, None).path, ">=3.99")
