# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement on one run."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Value


@dataclass(frozen=True)
class CellDiff(Value):
    """One difference between executed and golden notebook.

    kind: ``output_mismatch``, ``source_mismatch``, ``missing_cell``, ``extra_cell`` or ``missing_output``, ``extra_output``.
    cell: index in the executed notebook's source cells (in the golden one for ``missing_cell``).
    mime: MIME type or stream name that differs.
    expected, actual: the text shown, bounded. diff: unified diff of the normalised texts, bounded.
    expected_image, actual_image: base64 PNG, for images.
    """

    cell: int
    kind: str
    message: str
    mime: str | None = None
    expected: str | None = None
    actual: str | None = None
    diff: str | None = None
    expected_image: str | None = None
    actual_image: str | None = None


@dataclass(frozen=True)
class Comparison(Value):
    """Golden comparison of one notebook; result is ``matched`` or ``mismatched``."""

    result: str
    golden: str
    total_cells: int
    matched_cells: int
    mismatched_cells: int
    diffs: tuple[CellDiff, ...] = ()


@dataclass(frozen=True)
class CellVerdict(Value):
    """One source cell as shown to people: sanitised, no ANSI codes, bounded."""

    index: int
    type: str
    status: str
    duration: float | None = None
    error: str | None = None
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict(Value):
    """What is said of one notebook.

    status: ``succeeded`` or ``failed``.
    code, category, retryable: from the taxonomy table; None where it succeeded.
    cause: one sentence. advice: what to do, each an action; for a missing module the exact lines to add.
    module, distribution: the missing import and what is likely to provide it.
    requirements_found: lines that the repair found, to be declared by the user.
    environment: content key. cached: the verdict is of an earlier run of the same work.
    """

    notebook: str
    status: str
    code: str | None = None
    category: str | None = None
    cause: str | None = None
    advice: tuple[str, ...] = ()
    retryable: bool = False
    cell: int | None = None
    module: str | None = None
    distribution: str | None = None
    cells: tuple[CellVerdict, ...] = ()
    comparison: Comparison | None = None
    warnings: tuple[str, ...] = ()
    tier: str | None = None
    requirements: tuple[str, ...] = ()
    requirements_found: tuple[str, ...] = ()
    environment: str | None = None
    environment_cached: bool = False
    attempts: int = 0
    duration: float = 0.0
    cached: bool = False
    executed: str | None = None
