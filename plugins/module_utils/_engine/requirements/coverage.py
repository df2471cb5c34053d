# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether requirement lines cover what the code needs."""

from __future__ import annotations

import re
import typing as t

from .names import canonical
from .transitive import provided

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from .found import Need

_NAME = re.compile(r"^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?=$|[\[@<>=!~;,(\s])")
_EGG = re.compile(r"#(?:.*&)?egg=([\w.-]+)")
_WHEEL = re.compile(r"([A-Za-z0-9_.]+?)-\d[^/]*\.(?:whl|zip|tar\.gz|tgz|tar\.bz2)(?=$|[#\s;])")
_ARCHIVE = re.compile(r"://(?:www\.|codeload\.)?github\.com/[^/]+/([\w.-]+)/(?:archive|zip|tar\.gz|zipball|tarball)/")
_REPOSITORY = re.compile(r"/([\w.-]+?)(?:\.git)?(?:@[^/#]*)?(?:#.*)?$")


def name_of(line: str) -> str | None:
    """Return the canonical distribution name of a requirement line; None for an option and for a local project.

    A URL without a name is taken by its ``egg``, its file name, or its repository's name.
    """
    text = line.removeprefix("-e ").strip()
    if text.startswith(("-", ".")) and not _WHEEL.search(text):
        return None
    match = (
        _NAME.match(text)
        if "://" not in text.split("@")[0]
        else _EGG.search(text)
        or _ARCHIVE.search(text)
        or _WHEEL.search(text)
        or _REPOSITORY.search(text.split(";")[0].strip())
    )
    match = match or _WHEEL.search(text)
    return canonical(match.group(1)) if match else None


def covered(lines: Iterable[str]) -> frozenset[str]:
    """Return the distributions that installing the lines brings, as far as it is known without an index."""
    names = {name for name in map(name_of, lines) if name}
    return frozenset().union(*(provided(name) for name in names))


def lacking(needs: Iterable[Need], names: frozenset[str]) -> list[Need]:
    """Return the needs, one a distribution, that none of ``names`` covers; what is optional or unmapped is left out."""
    result: dict[str, Need] = {}
    for need in needs:
        if need.distribution and not need.optional and canonical(need.distribution) not in names:
            result.setdefault(canonical(need.distribution), need)
    return list(result.values())
