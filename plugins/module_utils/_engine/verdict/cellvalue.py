# SPDX-License-Identifier: GPL-3.0-or-later
"""The value that a cell shows, read back from its outputs."""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import dataclass
from html.parser import HTMLParser

from ..notebook.outputs import bundle, outputs, stream, terminal_text


class _Empty:
    def __repr__(self) -> str:
        return "nothing"


# The cell shows no value at all: neither a result nor a word on stdout.
EMPTY = _Empty()

_NUMPY_SCALAR = re.compile(r"\b(?:np|numpy)\.(?:float|int|uint|bool|str)\w*\(([^()]*)\)")
_ARRAY = re.compile(r"(?:array|tensor)\((.*?)(?:,\s*(?:dtype|shape|device|grad_fn|requires_grad)=.*)?\)", re.DOTALL)
_ARRAY_SHAPE = re.compile(r"shape=\(([\d, ]*)\)")
_ROWS_COLUMNS = re.compile(r"([\d,]+) rows? [×x] ([\d,]+) columns?")
_NULLS = ("None", "nan", "NaN", "NaT", "<NA>", "null")


@dataclass(frozen=True)
class Table:
    """A table as shown: header and rows of text, and its whole shape where it says so."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shape: tuple[int, int]


@dataclass(frozen=True)
class Image:
    """An image, of which only the MIME type is looked at."""

    mime: str


def cell_value(cell: dict) -> object:
    """Return the value that a cell shows, or EMPTY.

    The last result or display counts, else the whole of stdout. JSON comes as it is, an HTML table as Table, an image
    as Image, text as the Python literal, array or JSON that it spells, else as the text.
    """
    shown = [
        bundle(output) for output in outputs(cell) if output.get("output_type") in ("execute_result", "display_data")
    ]
    if shown:
        return _of_bundle(shown[-1])
    text = terminal_text(stream(cell, "stdout")).strip()
    return parse(text) if text else EMPTY


def array_shape(cell: dict) -> tuple[int, ...] | None:
    """Return the shape that an abridged array says it has, or None."""
    shown = [
        bundle(output) for output in outputs(cell) if output.get("output_type") in ("execute_result", "display_data")
    ]
    found = _ARRAY_SHAPE.search(str(shown[-1].get("text/plain", ""))) if shown else None
    return tuple(int(part) for part in found.group(1).split(",") if part.strip()) if found else None


def parse(text: str) -> object:
    """Return the Python literal, array or JSON that a text spells, else the text itself."""
    plain = text.strip()
    if plain in _NULLS:
        return None if plain in ("None", "null") else math.nan
    plain = _NUMPY_SCALAR.sub(r"\1", plain)
    array = _ARRAY.fullmatch(plain)
    for candidate in (plain, array.group(1) if array else None, _unquoted_nan(array.group(1) if array else plain)):
        if candidate is None:
            continue
        try:
            return _denullify(ast.literal_eval(candidate))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            pass
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        return text


def is_null(value: object) -> bool:
    """Whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def holds_null(value: object) -> bool:
    """Whether a value is None or NaN or holds one anywhere."""
    if isinstance(value, dict):
        return any(holds_null(item) for item in value.values())
    if isinstance(value, (list, tuple, set)):
        return any(holds_null(item) for item in value)
    if isinstance(value, Table):
        return any(text.strip() in _NULLS for row in value.rows for text in row)
    return is_null(value)


def numbers(value: object) -> list[float]:
    """Return all numbers in a value, those of a table's cells included."""
    if isinstance(value, bool):
        return []
    if isinstance(value, (int, float)):
        return [float(value)]
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, (list, tuple, set)):
        return [number for item in value for number in numbers(item)]
    if isinstance(value, Table):
        return [number for row in value.rows for text in row for number in numbers(parse(text))]
    return []


def _of_bundle(data: dict) -> object:
    if "application/json" in data:
        return data["application/json"]
    html = data.get("text/html", "")
    if isinstance(html, str) and "<table" in html:
        return _table(html)
    image = next((mime for mime in data if mime.startswith("image/")), None)
    if image:
        return Image(image)
    text = data.get("text/plain") or data.get("text/markdown") or data.get("text/latex") or html
    return parse(text) if text else EMPTY


def _unquoted_nan(text: str) -> str:
    # literal_eval knows no nan and inf; a name that overflows or a None stands for them.
    return re.sub(r"\b(?:nan|NaN|NaT)\b|<NA>", "None", re.sub(r"\binf\b", "1e999", text))


def _denullify(value: object) -> object:
    return [_denullify(item) for item in value] if isinstance(value, tuple) else value


def _table(html: str) -> Table:
    reader = _TableReader()
    reader.feed(html)
    header = reader.head[-1] if reader.head else ()
    said = _ROWS_COLUMNS.search(html)
    width = max((len(row) for row in reader.rows), default=max(0, len(header) - 1))
    shape = tuple(int(part.replace(",", "")) for part in said.groups()) if said else (len(reader.rows), width)
    return Table(tuple(header), tuple(tuple(row) for row in reader.rows), (shape[0], shape[1]))


class _TableReader(HTMLParser):
    """Reads the first table: rows of ``th`` alone are the head, ``td`` are the data; an index in ``th`` is none."""

    def __init__(self) -> None:
        super().__init__()
        self.head: list[tuple[str, ...]] = []
        self.rows: list[list[str]] = []
        self._names: list[str] = []
        self._data: list[str] = []
        self._into: list[str] | None = None
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag == "tr":
            self._names, self._data = [], []
        elif tag in ("td", "th") and not self._ended:
            self._into = self._data if tag == "td" else self._names
            self._into.append("")

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._into = None
        elif tag == "tr" and not self._ended:
            if self._data:
                self.rows.append([text.strip() for text in self._data])
            elif self._names:
                self.head.append(tuple(text.strip() for text in self._names))
        elif tag == "table":
            self._ended = True
