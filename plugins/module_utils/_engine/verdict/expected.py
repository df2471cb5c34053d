# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy ``expected_outputs``: what given cells must show."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..notebook.golden.patterns import check_pattern, found
from ..notebook.outputs import bundle, outputs, stream, tags, terminal_text
from ..values.base import Value
from ..values.errors import EngineError
from .cellvalue import EMPTY, Image, Table, array_shape, cell_value, is_null, numbers
from .sanitize import shorten

Cells = Sequence[tuple[int, dict]]

_CHECKS = ("type", "shape", "min_value", "max_value", "not_empty", "equals", "matches")
_TYPES: dict[str, Callable[[object], bool]] = {
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": is_null,
    "list": lambda value: isinstance(value, (list, tuple, set)),
    "dict": lambda value: isinstance(value, dict),
    "table": lambda value: isinstance(value, Table),
    "image": lambda value: isinstance(value, Image),
}
_ALIASES = {
    **{"int": "integer", "float": "number", "str": "string", "text": "string", "bool": "boolean", "none": "null"},
    **{"array": "list", "ndarray": "list", "tuple": "list", "object": "dict", "dataframe": "table", "figure": "image"},
}


@dataclass(frozen=True)
class ExpectedOutput(Value):
    """What one cell must show.

    cell: zero-based index in the source notebook, or a tag of the cell (its metadata's ``name`` counts, too).
    expression: JMESPath over ``{"value", "text", "outputs"}``; the checks then hold for its result, which without any
    check must be true. type: a name of ``docs/verdicts.md`` or a MIME type. shape: lengths, outermost first.
    min_value, max_value: bounds of every number in the value. matches: regular expression found in the text.
    """

    cell: int | str
    expression: str | None = None
    type: str | None = None
    shape: tuple[int, ...] | None = None
    min_value: float | None = None
    max_value: float | None = None
    not_empty: bool = False
    equals: object = None
    matches: str | None = None
    checks: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, item: object, number: int) -> ExpectedOutput:
        """Make the value of one entry of the list; raises EngineError that names the entry and the fault."""
        where = f"expected_outputs[{number}]"
        if not isinstance(item, dict):
            raise EngineError(f"{where} must be a dictionary with a cell and its checks, not {item!r}.")
        known = {"cell", "expression", *_CHECKS}
        unknown = sorted(set(item) - known)
        if unknown:
            raise EngineError(f"{where} knows no {unknown[0]}: use {', '.join(sorted(known))}.")
        cell = item.get("cell")
        if isinstance(cell, bool) or not (isinstance(cell, int) and cell >= 0 or isinstance(cell, str) and cell):
            raise EngineError(f"{where} must name its cell by a whole number from 0 or by a tag, not {cell!r}.")
        given = {name: value for name, value in item.items() if value is not None or name == "equals"}
        checks = tuple(name for name in _CHECKS if name in given)
        if not checks and not given.get("expression"):
            raise EngineError(f"{where} says nothing to check: give {', '.join(_CHECKS)} or an expression.")
        if isinstance(cell, str) and cell.isdigit():
            given["cell"] = int(cell)
        return cls(**{**given, **_checked(given, where), "checks": checks})

    def find(self, cells: Cells) -> list[tuple[int, dict]]:
        """Return the cells that are meant: one by its index, all by a tag or name."""
        if isinstance(self.cell, int):
            return [pair for pair in cells if pair[0] == self.cell]
        return [
            pair
            for pair in cells
            if self.cell in tags(pair[1]) or (pair[1].get("metadata") or {}).get("name") == self.cell
        ]


def check_expected(expected: Sequence[ExpectedOutput], cells: Cells) -> Iterator[tuple[int | None, str]]:
    """Yield (cell, one sentence) for each expectation that is not met."""
    for item in expected:
        targets = item.find(cells)
        if not targets:
            yield None, f"There is no code cell {item.cell!r}, of which expected_outputs speaks."
        for index, cell in targets:
            value, text = cell_value(cell), _text(cell)
            if item.expression:
                value, fault = _search(item.expression, _document(cell, value, text))
                text = value if isinstance(value, str) else json.dumps(value, default=str)
                if not fault and not item.checks and value in (None, False, "", [], {}):
                    fault = f"is {_show(value)}, expected a true value"
                if fault:
                    yield index, f"Cell {index}: the expression {item.expression} {fault}."
                    continue
            for name in item.checks:
                fault = _FAULTS[name](item, value, text, cell)
                if fault:
                    yield index, f"Cell {index} {fault}."


def _checked(given: dict, where: str) -> dict:
    """Return the checks in the form the value holds them."""
    checked: dict = {}
    if "type" in given:
        name = str(given["type"])
        checked["type"] = name if "/" in name else _ALIASES.get(name.lower(), name.lower())
        if "/" not in name and checked["type"] not in _TYPES:
            raise EngineError(
                f"{where}.type is {name!r}: use {', '.join(sorted({*_TYPES, *_ALIASES}))} or a MIME type."
            )
    if "shape" in given:
        shape = given["shape"]
        parts = shape.strip("()[] ").split(",") if isinstance(shape, str) else shape
        try:
            checked["shape"] = tuple(int(part) for part in parts if str(part).strip())
        except (TypeError, ValueError):
            raise EngineError(f"{where}.shape must be a list of whole numbers, not {shape!r}.") from None
    for name in ("min_value", "max_value"):
        if name in given:
            try:
                checked[name] = float(given[name])
            except (TypeError, ValueError):
                raise EngineError(f"{where}.{name} must be a number, not {given[name]!r}.") from None
    if not isinstance(given.get("not_empty", True), bool):
        raise EngineError(f"{where}.not_empty must be true or false, not {given['not_empty']!r}.")
    if "matches" in given:
        check_pattern(given["matches"], where=f"{where}.matches")
    if given.get("expression"):
        _compile(given["expression"], where)
    return checked


def _compile(expression: object, where: str):
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError:
        raise EngineError(
            f"{where}.expression needs jmespath: install it for the module's interpreter.", code="missing_library"
        ) from None
    try:
        return jmespath.compile(expression)
    except (JMESPathError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise EngineError(
            f"{where}.expression is no JMESPath expression: {expression!r}: {shorten(reason, 200)}."
        ) from None


def _search(expression: str, document: dict) -> tuple[object, str | None]:
    """Return what a JMESPath expression finds, and what is wrong where it cannot be evaluated."""
    from jmespath.exceptions import JMESPathError

    try:
        return _compile(expression, "expected_outputs").search(document), None
    except JMESPathError as error:
        return None, f"cannot be evaluated: {shorten(' '.join(str(error).split()), 200)}"


def _document(cell: dict, value: object, text: str) -> dict:
    shown = [
        {"type": output.get("output_type"), "data": bundle(output)} for output in outputs(cell) if output.get("data")
    ]
    if isinstance(value, Table):
        header = value.header
        value = [dict(zip(header[-len(row) :], map(_number_or_text, row), strict=False)) for row in value.rows]
    plain = None if value is EMPTY else value.mime if isinstance(value, Image) else value
    return {"value": sorted(plain, key=repr) if isinstance(plain, set) else plain, "text": text, "outputs": shown}


def _number_or_text(text: str) -> object:
    found_numbers = numbers(Table((), ((text,),), (1, 1)))
    return found_numbers[0] if found_numbers else text


def _text(cell: dict) -> str:
    plain = [str(bundle(output).get("text/plain", "")) for output in outputs(cell)]
    return "\n".join(part for part in (terminal_text(stream(cell, "stdout")), *plain) if part)


def _wrong_type(item: ExpectedOutput, value: object, text: str, cell: dict) -> str | None:
    wanted = item.type or ""
    if "/" in wanted:
        mimes = [mime for output in outputs(cell) for mime in bundle(output)]
        return None if wanted in mimes else f"shows {', '.join(mimes) or 'no MIME data'}, expected {wanted}"
    return None if _TYPES[wanted](value) else f"shows {_show(value)}, expected type {wanted}"


def _wrong_shape(item: ExpectedOutput, value: object, text: str, cell: dict) -> str | None:
    shape = value.shape if isinstance(value, Table) else array_shape(cell) or _lengths(value)
    return None if shape == item.shape else f"has shape {shape}, expected {item.shape}"


def _lengths(value: object) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple, set)):
        return ()
    inner = {_lengths(item) for item in value}
    return (len(value), *(inner.pop() if len(inner) == 1 else ()))


def _out_of_bounds(item: ExpectedOutput, value: object, bound: float, below: bool) -> str | None:
    shown = numbers(value)
    if not shown:
        return f"shows {_show(value)}, expected numbers"
    bad = [number for number in shown if math.isnan(number) or (number < bound if below else number > bound)]
    return f"shows {bad[0]:g}, expected at {'least' if below else 'most'} {bound:g}" if bad else None


def _too_low(item: ExpectedOutput, value: object, text: str, cell: dict) -> str | None:
    return _out_of_bounds(item, value, item.min_value or 0.0, True)


def _too_high(item: ExpectedOutput, value: object, text: str, cell: dict) -> str | None:
    return _out_of_bounds(item, value, item.max_value or 0.0, False)


def _empty(item: ExpectedOutput, value: object, text: str, cell: dict) -> str | None:
    size = (
        value.shape[0]
        if isinstance(value, Table)
        else len(value)
        if isinstance(value, (str, list, tuple, dict, set))
        else 1
    )
    nothing = value is EMPTY or is_null(value) or not size
    return f"shows {_show(value)}, expected something" if item.not_empty and nothing else None


def _unequal(item: ExpectedOutput, value: object, text: str, cell: dict) -> str | None:
    return None if _equal(item.equals, value) else f"shows {_show(value)}, expected {_show(item.equals)}"


def _equal(wanted: object, value: object) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, (int, float)) and isinstance(value, (int, float)):
        return math.isclose(wanted, value, rel_tol=1e-9) or is_null(wanted) and is_null(value)
    if isinstance(wanted, (list, tuple)) and isinstance(value, (list, tuple)):
        return len(wanted) == len(value) and all(_equal(a, b) for a, b in zip(wanted, value, strict=False))
    if isinstance(wanted, dict) and isinstance(value, dict):
        return wanted.keys() == value.keys() and all(_equal(item, value[key]) for key, item in wanted.items())
    return wanted == value or is_null(wanted) and value is EMPTY


def _no_match(item: ExpectedOutput, value: object, text: str, cell: dict) -> str | None:
    return None if found(item.matches or "", text) else f"shows {_show(text)}, expected a match of {item.matches!r}"


_FAULTS = {
    "type": _wrong_type,
    "shape": _wrong_shape,
    "min_value": _too_low,
    "max_value": _too_high,
    "not_empty": _empty,
    "equals": _unequal,
    "matches": _no_match,
}


def _show(value: object) -> str:
    if isinstance(value, Table):
        return f"a table of {value.shape[0]} x {value.shape[1]}"
    if isinstance(value, Image):
        return value.mime
    return shorten(repr(value), 100)
