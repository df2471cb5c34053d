# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file declares what a notebook needs."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace

from ...values.errors import EngineError
from ...values.resolution import Provenance, Unresolved
from ..found import Found
from . import conda, pipfile, pyproject, requirements_txt, runtime, setuptools_files
from .tree import Tree, invalid

# The order within one directory: what is written for installing first, a package's own metadata last.
FORMATS: tuple[tuple[str, Callable[..., Found]], ...] = (
    ("requirements.txt", requirements_txt.read),
    ("requirements.in", requirements_txt.read),
    ("pyproject.toml", pyproject.read),
    ("Pipfile.lock", pipfile.read_lock),
    ("Pipfile", pipfile.read),
    ("environment.yml", conda.read),
    ("environment.yaml", conda.read),
    ("setup.cfg", setuptools_files.read_cfg),
    ("setup.py", setuptools_files.read_py),
)
_BY_SUFFIX = {
    ".txt": requirements_txt.read,
    ".in": requirements_txt.read,
    ".pip": requirements_txt.read,
    "": requirements_txt.read,
    ".toml": pyproject.read,
    ".yml": conda.read,
    ".yaml": conda.read,
    ".cfg": setuptools_files.read_cfg,
    ".py": setuptools_files.read_py,
}


@dataclass(frozen=True)
class Declaration:
    """What one file declares. file is None for what stands in the notebook itself."""

    file: str | None
    found: Found


@dataclass(frozen=True)
class Nearby:
    """What lies at or above a directory.

    declaration: the nearest, or None. python_requires: what the files there say about Python.
    unresolved: what files that declare nothing usable tried to say, where no declaration was found.
    """

    declaration: Declaration | None = None
    python_requires: str | None = None
    unresolved: tuple[Unresolved, ...] = ()


class Declarations:
    """The declared files of one source, each read once a call.

    A file that is there but lists nothing declares nothing: the search goes on, and what it says about Python
    is kept.
    """

    def __init__(self, tree: Tree):
        self._tree = tree
        self._read: dict[str, Found | EngineError] = {}
        self._nearest: dict[str, Nearby] = {}
        self._runtime: dict[str, str | None] = {}

    def explicit(self, path: str) -> Declaration:
        """Return what the file that the caller names declares, however little.

        Raises EngineError (``requirements_invalid``) where it is missing, leaves the root or cannot be read.
        """
        relative = self._chosen(path, "The requirements file")
        if not self._tree.is_file(relative):
            raise invalid(f"The requirements file {path}", f"does not exist in {self._tree.root}: correct the path.")
        return Declaration(relative, self._found(relative, self._reader(relative)))

    def first(self, paths: list[str]) -> Declaration | None:
        """Return the first of the caller's own chain of files that exists."""
        for path in paths:
            relative = self._chosen(path, "The chain of requirements sources")
            if self._tree.is_file(relative):
                return Declaration(relative, self._found(relative, self._reader(relative)))
        return None

    def _chosen(self, path: str, where: str) -> str:
        """Return a path that the caller gave relative to the root; unlike a file, a caller may give it absolutely."""
        if posixpath.isabs(path):
            relative = posixpath.relpath(path, posixpath.abspath(self._tree.root))
            path = path if relative.startswith("..") else relative
        return self._tree.locate(path, "", where)

    def nearest(self, directory: str) -> Nearby:
        """Return what lies in a directory, else in those above it, up to the root.

        Raises EngineError (``requirements_invalid``) naming file and line.
        """
        if directory not in self._nearest:
            self._nearest[directory] = self._look(directory)
        return self._nearest[directory]

    def python(self, directory: str) -> str | None:
        """Return what the nearest runtime.txt asks of Python."""
        if directory not in self._runtime:
            relative = posixpath.join(directory, "runtime.txt")
            own = runtime.read(self._tree, relative) if self._tree.is_file(relative) else None
            self._runtime[directory] = own or (self.python(posixpath.dirname(directory)) if directory else None)
        return self._runtime[directory]

    def of_project(self, directory: str) -> list[str]:
        """Return the lines that the metadata of a local project declare: installing it installs them."""
        lines = []
        for name in ("pyproject.toml", "setup.cfg", "setup.py"):
            relative = posixpath.join(directory, name)
            if self._tree.is_file(relative):
                lines += [entry.requirement for entry in self._found(relative, self._reader(relative)).provenance]
        return lines

    def _look(self, directory: str) -> Nearby:
        python, unresolved = None, ()
        for position, (name, reader) in enumerate(FORMATS):
            relative = posixpath.join(directory, name)
            if not self._tree.is_file(relative):
                continue
            found = self._found(relative, reader)
            python = python or found.python_requires
            # Options alone, such as an index, declare nothing.
            if any(not entry.requirement.startswith("--") for entry in found.provenance):
                return Nearby(Declaration(relative, found), python or self._python_of_rest(directory, position + 1))
            unresolved += found.unresolved
        if not directory:
            return Nearby(None, python, unresolved)
        above = self.nearest(posixpath.dirname(directory))
        kept = () if above.declaration else unresolved + above.unresolved
        return Nearby(above.declaration, python or above.python_requires, kept)

    def _python_of_rest(self, directory: str, start: int) -> str | None:
        """What the files behind the one taken say about Python; one that cannot be read is not needed."""
        for name, reader in FORMATS[start:]:
            relative = posixpath.join(directory, name)
            if self._tree.is_file(relative):
                try:
                    python = self._found(relative, reader).python_requires
                except EngineError:
                    continue
                if python:
                    return python
        return None

    def _reader(self, relative: str) -> Callable[..., Found]:
        name = posixpath.basename(relative)
        reader = dict(FORMATS).get(name) or _BY_SUFFIX.get(posixpath.splitext(name)[1].lower())
        if reader is None:
            known = ", ".join(known for known, _unused in FORMATS)
            raise invalid(relative, f"has a form that is not known: use pip's requirements form, or one of {known}.")
        return reader

    def _found(self, relative: str, reader: Callable[..., Found]) -> Found:
        if relative not in self._read:
            try:
                self._read[relative] = _once(reader(self._tree, relative))
            except EngineError as error:
                self._read[relative] = error
        result = self._read[relative]
        if isinstance(result, EngineError):
            raise result
        return result


def _once(found: Found) -> Found:
    """Keep the first of lines that are equal: an include may come in by two ways."""
    lines: dict[str, Provenance] = {}
    for entry in found.provenance:
        lines.setdefault(entry.requirement, entry)
    return replace(found, provenance=tuple(lines.values()))
