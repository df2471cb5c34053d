# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build of an image sees, and what its recipes do with it: the commands are run, by a real shell and a real pip."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import (
    BaseImage,
    configuration,
    is_image,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.context import compose
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.recipes import (
    check,
    containerfile,
    scripts,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.lines import parse
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import ImageOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from wheels import RUNNER, make_wheel

DIGEST = "sha256:" + "a" * 64


def base(**config) -> BaseImage:
    return BaseImage(f"registry.example.com/nb@{DIGEST}", DIGEST, **configuration({"Config": config}))


def flat(text):
    return text.replace(" && \\\n    ", " && ")


def composed(root, *lines):
    return compose(tuple(parse(line, str(root)) for line in lines), tuple(RUNNER))


@pytest.fixture
def image(python, tmp_path):
    """A directory in the place of an image: a Python of its own, which python3 means."""
    return python(tmp_path / "image")


def install(image, context, tmp_path):
    work = tmp_path / "context"
    work.mkdir()
    context.write(str(work))
    script = "set -eu\n" + "\n".join(context.commands())
    variables = {"PATH": f"{image}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-c", script], cwd=work, env=variables, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return lambda imports: subprocess.run(
        [f"{image}/bin/{check(imports)[0]}", *check(imports)[1:]], capture_output=True, text=True, check=False
    )


def test_lines_that_name_local_files_go_along_and_are_installed(image, wheelhouse, tmp_path):
    tree = tmp_path / "tree"
    (tree / "lists").mkdir(parents=True)
    (tree / "lists" / "pins.txt").write_text("alpha==1.0\n")
    wheel = make_wheel(tree, "local", "3.0", requires=["alpha"])
    context = composed(tree, "--no-index", f"--find-links {wheelhouse}", "-c lists/pins.txt", f"./{wheel.name}", "beta")
    ask = install(image, context, tmp_path)
    assert ask({"alpha": "alpha", "beta": "beta", "local": "local"}).returncode == 0
    installed = subprocess.run(
        [image / "bin" / "python3", "-m", "pip", "freeze"], capture_output=True, text=True, check=True
    ).stdout
    assert "alpha==1.0" in installed and "local" in installed


def test_lines_with_hashes_are_held_to_them_and_the_runner_is_installed_beside(image, wheelhouse, tmp_path):
    wheel = next(wheelhouse.glob("alpha-1.0*"))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    context = composed(tmp_path, "--no-index", f"--find-links {wheelhouse}", f"alpha==1.0 --hash=sha256:{digest}")
    assert len(context.steps) == 2
    assert install(image, context, tmp_path)({"alpha": "alpha"}).returncode == 0


def test_the_check_names_what_cannot_be_imported(image, wheelhouse, tmp_path):
    ask = install(image, composed(tmp_path, "--no-index", f"--find-links {wheelhouse}", "alpha"), tmp_path)
    done = ask({"alpha": "alpha", "nowhere": "beta", "unknown": None})
    assert done.returncode == 1
    assert done.stderr == "error: these modules cannot be imported: nowhere\n"


@pytest.mark.parametrize(
    "line", ["--index-url https://jane:hunter2@index.example.com/simple", "x @ https://jane:hunter2@example.com/x.whl"]
)
def test_credentials_do_not_get_into_an_image(tmp_path, line):
    with pytest.raises(EngineError, match="holds credentials") as caught:
        composed(tmp_path, line)
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("inner", ["-r more.txt", "./pkg", "--index-url https://jane:secret@index.example.com/simple"])
def test_a_list_that_draws_in_more_is_refused(tmp_path, inner):
    (tmp_path / "more.txt").write_text("alpha\n")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "list.txt").write_text(f"{inner}\n")
    with pytest.raises(EngineError, match=r"list\.txt names further files or holds credentials") as caught:
        composed(tmp_path, "-r list.txt")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("config", "user", "home"),
    [
        ({"User": "1000", "Env": ["NB_UID=1000", "HOME=/home/jovyan"]}, "USER ${NB_UID}", "/home/jovyan"),
        ({"User": "1001", "Env": ["HOME=/opt/app-root/src"]}, "USER 1001", "/opt/app-root/src"),
        ({"User": "1001:0"}, "USER 1001:0", None),
        ({"User": "root", "Env": ["HOME=/root"]}, "USER 1001:0", None),
        ({}, "USER 1001:0", None),
    ],
)
def test_a_containerfile_ends_as_the_user_of_its_base_with_a_home_of_group_0(tmp_path, config, user, home):
    text = containerfile(base(**config), composed(tmp_path, "alpha"), ImageOptions())
    lines = text.splitlines()
    assert lines[0] == f"FROM registry.example.com/nb@{DIGEST}" and lines[1] == "USER 0" and lines[-1] == user
    assert ("ENV HOME=/home/notebook\n" in text) == (home is None)
    home = home or "/home/notebook"
    assert f"mkdir -p {home} && " in flat(text) and f"chgrp -R 0 {home} && chmod -R g=u {home}" in flat(text)
    assert "-r requirements.txt" in text and "--no-cache-dir" in text


def test_scripts_of_an_s2i_build_are_executable_and_install(tmp_path):
    context = composed(tmp_path, "alpha")
    found = scripts(context)
    assert context.commands()[0] in found[".s2i/bin/assemble"]
    dataclasses.replace(context, files=found).write(str(tmp_path / "out"))
    run = subprocess.run([tmp_path / "out" / ".s2i" / "bin" / "run"], capture_output=True, text=True, check=False)
    assert run.returncode == 64 and "papermill" in run.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example.com:5000/team/nb:2026.1", True),
        (f"registry.example.com/nb@{DIGEST}", True),
        ("team/nb", True),
        ("3.11", False),
        ("/usr/bin/python3", False),
        ("no such:thing", False),
        (None, False),
    ],
)
def test_an_image_is_told_from_an_interpreter(text, expected):
    assert is_image(text) is expected
