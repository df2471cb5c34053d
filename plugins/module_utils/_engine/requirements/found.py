# SPDX-License-Identifier: GPL-3.0-or-later
"""What one tier of the ladder answers."""

from __future__ import annotations

from dataclasses import dataclass

from ..values.base import Value
from ..values.resolution import Provenance, Unresolved


@dataclass(frozen=True)
class Need(Value):
    """One thing that the code needs, before it is a requirement line.

    module: top-level (or dotted, where that decides the distribution) import name.
    distribution: what provides it, or None where nothing maps it.
    reason: ``import pandas``, ``implicit: pandas.read_excel``, ``%load_ext watermark``.
    optional: the code can do without (guarded import).
    """

    module: str
    distribution: str | None
    reason: str
    cell: int | None = None
    line: int | None = None
    file: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Found(Value):
    """The answer of one tier for one notebook.

    provenance: one entry for each requirement line or pip option, in the order found; its ``requirement`` is the line.
    optional: lines that the notebook can do without; reported, not required.
    """

    provenance: tuple[Provenance, ...] = ()
    optional: tuple[Provenance, ...] = ()
    warnings: tuple[str, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    python_requires: str | None = None
