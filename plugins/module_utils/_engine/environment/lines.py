# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirement lines as an installer reads them: what each is, what it names, and which files it draws in."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from ..values.errors import EngineError

# Options of a requirements file (pip's "Requirements File Format") with a value, by their long name.
_WITH_VALUE = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
    "--pypi-url": "--index-url",
}
_VALUED = {
    *_WITH_VALUE.values(),
    "--extra-index-url",
    "--trusted-host",
    "--no-binary",
    "--only-binary",
    "--use-feature",
}
_FLAGS = {"--no-index", "--pre", "--prefer-binary", "--require-hashes"}
LISTS = ("--requirement", "--constraint")  # options that name such a file
_VCS = ("git+", "hg+", "svn+", "bzr+")
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s*--hash[= ](\S+)")


@dataclass(frozen=True)
class Line:
    """One requirement line.

    kind: ``name`` (a distribution from an index), ``url``, ``path`` (local file or directory) or ``option``.
    text: the line as handed to the installer, local paths made absolute, without hashes.
    name: normalised distribution name where the line tells it (PEP 503).
    canonical: equal for lines that mean the same; holds no credentials.
    option, value: of an ``option`` line. path: the local file or directory that the line draws in.
    marker: the line applies only under conditions.
    """

    kind: str
    text: str
    canonical: str
    name: str | None = None
    option: str | None = None
    value: str | None = None
    path: str | None = None
    marker: bool = False
    hashes: tuple[str, ...] = ()


def normalise(name: str) -> str:
    """Return the distribution name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def without_credentials(text: str) -> str:
    """Return the text with user and password of every URL in it masked."""
    return re.sub(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@", r"\1****@", text)


def parse(text: str, root: str | None) -> Line | None:
    """Return what a requirement line says, None for an empty one; relative paths are taken from root.

    root: None where the paths are those of a repository that is not on this machine: they stay relative, and unseen.
    Raises EngineError (``requirements_invalid``) for a line that no installer would take, naming it.
    """
    text = _COMMENT.sub("", text).strip()
    if not text:
        return None
    hashes = tuple(sorted(_HASH.findall(text)))
    text = _HASH.sub("", text).strip()
    if text.startswith("-"):
        return _option(text, root)
    line = _target(text, root)
    if hashes:
        fields = {**line.__dict__, "hashes": hashes, "canonical": " ".join((line.canonical, *hashes))}
        return Line(**fields)
    return line


def parse_all(texts: Iterable[str], root: str | None) -> tuple[Line, ...]:
    """Return what requirement lines say, as ``parse`` does for each."""
    return tuple(line for text in texts if (line := parse(text, root)))


def read_list(path: str) -> tuple[Line, ...]:
    """Return the lines of a requirements or constraints file; paths in it are relative to its directory.

    Raises EngineError as ``parse`` does, and OSError.
    """
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = stream.read().replace("\\\n", " ")
    return parse_all(text.splitlines(), os.path.dirname(path))


def _option(text: str, root: str | None) -> Line:
    name, value = _split_option(text)
    if name == "--editable":
        # A run sees a copy of the sources under another UID: what is installed must not point back at them.
        return _target(value, root) if "://" in value or "@" in value else _local(value, root)
    if name in LISTS:
        path = value if "://" in value else _absolute(value, root, text)
        return Line("option", f"{name} {path}", name, option=name, value=path, path=None if "://" in value else path)
    if name == "--find-links" and "://" not in value:
        path = _absolute(value, root, text)
        return Line("option", f"{name} {path}", name, option=name, value=path, path=path)
    canonical = f"{name} {without_credentials(value)}" if value else name
    return Line("option", f"{name} {value}" if value else name, canonical, option=name, value=value)


def _split_option(text: str) -> tuple[str, str | None]:
    try:
        first, *rest = shlex.split(text)
    except ValueError:
        raise _refused(text, "its quotes do not match") from None
    if "=" in first:
        first, _unused, inline = first.partition("=")
        rest.insert(0, inline)
    elif len(first) > 2 and first[1] != "-" and first[:2] in _WITH_VALUE:
        first, rest = first[:2], [first[2:], *rest]
    name = _WITH_VALUE.get(first, first)
    if name in _FLAGS and not rest:
        return name, None
    if name in _VALUED and len(rest) == 1 and rest[0]:
        return name, rest[0]
    reason = "the option needs one value" if name in _VALUED else "the option is not one of a requirements file"
    raise _refused(text, reason)


def _target(text: str, root: str | None) -> Line:
    if text.startswith(_VCS) or re.match(r"(https?|ftp|file)://", text):
        egg = re.search(r"#(?:.*&)?egg=([A-Za-z0-9._-]+)", text)
        name = normalise(egg.group(1)) if egg else None
        if text.startswith("file://"):
            path = _absolute(text[len("file://") :].split("#")[0], root, text)
            return Line("path", text, path, name=name, path=path)
        return Line("url", text, without_credentials(text), name=name)
    if _looks_like_path(text):
        return _local(text, root)
    return _named(text, root)


def _local(text: str, root: str | None) -> Line:
    bare, extras = _split_extras(text)
    path = _absolute(bare, root, text)
    return Line("path", path + extras, extras, path=path, name=_wheel_name(path))


def _looks_like_path(text: str) -> bool:
    if "@" in text.partition(";")[0] and re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*@", text):
        return False
    head = re.split(r"[\[;<>=!~\s]", text, maxsplit=1)[0]
    return head.startswith((".", "/", "~")) or "/" in head or head.endswith((".whl", ".tar.gz", ".zip", ".tar.bz2"))


def _named(text: str, root: str | None) -> Line:
    requirement = _requirement(text)
    name, url = normalise(requirement.name), requirement.url
    extras = f"[{','.join(sorted(normalise(extra) for extra in requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    if not url:
        canonical = f"{name}{extras}{requirement.specifier}{marker}"
        return Line("name", text, canonical, name=name, marker=bool(marker))
    path = None
    if url.startswith("file:"):
        path = _absolute(re.sub(r"^file:(//)?", "", url).split("#")[0], root, text)
        url = f"file://{path}"
    canonical = f"{name}{extras} @ {without_credentials(url)}{marker}"
    kind = "path" if path else "url"
    return Line(kind, f"{name}{extras} @ {url}{marker}", canonical, name=name, path=path, marker=bool(marker))


def _requirement(text: str):
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        raise EngineError(
            "The Python library 'packaging' is missing on the machine that makes the environment: install it there.",
            code="missing_library",
        ) from None
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise _refused(text, str(error).splitlines()[0]) from None


def _split_extras(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.*?)\s*(\[[A-Za-z0-9._,\s-]*\])?", text)
    return match.group(1), (match.group(2) or "").replace(" ", "")


def _wheel_name(path: str) -> str | None:
    name = os.path.basename(path)
    return normalise(name.split("-")[0]) if name.endswith(".whl") else None


def _absolute(path: str, root: str | None, line: str) -> str:
    if root is None:
        return _inside(path, line)
    whole = os.path.normpath(os.path.join(root, os.path.expanduser(path)))
    if not os.path.exists(whole):
        raise _refused(line, f"there is no file or directory {whole}")
    return whole


def _inside(path: str, line: str) -> str:
    """Return a path of a repository as pip takes it from the directory that it works in."""
    if "file:" in line or path.startswith(("/", "~")) or ".." in path.split("/"):
        raise _refused(line, "what a repository holds is named by a path below its directory, such as ./package")
    return os.path.join(".", os.path.normpath(path))


def _refused(text: str, reason: str) -> EngineError:
    return EngineError(
        f"The requirement line '{without_credentials(text)}' cannot be installed: {reason}.",
        code="requirements_invalid",
    )
