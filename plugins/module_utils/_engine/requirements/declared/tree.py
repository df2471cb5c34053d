# SPDX-License-Identifier: GPL-3.0-or-later
"""The source's files, and the rule that nothing that they name lies outside."""

from __future__ import annotations

import codecs
import os
import posixpath
import re
from pathlib import Path

from ...values.errors import EngineError

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ABSOLUTE = re.compile(r"^(?:[/\\~]|[A-Za-z]:[/\\]|file:)")


def invalid(where: str, problem: str) -> EngineError:
    """Return the error for a declared file; where is ``FILE:LINE`` or ``FILE``, problem the rest of the sentence."""
    return EngineError(f"{where} {problem}", code="requirements_invalid")


class Tree:
    """The files below one root. Paths are relative to it, in POSIX form; "" is the root itself."""

    def __init__(self, root: Path):
        self.root = root
        self._real = os.path.realpath(root)

    def locate(self, path: str, directory: str, where: str) -> str:
        """Return ``path``, as written in a file of ``directory``, relative to the root.

        Raises EngineError (``requirements_invalid``) for what leaves the root: absolute, by ``..``, or by a link.
        """
        relative = posixpath.normpath(posixpath.join(directory, path.replace("\\", "/")))
        outside = _ABSOLUTE.match(path) or relative == ".." or relative.startswith("../")
        if not outside:
            real = os.path.realpath(self.root / relative)
            outside = real != self._real and not real.startswith(self._real + os.sep)
        if outside:
            problem = (
                f"names {path}, which is outside the source: move it below the source's root and name it relatively."
            )
            raise invalid(where, problem)
        return "" if relative == "." else relative

    def is_file(self, relative: str) -> bool:
        """Whether a regular file is there."""
        return os.path.isfile(os.path.join(self.root, relative))

    def is_directory(self, relative: str) -> bool:
        """Whether a directory is there."""
        return os.path.isdir(os.path.join(self.root, relative))

    def read(self, relative: str, where: str | None = None) -> str:
        """Return the text of one file: UTF-8, or UTF-16 with its byte order mark, as PowerShell writes it.

        where is the place that names the file, for the message. Raises EngineError (``requirements_invalid``)
        where the file is missing, unreadable, outside the root or not text.
        """
        self.locate(relative, "", where or relative)
        try:
            data = (self.root / relative).read_bytes()
        except OSError as error:
            named = f"names {relative}, which" if where else ""
            reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise invalid(where or relative, f"{named} {reason}: correct the path.".strip()) from None
        encoding, data = next(
            ((name, data[len(bom) :]) for bom, name in _BOMS if data.startswith(bom)), ("utf-8", data)
        )
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise invalid(f"{relative}:{line}", "is not UTF-8 text: save the file as UTF-8.") from None


def line_of(text: str, pattern: str, start: int = 1) -> int | None:
    """Return the one-based number of the first line from ``start`` on in which the regular expression is found.

    The parsers of TOML, JSON and INI files do not tell where a value stood.
    """
    rule = re.compile(pattern)
    return next((n for n, line in enumerate(text.splitlines(), 1) if n >= start and rule.search(line)), None)
