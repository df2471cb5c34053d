# SPDX-License-Identifier: GPL-3.0-or-later
"""Two texts side by side, as rows to show."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass

_CONTEXT = 3
_LINES = 400


@dataclass(frozen=True)
class Row:
    """One row: what was expected on the left, what came on the right.

    kind: ``same``, ``changed`` or ``gap`` (equal lines left out; ``left`` then holds how many).
    left, right: the line in three parts, of which the middle one differs; None where that side has no line.
    """

    kind: str
    left: tuple[str, str, str] | None
    right: tuple[str, str, str] | None


def rows(expected: str | None, actual: str | None) -> list[Row]:
    """Return the rows that show two texts side by side; at most 400 lines of each are compared."""
    left, right = (expected or "").splitlines()[:_LINES], (actual or "").splitlines()[:_LINES]
    result: list[Row] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for tag, start, end, other, stop in matcher.get_opcodes():
        if tag == "equal":
            result += _equal(left[start:end], first=start == 0, last=end == len(left) and stop == len(right))
        else:
            result += _changed(left[start:end], right[other:stop])
    return result


def _equal(lines: list[str], first: bool, last: bool) -> list[Row]:
    shown = [Row("same", (line, "", ""), (line, "", "")) for line in lines]
    head, tail = 0 if first else _CONTEXT, 0 if last else _CONTEXT
    hidden = len(lines) - head - tail
    if hidden < 2:
        return shown
    return shown[:head] + [Row("gap", (str(hidden), "", ""), None)] + shown[len(lines) - tail :]


def _changed(left: list[str], right: list[str]) -> list[Row]:
    result = []
    for number in range(max(len(left), len(right))):
        before = left[number] if number < len(left) else None
        after = right[number] if number < len(right) else None
        if before is None or after is None:
            result.append(
                Row(
                    "changed",
                    before if before is None else ("", before, ""),
                    after if after is None else ("", after, ""),
                )
            )
        else:
            head = len(os.path.commonprefix([before, after]))
            tail = len(os.path.commonprefix([before[head:][::-1], after[head:][::-1]]))
            result.append(Row("changed", _parts(before, head, tail), _parts(after, head, tail)))
    return result


def _parts(line: str, head: int, tail: int) -> tuple[str, str, str]:
    end = len(line) - tail
    return line[:head], line[head:end], line[end:]
