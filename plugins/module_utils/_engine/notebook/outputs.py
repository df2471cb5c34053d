# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells and outputs of an executed notebook, in the form that comparing and judging need."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Tags of cells that papermill adds to its output; they stand in no source notebook.
INJECTED = frozenset({"injected-parameters", "papermill-error-cell-tag"})

# ECMA-48 escape sequences: CSI, OSC (ended by BEL or ST), and the two-character ones.
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\^-~]|\x9b[0-?]*[ -/]*[@-~]"
)


def joined(text: object) -> str:
    """Return nbformat's multi-line string (a string or a list of strings) as one string."""
    if isinstance(text, (list, tuple)):
        return "".join(piece for piece in text if isinstance(piece, str))
    return text if isinstance(text, str) else ""


def terminal_text(text: str) -> str:
    """Return the text as a terminal would leave it: no escape sequences, lines overwritten by ``\\r`` gone."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    if "\r" not in text:
        return text
    return "\n".join(next((part for part in reversed(line.split("\r")) if part), "") for line in text.split("\n"))


def tags(cell: dict) -> tuple[str, ...]:
    """Return the cell's tags."""
    metadata = cell.get("metadata")
    found = metadata.get("tags") if isinstance(metadata, dict) else None
    return tuple(tag for tag in found if isinstance(tag, str)) if isinstance(found, list) else ()


def source(cell: dict) -> str:
    """Return the cell's source as one string."""
    return joined(cell.get("source"))


def source_cells(notebook: dict) -> list[tuple[int, dict]]:
    """Return (index in the source notebook, cell) for each cell that stands in the source.

    The index is what the runner marked as ``metadata.mlops_notebooks.source_index``; in a notebook without these
    marks it is the position among the cells that no tool has injected.
    """
    cells = [cell for cell in notebook.get("cells") or [] if isinstance(cell, dict)]
    marked = [(index, cell) for cell in cells if (index := _mark(cell)) is not None]
    if marked:
        return sorted(marked, key=lambda pair: pair[0])
    return list(enumerate(cell for cell in cells if not INJECTED.intersection(tags(cell))))


def outputs(cell: dict) -> Iterator[dict]:
    """Yield the outputs of a cell."""
    for output in cell.get("outputs") or []:
        if isinstance(output, dict):
            yield output


def stream(cell: dict, name: str) -> str:
    """Return all that the cell wrote to ``stdout`` or ``stderr``, in one piece however it was split on the way."""
    pieces = (
        joined(out.get("text"))
        for out in outputs(cell)
        if out.get("output_type") == "stream" and out.get("name") == name
    )
    return "".join(pieces)


def bundle(output: dict) -> dict:
    """Return the MIME bundle of a display_data or execute_result; multi-line texts are joined, JSON is left alone."""
    data = output.get("data")
    if not isinstance(data, dict):
        return {}
    return {mime: item if is_json(mime) else joined(item) for mime, item in data.items()}


def is_json(mime: str) -> bool:
    """Whether nbformat stores data of this MIME type as JSON rather than as text."""
    return mime == "application/json" or mime.endswith("+json")


def _mark(cell: dict) -> int | None:
    metadata = cell.get("metadata")
    own = metadata.get("mlops_notebooks") if isinstance(metadata, dict) else None
    index = own.get("source_index") if isinstance(own, dict) else None
    return index if isinstance(index, int) else None
