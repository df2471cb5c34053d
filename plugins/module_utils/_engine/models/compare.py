# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a prediction is the expected one, within a tolerance."""

from __future__ import annotations

import json
import math

from ..notebook.golden.options import GoldenOptions

_LONGEST = 80  # characters of a value that is shown


def difference(expected: object, found: object, tolerance: GoldenOptions, place: str = "") -> str | None:
    """Return the first difference of two JSON values as the end of a sentence, or None.

    tolerance: of numbers; whole numbers must be the same unless one is given, as in a golden comparison. place: a JSONPath.
    """
    at = f" at {place}" if place else ""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in (*expected, *(key for key in found if key not in expected)):
            if key not in found or key not in expected:
                return f"{'has no' if key not in found else 'also has'} {place}.{key}"
            inner = difference(expected[key], found[key], tolerance, f"{place or '$'}.{key}")
            if inner:
                return inner
        return None
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"has {len(found)} values{at}, expected {len(expected)}"
        pairs = enumerate(zip(expected, found, strict=True))
        inners = (difference(left, right, tolerance, f"{place or '$'}[{number}]") for number, (left, right) in pairs)
        return next((inner for inner in inners if inner), None)
    if _same(expected, found, tolerance):
        return None
    return f"is {show(found)}{at}, expected {show(expected)}"


def _same(expected: object, found: object, tolerance: GoldenOptions) -> bool:
    if not (_is_number(expected) and _is_number(found)):
        return type(expected) is type(found) and expected == found
    if expected == found or math.isnan(expected) and math.isnan(found):
        return True
    whole = isinstance(expected, int) and isinstance(found, int)
    return (tolerance.tolerance_given or not whole) and tolerance.close(expected, found)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def show(value: object) -> str:
    """Return a value as JSON, bounded."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
