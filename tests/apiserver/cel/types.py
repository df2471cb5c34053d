# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules see of a structural schema: types with the sizes that values may have at most, and values of these types.

Sizes are those that the API server assumes (Kubernetes, "Resource use by validation functions"): what has no limit may fill a
request, and a character of a string may take four bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

REQUEST = 3 * 1024 * 1024  # bytes of the largest request
_RESERVED = frozenset(
    "true false null in as break const continue else for function if import let loop package namespace return".split()
)
_WRITTEN = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Format of a string -> type, and the most characters of its JSON.
_FORMATS = {
    "byte": ("bytes", None),
    "duration": ("duration", 32),
    "date": ("timestamp", 12),
    "date-time": ("timestamp", 30),
}
_SMALLEST = {"string": 2, "bytes": 2, "bool": 4, "int": 1, "double": 1, "dyn": 1, "duration": 2, "timestamp": 12}


@dataclass(frozen=True)
class Type:
    """limit: elements at most, 1 for what has none. item: of a list or map. smallest: bytes of its shortest JSON."""

    name: str
    limit: int = 1
    item: Type | None = None
    fields: dict[str, Type] = field(default_factory=dict, hash=False)
    smallest: int = 1

    def __str__(self) -> str:
        if self.name in ("list", "optional_type"):
            return f"{self.name}({self.item})"
        return f"map(string, {self.item})" if self.name == "map" else self.name

    def of_size(self, limit: int) -> Type:
        return replace(self, limit=limit)


DYN = Type("dyn", REQUEST)
BOOL, INT, DOUBLE, NULL = (Type(name) for name in ("bool", "int", "double", "null_type"))
STRING = Type("string", REQUEST, smallest=2)


def escape(name: str) -> str | None:
    """The name by which rules have a property, None where there is none for it."""
    if name in _RESERVED:
        return f"__{name}__"
    for character, written in _WRITTEN:
        name = name.replace(character, written)
    return name if _IDENTIFIER.fullmatch(name) else None


def remembered(function: Callable) -> Callable:
    """Let a function work once for each schema; a schema is the object that it is, and does not change."""
    known: dict[int, tuple] = {}

    def found(schema: dict):
        if id(schema) not in known or known[id(schema)][0] is not schema:
            known[id(schema)] = (schema, function(schema))
        return known[id(schema)][1]

    return found


def declare(schema: dict, root: bool = False) -> Type | None:
    """The type of a schema, None for what rules do not see."""
    if schema.get("x-kubernetes-int-or-string"):
        return Type("dyn", _characters(schema, REQUEST - 2))
    kind = schema.get("type")
    if kind == "array":
        item = declare(schema.get("items") or {})
        return item and Type("list", schema.get("maxItems", (REQUEST - 2) // (item.smallest + 1)), item, smallest=2)
    if kind == "object":
        return _object(schema, root)
    if kind == "string":
        name, most = _FORMATS.get(schema.get("format"), ("string", None))
        longest = max((len(one) for one in schema.get("enum") or ()), default=REQUEST - 2)
        return Type(name, most or _characters(schema, longest), smallest=_SMALLEST[name])
    name = {"boolean": "bool", "integer": "int", "number": "double"}.get(kind)
    return Type(name, smallest=_SMALLEST[name]) if name else None


def _characters(schema: dict, otherwise: int) -> int:
    return 4 * schema["maxLength"] if "maxLength" in schema else otherwise


def _object(schema: dict, root: bool) -> Type | None:
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        item = declare(extra)
        return item and Type("map", schema.get("maxProperties", (REQUEST - 2) // (item.smallest + 6)), item, smallest=2)
    properties, smallest = properties_of(schema, root), 2
    fields = {}
    for name, inner in properties.items():
        found = declare(inner, bool(inner.get("x-kubernetes-embedded-resource")))
        if found and escape(name):
            fields[escape(name)] = found
        if found and name in (schema.get("required") or ()) and "default" not in inner:
            smallest += len(name) + found.smallest + 4
    return Type("object", 1, None, fields, smallest)


def properties_of(schema: dict, root: bool) -> dict[str, dict]:
    """At the root of a resource rules see a little of its metadata, too."""
    properties = schema.get("properties") or {}
    if not root:
        return properties
    text = {"type": "string"}
    names = {"type": "object", "properties": {"name": text, "generateName": text}}
    return {**properties, "apiVersion": text, "kind": text, "metadata": names}


def value(obj, schema: dict, root: bool = False):
    """A JSON value as celpy has it: a whole number is an int or a double as the schema says."""
    from celpy import celtypes, json_to_cel

    kind = schema.get("type")
    if obj is None or schema.get("x-kubernetes-int-or-string"):
        return json_to_cel(obj)
    if isinstance(obj, list):
        return celtypes.ListType([value(one, schema.get("items") or {}) for one in obj])
    if isinstance(obj, dict):
        return celtypes.MapType(_entries(obj, schema, root))
    if kind == "number":
        return celtypes.DoubleType(obj)
    if kind == "string" and schema.get("format") in ("date", "date-time"):
        return celtypes.TimestampType(obj if "T" in obj else f"{obj}T00:00:00Z")
    if kind == "string" and schema.get("format") == "duration":
        return celtypes.DurationType(obj)
    return json_to_cel(obj)


def _entries(obj: dict, schema: dict, root: bool) -> dict:
    from celpy import celtypes

    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return {celtypes.StringType(key): value(one, extra) for key, one in obj.items()}
    known = {name: one for name, one in properties_of(schema, root).items() if name in obj and escape(name)}
    return {
        celtypes.StringType(escape(name)): value(obj[name], one, bool(one.get("x-kubernetes-embedded-resource")))
        for name, one in known.items()
        if _visible(one)
    }


@remembered
def _visible(schema: dict) -> bool:
    return declare(schema) is not None
