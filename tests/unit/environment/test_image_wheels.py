# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage that makes wheels and the one that installs from them: by a real shell and a real pip, in two environments."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image import wheels
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.context import compose
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.lines import parse_all
from wheels import RUNNER, make_wheel

BACKEND = """
import sys
from pathlib import Path

sys.path.insert(0, {here!r})
from wheels import make_wheel


def build_wheel(directory, config_settings=None, metadata_directory=None):
    return make_wheel(Path(directory), "built", "1.5", ["extra ; extra == 'more'\\nProvides-Extra: more"]).name
"""
PROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def image(python, tmp_path):
    """Make a directory in the place of an image: a Python of its own, which python3 means."""
    first = python(tmp_path / "first")

    def run(commands, work, prefix=first):
        text = "set -eu\n" + "\n".join(commands).replace(wheels.PLACE, str(tmp_path / "wheels"))
        variables = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(["sh", "-c", text], cwd=work, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def tree(tmp_path):
    """A directory with a package that is built, a wheel, and what they need."""
    found = tmp_path / "tree"
    (found / "package").mkdir(parents=True)
    (found / "package" / "backend.py").write_text(BACKEND.format(here=str(Path(__file__).parent)))
    (found / "package" / "pyproject.toml").write_text(PROJECT)
    (found / "index").mkdir()
    for name, version in {**RUNNER, "extra": "2.0", "alpha": "2.0"}.items():
        if name != "pip":
            make_wheel(found / "index", name, version)
    make_wheel(found / "index", "alpha", "1.0")
    return found


@pytest.fixture
def staged(python, image, tree, tmp_path):
    """What is installed after both stages. before: what the base has."""
    second = python(tmp_path / "second")
    return functools.partial(_staged, image, tree, tmp_path, second)


def _staged(image, tree, tmp_path, second, *lines, before=()):
    context = wheels.with_program(compose(parse_all(("--no-index", "-f index", *lines), str(tree)), tuple(RUNNER)))
    work = tmp_path / "work"
    work.mkdir()
    context.write(str(work))
    image(wheels.build(context), work)
    shutil.rmtree(work)  # the next stage sees the wheels only
    shutil.rmtree(tree / "package")
    if before:
        image(
            [f"python3 -m pip install -q --no-index --find-links {tree / 'index'} {' '.join(before)}"], tmp_path, second
        )
    image(wheels.install(context), tmp_path, second)
    return set(image(["python3 -m pip list --format=freeze"], tmp_path, second).split())


def test_what_lines_name_by_path_is_built_once_and_installed_with_its_extras(staged, tree):
    assert {"built==1.5", "extra==2.0", "papermill==2.6"} <= staged("./package[more]")


def test_what_the_base_has_stays_where_it_suits(staged, tree):
    assert "alpha==1.0" in staged("alpha", before=["alpha==1.0"])


def test_constraints_hold_in_both_stages(staged, tree):
    (tree / "pins.txt").write_text("alpha<2  # not yet\n")
    assert "alpha==1.0" in staged("alpha", "-c pins.txt", before=["alpha==2.0"])


def test_a_list_within_a_list_is_installed(staged, tree):
    (tree / "more.txt").write_text("# more\nalpha \\\n  ==1.0\n")
    assert "alpha==1.0" in staged("-r more.txt")


def test_lines_with_hashes_are_held_to_them(staged, tree):
    local = make_wheel(tree, "local", "3.0", requires=["alpha"])
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (local, next(tree.glob("index/alpha-1*")))]
    lines = (f"./{local.name} --hash=sha256:{digests[0]}", f"alpha==1.0 --hash=sha256:{digests[1]}")
    assert {"local==3.0", "alpha==1.0", "papermill==2.6"} <= staged(*lines)


@pytest.mark.parametrize("line", ["alpha==1.0", "./local-3.0-py3-none-any.whl"])
def test_a_hash_that_does_not_match_ends_the_build(staged, tree, line):
    make_wheel(tree, "local", "3.0")
    with pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"):
        staged(f"{line} --hash=sha256:{'0' * 64}")
