# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into an image: the text that builds it, run as far as a machine without a builder can run it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import BaseImage
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.context import compose
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.recipes import (
    PRELUDE,
    SETTINGS,
    check,
    containerfile,
    require_sound,
    scripts,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.lines import parse_all
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import ImageOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

BASE = BaseImage(
    "registry.example.com/nb@sha256:" + "a" * 64, "sha256:" + "a" * 64, user="1000",
    env={"NB_UID": "1000", "HOME": "/home/jovyan"},
)  # fmt: skip
CONTEXT = compose(parse_all(("alpha==1.0",), None), ("papermill",))


def made(**options):
    return containerfile(BASE, CONTEXT, ImageOptions(**options))


def sh(text, **variables):
    return subprocess.run(
        ["/bin/sh", "-c", text], env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_a_plain_image_is_installed_as_root_and_ends_as_its_user():
    text = made()
    assert text.startswith(f"FROM {BASE.reference}\nUSER 0\n") and text.rstrip().endswith("USER ${NB_UID}")
    assert "pip --no-input --disable-pip-version-check install --no-cache-dir" in text
    assert "chgrp -R 0 /home/jovyan" in text and "chmod -R g=u /home/jovyan" in text and "ENV" not in text
    assert text.count("\nRUN ") == 1, "one layer"


def settings(tmp_path, **files):
    """Return the prelude for directories of this test, with these files: config__name or secret__name -> text."""
    prelude = PRELUDE
    for kind, place in SETTINGS.items():
        directory = tmp_path / kind
        directory.mkdir(exist_ok=True)
        prelude = prelude.replace(place, str(directory))
    for name, text in files.items():
        kind, _unused, file = name.partition("__")
        (
            tmp_path / kind / file.replace("_conf", ".conf").replace("bundle_crt", "bundle.crt").replace("ca_", "ca-")
        ).write_text(text)
    return prelude


def test_settings_hold_for_the_commands_after_them(tmp_path):
    prelude = settings(
        tmp_path, config_map__pip_conf="x", secret__pip_conf="y", config_map__ca_bundle_crt="c", secret__https_proxy="http://u:p@proxy"
    )  # fmt: skip
    shown = sh(
        f'{prelude}; echo "$PIP_CONFIG_FILE|$PIP_CERT|$SSL_CERT_FILE|$https_proxy|$HTTPS_PROXY|$http_proxy"'
    ).stdout
    pip, cert, ssl, lower, upper, other = shown.strip().split("|")
    assert pip == f"{tmp_path}/secret/pip.conf", "the Secret counts"
    assert cert == ssl == f"{tmp_path}/config_map/ca-bundle.crt"
    assert lower == upper == "http://u:p@proxy" and other == ""


def test_without_settings_nothing_is_set_and_nothing_fails(tmp_path):
    done = sh(f"set -eu; {settings(tmp_path)}; env")
    assert done.returncode == 0 and "PIP_CERT" not in done.stdout
    assert PRELUDE in made() and PRELUDE in scripts(CONTEXT)[".s2i/bin/assemble"]


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("apt-get", "install -y --no-install-recommends git libgomp1"),
        ("microdnf", "install -y --nodocs git libgomp1"),
        ("dnf", "install -y --nodocs --setopt=install_weak_deps=0 git libgomp1"),
        ("apk", "add --no-cache git libgomp1"),
    ],
)
def test_packages_are_installed_by_the_manager_of_the_image(tmp_path, tool, words):
    (tmp_path / tool).write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / tool).chmod(0o755)
    command = packages_command(made(packages=("git", "libgomp1"))).replace("rm -rf /var/lib/apt/lists/*", "true")
    assert words in sh(command, PATH=str(tmp_path)).stdout


def packages_command(text):
    (found,) = [line for line in text.split(" && \\\n    ") if line.startswith("if command -v apt-get")]
    return found


def test_an_image_without_a_package_manager_is_told(tmp_path):
    done = sh(packages_command(made(packages=("git",))), PATH=str(tmp_path))
    assert done.returncode == 1 and "none of apt-get, microdnf, dnf, apk" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"packages": ("git; rm -rf /",)}, "no name of a package"),
        ({"packages": ("-y",)}, "no name of a package"),
        ({"packages": ("libc6-",)}, "no name of a package"),
        ({"packages": ("git\n",)}, "no name of a package"),
        ({"packages": ("$(id)",)}, "no name of a package"),
        ({"labels": {"a b": "c"}}, "cannot be a label"),
        ({"labels": {"a": "b\nRUN evil"}}, "cannot be a label"),
        ({"tests": (" ",)}, "empty command"),
    ],
)
def test_what_no_recipe_takes_is_refused(options, words):
    with pytest.raises(EngineError, match=words):
        require_sound(ImageOptions(**options))


def test_labels_are_quoted():
    text = made(labels={"team": 'a "b" $HOME \\ c'})
    assert "LABEL team='a \"b\" $HOME \\ c'\n" in text
    assert "LABEL team='it'\"'\"'s'\n" in made(labels={"team": "it's"})


def test_several_stages_leave_what_only_the_build_needs_behind():
    text = made(multi_stage=True, packages=("gcc",))
    first, last = text.split(f"FROM {BASE.reference}\n")
    assert "gcc" in first and "notebook-environment-wheels.py" in first and " AS notebook-wheels" in first
    assert (
        "gcc" not in last
        and "COPY . " not in last
        and "--no-index --find-links" in last
        and "RUN --mount=type=bind,from=notebook-wheels," in last
    )


def run_check(*arguments):
    command = check(*arguments)
    return subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=False)


def test_the_check_names_what_cannot_be_imported_and_the_test_that_fails():
    assert run_check({"json": "json", "nobody": None}).returncode == 0
    lost = run_check({"nosuchmodule": "nosuch"})
    assert lost.returncode == 1 and "cannot be imported: nosuchmodule" in lost.stderr
    awkward = "test \"$(echo 'a b')\" = 'a b'"
    assert run_check({}, (awkward,)).returncode == 0
    assert not any("$" in word for word in check({}, (awkward, "echo $(HOME)"))), "Kubernetes would replace it"
    failed = run_check({}, (awkward, "exit 7", "touch /never"))
    assert failed.returncode == 1 and failed.stderr == "error: the test failed with status 7: exit 7\n"
