# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of field paths in the form of FieldsV1, and the shapes (which list is a map?) that paths depend on.

A path is a tuple of elements as FieldsV1 writes them: `f:name`, `k:{"name":"x"}`, `v:"x"`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from .builtin_types import BuiltinTypes, elements
from .resources import ResourceType

Path = tuple[str, ...]

# Keys of the associative lists of the built-in kinds (x-kubernetes-list-map-keys of the real OpenAPI).
_KEYS = {
    "containers": ("name",), "initContainers": ("name",), "ephemeralContainers": ("name",), "volumes": ("name",),
    "env": ("name",), "volumeMounts": ("mountPath",), "volumeDevices": ("devicePath",), "imagePullSecrets": ("name",),
    "hostAliases": ("ip",), "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"), "conditions": ("type",),
    "ownerReferences": ("uid",), "secrets": ("name",), "resourceClaims": ("name",), "schedulingGates": ("name",),
    "podIPs": ("ip",), "claims": ("name",), "webhooks": ("name",), "volumeAttributes": ("name",),
}  # fmt: skip
_PORTS = {
    "V1Container": ("containerPort", "protocol"),
    "V1EphemeralContainer": ("containerPort", "protocol"),
    "V1ServiceSpec": ("port", "protocol"),
}
_ATOMIC_LISTS = {("V1JobStatus", "conditions"), ("V1ServiceAccount", "imagePullSecrets")}
_SETS = {("V1ObjectMeta", "finalizers")}
_ATOMIC_TYPES = {
    "V1LabelSelector", "V1LocalObjectReference", "V1ConfigMapKeySelector", "V1SecretKeySelector", "V1ObjectFieldSelector",
    "V1ResourceFieldSelector", "V1ObjectReference", "V1TypedLocalObjectReference", "V1TypedObjectReference", "V1OwnerReference",
    "V1NodeSelector", "V1NodeSelectorTerm", "V1RoleRef", "V1SecretReference", "V1IngressBackend", "V1FileKeySelector",
}  # fmt: skip
_ATOMIC_MAPS = {("V1PodSpec", "nodeSelector"), ("V1ServiceSpec", "selector")}
# Struct fields that Go always writes: an Update manager does not own them by ".".
_ALWAYS = set(
    "metadata spec status template strategy updateStrategy jobTemplate containers resources loadBalancer".split()
)
_DEFAULT_KEYS = {"protocol": "TCP"}


@dataclass(frozen=True)
class Shape:
    """How server-side apply sees a value: scalar, map, atomic, list-map (with keys) or set; `of` gives the children."""

    kind: str
    keys: tuple[str, ...] = ()
    name: str = ""  # the built-in type
    schema: dict | None = None  # the structural schema of a custom resource
    item: Shape | None = None


UNTYPED = Shape("untyped")
ATOMIC = Shape("atomic")


class Shapes:
    """The shapes of one resource; built-in kinds by their types, custom ones by their schema, others untyped."""

    def __init__(self, types: BuiltinTypes, resource: ResourceType, schema: dict | None = None):
        self._types, self._resource = types, resource
        self.always = () if resource.custom else _ALWAYS
        name = types.type_of(resource)
        if schema is not None:
            self.root = Shape("map", schema=schema)
        else:
            self.root = Shape("map", name=name) if name else UNTYPED

    def child(self, parent: Shape, key: str) -> tuple[Shape, bool]:
        """The shape of a map's field, and whether it is a declared field (not a free key)."""
        if key == "metadata" and (parent is self.root or (parent.schema or {}).get("x-kubernetes-embedded-resource")):
            return Shape("map", name="V1ObjectMeta"), True
        if parent.schema is not None:
            return self._custom(parent.schema, key)
        if not parent.name:
            return (parent.item or UNTYPED), False
        declared = self._types.fields(parent.name).get(key)
        return (self._builtin(parent.name, key, declared), True) if declared else (UNTYPED, False)

    def _builtin(self, owner: str, key: str, declared: str) -> Shape:
        if declared.startswith("list["):
            inner = elements(declared)
            keys = _PORTS.get(owner) if key == "ports" else _KEYS.get(key)
            if (owner, key) in _SETS:
                return Shape("set")
            if not keys or (owner, key) in _ATOMIC_LISTS or inner == "str":
                return ATOMIC
            return Shape("list-map", keys, item=self._named(inner))
        if declared.startswith("dict("):
            atomic = (owner, key) in _ATOMIC_MAPS
            return ATOMIC if atomic else Shape("map", item=self._named(elements(declared)))
        return self._named(declared)

    def _named(self, declared: str) -> Shape:
        if declared in _ATOMIC_TYPES:
            return ATOMIC
        if declared == "object":
            return UNTYPED
        return Shape("map", name=declared) if self._types.is_struct(declared) else Shape("scalar")

    def _custom(self, schema: dict, key: str) -> tuple[Shape, bool]:
        declared = (schema.get("properties") or {}).get(key)
        if declared is not None:
            return self.custom(declared), True
        extra = schema.get("additionalProperties")
        return (self.custom(extra) if isinstance(extra, dict) else UNTYPED), False

    def custom(self, schema: dict) -> Shape:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return ATOMIC if schema.get("x-kubernetes-map-type") == "atomic" else Shape("map", schema=schema)
        if kind == "array":
            how = schema.get("x-kubernetes-list-type", "atomic")
            if how == "map":
                keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
                return Shape("list-map", keys, item=self.custom(schema.get("items") or {}))
            return Shape("set") if how == "set" else ATOMIC
        return Shape("scalar") if kind else UNTYPED

    def resolve(self, shape: Shape, *values) -> str:
        """How the values are to be treated: map, list-map, set or leaf."""
        kind = shape.kind
        value = next((one for one in values if one is not None), None)
        if kind == "untyped":
            return "map" if isinstance(value, dict) else "leaf"
        if kind == "map":
            return "map" if isinstance(value, dict) else "leaf"
        if kind in ("list-map", "set"):
            return kind if isinstance(value, list) else "leaf"
        return "leaf"


def key_element(item: dict, keys: tuple[str, ...]) -> str:
    found = {key: item.get(key, _DEFAULT_KEYS.get(key)) for key in sorted(keys)}
    found = {key: value for key, value in found.items() if value is not None}
    return "k:" + json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def value_element(value) -> str:
    return "v:" + json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def field_set(shapes: Shapes, obj: dict) -> set[Path]:
    """The fields that an applied configuration speaks of (ToFieldSet of structured-merge-diff)."""
    found: set[Path] = set()
    _collect(shapes, shapes.root, obj, (), found)
    return strip(found)


def _collect(shapes: Shapes, shape: Shape, value, path: Path, found: set[Path]) -> None:
    how = shapes.resolve(shape, value)
    if how == "map":
        for key, item in value.items():
            inner, declared = shapes.child(shape, key)
            here = (*path, f"f:{key}")
            _collect(shapes, inner, item, here, found)
            if item is None or item == {} or not declared:
                found.add(here)
    elif how == "list-map":
        for item in value:
            here = (*path, key_element(item, shape.keys))
            _collect(shapes, shape.item or UNTYPED, item, here, found)
            found.add(here)
    elif how == "set":
        found.update((*path, value_element(item)) for item in value)
    else:
        found.add(path)


@dataclass
class Difference:
    added: set[Path]
    changed: set[Path]
    removed: set[Path]


def compare(shapes: Shapes, old: dict, new: dict) -> Difference:
    """What changes from old to new (Compare of structured-merge-diff)."""
    found = Difference(set(), set(), set())
    _compare(shapes, shapes.root, old, new, (), found)
    return Difference(strip(found.added), strip(found.changed), strip(found.removed))


_MISSING = object()


def _compare(shapes: Shapes, shape: Shape, old, new, path: Path, found: Difference) -> None:
    if old is new or (old is not _MISSING and new is not _MISSING and old == new):
        return
    left, right = (None if one is _MISSING else one for one in (old, new))
    how = shapes.resolve(shape, right, left)
    if how != "leaf" and left and right and not isinstance(left, type(right)):
        how = "leaf"
    if how == "leaf" or (not left and not right):
        where = found.added if old is _MISSING else found.removed if new is _MISSING else found.changed
        where.add(path)
        return
    for element, inner, before, after in _pairs(shapes, shape, how, left, right):
        _compare(shapes, inner, before, after, (*path, element), found)
    if path and path[-1][2:] not in shapes.always:
        if old is _MISSING:
            found.added.add(path)
        elif new is _MISSING:
            found.removed.add(path)


def _pairs(shapes: Shapes, shape: Shape, how: str, left, right):
    if how == "map":
        left, right = left or {}, right or {}
        for key in {**left, **right}:
            inner, _declared = shapes.child(shape, key)
            yield f"f:{key}", inner, left.get(key, _MISSING), right.get(key, _MISSING)
    else:
        name = (lambda item: key_element(item, shape.keys)) if how == "list-map" else value_element
        before, after = ({name(item): item for item in value or []} for value in (left, right))
        inner = (shape.item or UNTYPED) if how == "list-map" else Shape("scalar")
        for element in {**before, **after}:
            yield element, inner, before.get(element, _MISSING), after.get(element, _MISSING)


_META = ("name", "namespace", "creationTimestamp", "uid", "generation", "managedFields", "resourceVersion", "selfLink",
         "deletionTimestamp", "deletionGracePeriodSeconds")  # fmt: skip
_STRIPPED = {(), ("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{name}") for name in _META)}


def strip(paths: set[Path]) -> set[Path]:
    """Without the fields that no manager owns."""
    return {path for path in paths if path not in _STRIPPED and path[:2] != ("f:metadata", "f:managedFields")}


def encode_fields(paths: set[Path]) -> dict:
    """As FieldsV1: a path that is owned and has children in the set shows as "."."""
    root: dict = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    return _dotted(root, paths, ())


def _dotted(node: dict, paths: set[Path], path: Path) -> dict:
    result: dict = {}
    if node and path in paths:
        result["."] = {}
    for element in sorted(node):
        result[element] = _dotted(node[element], paths, (*path, element))
    return result


def decode_fields(fields: dict, path: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for element, inner in fields.items():
        if element == ".":
            found.add(path)
        elif not inner:
            found.add((*path, element))
        else:
            found |= decode_fields(inner, (*path, element))
    return found


def field_name(path: Path) -> str:
    """As messages name it: `.spec.containers[name="x"].image`."""
    text = ""
    for element in path:
        kind, rest = element[:2], element[2:]
        if kind == "f:":
            text += f".{rest}"
        elif kind == "k:":
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items()) + "]"
        else:
            text += f"[={rest}]"
    return text
