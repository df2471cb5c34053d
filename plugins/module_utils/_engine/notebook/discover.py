# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the notebooks of a source tree."""

from __future__ import annotations

import os
import posixpath
import re
import typing as t
from pathlib import Path

from ..values.errors import EngineError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NEVER = frozenset({"node_modules", "site-packages", "__pycache__", "__pypackages__"})
# A directory that holds one of these is an installed environment, not part of the source.
_ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})
_GLOB = re.compile(r"[*?\[]")


def find(root: Path, patterns: Sequence[str] | None, exclude: Sequence[str] = ()) -> list[str]:
    """Return the notebooks below root as sorted POSIX paths relative to it.

    patterns: paths or globs relative to root (``**`` crosses directories, ``*`` does not); None or empty = every
    ``*.ipynb``. Globs and the default leave out hidden directories, ``.ipynb_checkpoints``, virtual environments,
    ``site-packages`` and ``node_modules``, follow no symlinked directory, and skip links that leave the tree.
    exclude: globs in the same form; one without a slash matches a file or directory of that name at any depth.
    Raises EngineError for a root that is no directory, a pattern that matches nothing or leaves the tree, and a
    tree without notebooks.
    """
    root = Path(root)
    _check_root(root)
    excluded = excluder(exclude)
    found: set[str] = set()
    for pattern in patterns or ():
        found.update(_matches(root, pattern))
    if not patterns:
        found.update(_walk(root, ""))
        if not found:
            raise EngineError(f"There is no notebook (*.ipynb) in {root}.")
    kept = sorted(path for path in found if not excluded(path))
    if not kept:
        raise EngineError(f"Every notebook found in {root} is excluded: correct the exclusions.")
    return kept


def _check_root(root: Path) -> None:
    try:
        names = os.scandir(root)
    except FileNotFoundError:
        raise EngineError(f"There is no directory {root}.") from None
    except NotADirectoryError:
        raise EngineError(f"{root} is not a directory: give the directory and name the notebook in it.") from None
    except (OSError, ValueError) as error:
        raise EngineError(f"The directory {root} cannot be read: {getattr(error, 'strerror', error)}.") from None
    names.close()


def _matches(root: Path, pattern: str) -> Iterator[str]:
    relative = _relative(root, pattern)
    path = root / relative
    # A name may hold the characters of a glob: what exists is taken by its name.
    if os.path.lexists(path):
        yield _literal(root, relative, path)
        return
    if not _GLOB.search(relative):
        raise EngineError(f"There is no notebook {pattern!r} in {root}.")
    start = posixpath.dirname(relative[: _GLOB.search(relative).start()])
    rule = re.compile(_translate(relative))
    hits = [hit for hit in _walk(root, start) if rule.fullmatch(hit)]
    if not hits:
        raise EngineError(f"No notebook in {root} matches {pattern!r}.")
    yield from hits


def _relative(root: Path, pattern: str) -> str:
    if not isinstance(pattern, str) or not pattern.strip():
        raise EngineError("A notebook path is empty: give paths or globs relative to the directory.")
    if "\0" in pattern:
        raise EngineError("A notebook path holds a NUL character, which no file name can.")
    text = pattern
    if os.path.isabs(text):
        base = os.path.abspath(root)
        text = os.path.relpath(os.path.normpath(text), base)
    relative = posixpath.normpath(Path(text).as_posix())
    if relative == ".." or relative.startswith("../"):
        raise EngineError(f"The notebook path {pattern!r} leaves the directory {root}: give a path inside it.")
    return relative


def _literal(root: Path, relative: str, path: Path) -> str:
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = "a symbolic link that leads to itself or to nothing" if path.is_symlink() else str(error)
        raise EngineError(f"The notebook {relative!r} cannot be read: it is {reason}.") from None
    if not real.is_relative_to(root.resolve()):
        raise EngineError(f"The notebook {relative!r} is a symbolic link that leaves the directory {root}.")
    if real.is_dir():
        raise EngineError(
            f"{relative!r} is a directory, not a notebook: give a glob such as {relative + '/*.ipynb'!r}."
        )
    if not real.is_file():
        raise EngineError(f"{relative!r} is not a regular file.")
    return _named(relative)


def _walk(root: Path, start: str) -> Iterator[str]:
    """Yield the notebooks below start, without following symlinked directories (so that no loop can hold us)."""
    base = os.path.realpath(root)
    pending = [start]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as entries:
                listed = list(entries)
        except OSError:
            continue
        if folder != start and any(entry.name in _ENVIRONMENT_MARKS for entry in listed):
            continue
        for entry in listed:
            relative = posixpath.join(folder, entry.name) if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NEVER and not entry.name.startswith("."):
                    pending.append(relative)
            elif entry.name.endswith(".ipynb") and _is_inside(entry, base):
                yield _named(relative)


def _is_inside(entry: os.DirEntry, base: str) -> bool:
    if not entry.is_symlink():
        return entry.is_file(follow_symlinks=False)
    real = os.path.realpath(entry.path)
    return os.path.isfile(real) and os.path.commonpath([base, real]) == base


def _named(relative: str) -> str:
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        shown = relative.encode("utf-8", "backslashreplace").decode()
        raise EngineError(f"The name of the notebook {shown} is not UTF-8: rename it.") from None
    return relative


def excluder(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a path relative to the root is left out by one of the globs, as ``find`` takes them."""
    rules = [_exclusion(pattern) for pattern in patterns]
    return lambda path: any(rule.match(path) for rule in rules)


def exclusions(patterns: Sequence[str]) -> list[str]:
    """Return the same rules as regular expressions (with DOTALL, to be matched from the beginning), for a reader elsewhere."""
    return [_exclusion(pattern).pattern for pattern in patterns]


def _exclusion(pattern: str) -> re.Pattern:
    text = Path(pattern).as_posix() if pattern else ""
    if not text:
        raise EngineError("An exclusion is empty: give globs relative to the directory.")
    prefix = "" if "/" in text.rstrip("/") else "(?:.*/)?"
    return re.compile(prefix + _translate(text.rstrip("/")) + r"(?:/.*)?\Z", re.DOTALL)


def _translate(pattern: str) -> str:
    """Turn a glob into a regular expression; ``*`` and ``?`` stay within a directory, ``**`` does not."""
    out, position = [], 0
    while position < len(pattern):
        char = pattern[position]
        if pattern.startswith("**/", position):
            out.append("(?:[^/]+/)*")
            position += 3
            continue
        if pattern.startswith("**", position):
            out.append(".*")
            position += 2
            continue
        close = pattern.find("]", position + 2) if char == "[" else -1
        if close > 0:
            body = pattern[position + 1 : close].replace("\\", "\\\\")
            out.append("[" + ("^" + body[1:] if body[0] in "!^" else body) + "]")
            position = close
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char))
        position += 1
    return "(?s:" + "".join(out) + ")"
