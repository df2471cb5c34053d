# SPDX-License-Identifier: GPL-3.0-or-later
"""The content key: same key, same environment."""

from __future__ import annotations

import hashlib
import json
import os

from .lines import LISTS, Line, read_list

# Not an input of a build: results of earlier work, and notebooks, which change while their environment stays.
_IGNORED_DIRECTORIES = {".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".venv", "venv", ".tox", ".nox",
                        ".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules", "build", "dist"}  # fmt: skip
_IGNORED_ENDINGS = (".pyc", ".ipynb", ".egg-info")


def content_key(strategy: str, recipe: int, base: dict, lines: tuple[Line, ...], runner: tuple[str, ...]) -> str:
    """Return the name of an environment: 32 hexadecimal digits over everything that decides its content.

    strategy, recipe: kind and version of the builder. base: what is built upon (interpreter, or image digest).
    lines: the parsed requirement lines; files and directories that they name count by their content, credentials not.
    runner: the requirement lines of the runner.
    Requirement lines may come in any order; options keep theirs, as an installer tries indexes in order.
    """
    names = sorted({_identity(line) for line in lines if line.kind != "option"})
    options = list(dict.fromkeys(_identity(line) for line in lines if line.kind == "option"))
    content = [strategy, recipe, base, names, options, sorted(runner)]
    return _digest(json.dumps(content, sort_keys=True).encode())[:32]


def unresolved_key(requirements: tuple[str, ...], python_requires: str | None) -> str:
    """Return a key for requirements that could not even be planned, to name their failure by."""
    return _digest(json.dumps([sorted(requirements), python_requires]).encode())[:32]


def _identity(line: Line) -> str:
    if not line.path:
        return line.canonical
    if line.option in LISTS:
        return f"{line.canonical} {_list_digest(line.path, set())}"
    return f"{line.canonical} {tree_digest(line.path, flat=line.option == '--find-links')}"


def _list_digest(path: str, seen: set[str]) -> str:
    """Digest a requirements or constraints file with the files that it names in turn."""
    if path in seen:
        return ""
    seen.add(path)
    parts = []
    for line in read_list(path):
        nested = line.option in LISTS and line.path
        parts.append(f"{line.canonical} {_list_digest(line.path, seen)}" if nested else _identity(line))
    return _digest("\n".join(parts).encode())


def tree_digest(path: str, flat: bool = False) -> str:
    """Digest a file, or a directory by the names and contents of its files; flat leaves out its directories."""
    if os.path.isfile(path):
        return _file_digest(path)
    entries = [f"{os.path.relpath(name, path)} {_file_digest(name)}" for name in input_files(path, flat)]
    return _digest("\n".join(entries).encode("utf-8", "surrogateescape"))


def input_files(path: str, flat: bool = False) -> list[str]:
    """Return the files below a path that count as inputs of a build; flat leaves out its directories."""
    if os.path.isfile(path):
        return [path]
    found = []
    for directory, directories, files in os.walk(path):
        directories[:] = [] if flat else sorted(d for d in directories if not _ignored(d, _IGNORED_DIRECTORIES))
        found += [os.path.join(directory, name) for name in files if not _ignored(name, ())]
    return [name for name in sorted(found) if os.path.isfile(name)]


def _ignored(name: str, names) -> bool:
    return name in names or name.endswith(_IGNORED_ENDINGS)


def _file_digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
