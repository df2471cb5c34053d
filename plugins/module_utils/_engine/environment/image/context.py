# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a build sees: requirement lists, and what their lines name; never the user's repository as it is."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
from dataclasses import dataclass

from ...values.errors import EngineError
from ..installer import Installer
from ..key import input_files
from ..lines import LISTS, Line, read_list, without_credentials

PIP = "python3 -m pip --no-input --disable-pip-version-check"


@dataclass(frozen=True)
class BuildContext:
    """steps: the lists to install in order, each a file name and the arguments of pip beside it. files: name -> text.
    copies: name -> path on this machine."""

    steps: tuple[tuple[str, tuple[str, ...]], ...]
    files: dict[str, str]
    copies: dict[str, str]

    def write(self, directory: str) -> None:
        """Write the files and copies below a directory. Raises OSError."""
        for name, path in self.copies.items():
            for file in input_files(path):
                target = os.path.normpath(os.path.join(directory, name, os.path.relpath(file, path)))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(file, target)
        for name, text in self.files.items():
            target = os.path.join(directory, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chmod(target, 0o755 if text.startswith("#!") else 0o644)

    def renamed(self, pattern: str) -> BuildContext:
        """Return the same with other names for the lists; pattern: the new name, with ``{}`` for the old one."""
        names = {name: pattern.format(name) for name, _arguments in self.steps}
        return dataclasses.replace(
            self,
            steps=tuple((names[name], arguments) for name, arguments in self.steps),
            files={names.get(name, name): text for name, text in self.files.items()},
        )

    def commands(self, verb: str = "install") -> list[str]:
        """Return the commands of a shell that install the lists, for the directory of the context. verb: pip's, with options."""
        return [f"{PIP} {verb} --no-cache-dir {shlex.join((*arguments, '-r', name))}" for name, arguments in self.steps]


def compose(lines: tuple[Line, ...], runner: tuple[str, ...]) -> BuildContext:
    """Return what a build needs to install requirement lines together with the runner.

    Raises EngineError (``requirements_invalid``) for lines that cannot go into an image.
    """
    copies: dict[str, str] = {}
    moved = tuple(_moved(line, copies) for line in lines)
    steps = Installer("pip").steps(moved, runner)
    names = [f"requirements{'' if number == 0 else f'-{number}'}.txt" for number in range(len(steps))]
    return BuildContext(
        steps=tuple((name, step.arguments) for name, step in zip(names, steps, strict=True)),
        files={name: "\n".join(step.lines) + "\n" for name, step in zip(names, steps, strict=True)},
        copies=copies,
    )


def _moved(line: Line, copies: dict[str, str]) -> Line:
    """Return a line whose local path is that of its copy in the build's context."""
    if without_credentials(line.text) != line.text:
        raise EngineError(
            f"The requirement line '{without_credentials(line.text)}' holds credentials, which would stay in the image: put"
            " them into the pip.conf of build.settings_secret.",
            code="requirements_invalid",
        )
    if not line.path:
        return line
    if line.option in LISTS:
        _require_plain(line)
    name = f"files/{len(copies)}/{os.path.basename(line.path) or 'source'}"
    copies[name] = line.path
    # What follows the path, extras and markers, stays; pip takes './…' from its working directory.
    text = re.sub(rf"(?:file://)?{re.escape(line.path)}", f"./{name}", line.text, count=1)
    if line.kind == "path" and " @ " in line.text:
        text = text.partition(" @ ")[2]  # pip takes no relative URL
    return dataclasses.replace(line, text=text)


def _require_plain(line: Line) -> None:
    for inner in read_list(line.path):
        shown = without_credentials(inner.text)
        if inner.path or shown != inner.text:
            raise EngineError(
                f"{line.path} names further files or holds credentials ('{shown}'), which cannot go along with a build: give its"
                " lines themselves as requirements.",
                code="requirements_invalid",
            )
