# SPDX-License-Identifier: GPL-3.0-or-later
"""What the golden comparison is asked, for a notebook and for one cell of it."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass

from ...values.base import Value
from ...values.errors import EngineError
from .patterns import check_pattern

DEFAULT_RTOL = 1e-6
DEFAULT_ATOL = 1e-8

_OUTPUTS = ("stdout", "stderr", "display_data", "execute_result", "error")
_SKIP_TAGS = {"golden-skip", "nbval-ignore-output", "nbval-skip"}
_SKIP_COMMENT = re.compile(r"^\s*#\s*(NBVAL_IGNORE_OUTPUT|NBVAL_SKIP|PYTEST_VALIDATE_IGNORE_OUTPUT)\b", re.MULTILINE)
_TAG = re.compile(r"golden-(rtol|atol|image-tolerance|ignore)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class GoldenOptions(Value):
    """Options of one comparison.

    rtol, atol: numbers a and b are equal where ``|a - b| <= max(atol, rtol * max(|a|, |b|))``. Where neither is
    given, 1e-6 and 1e-8 hold for numbers with a point or an exponent, and whole numbers must be the same; what is
    given holds for all numbers.
    ignore_outputs: ``stdout``, ``stderr``, ``display_data``, ``execute_result``, ``error`` or a MIME type.
    ignore_timestamps, ignore_addresses: see docs/golden.md for what counts. ignore_timings: durations with a unit.
    ignore_execution_count: numbers in brackets of code cells. compare_source: the source must be the same, too.
    patterns: (regular expression, replacement) applied to texts of both sides before they are compared.
    image_tolerance: root mean square of the difference of the pixels, 0 to 1.
    """

    rtol: float | None = None
    atol: float | None = None
    ignore_outputs: tuple[str, ...] = ("stderr",)
    ignore_timestamps: bool = True
    ignore_addresses: bool = True
    ignore_timings: bool = False
    ignore_execution_count: bool = True
    compare_source: bool = False
    patterns: tuple[tuple[str, str], ...] = ()
    image_tolerance: float = 0.01

    @classmethod
    def from_options(cls, options: dict | None) -> GoldenOptions:
        """Make the value of what the user gave; raises EngineError for what is unknown or cannot be meant."""
        known = {field.name for field in dataclasses.fields(cls)}
        given = {name: value for name, value in (options or {}).items() if value is not None}
        unknown = sorted(set(given) - known)
        if unknown:
            raise EngineError(f"The golden comparison knows no option {unknown[0]}: use {', '.join(sorted(known))}.")
        for name in ("rtol", "atol", "image_tolerance"):
            if name in given:
                given[name] = _number(given[name], f"comparison.{name}")
        for name in (
            name
            for name in given
            if name.startswith("ignore_") and name != "ignore_outputs" or name == "compare_source"
        ):
            if not isinstance(given[name], bool):
                raise EngineError(f"comparison.{name} must be true or false, not {given[name]!r}.")
        if "ignore_outputs" in given:
            given["ignore_outputs"] = tuple(
                _output(item) for item in _list(given["ignore_outputs"], "comparison.ignore_outputs")
            )
        if "patterns" in given:
            given["patterns"] = tuple(_pattern(item) for item in _list(given["patterns"], "comparison.patterns"))
        return cls(**given)

    def for_cell(self, tags: tuple[str, ...], source: str, cell: int) -> GoldenOptions | None:
        """Return the options as the cell's own tags change them, or None where the cell is not to be compared.

        ``golden-skip``; ``golden-rtol=1e-3``, ``golden-atol=0.5``, ``golden-image-tolerance=0.1``,
        ``golden-ignore=display_data``; nbval's marks to ignore or skip are honoured.
        """
        if _SKIP_TAGS.intersection(tag.lower() for tag in tags) or _SKIP_COMMENT.search(source):
            return None
        changed: dict = {}
        for name, text in (match.groups() for tag in tags if (match := _TAG.fullmatch(tag.strip()))):
            where = f"The tag golden-{name} of cell {cell}"
            if name == "ignore":
                changed["ignore_outputs"] = (*changed.get("ignore_outputs", self.ignore_outputs), _output(text, where))
            else:
                changed[name.replace("-", "_")] = _number(text, where)
        return dataclasses.replace(self, **changed)

    @property
    def tolerance_given(self) -> bool:
        """Whether the user gave a tolerance, so that it holds for whole numbers too."""
        return self.rtol is not None or self.atol is not None

    def close(self, golden: float, executed: float) -> bool:
        """Whether two different numbers are equal within the tolerances; what is beyond a float's range never is."""
        if not (math.isfinite(golden) and math.isfinite(executed)):
            return False
        rtol = self.rtol if self.tolerance_given else DEFAULT_RTOL
        atol = self.atol if self.tolerance_given else DEFAULT_ATOL
        return abs(golden - executed) <= max(atol or 0.0, (rtol or 0.0) * max(abs(golden), abs(executed)))


def _number(value: object, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise EngineError(f"{where} must be a number of at least 0, not {value!r}.")
    return number


def _list(value: object, where: str) -> list:
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (str, dict)):
        return [value]
    raise EngineError(f"{where} must be a list, not {value!r}.")


def _output(value: object, where: str = "comparison.ignore_outputs") -> str:
    if not isinstance(value, str) or not (value in _OUTPUTS or "/" in value):
        raise EngineError(f"{where} names {value!r}: use {', '.join(_OUTPUTS)} or a MIME type such as image/png.")
    return value


def _pattern(item: object) -> tuple[str, str]:
    if isinstance(item, (list, tuple)) and len(item) == 2:
        item = {"pattern": item[0], "replacement": item[1]}
    if not isinstance(item, dict):
        return check_pattern(item, where="comparison.patterns"), ""
    unknown = sorted(set(item) - {"pattern", "replacement"})
    replacement = item.get("replacement", "")
    if unknown or not isinstance(replacement, str):
        raise EngineError(
            f"comparison.patterns takes pattern and replacement, both strings, not {unknown or replacement!r}."
        )
    return check_pattern(item.get("pattern"), replacement, where="comparison.patterns"), replacement
