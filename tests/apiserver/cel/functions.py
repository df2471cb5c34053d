# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions of rules: what they take and give, what they cost at most, and those that celpy has not.

Costs are those of Kubernetes' estimate: a character that is read costs a tenth, one of an expression a quarter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from .types import BOOL, DOUBLE, DYN, INT, STRING, Type

ANY = "any"
QUANTITY = Type("quantity")
_TEXTS = ("string", "bytes", "list", "map")


def read(size: int, times: float = 1.0) -> int:
    return math.ceil(size * 0.1 * times)


def _one(*_sizes: int) -> int:
    return 1


def _expression(text: int, pattern: int, *_more: int) -> int:
    return read(text + 1) * math.ceil(pattern * 0.25)


@dataclass(frozen=True)
class Function:
    """takes: names of types, of the receiver first where there is one. gives: a type, or what makes it of those given.

    cost: of the sizes of what is given. optional: so many of the last arguments may be left out.
    """

    takes: tuple
    gives: Type | Callable
    cost: Callable = _one
    optional: int = 0


def _read_first(*sizes: int) -> int:
    return read(sizes[0])


def _read_twice(*sizes: int) -> int:
    return read(sizes[0], 2)


def _same(given: list[Type]) -> Type:
    return given[0]


def _item(given: list[Type]) -> Type:
    return given[0].item or DYN


def _pieces(given: list[Type]) -> Type:
    return Type("list", given[0].limit, STRING.of_size(given[0].limit), smallest=2)


def _joined(given: list[Type]) -> Type:
    rest = given[1].limit if len(given) > 1 else 0
    return STRING.of_size(given[0].limit * ((given[0].item or DYN).limit + rest))


FUNCTIONS = {
    "size": (Function((_TEXTS,), INT),),
    "type": (Function((ANY,), Type("type")),),
    "dyn": (Function((ANY,), DYN),),
    "int": (Function((("int", "double", "string", "timestamp", "dyn"),), INT),),
    "double": (Function((("int", "double", "string", "dyn"),), DOUBLE),),
    "string": (Function((ANY,), lambda given: STRING.of_size(given[0].limit)),),
    "bool": (Function((("string", "bool"),), BOOL),),
    "duration": (Function((("string", "duration"),), Type("duration")),),
    "timestamp": (Function((("string", "timestamp"),), Type("timestamp")),),
    "quantity": (Function((("string",),), QUANTITY, _read_first),),
    "isQuantity": (Function((("string",),), BOOL, _read_first),),
}
_TEXT, _LIST = ("string",), ("list",)
METHODS = {
    "size": FUNCTIONS["size"],
    "startsWith": (Function((_TEXT, _TEXT), BOOL, lambda _text, start: read(start)),),
    "endsWith": (Function((_TEXT, _TEXT), BOOL, lambda _text, end: read(end)),),
    "contains": (Function((_TEXT, _TEXT), BOOL, lambda text, part: read(text) * read(part)),),
    "matches": (Function((_TEXT, _TEXT), BOOL, _expression),),
    "find": (Function((_TEXT, _TEXT), _same, _expression),),
    "findAll": (Function((_TEXT, _TEXT, ("int",)), _pieces, _expression, 1),),
    "split": (Function((_TEXT, _TEXT, ("int",)), _pieces, _read_twice, 1),),
    "join": (Function((_LIST, _TEXT), _joined, lambda *sizes: read(sizes[0], 2), 1),),
    "lowerAscii": (Function((_TEXT,), _same, _read_first),),
    "replace": (Function((_TEXT, _TEXT, _TEXT), lambda given: STRING.of_size(given[0].limit * max(1, given[2].limit)), _read_twice),),
    "isGreaterThan": (Function((("quantity",), ("quantity",)), BOOL),),
    "isLessThan": (Function((("quantity",), ("quantity",)), BOOL),),
    "compareTo": (Function((("quantity",), ("quantity",)), INT),),
    "hasValue": (Function((("optional_type",),), BOOL),),
    "value": (Function((("optional_type",),), _item),),
    "orValue": (Function((("optional_type",), ANY), _item),),
}  # fmt: skip


class Quantity:
    """A quantity of Kubernetes such as ``1.5Gi``."""

    _SUFFIXES = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "": "1"} | {
        name: str(10 ** (3 * power)) for power, name in enumerate("kMGTPE", 1)
    }
    _BINARY = {f"{name}i": str(1024**power) for power, name in enumerate("KMGTPE", 1)}
    _FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([numkMGTPE]?|[KMGTPE]i)")

    def __init__(self, text: str):
        found = self._FORM.fullmatch(text)
        if not found:
            raise ValueError("quantities must match the regular expression")
        self.amount = Decimal(found[1]) * Decimal({**self._SUFFIXES, **self._BINARY}[found[2]])


class Optional:
    """`oldSelf` of a rule with optionalOldSelf."""

    def __init__(self, *held):
        self.held = held


def implementations() -> dict[str, Callable]:
    """The functions that celpy lacks, in its types."""
    from celpy import celtypes
    from celpy.evaluation import CELEvalError

    text, number, truth, many = celtypes.StringType, celtypes.IntType, celtypes.BoolType, celtypes.ListType

    def found(value: str, pattern: str) -> list[str]:
        import re2

        return [one.group(0) for one in re2.finditer(pattern, value)]

    def is_quantity(value: str) -> bool:
        try:
            return bool(Quantity(value))
        except ValueError:
            return False

    def split(value: str, separator: str, most: int = -1) -> list:
        if most == 0:
            return many([])
        if separator == "":
            pieces = list(value) if most < 0 else [*value[: most - 1], value[most - 1 :]]
        else:
            pieces = value.split(separator, most - 1 if most > 0 else -1)
        return many([text(one) for one in pieces])

    def held(value: Optional):
        return value.held[0] if value.held else CELEvalError("optional.none() dereference", ValueError, ())

    def compare(left: Quantity, right: Quantity) -> int:
        return number((left.amount > right.amount) - (left.amount < right.amount))

    return {
        "dyn": lambda value: value,
        "find": lambda value, pattern: text(next(iter(found(value, pattern)), "")),
        "findAll": lambda value, pattern, most=-1: many([text(one) for one in found(value, pattern)][: most if most >= 0 else None]),
        "split": split,
        "join": lambda value, separator="": text(separator.join(value)),
        "lowerAscii": lambda value: text(re.sub("[A-Z]+", lambda match: match[0].lower(), value)),
        "replace": lambda value, old, new: text(value.replace(old, new)),
        "quantity": Quantity,
        "isQuantity": lambda value: truth(is_quantity(value)),
        "isGreaterThan": lambda left, right: truth(left.amount > right.amount),
        "isLessThan": lambda left, right: truth(left.amount < right.amount),
        "compareTo": compare,
        "hasValue": lambda value: truth(bool(value.held)),
        "value": held,
        "orValue": lambda value, otherwise: value.held[0] if value.held else otherwise,
    }  # fmt: skip
