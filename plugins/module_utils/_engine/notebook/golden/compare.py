# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden comparison: whether an executed notebook shows what a golden one shows."""

from __future__ import annotations

from dataclasses import replace

from ...values.errors import EngineError
from ...values.verdict import CellDiff, Comparison
from ..outputs import source, source_cells, tags
from .align import align
from .cell import Shown, compare_outputs, shown
from .options import GoldenOptions
from .patterns import substitute
from .stamps import RunTimes, run_time
from .text import Texts


def compare(
    executed: dict, golden: dict, options: GoldenOptions | None = None, *, golden_name: str = "golden"
) -> Comparison:
    """Compare the outputs of two notebooks, given as the JSON of nbformat 4.

    golden_name: the golden notebook as the user knows it.
    Raises EngineError where the golden notebook cannot be compared with, a tag holds no number, or a pattern of the
    user's does not end.
    """
    options = options or GoldenOptions()
    if not isinstance(golden.get("cells"), list):
        raise EngineError(
            f"The golden notebook {golden_name} has no list of cells: save it as notebook format 4.",
            code="golden_missing",
        )
    before, after = _cells(golden, options), _cells(executed, options)
    times = RunTimes(run_time(golden), run_time(executed))
    diffs: list[CellDiff] = []
    unequal: list[tuple[int, Texts, Shown, Shown]] = []
    total = skipped = 0
    for i, j in align(before, after):
        total += 1
        if i is None or j is None:
            diffs.append(_alone(before[i] if i is not None else None, after[j] if j is not None else None))
            continue
        (_unused, old), (index, new) = before[i], after[j]
        own = options.for_cell(tags(old) + tags(new), source(new), index)
        if own is None:
            skipped += 1
            continue
        diffs += _besides_outputs(index, old, new, own)
        left, right = shown(old, own), shown(new, own)
        if repr(left) != repr(right):  # == would take true for 1
            unequal.append((index, Texts(own, times), left, right))
    diffs += _outputs(unequal, options)
    bad = len({(diff.kind == "missing_cell", diff.cell) for diff in diffs})
    return Comparison(
        result="mismatched" if diffs else "matched",
        golden=golden_name,
        total_cells=total,
        matched_cells=total - bad,
        mismatched_cells=bad,
        diffs=tuple(sorted(diffs, key=lambda diff: diff.cell)),
    )


def _cells(notebook: dict, options: GoldenOptions) -> list[tuple[int, dict]]:
    """Return the cells that count: code cells, and the others where the source is compared."""
    cells = source_cells(notebook)
    return (
        cells
        if options.compare_source
        else [pair for pair in cells if pair[1].get("cell_type") == "code" and source(pair[1]).strip()]
    )


def _alone(golden: tuple[int, dict] | None, executed: tuple[int, dict] | None) -> CellDiff:
    if executed is None:
        text = source(golden[1])
        return CellDiff(
            golden[0],
            "missing_cell",
            f"Cell {golden[0]} of the golden notebook is not in this one.",
            expected=text[:2000],
        )
    text = source(executed[1])
    return CellDiff(executed[0], "extra_cell", f"Cell {executed[0]} is not in the golden notebook.", actual=text[:2000])


def _besides_outputs(index: int, old: dict, new: dict, options: GoldenOptions) -> list[CellDiff]:
    diffs = []
    before, after = source(old).strip(), source(new).strip()
    if options.compare_source and before != after:
        diff = Texts().diff(before, after)
        diffs.append(
            CellDiff(
                index,
                "source_mismatch",
                f"The source of cell {index} differs.",
                expected=before[:2000],
                actual=after[:2000],
                diff=diff,
            )
        )
    counts = old.get("execution_count"), new.get("execution_count")
    if not options.ignore_execution_count and counts[0] != counts[1]:
        message = f"The execution count of cell {index} is {counts[1]}, expected {counts[0]}."
        diffs.append(
            CellDiff(
                index,
                "output_mismatch",
                message,
                mime="execution_count",
                expected=str(counts[0]),
                actual=str(counts[1]),
            )
        )
    return diffs


def _outputs(unequal: list, options: GoldenOptions) -> list[CellDiff]:
    """Compare the outputs of cells that are not the same as they stand, the user's patterns applied to all at once."""
    if options.patterns:
        sides = [side for _unused, _unused, left, right in unequal for side in (left, right)]
        texts = substitute(options.patterns, [text for side in sides for text in side.texts()])
        remaining = iter(texts)
        cleaned = iter([side.with_texts(remaining) for side in sides])
        unequal = [(index, how, next(cleaned), next(cleaned)) for index, how, _unused, _unused in unequal]
    diffs = []
    for index, how, left, right in unequal:
        diffs += [replace(diff, cell=index) for diff in compare_outputs(left, right, how)]
    return diffs
