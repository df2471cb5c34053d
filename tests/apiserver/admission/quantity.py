# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities of resources: `500m`, `1Gi`, `2`."""

from __future__ import annotations

from decimal import Decimal

_SUFFIXES = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3")},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
}


def quantity(text: str | int | float) -> Decimal:
    """The number that a quantity means."""
    text = str(text)
    for suffix, factor in _SUFFIXES.items():
        if text.endswith(suffix):
            return Decimal(text[: -len(suffix)]) * factor
    return Decimal(text)


def plain(number: Decimal, binary: bool = False) -> str:
    """A quantity in words: thousandths where it is no whole number, and Ki, Mi, … where `binary` and they fit."""
    if number != number.to_integral_value():
        return f"{int(number * 1000)}m"
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        if binary and number and number % _SUFFIXES[suffix] == 0:
            return f"{int(number / _SUFFIXES[suffix])}{suffix}"
    return str(int(number))
