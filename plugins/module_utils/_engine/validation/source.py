# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a source, as far as a notebook can see it."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path

from ..notebook.discover import excluder
from ..run.workspace import NEVER_COPIED, is_environment


class Source:
    """Digests of one source tree.

    A notebook's verdict depends on the files beside it, but seldom on other notebooks: those count only for a
    notebook whose own text names an ``.ipynb`` file, so that an edit re-runs one notebook, not all.
    """

    def __init__(self, root: Path, exclude: tuple[str, ...] = ()):
        self._root = root
        self._excluded = excluder(exclude)

    def digest(self, notebook: str) -> str:
        """Return the digest of what the notebook at this path (relative to the root) can see, itself included."""
        text = (self._root / notebook).read_bytes()
        parts = [hashlib.sha256(text).hexdigest(), self._data]
        if text.count(b".ipynb") > 0:
            parts.append(self._notebooks)
        return _sha256(parts)

    @cached_property
    def _data(self) -> str:
        return self._digest(lambda name: not name.endswith(".ipynb"))

    @cached_property
    def _notebooks(self) -> str:
        return self._digest(lambda name: name.endswith(".ipynb"))

    @cached_property
    def _names(self) -> list[str]:
        """Files that a run's copy of the source holds, links to files included, less those excluded."""
        names = []
        for directory, below, files in os.walk(self._root):
            below[:] = [
                name for name in below if name not in NEVER_COPIED and not is_environment(os.path.join(directory, name))
            ]
            links = [name for name in below if os.path.islink(os.path.join(directory, name))]
            names += [os.path.relpath(os.path.join(directory, name), self._root) for name in (*files, *links)]
        return sorted(name for name in names if not self._excluded(name))

    def _digest(self, wanted) -> str:
        lines = []
        for name in self._names:
            if wanted(name):
                lines += [name, _file_digest(self._root / name)]
        return _sha256(lines)


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    if not path.is_file():  # a link to a directory or to nothing, a socket
        return f"link to {os.readlink(path)}" if path.is_symlink() else "none"
    with path.open("rb") as file:
        while block := file.read(1024 * 1024):
            digest.update(block)
    return digest.hexdigest()


def _sha256(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
