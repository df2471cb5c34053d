# SPDX-License-Identifier: GPL-3.0-or-later
"""The start script of a server, run in a home directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "operator")]
from jupyter_operator import files  # noqa: E402

# Says how it was called; what it is called by stands for what the image has.
STUB = """#!/bin/bash
printf '%s\\n' "$(basename "$0") $*" "$PWD" "$JUPYTER_CONFIG_PATH" "$(umask)" "$FROM_CONDA" > "$HOME/called"
"""
CONDA = """#!/bin/bash
echo "export FROM_CONDA=$*" >> ~/.bashrc
"""
TINI = """#!/bin/bash
shift 2
exec "$@" under tini
"""


class Image:
    """A directory as the root of a container: what the operator mounts, the image's programs, a project."""

    def __init__(self, directory: Path):
        self.directory, self.project = directory, directory / "jovyan"
        self.home, self.code = self.project / ".nb", directory / "code"
        self.project.mkdir()
        (directory / "bin").mkdir()
        for part, content in (("config", files.config_data("nb")), ("secret", files.secret_data("s3cret-token"))):
            for name, text in content.items():
                self.write(directory / "etc" / part / name, text)
        self.program("jupyter", STUB)

    def write(self, path: Path, text: str, age: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (1_700_000_000 - age,) * 2)
        return path

    def program(self, name: str, text: str = STUB) -> None:
        path = self.write(self.directory / "bin" / name, text)
        path.chmod(0o755)

    def start(self, lab: bool = True) -> list[str]:
        """Run the script; return what the server says of how it was called."""
        environment = {"HOME": str(self.home), "PATH": f"{self.directory}/bin:/usr/bin:/bin"}
        environment |= {"JUPYTER_ENABLE_LAB": "true"} if lab else {}
        script = self.directory / "etc" / "config" / "start.sh"
        subprocess.run(["bash", str(script), str(self.code)], env=environment, check=True, cwd="/")
        return (self.home / "called").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def image(tmp_path) -> Image:
    return Image(tmp_path)


@pytest.mark.parametrize(
    ("lab", "programs", "called"),
    [
        (True, ["jupyter-lab", "jupyter-nbclassic"], "jupyter lab"),
        (True, [], "jupyter notebook"),
        (False, ["jupyter-lab", "jupyter-nbclassic"], "jupyter nbclassic"),
        (False, ["jupyter-lab"], "jupyter notebook"),
    ],
)
def test_the_interface_is_the_one_that_is_asked_for(image, lab, programs, called):
    for name in programs:
        image.program(name)
    said = image.start(lab)
    assert (said[0].strip(), said[1]) == (called, str(image.project))
    assert said[2] == f"{image.directory}/etc/secret:{image.directory}/etc/config"
    assert int(said[3], 8) == 0o002


def test_the_shell_knows_conda_where_the_image_has_it_and_works_where_not(image):
    assert image.start()[4] == ""
    image.program("conda", CONDA)
    image.program("tini", TINI)
    said = image.start()
    assert said[4] == "init"
    assert said[0] == "jupyter notebook under tini"
    bashrc = (image.home / ".bashrc").read_text(encoding="utf-8")
    assert bashrc.startswith("PS1='$(pwd) $UID$ '\numask 0002\n") and bashrc.count("FROM_CONDA") == 1


def test_files_of_the_image_come_home_and_to_the_project_only_where_they_are_newer(image):
    image.write(image.code / "copy-to-home" / ".hidden" / "one.txt", "image")
    image.write(image.code / "copy-to-home" / "with blank.txt", "image")
    image.write(image.code / "copy-to-startup" / ".rc", "image")
    image.write(image.code / "copy-to-startup" / "notes.ipynb", "image")
    image.write(image.project / "notes.ipynb", "mine, and newer", age=-1000)
    image.write(image.project / ".rc", "mine, and older", age=1000)
    image.write(image.home / ".bash_profile", "mine")
    image.start()
    texts = {str(path.relative_to(image.project)): path.read_text(encoding="utf-8")
             for path in image.project.rglob("*") if path.is_file()}  # fmt: skip
    assert texts[".nb/.hidden/one.txt"] == texts[".nb/with blank.txt"] == texts[".rc"] == "image"
    assert texts["notes.ipynb"] == "mine, and newer" and texts[".nb/.bash_profile"] == "mine"


def test_an_image_that_brings_nothing_starts_and_has_a_profile(image):
    image.start()
    assert (image.home / ".bash_profile").read_text(encoding="utf-8") == files.config_data("nb")["bash_profile"]


def test_only_the_secret_has_the_token():
    assert "s3cret" not in json.dumps(files.config_data("nb"))
    assert (
        json.loads(files.secret_data("s3cret-token")["jupyter_server_config.json"])["ServerApp"]["token"]
        == "s3cret-token"
    )
