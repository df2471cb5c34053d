# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations inside a notebook that failed without failing their cell: which of them matter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..values.execution import InstallFailure
from ..values.resolution import Resolution

_COMMAND = re.compile(r"\b(?:pip3?|uv|conda|mamba|micromamba)\b[^\n;&|]*?\binstall\b([^\n;&|#]*)")
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_WITH_VALUE = frozenset(
    "-c -i -f -t --index-url --extra-index-url --find-links --constraint --target --channel --prefix".split()
)


def uncovered(
    failures: Sequence[InstallFailure], sources: Mapping[int, str], resolution: Resolution | None
) -> tuple[list, list[str]]:
    """Return (the failures that fail the notebook, sentences on those that do not).

    A failed installation is what a green notebook hides best, so it fails the verdict. One exception: every package
    that the cell names was a requirement of the environment, so that the notebook had it before and after; then the
    cell only tried to do again what was done.

    sources: source of the cells by index.
    """
    known = {_canonical(line) for line in resolution.requirements} if resolution else set()
    bad, harmless = [], []
    for failure in failures:
        names = named(sources.get(failure.cell, ""))
        if names and all(_canonical(name) in known for name in names):
            harmless.append(
                f"The installation in cell {failure.cell} failed, but the environment already held {', '.join(names)}: "
                "take it out of the notebook."
            )
        else:
            bad.append(failure)
    return bad, harmless


def named(source: str) -> list[str]:
    """Return the packages that the install commands of a cell name; a file, URL or variable stands for itself."""
    names = []
    for match in _COMMAND.finditer(source.replace("\\\n", " ")):
        words = iter(match.group(1).split())
        for word in words:
            word = word.strip("'\"")
            if word in _WITH_VALUE:
                next(words, None)
            elif word and not word.startswith(("-", ">", "<")):
                names.append(re.split(r"[<>=!~\[; @]", word)[0] or word)
    return names


def _canonical(requirement: str) -> str:
    """Return the name at the head of a requirement in its one form (PEP 503); what has no name stays as it is."""
    found = _NAME.match(requirement.strip())
    return re.sub(r"[-_.]+", "-", found.group()).lower() if found and "/" not in requirement else requirement
