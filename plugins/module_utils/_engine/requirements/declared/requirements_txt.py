# SPDX-License-Identifier: GPL-3.0-or-later
"""requirements.txt and requirements.in, by pip's rules (pip documentation, "Requirements File Format")."""

from __future__ import annotations

import posixpath
import re
import shlex

from ...values.resolution import Provenance, Unresolved
from ..found import Found
from .pep508 import VARIABLE, at, check_url, declared, requirement
from .tree import Tree, invalid

# Option of a requirements file -> (name that is emitted, takes a value).
_OPTIONS = {
    "-r": ("--requirement", True),
    "--requirement": ("--requirement", True),
    "-c": ("--constraint", True),
    "--constraint": ("--constraint", True),
    "-e": ("--editable", True),
    "--editable": ("--editable", True),
    "-i": ("--index-url", True),
    "--index-url": ("--index-url", True),
    "--pypi-url": ("--index-url", True),
    "--extra-index-url": ("--extra-index-url", True),
    "-f": ("--find-links", True),
    "--find-links": ("--find-links", True),
    "--trusted-host": ("--trusted-host", True),
    "--no-binary": ("--no-binary", True),
    "--only-binary": ("--only-binary", True),
    "--use-feature": ("--use-feature", True),
    "--no-index": ("--no-index", False),
    "--prefer-binary": ("--prefer-binary", False),
    "--require-hashes": ("--require-hashes", False),
    "--pre": ("--pre", False),
}
_COMMENT = re.compile(r"(^|\s+)#.*$")
_OF_ONE = re.compile(r"\s(?=--(?:hash|config-settings?|global-option)\b|-C\b)")
_REMOTE = re.compile(r"^(?:(?:git|hg|svn|bzr)\+|https?://|ftps?://)", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar|tar\.gz|tgz|tar\.bz2|tbz|tar\.xz|txz)(?:\[|$)", re.IGNORECASE)


def read(tree: Tree, relative: str, where: str | None = None) -> Found:
    """Return what one requirements file holds, ``-r`` files inlined with their own places.

    ``-c`` becomes ``--constraint PATH``; paths are relative to the root, with ``./`` before local projects.
    Raises EngineError (``requirements_invalid``) naming file and line.
    """
    reader = _Reader(tree)
    reader.file(relative, where)
    return reader.found()


def read_lines(tree: Tree, relative: str, lines: list[tuple[int, str]]) -> Found:
    """Return what lines of the same syntax hold that stand in another file, such as the pip part of a conda file."""
    reader = _Reader(tree)
    for number, line in lines:
        reader.line(line, relative, number)
    return reader.found()


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return ``(first physical line, text)`` with continuations joined, comments and blank lines gone."""
    result: list[tuple[int, str]] = []
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        comment = bool(_COMMENT.match(line))
        if line.endswith("\\") and not comment:
            pending += line[:-1]
            continue
        # A comment ends a continuation; the blank keeps it apart from what stands before.
        result.append((first, pending + (" " + line if comment else line)))
        pending, first = "", 0
    if pending:
        result.append((first, pending))
    stripped = ((number, _COMMENT.sub("", line).strip()) for number, line in result)
    return [(number, line) for number, line in stripped if line]


class _Reader:
    def __init__(self, tree: Tree):
        self._tree = tree
        self._open: list[str] = []
        self._provenance: list[Provenance] = []
        self._warnings: list[str] = []
        self._unresolved: list[Unresolved] = []

    def found(self) -> Found:
        return Found(tuple(self._provenance), (), tuple(self._warnings), tuple(self._unresolved))

    def file(self, relative: str, where: str | None) -> None:
        if relative in self._open:
            raise invalid(
                where or relative, f"includes {relative}, which leads back to itself: remove one of the -r lines."
            )
        self._open.append(relative)
        for number, line in logical_lines(self._tree.read(relative, where)):
            self.line(line, relative, number)
        self._open.pop()

    def line(self, line: str, file: str, number: int) -> None:
        for name in dict.fromkeys(VARIABLE.findall(line)):
            self._warnings.append(
                f"{file}:{number} needs the environment variable {name} when the environment is built."
            )
        if line.startswith("-"):
            self._options(line, file, number)
            return
        where = at(file, number)
        text, *options = _OF_ONE.split(line)
        self._add(
            " ".join([self._one(text.strip(), file, where), *(option.strip() for option in options)]), file, number
        )

    def _one(self, text: str, file: str, where: str) -> str:
        """Return one requirement: a URL as it stands, a local path relative to the root, else PEP 508."""
        if _REMOTE.match(text):
            check_url(text, where)
            return text
        if self._is_path(text, file):
            return self._path(text, file, where)
        name, mark, target = text.partition("@")
        if mark and target.strip().startswith("file:"):
            self._tree.locate(target.strip(), posixpath.dirname(file), where)
        return requirement(text, where)

    def _is_path(self, text: str, file: str) -> bool:
        path = re.split(r"\s*;|\[|\s@|\s", text, maxsplit=1)[0]
        if text.startswith((".", "/", "~", "file:")) or re.match(r"^[A-Za-z]:[\\/]", text):
            return True
        if " @ " in text or "://" in text:
            return False
        return bool(_ARCHIVE.search(path)) or "/" in path or "\\" in path

    def _path(self, text: str, file: str, where: str) -> str:
        """Return a local project or archive as ``./PATH``, with its extras, fragment and marker."""
        path, rest = re.match(r"^(.*?)((?:\[[^\]]*\])?(?:#\S*)?(?:\s*;.*)?)$", text).groups()
        relative = self._tree.locate(path, posixpath.dirname(file), where)
        if not (self._tree.is_directory(relative) or self._tree.is_file(relative)):
            raise invalid(where, f"names {path}, which does not exist: correct the path, relative to {file}.")
        return f"./{relative}{rest}"

    def _options(self, line: str, file: str, number: int) -> None:
        where = at(file, number)
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise invalid(where, f"cannot be read: {str(error).lower()}; close the quotation.") from None
        while words:
            word, mark, value = words.pop(0).partition("=")
            if word not in _OPTIONS and re.match(r"^-[rceif].", word):
                word, mark, value = word[:2], "=", word[2:] + mark + value
            if word not in _OPTIONS:
                raise invalid(where, f"has the option {word}, which a requirements file cannot hold: remove it.")
            name, takes_value = _OPTIONS[word]
            if takes_value and not mark:
                if not words:
                    raise invalid(where, f"has the option {word} without its value: add it.")
                value = words.pop(0)
            if takes_value:
                self._option(name, value, file, number)
            else:
                self._add(name, file, number)

    def _option(self, name: str, value: str, file: str, number: int) -> None:
        where, directory = at(file, number), posixpath.dirname(file)
        check_url(value, where)
        remote = "://" in value
        if name == "--requirement" and remote:
            reason = f"{where} includes a file from the network, which is not fetched: copy its lines into the source."
            self._unresolved.append(Unresolved(f"-r {value}", reason, line=number, file=file))
        elif name == "--requirement":
            self.file(self._tree.locate(value, directory, where), where)
        elif name == "--editable":
            self._add(f"-e {self._one(value, file, where) if remote else self._path(value, file, where)}", file, number)
        elif name == "--constraint" and not remote:
            relative = self._tree.locate(value, directory, where)
            self._tree.read(relative, where)
            self._add(f"{name} {relative}", file, number)
        elif name == "--find-links" and not remote:
            self._add(f"{name} ./{self._tree.locate(value, directory, where)}", file, number)
        else:
            self._add(f"{name} {value}", file, number)

    def _add(self, text: str, file: str, number: int) -> None:
        self._provenance.append(declared(text, file, number))
