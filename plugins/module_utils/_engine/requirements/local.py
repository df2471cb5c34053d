# SPDX-License-Identifier: GPL-3.0-or-later
"""Which imports the source tree itself answers, and from which files."""

from __future__ import annotations

import ast
import functools
import os
import posixpath
import re
import typing as t

from . import names_data
from .names import canonical, distribution_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from ..notebook.load import Notebook

_DOWNLOADED = re.compile(r"(?:https?://|gs://|s3://)[^\s'\"]+?/(\w+)\.py\b")
_WRITTEN = re.compile(r"^[ \t]*%%(?:writefile|file)[ \t]+(?:-a[ \t]+)?['\"]?([^\s'\"]+)\.py\b", re.MULTILINE)
_PATH_CALL = re.compile(
    r"(?:sys\.path\.(?:append|insert|extend)|site\.addsitedir)\s*\(([^\n]*)|^[ \t]*%cd[ \t]+(\S+)"
    r"|os\.chdir\(([^\n]*)|sys\.path\s*\+?=([^\n]*)",
    re.MULTILINE,
)
_CLONE = re.compile(r"\bgit\s+clone\b")
_OWN_INSTALL = re.compile(r"\bpip3?[ \t]+install[ \t]+(?:-\S+[ \t]+)*[\"']?\.")
_TEXT = re.compile(r"""(?:r|f|rf|u)?(['"])(.*?)\1""")
_METADATA = ("pyproject.toml", "setup.py", "setup.cfg")
_PROJECT_NAME = re.compile(
    r"""(?:^[ \t]*|\bsetup\([ \t]*)name[ \t]*=[ \t]*(?:["']([\w.-]+)["']|([\w.-]+)[ \t]*$)""", re.MULTILINE
)


class LocalModules:
    """The modules that a notebook finds beside it, on paths that it adds, or that it writes or downloads itself."""

    def __init__(self, notebook: Notebook, root: Path) -> None:
        self.root = os.path.realpath(root)
        folder = os.path.dirname(os.path.join(self.root, notebook.name))
        self.folders = [folder]
        self.made: set[str] = set()
        # A repository is cloned and put on the path, not installed: it provides whatever nobody else is known to.
        self.clones = False
        sources = [cell.source for cell in notebook.cells if cell.type == "code"]
        if any(_CLONE.search(source) for source in sources):
            installed = any(_OWN_INSTALL.search(source) for source in sources)
            self.clones = not installed and any(_PATH_CALL.search(source) for source in sources)
        for cell in notebook.cells:
            if cell.type == "code":
                self._cell(cell.source, folder)
        # A package at the root of a project is a distribution like any other; without metadata nothing installs it.
        self.metadata = [path for name in _METADATA if os.path.exists(path := os.path.join(self.root, name))]
        if not self.metadata:
            self.folders.append(self.root)
        self._known: dict[str, str | None] = {}

    def _cell(self, source: str, folder: str) -> None:
        if ".py" in source:
            self.made.update(_DOWNLOADED.findall(source))
            self.made.update(posixpath.basename(path) for path in _WRITTEN.findall(source))
        if "path" in source or "%cd" in source or "chdir" in source:
            for parts in _PATH_CALL.findall(source):
                added = posixpath.join(*[text for _unused, text in _TEXT.findall("".join(parts))] or [parts[1] or "."])
                path = os.path.realpath(os.path.join(folder, added))
                if path not in self.folders and os.path.commonpath([path, self.root]) == self.root:
                    self.folders.append(path)

    def file(self, module: str) -> str | None:
        """Return the file that a dotted module comes from; "" where it is local but its file is not there (yet)."""
        if module not in self._known:
            self._known[module] = self._find(module)
        return self._known[module]

    def files(self, module: str) -> list[str] | None:
        """Return the files that importing a dotted module runs, packages first; None where it is not local."""
        parts = module.split(".")
        found = [self.file(".".join(parts[:length])) for length in range(1, len(parts) + 1)]
        return None if found[0] is None else list(dict.fromkeys(path for path in found if path))

    def _find(self, module: str) -> str | None:
        parts = module.split(".")
        if parts[0] in self.made:
            return ""
        for folder in self.folders:
            top = os.path.join(folder, parts[0])
            if os.path.isfile(top + ".py"):
                return top + ".py"
            if os.path.isfile(os.path.join(top, "__init__.py")):
                return _within(top, parts[1:])
            # A directory without __init__.py gives way to an installed package of that name.
            if len(parts) > 1 and os.path.isdir(top) and not is_distribution(parts[0]):
                found = _within(top, parts[1:])
                if found:
                    return found
        return None

    def project_of(self, top: str) -> str | None:
        """Return the name of the project at the root where one of its packages is the top-level module."""
        if not self.metadata:
            return None
        for folder in (self.root, os.path.join(self.root, "src")):
            if os.path.isfile(os.path.join(folder, top, "__init__.py")):
                return next(filter(None, map(_project_name, self.metadata)), None) or distribution_of(top)
        return None

    def relative(self, path: str) -> str:
        """Return a file's path relative to the root, POSIX form, for people to read."""
        return os.path.relpath(path, self.root).replace(os.sep, "/")


@functools.lru_cache(maxsize=64)
def _project_name(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            name = _PROJECT_NAME.search(file.read())
    except (OSError, UnicodeDecodeError):
        return None
    return canonical(name[1] or name[2]) if name else None


def is_distribution(module: str) -> bool:
    """Tell whether a table names a distribution for the module."""
    return module in names_data.MODULES


def _within(top: str, parts: list[str]) -> str:
    for length in range(len(parts), -1, -1):
        path = os.path.join(top, *parts[:length])
        if length and os.path.isfile(path + ".py"):
            return path + ".py"
        if os.path.isfile(os.path.join(path, "__init__.py")):
            return os.path.join(path, "__init__.py")
    return ""


def submodules(path: str, node: ast.ImportFrom) -> list[str]:
    """Return the files that a relative import in the file at path leads to."""
    folder = os.path.dirname(path)
    for _unused in range(node.level - 1):
        folder = os.path.dirname(folder)
    base = os.path.join(folder, *(node.module or "").split(".")) if node.module else folder
    candidates = [base] + [os.path.join(base, alias.name) for alias in node.names]
    found = []
    for candidate in candidates:
        for file in (candidate + ".py", os.path.join(candidate, "__init__.py")):
            if os.path.isfile(file):
                found.append(file)
    return found
