# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are None or NaN where the notebook shows them as its result.

A result is asserted by: the tag ``assert-value``; an entry of ``expected_outputs``; a name, attribute or item that
stands alone as a cell's last line; and a line of the form ``label: nan``. A table that holds NaN among other values, as
``describe()`` gives, is no failure, nor is a NaN that the cell's own source speaks of.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ..notebook.outputs import outputs, source, stream, tags, terminal_text
from .cellvalue import EMPTY, cell_value, holds_null, is_null

ASSERT_TAG = "assert-value"

_NAN = r"(?:[+-]?nan|NaN|NaT|<NA>|None)"
_LONE = re.compile(
    rf"(?:(?:np|numpy|pd)\.(?:float\d+|float\w*)\()?{_NAN}\)?|(?:tensor|array)\({_NAN}(?:, dtype=[\w.]+)?\)"
)
_LABELLED = re.compile(
    r"^[ \t]*([A-Za-z][\w .()/%²-]{0,60}?)[ \t]*[:=][ \t]*(?:[+-]?nan|NaN)[ \t]*%?[ \t]*$", re.MULTILINE
)
# The source speaks of missing values itself, so it shows them on purpose.
_ON_PURPOSE = re.compile(
    r"\bnan\b|\bNaN\b|\bNaT\b|\bNA\b|\bNone\b|isna|isnan|isnull|notna|notnull|dropna|fillna|nan_to_num"
)


def silent_failures(cells: Sequence[tuple[int, dict]], named: set[int]) -> Iterator[tuple[int, str]]:
    """Yield (cell, one sentence) for each cell that shows None or NaN as its result.

    cells: (index, cell) of the executed code cells. named: cells of which a value is expected.
    """
    for index, cell in cells:
        message = _asserted(cell) if index in named or ASSERT_TAG in tags(cell) else _shown(cell)
        if message:
            yield index, f"Cell {index} {message}."


def _asserted(cell: dict) -> str | None:
    value = cell_value(cell)
    if value is EMPTY:
        return "asserts a value but shows none: its result is None"
    if is_null(value):
        return f"asserts a value, which is {value}"
    if holds_null(value):
        return "asserts a value, which holds None or NaN"
    return _printed(cell)


def _shown(cell: dict) -> str | None:
    text = source(cell)
    if _ON_PURPOSE.search(text):
        return None
    for output in outputs(cell):
        if output.get("output_type") == "execute_result":
            plain = (output.get("data") or {}).get("text/plain", "")
            plain = "".join(plain) if isinstance(plain, list) else str(plain)
            if _LONE.fullmatch(plain.strip()):
                return f"shows {plain.strip()} as its result"
    name = _bare_name(text)
    if name and not any(True for _unused in outputs(cell)):
        return f"ends with {name} to show its value, which is None"
    return _printed(cell)


def _printed(cell: dict) -> str | None:
    found = _LABELLED.search(terminal_text(stream(cell, "stdout")))
    return f"prints {' '.join(found.group().split())!r}" if found else None


def _bare_name(text: str) -> str | None:
    """Return the name, attribute or item that is the last line of a cell and so is there only to be shown."""
    if text.lstrip().startswith(("%%", "!")) or text.rstrip().endswith(";"):
        return None
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in text.splitlines()]
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError):
        return None
    last = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    return ast.unparse(last) if isinstance(last, (ast.Name, ast.Attribute, ast.Subscript)) else None
