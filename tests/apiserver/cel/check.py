# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule gives, and what it costs at most: the API server refuses rules by that before any object is there."""

from __future__ import annotations

from dataclasses import dataclass

from .functions import ANY, FUNCTIONS, METHODS, read
from .types import BOOL, DOUBLE, DYN, INT, NULL, STRING, Type

_SCALARS = ("bool", "int", "double", "duration", "timestamp", "quantity", "null_type", "type")
_MACROS = ("all", "exists", "exists_one", "map", "filter")
_TYPE_NAMES = ("int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type")
# What each round of a macro costs beside its expression, and the end of all rounds.
_ROUND = {"all": (3, 1), "exists": (4, 1), "exists_one": (2, 2), "map": (12, 11), "filter": (13, 11)}
_LIST, _MAP = 10, 30  # cost of making one
_OPERATORS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "in": "@in"}
_OPERATORS |= {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}
_NUMBERS = ("int", "double")


class Refused(Exception):
    """A rule that does not compile; position: line and column."""

    def __init__(self, message: str, position: tuple[int, int] = (1, 1)):
        super().__init__(message)
        self.position = position

    def told(self, rule: str) -> str:
        line, column = self.position
        text = rule.splitlines()[line - 1] if rule.splitlines() else ""
        return f"ERROR: <input>:{line}:{column}: {self}\n | {text}\n | {'.' * (column - 1)}^"


@dataclass
class Found:
    type: Type
    cost: int = 0


class Checker:
    """Goes through the tree of one rule. variables: name -> type."""

    def __init__(self, variables: dict[str, Type]):
        self._scope = dict(variables)
        self.used: set[str] = set()

    def check(self, node) -> Found:
        """The type and cost of a node of celpy's tree. Raises Refused."""
        if len(node.children) == 1 and node.data in _PASSED_ON:
            return self.check(node.children[0])
        return getattr(self, f"_{node.data}")(node)

    # --- operators

    def _expr(self, node) -> Found:
        condition, yes, no = (self.check(child) for child in node.children)
        self._expect(node, condition, "bool")
        if not _fit(yes.type, no.type):
            raise _no_overload(node, "_?_:_", (condition, yes, no))
        larger = max((yes.type, no.type), key=lambda one: one.limit)
        return Found(larger, condition.cost + max(yes.cost, no.cost))

    def _conditionalor(self, node) -> Found:
        left, right = (self.check(child) for child in node.children)
        for one in (left, right):
            self._expect(node, one, "bool")
        return Found(BOOL, left.cost + right.cost)

    _conditionaland = _conditionalor

    def _unary(self, node) -> Found:
        sign, found = node.children[0].data, self.check(node.children[1])
        if sign == "unary_not":
            self._expect(node, found, "bool")
        elif found.type.name not in (*_NUMBERS, "dyn"):
            raise _no_overload(node, "-_", (found,))
        return Found(found.type, found.cost + 1)

    def _relation(self, node) -> Found:
        operator, left, right = self._sides(node)
        cost = left.cost + right.cost
        if operator == "@in":
            if right.type.name == "map":
                return Found(BOOL, cost + 1)
            if right.type.name != "list" or not _fit(left.type, right.type.item or DYN):
                raise _no_overload(node, operator, (left, right))
            return Found(BOOL, cost + right.type.limit)
        both = {left.type.name, right.type.name}
        mixed = operator not in ("==", "!=") and both == set(_NUMBERS)
        if not mixed and not _fit(left.type, right.type):
            raise _no_overload(node, f"_{operator}_", (left, right))
        if operator not in ("==", "!=") and both & {"list", "map", "object"}:
            raise _no_overload(node, f"_{operator}_", (left, right))
        return Found(BOOL, cost + max(1, min(_whole(left.type), _whole(right.type))))

    def _addition(self, node) -> Found:
        operator, left, right = self._sides(node)
        if not _fit(left.type, right.type):
            raise _no_overload(node, f"_{operator}_", (left, right))
        cost, kind = left.cost + right.cost, left.type
        if kind.name in ("string", "list") and operator == "+":
            size = kind.limit + right.type.limit
            return Found(kind.of_size(size), cost + (read(size) if kind.name == "string" else 1))
        if kind.name not in (*_NUMBERS, "dyn", "duration", "timestamp"):
            raise _no_overload(node, f"_{operator}_", (left, right))
        return Found(kind, cost + 1)

    _multiplication = _addition

    def _sides(self, node) -> tuple[str, Found, Found]:
        inner, right = node.children
        operator = _OPERATORS[inner.data.rpartition("_")[2]]
        return operator, self.check(inner.children[0]), self.check(right)

    # --- members

    def _member_dot(self, node) -> Found:
        target, name = self.check(node.children[0]), node.children[1]
        kind = target.type
        if kind.name == "object":
            if name not in kind.fields:
                raise Refused(f"undefined field '{name}'", _position(name))
            return Found(kind.fields[name], target.cost + 1)
        if kind.name == "map":
            return Found(kind.item, target.cost + 1)
        if kind.name == "dyn":
            return Found(DYN, target.cost)
        raise Refused(f"type '{kind}' does not support field selection", _position(name))

    def _member_index(self, node) -> Found:
        target, index = (self.check(child) for child in node.children)
        wanted = {"list": "int", "map": "string"}.get(target.type.name)
        if target.type.name != "dyn" and (wanted is None or index.type.name not in (wanted, "dyn")):
            raise _no_overload(node, "_[_]", (target, index))
        return Found(target.type.item or DYN, target.cost + index.cost + 1)

    def _member_dot_arg(self, node) -> Found:
        name = node.children[1]
        if name in _MACROS:
            return self._macro(node)
        given = [self.check(node.children[0]), *map(self.check, _arguments(node, 2))]
        return self._call(name, METHODS, given)

    def _ident_arg(self, node) -> Found:
        name, arguments = node.children[0], _arguments(node, 1)
        if name == "has":
            return self._has(node, arguments)
        return self._call(name, FUNCTIONS, [self.check(one) for one in arguments])

    def _call(self, name, functions: dict, given: list[Found]) -> Found:
        if name not in functions:
            raise Refused(f"undeclared reference to '{name}' (in container '')", _position(name))
        cost = sum(one.cost for one in given)
        for function in functions[name]:
            least = len(function.takes) - function.optional
            if not least <= len(given) <= len(function.takes):
                continue
            if all(wanted == ANY or one.type.name in (*wanted, "dyn") for one, wanted in zip(given, function.takes)):  # noqa: B905
                kinds = [one.type for one in given]
                gives = function.gives if isinstance(function.gives, Type) else function.gives(kinds)
                return Found(gives, cost + function.cost(*(kind.limit for kind in kinds)))
        raise _no_overload(name, name, given)

    def _has(self, node, arguments: list) -> Found:
        inner = arguments[0] if len(arguments) == 1 else node
        while inner.data in _PASSED_ON and len(inner.children) == 1:
            inner = inner.children[0]
        if inner.data != "member_dot":
            raise Refused("invalid argument to has() macro", _position(node.children[0]))
        self.check(inner)  # the field must be one that may be there
        return Found(BOOL, self.check(inner.children[0]).cost)

    def _macro(self, node) -> Found:
        macro, arguments = node.children[1], _arguments(node, 2)
        over = self.check(node.children[0])
        if over.type.name not in ("list", "map", "dyn"):
            kind = "list, map, or dynamic"
            raise Refused(
                f"expression of type '{over.type}' cannot be range of a comprehension (must be {kind})",
                _position(macro),
            )
        name = _identifier(arguments[0]) if len(arguments) == 2 else None
        if name is None:
            raise Refused(f"invalid arguments of the macro {macro}", _position(macro))
        item = STRING.of_size(0) if over.type.name == "map" else over.type.item or DYN
        before = self._scope.get(name)
        self._scope[name] = item
        inner = self.check(arguments[1])
        self._scope[name] = before
        if macro != "map":
            self._expect(node, inner, "bool")
        each, end = _ROUND[macro]
        gives = {"map": inner.type, "filter": item}.get(str(macro))
        return Found(
            Type("list", over.type.limit, gives) if gives else BOOL,
            over.cost + end + over.type.limit * (inner.cost + each),
        )

    # --- primaries

    def _ident(self, node) -> Found:
        name = node.children[0]
        if self._scope.get(name) is not None:
            self.used.add(str(name))
            return Found(self._scope[name], 1)
        if name in _TYPE_NAMES:
            return Found(Type("type"), 1)
        raise Refused(f"undeclared reference to '{name}' (in container '')", _position(name))

    def _literal(self, node) -> Found:
        from celpy.evaluation import celstr

        token = node.children[0]
        if token.type in ("STRING_LIT", "MLSTRING_LIT"):
            return Found(STRING.of_size(len(celstr(token))))
        kinds = {"INT_LIT": INT, "UINT_LIT": Type("uint"), "FLOAT_LIT": DOUBLE, "BOOL_LIT": BOOL, "NULL_LIT": NULL}
        return Found(kinds.get(token.type, Type("bytes", len(token))))

    def _list_lit(self, node) -> Found:
        items = [self.check(one) for one in _arguments(node, 0)]
        if any(not _fit(items[0].type, one.type) for one in items):
            told = ", ".join(sorted({str(one.type) for one in items}))
            raise Refused(f"expected a list of one type, but found {told}", _position(node))
        item = max((one.type for one in items), key=lambda one: one.limit, default=DYN)
        return Found(Type("list", len(items), item), _LIST + sum(one.cost for one in items))

    def _map_lit(self, node) -> Found:
        inner = [self.check(one) for one in _arguments(node, 0)]
        values = [one.type for one in inner[1::2]]
        item = max(values, key=lambda one: one.limit, default=DYN)
        return Found(Type("map", len(values), item), _MAP + sum(one.cost for one in inner))

    def _expect(self, node, found: Found, name: str) -> None:
        if found.type.name not in (name, "dyn"):
            raise Refused(f"expected type '{name}' but found '{found.type}'", _position(node))


_PASSED_ON = frozenset(
    "expr conditionalor conditionaland relation addition multiplication unary member primary paren_expr".split()
)


def _arguments(node, start: int) -> list:
    return list(node.children[start].children) if len(node.children) > start else []


def _identifier(node) -> str | None:
    while node.data in _PASSED_ON and len(node.children) == 1:
        node = node.children[0]
    return str(node.children[0]) if node.data == "ident" else None


def _fit(left: Type, right: Type) -> bool:
    """Whether both are of one type; what is dynamic fits all."""
    if "dyn" in (left.name, right.name) or "null_type" in (left.name, right.name):
        return True
    if left.name != right.name:
        return {left.name, right.name} <= {"map", "object"}
    return left.item is None or right.item is None or _fit(left.item, right.item)


def _whole(kind: Type) -> int:
    """The cost of reading a value to its end."""
    if kind.name in ("list", "map"):
        return kind.limit * (1 + _whole(kind.item or DYN))
    if kind.name == "object":
        return sum(_whole(one) for one in kind.fields.values())
    return 1 if kind.name in _SCALARS else read(kind.limit)


def _position(node) -> tuple[int, int]:
    if hasattr(node, "column"):
        return node.line, node.column
    return _position(next(node.scan_values(lambda token: True), None)) if hasattr(node, "scan_values") else (1, 1)


def _no_overload(node, operator: str, given) -> Refused:
    told = ", ".join(str(one.type) for one in given)
    return Refused(f"found no matching overload for '{operator}' applied to '({told})'", _position(node))
