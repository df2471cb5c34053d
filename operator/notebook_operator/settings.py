# SPDX-License-Identifier: GPL-3.0-or-later
"""What whoever runs the operator says, by environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_PREFIX = "NOTEBOOK_OPERATOR_"


@dataclass(frozen=True)
class Settings:
    """namespaces: that are watched; empty = the operator's own, ``*`` = all of the cluster. jobs: that are worked on at once.

    fetch_seconds: that fetching a repository may take. verdict_days: after which a verdict does not count any more.
    """

    namespaces: tuple[str, ...] = ()
    jobs: int = 100
    fetch_seconds: int = 300
    verdict_days: int = 90

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Make the settings of NOTEBOOK_OPERATOR_NAMESPACES (comma-separated), _JOBS, _FETCH_SECONDS and _VERDICT_DAYS.

        Raises ValueError, with a sentence, for a number that is none of at least 1.
        """
        names = environment.get(f"{_PREFIX}NAMESPACES", "").split(",")
        numbers = {name: _number(environment, name) for name in ("jobs", "fetch_seconds", "verdict_days")}
        given = {name: number for name, number in numbers.items() if number is not None}
        return cls(namespaces=tuple(name.strip() for name in names if name.strip()), **given)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    variable = _PREFIX + name.upper()
    text = environment.get(variable, "").strip()
    if text and not (text.isdigit() and int(text)):
        raise ValueError(f"{variable} is {text!r}: give a whole number of at least 1.")
    return int(text) if text else None
