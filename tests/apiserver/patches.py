# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch (Kubernetes' own)."""

from __future__ import annotations

from . import errors
from .fieldsets import UNTYPED, Shape, Shapes
from .values import clone


def merge_patch(target, patch):
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(document, operations: list):
    """Raises 422 where an operation cannot be done, with the real server's words."""
    if not isinstance(operations, list):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    box = {"": clone(document)}
    for operation in operations:
        try:
            _operate(box, operation)
        except (KeyError, IndexError, ValueError, TypeError) as problem:
            kind, path = operation.get("op"), operation.get("path")
            raise errors.ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {kind} operation does not apply: "
                                  f"doc is missing path: {path}: missing value ({problem})") from problem  # fmt: skip
    return box[""]


def _pointer(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise ValueError(path)
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]


def _parent(box: dict, path: str):
    *steps, last = _pointer(path)
    node = box
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node, last


def _read(box: dict, path: str):
    node, last = _parent(box, path)
    return node[int(last)] if isinstance(node, list) else node[last]


def _add(box: dict, path: str, value) -> None:
    node, last = _parent(box, path)
    if isinstance(node, list):
        index = len(node) if last == "-" else int(last)
        if index > len(node):
            raise IndexError(last)
        node.insert(index, value)
    else:
        node[last] = value


def _take(box: dict, path: str):
    node, last = _parent(box, path)
    return node.pop(int(last) if isinstance(node, list) else last)


def _operate(box: dict, operation: dict) -> None:
    kind, path = operation["op"], operation["path"]
    if kind == "add":
        _add(box, path, clone(operation["value"]))
    elif kind == "remove":
        _take(box, path)
    elif kind == "replace":
        _read(box, path)
        node, last = _parent(box, path)
        node[int(last) if isinstance(node, list) else last] = clone(operation["value"])
    elif kind == "move":
        _add(box, path, _take(box, operation["from"]))
    elif kind == "copy":
        _add(box, path, clone(_read(box, operation["from"])))
    elif kind == "test":
        if _read(box, path) != operation["value"]:
            raise ValueError(f"testing value {path} failed")
    else:
        raise ValueError(f"Unexpected kind: {kind}")


def strategic_merge(shapes: Shapes, target, patch, shape: Shape | None = None):
    shape = shapes.root if shape is None else shape
    if not isinstance(patch, dict):
        return clone(patch)
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$setElementOrder/") or key == "$patch":
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            result[name] = [one for one in result.get(name) or [] if one not in value]
        elif key == "$retainKeys":
            result = {name: one for name, one in result.items() if name in value}
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _strategic_value(shapes, shapes.child(shape, key)[0], result.get(key), value)
    for key, value in patch.items():
        if key.startswith("$setElementOrder/"):
            name = key.partition("/")[2]
            inner = shapes.child(shape, name)[0]
            if isinstance(result.get(name), list):
                result[name] = _ordered(result[name], value, inner.keys[:1])
    return result


def _strategic_value(shapes: Shapes, shape: Shape, old, value):
    if isinstance(value, dict):
        return strategic_merge(shapes, old, value, shape if shape.kind == "map" else UNTYPED)
    if isinstance(value, list) and shape.kind == "list-map":
        return _strategic_items(shapes, shape, old or [], value)
    if isinstance(value, list) and shape.kind == "set":
        return (old or []) + [one for one in value if one not in (old or [])]
    return clone(value)


def _strategic_items(shapes: Shapes, shape: Shape, old: list, patch: list) -> list:
    """Items are told apart by the merge key, which is the first key of the associative list."""
    merge_key = shape.keys[0]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [clone(item) for item in patch if item.get("$patch") != "replace"]
    result = list(old)
    for item in patch:
        if merge_key not in item:
            raise errors.bad_request(f"map: {item} does not contain declared merge key: {merge_key}")
        index = next((i for i, one in enumerate(result) if one.get(merge_key) == item[merge_key]), None)
        if item.get("$patch") == "delete":
            if index is not None:
                del result[index]
        elif index is None:
            result.append(strategic_merge(shapes, {}, item, shape.item or UNTYPED))
        else:
            result[index] = strategic_merge(shapes, result[index], item, shape.item or UNTYPED)
    return result


def _ordered(items: list, order: list, merge_key: tuple[str, ...]) -> list:
    def name(item):
        return item.get(merge_key[0]) if merge_key and isinstance(item, dict) else item

    wanted = [one.get(merge_key[0]) if merge_key and isinstance(one, dict) else one for one in order]
    places = {value: index for index, value in enumerate(wanted)}
    listed = sorted((item for item in items if name(item) in places), key=lambda item: places[name(item)])
    return listed + [item for item in items if name(item) not in places]
