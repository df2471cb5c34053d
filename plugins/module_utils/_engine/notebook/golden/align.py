# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cell of the executed notebook answers to which cell of the golden one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ..outputs import source

# Below this similarity (difflib's ratio of the sources) two cells are not the same cell edited.
_ALIKE = 0.5

Cells = Sequence[tuple[int, dict]]


def align(golden: Cells, executed: Cells) -> list[tuple[int | None, int | None]]:
    """Return pairs of positions (golden, executed) in the order of the notebooks; None where a cell has no partner.

    Cells with the same type and source are partners. Between those, as many cells on both sides are partners in
    their order (they were edited); of unequal numbers, those with similar sources are.
    """
    left, right = [_key(cell) for _unused, cell in golden], [_key(cell) for _unused, cell in executed]
    pairs: list[tuple[int | None, int | None]] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal" or i2 - i1 == j2 - j1 and _types(left[i1:i2]) == _types(right[j1:j2]):
            pairs += zip(range(i1, i2), range(j1, j2), strict=False)
        else:
            pairs += _by_likeness(left, right, (i1, i2), (j1, j2))
    return pairs


def _by_likeness(left: list, right: list, golden: tuple, executed: tuple) -> list[tuple[int | None, int | None]]:
    pairs: list[tuple[int | None, int | None]] = []
    free = executed[0]
    for i in range(*golden):
        partner = next((j for j in range(free, executed[1]) if _alike(left[i], right[j])), None)
        if partner is None:
            pairs.append((i, None))
            continue
        pairs += [(None, j) for j in range(free, partner)]
        pairs.append((i, partner))
        free = partner + 1
    return pairs + [(None, j) for j in range(free, executed[1])]


def _alike(golden: tuple[str, str], executed: tuple[str, str]) -> bool:
    return golden[0] == executed[0] and difflib.SequenceMatcher(None, golden[1], executed[1]).ratio() >= _ALIKE


def _types(keys: list) -> list:
    return [kind for kind, _unused in keys]


def _key(cell: dict) -> tuple[str, str]:
    lines = (line.rstrip() for line in source(cell).strip().splitlines())
    return str(cell.get("cell_type")), "\n".join(lines)
