# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a notebook file as data: cells, kernel and language, whatever its age."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..values.base import Value
from ..values.errors import EngineError

if t.TYPE_CHECKING:
    from pathlib import Path

# Beyond this a notebook is stored output, not work to validate; nbformat and papermill need about ten times the
# size in memory. Clearing the outputs brings any real notebook far below it.
MAX_BYTES = 40 * 1024**2


@dataclass(frozen=True)
class Cell(Value):
    """One cell; type is ``code``, ``markdown`` or ``raw`` (``heading`` of nbformat 3 counts as markdown)."""

    index: int
    type: str
    source: str
    tags: tuple[str, ...]
    metadata: dict


@dataclass(frozen=True)
class Notebook(Value):
    """A notebook as it stands in its file.

    name: path shown to people, relative to the source root where the caller gave one.
    kernel, language: as the metadata say, language in lower case; None where they say nothing.
    """

    name: str
    cells: tuple[Cell, ...]
    kernel: str | None
    language: str | None
    nbformat: int
    metadata: dict


def load(path: Path, *, name: str | None = None) -> Notebook:
    """Read the notebook at path.

    nbformat 3 and 4 are read leniently: absent metadata, unknown minor versions, a source as text or as lines.
    Raises EngineError where the file is no notebook, with the file and the reason.
    """
    shown = name or str(path)
    data = _read(path, shown)
    document = _decode(data, shown)
    if not isinstance(document, dict):
        raise _bad(f"{shown} is no notebook: its JSON is a {_json_type(document)}, not an object with cells.")
    metadata = _dict(document.get("metadata"))
    major = document.get("nbformat")
    if isinstance(major, int) and not isinstance(major, bool) and major > 4:
        raise _bad(f"{shown} has notebook format {major}, which is newer than the 4 known here: save it as 4.")
    raw, major = _raw_cells(document, shown)
    cells = tuple(_cell(index, item, shown) for index, item in enumerate(raw))
    kernel, language = _kernel(metadata, raw)
    return Notebook(shown, cells, kernel, language, major, metadata)


def _bad(message: str, code: str = "notebook_invalid") -> EngineError:
    return EngineError(message, code=code)


def _read(path: Path, shown: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _bad(f"There is no notebook {shown}.", "notebook_not_found") from None
    except IsADirectoryError:
        raise _bad(f"{shown} is a directory, not a notebook: name the notebooks below it.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _bad(f"{shown} cannot be read: {reason}.") from None
    if len(data) > MAX_BYTES:
        raise _bad(
            f"{shown} is larger than the {MAX_BYTES // 1024**2} MiB that are read of one notebook: clear its outputs."
        )
    if not data.strip():
        raise _bad(f"{shown} is empty: a notebook is JSON with a list of cells.")
    return data


def _decode(data: bytes, shown: str) -> t.Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(f"{shown} is not UTF-8 (byte {error.start}): save it as UTF-8.") from None
    if text.startswith("\ufeff"):
        raise _bad(f"{shown} begins with a byte order mark, which Jupyter refuses: save it as plain UTF-8.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _bad(f"{shown} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except (RecursionError, ValueError):
        raise _bad(f"{shown} is no notebook: its JSON is nested too deeply or holds an absurd number.") from None


def _raw_cells(document: dict, shown: str) -> tuple[list, int]:
    """Return the cells as they stand, and the major format: the stated one, else what the structure tells."""
    major = document.get("nbformat")
    cells, worksheets = document.get("cells"), document.get("worksheets")
    if isinstance(cells, list):
        return cells, major if isinstance(major, int) else 4
    if isinstance(worksheets, list):
        joined: list = []
        for sheet in worksheets:
            inner = sheet.get("cells") if isinstance(sheet, dict) else None
            if inner is not None and not isinstance(inner, list):
                raise _bad(f"{shown} is no notebook: the cells of a worksheet are not a list.")
            joined += inner or []
        return joined, major if isinstance(major, int) else 3
    raise _bad(f"{shown} is no notebook: its JSON holds no list of cells.")


def _cell(index: int, item: t.Any, shown: str) -> Cell:
    if not isinstance(item, dict):
        raise _bad(f"{shown} is no notebook: cell {index} is a {_json_type(item)}, not an object.")
    kind = item.get("cell_type")
    source = item.get("source", item.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    elif not isinstance(source, str):
        source = ""
    metadata = _dict(item.get("metadata"))
    tags = metadata.get("tags")
    kind = kind if kind in ("code", "raw") else "markdown"
    tags = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    return Cell(index, kind, source, tags, metadata)


def _kernel(metadata: dict, raw: list) -> tuple[str | None, str | None]:
    spec, info = _dict(metadata.get("kernelspec")), _dict(metadata.get("language_info"))
    languages = [spec.get("language"), info.get("name")]
    # nbformat 3 names the language of each cell, if any.
    languages += [item.get("language") for item in raw if isinstance(item, dict) and "input" in item]
    language = next((item.strip().lower() for item in languages if isinstance(item, str) and item.strip()), None)
    kernel = spec.get("name")
    return (kernel if isinstance(kernel, str) and kernel else None), language


def _dict(item: t.Any) -> dict:
    return item if isinstance(item, dict) else {}


def _json_type(item: t.Any) -> str:
    return {list: "list", str: "string", bool: "boolean", type(None): "null"}.get(type(item), "number")
