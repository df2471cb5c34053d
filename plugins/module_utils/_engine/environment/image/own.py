# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own Containerfile: what it builds upon, whom it ends as, what is added to it, and the tree that it copies from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ...values.errors import EngineError
from ..key import input_files
from .base import ROOT, is_image
from .context import BuildContext
from .instructions import Instruction, escape_of, instructions, substituted

# The directory of the context that our files are in; all else of it is the user's tree.
PLACE = ".notebook-environment"
_IGNORE_FILES = (".containerignore", ".dockerignore")


@dataclass(frozen=True)
class Stage:
    """name: "" where it has none. image: the reference that it builds upon, None for ``scratch`` or another stage. parent: the
    number of that other stage. begin: its FROM. instructions: those after it."""

    name: str
    image: str | None
    parent: int | None
    begin: Instruction
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True)
class OwnFile:
    """name: path relative to the source. text: as the user wrote it."""

    name: str
    text: str
    stages: tuple[Stage, ...]

    @property
    def base(self) -> str | None:
        """The image that the last stage builds upon in the end, None where it is ``scratch``."""
        return self.chain()[-1].image

    @property
    def images(self) -> tuple[str, ...]:
        """The references of all images that it draws on, each once."""
        copied = (self.copied_from(one) for stage in self.stages for one in stage.instructions)
        return tuple(dict.fromkeys(image for image in (*(stage.image for stage in self.stages), *copied) if image))

    @property
    def user(self) -> str | None:
        """The user that it ends as; None where it names none, or root."""
        named = self.named_user()
        return named.value if named and not self.is_root(named.value) else None

    @property
    def home(self) -> str | None:
        """The home that it names, with its variables as they stand; None where it names none."""
        named = [one.pairs["HOME"] for one in self.last() if one.word == "ENV" and "HOME" in one.pairs]
        return named[-1] if named else None

    @property
    def escape(self) -> str:
        """The character that continues its lines."""
        return escape_of(self.text)

    def chain(self) -> list[Stage]:
        """Return the last stage, and those that it builds upon."""
        found = [self.stages[-1]]
        while found[-1].parent is not None:
            found.append(self.stages[found[-1].parent])
        return found

    def last(self) -> list[Instruction]:
        """Return what makes the last stage, in order, with what makes the stages that it builds upon."""
        return [one for stage in reversed(self.chain()) for one in stage.instructions]

    def named_user(self) -> Instruction | None:
        """Return the last USER of the last stage."""
        return next((one for one in reversed(self.last()) if one.word == "USER"), None)

    def is_root(self, user: str) -> bool:
        """Return whether a user of the last stage is root, as far as the file tells."""
        values: dict[str, str] = {}
        for one in self.last():
            if one.word in ("ENV", "ARG"):
                values.update({name: value for name, value in one.pairs.items() if value})
        return (substituted(user, values) or user).partition(":")[0] in ROOT

    def copied_from(self, one: Instruction) -> str | None:
        """Return the image that an instruction copies from, None where it is a stage, or the context."""
        source = one.flags.get("from", "") if one.word in ("COPY", "ADD") else ""
        is_stage = source.lower() in {stage.name for stage in self.stages}
        return source if is_image(source) and not is_stage else None

    def completed(self, pin: Callable[[str], str], added: Iterable[str]) -> str:
        """Return the text with its images by digest, and with what is added to its last stage.

        pin: returns what an image is named in its place. Entry point, command, working directory and environment stay.
        """
        lines = self.text.splitlines()
        for stage in self.stages:
            if stage.image:
                flags = [word for word in stage.begin.value.split() if word.startswith("--")]
                words = ["FROM", *flags, pin(stage.image), *stage.begin.arguments[1:]]
                # The lines keep their numbers, by which the builder names them.
                rest = [""] * (stage.begin.end - stage.begin.line)
                lines[stage.begin.line - 1 : stage.begin.end] = [" ".join(words), *rest]
            for one in stage.instructions:
                if image := self.copied_from(one):
                    written, place = f"--from={image}", slice(one.line - 1, one.end)
                    lines[place] = [line.replace(written, f"--from={pin(image)}", 1) for line in lines[place]]
        return "\n".join((*lines, *added, ""))


def read(directory: str, name: str) -> OwnFile:
    """Return the Containerfile of that name in a directory. Raises EngineError where it cannot be built upon."""
    root, path = os.path.realpath(directory), os.path.realpath(os.path.join(directory, name))
    if os.path.isabs(name) or ".." in name.split("/") or not path.startswith(os.path.join(root, "")):
        raise EngineError(f"image.containerfile is {name!r}, which leaves the source: give a path below it.")
    if not os.path.isfile(path):
        raise EngineError(f"There is no Containerfile {name} in the source {directory}: correct image.containerfile.")
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise EngineError(f"{name}, which image.containerfile names, cannot be read ({why}): correct it.") from None
    return parse(text, name)


def parse(text: str, name: str) -> OwnFile:
    """Return what a Containerfile says. Raises EngineError where nothing can be added to its last stage."""
    stages: list[Stage] = []
    values: dict[str, str] = {}
    for one in instructions(text, name):
        if one.word == "FROM":
            stages.append(_stage(one, stages, values, name))
        elif stages:
            stages[-1] = dataclasses.replace(stages[-1], instructions=(*stages[-1].instructions, one))
        elif one.word == "ARG":
            # A default may name those before it.
            values.update({arg: substituted(value, values) or "" for arg, value in one.pairs.items()})
    if not stages:
        raise EngineError(f"{name} has no FROM: begin it with the image to build upon.")
    found = OwnFile(name, text, tuple(stages))
    if found.base is None:
        raise EngineError(
            f"{name} builds its last stage upon scratch: build it upon an image that has python3 with pip."
        )
    return found


def with_source(context: BuildContext, source: str) -> BuildContext:
    """Return a context that holds the source's tree for the user's COPY, and what is ours below ``PLACE``.

    Of the tree go the files that count as inputs of a build; what an ignore file names, the builder leaves out of these.
    Raises EngineError for a link that leads out of the source.
    """
    root = os.path.join(os.path.realpath(source), "")
    for file in input_files(source):
        if not os.path.realpath(file).startswith(root):
            raise EngineError(
                f"{os.path.relpath(file, source)} is a link that leads out of the source: put the file itself in its place, or"
                " remove it."
            )
    files = {f"{PLACE}/{name}": text for name, text in context.files.items()}
    for name in _IGNORE_FILES:
        path = os.path.join(source, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as stream:
                # The last line that fits decides.
                files[name] = f"{stream.read()}\n!{PLACE}\n!{PLACE}/**\n"
    copies = {f"{PLACE}/{name}": path for name, path in context.copies.items()}
    return dataclasses.replace(context, files=files, copies={".": source, **copies})


def _stage(one: Instruction, stages: list[Stage], values: Mapping[str, str], path: str) -> Stage:
    words = one.arguments
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
        raise EngineError(f"{path}, line {one.line}: FROM takes an image, and 'AS name' at most: correct it.")
    name, image = (words[2].lower() if len(words) == 3 else ""), substituted(words[0], values)
    if image is None:
        raise EngineError(
            f"{path}, line {one.line}: a variable of FROM has no value: give its ARG a default before the first FROM."
        )
    for number, stage in reversed(list(enumerate(stages))):
        if stage.name and stage.name == image.lower():
            return Stage(name, None, number, one)
    if image != "scratch" and not is_image(image):
        raise EngineError(f"{path}, line {one.line}: {image!r} is no reference of an image: correct it.")
    return Stage(name, image if image != "scratch" else None, None, one)
