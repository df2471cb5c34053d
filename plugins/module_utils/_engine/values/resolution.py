# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of the requirements ladder."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Value

TIERS = ("declared", "generated", "inline", "base")


@dataclass(frozen=True)
class Provenance(Value):
    """Where one requirement line came from: a file and line, or a cell and line.

    requirement: the line as it stands in ``Resolution.requirements``.
    tier: the tier that gave it.
    file: path relative to the source root, or None.
    cell: zero-based index in the notebook's cells, or None.
    line: one-based line in the file or cell.
    reason: ``declared``, ``import NAME``, ``implicit: pandas.read_excel``, ``%pip install`` and so on.
    """

    requirement: str
    tier: str
    reason: str
    file: str | None = None
    cell: int | None = None
    line: int | None = None


@dataclass(frozen=True)
class Unresolved(Value):
    """Something that looks like a need but could not be turned into a requirement line.

    name: the import name or the text of the install command.
    reason: one sentence: what is wrong and what to do.
    """

    name: str
    reason: str
    cell: int | None = None
    line: int | None = None
    file: str | None = None


@dataclass(frozen=True)
class Resolution(Value):
    """What one notebook needs.

    notebook: path relative to the source root, POSIX form.
    tier: the tier taken, one of TIERS (the first that gave requirements).
    requirements: PEP 508 lines or pip options; paths in them are relative to the source root.
    kernel: the kernel spec name that the notebook asks for.
    imports: import names that must be importable afterwards, with the distribution expected to provide each.
    """

    notebook: str
    tier: str
    requirements: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    warnings: tuple[str, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    python_requires: str | None = None
    kernel: str | None = None
    imports: dict | None = None

    def top_level_imports(self) -> dict:
        """Return ``imports`` by their top-level names, whatever was written by hand."""
        return {name.partition(".")[0]: expected for name, expected in (self.imports or {}).items()}
