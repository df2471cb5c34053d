# SPDX-License-Identifier: GPL-3.0-or-later
"""Field management: server-side apply, and the tracking of every other writer, as structured-merge-diff does it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from . import errors
from .fieldsets import (
    UNTYPED,
    Path,
    Shape,
    Shapes,
    compare,
    decode_fields,
    encode_fields,
    field_name,
    field_set,
    key_element,
    value_element,
)
from .values import clone


@dataclass(frozen=True)
class Manager:
    name: str
    operation: str  # Apply or Update
    api_version: str
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """An applier is one manager whatever version it applies in."""
        version = "" if self.operation == "Apply" else self.api_version
        return self.name, self.operation, version, self.subresource

    def __str__(self) -> str:
        text = json.dumps(self.name)
        if self.subresource:
            text += f" with subresource {json.dumps(self.subresource)}"
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


@dataclass
class Entry:
    manager: Manager
    fields: set[Path]
    time: str


Entries = dict[tuple[str, str, str, str], Entry]


def decode(obj: dict | None) -> Entries:
    found: Entries = {}
    for entry in ((obj or {}).get("metadata") or {}).get("managedFields") or []:
        manager = Manager(
            entry.get("manager", ""),
            entry.get("operation", ""),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        found[manager.key] = Entry(manager, decode_fields(entry.get("fieldsV1") or {}), entry.get("time", ""))
    return found


def encode(entries: Entries) -> list[dict]:
    def order(entry: Entry):
        manager = entry.manager
        return manager.operation, entry.time, manager.name, manager.api_version, manager.subresource

    result = []
    for entry in sorted(entries.values(), key=order):
        if not entry.fields:
            continue
        manager = entry.manager
        item = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode_fields(entry.fields),
        }
        result.append({**item, "subresource": manager.subresource} if manager.subresource else item)
    return result


def _ignored(path: Path, subresource: str, has_status: bool) -> bool:
    """The fields that the endpoint resets, so that its writers cannot own them."""
    if subresource == "status":
        return path[:1] != ("f:status",) and path[:1] != ("f:metadata",)
    return has_status and path[:1] == ("f:status",)


def _without_managed(obj: dict) -> dict:
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _write(obj: dict, entries: Entries, before: Entries, now: str) -> None:
    """Put the entries into the object; what owns the same fields as before keeps its time."""
    for key, entry in entries.items():
        known = before.get(key)
        same = known and known.fields == entry.fields and known.manager == entry.manager
        entry.time = known.time if same else now
    encoded = encode(entries)
    obj["metadata"].pop("managedFields", None)
    if encoded:
        obj["metadata"]["managedFields"] = encoded


def track_update(shapes: Shapes, old: dict | None, new: dict, manager: Manager, has_status: bool, now: str) -> None:
    """Note in `new` which fields this write (not an apply) took over.

    A client may send other managedFields, and resets them by a list of one empty entry; without any, they stay.
    """
    base = old or {"metadata": {}}
    before, sent = decode(base), new["metadata"].get("managedFields")
    known = {} if sent == [{}] else before if manager.subresource else decode(new) or before
    entries = {key: Entry(one.manager, set(one.fields), one.time) for key, one in known.items()}
    found = compare(shapes, _without_managed(base), _without_managed(new))
    taken = found.added | found.changed
    for key, entry in entries.items():
        entry.fields -= found.removed
        if key != manager.key:
            entry.fields -= taken
    taken = {path for path in taken if not _ignored(path, manager.subresource, has_status)}
    if taken:
        own = entries.setdefault(manager.key, Entry(manager, set(), ""))
        own.fields |= taken
    _write(new, entries, before, now)


def apply(
    shapes: Shapes, live: dict | None, config: dict, manager: Manager, force: bool, has_status: bool, now: str
) -> dict:
    """The object that results from applying `config`; raises the 409 with its causes."""
    base = live or {
        "apiVersion": config["apiVersion"],
        "kind": config["kind"],
        "metadata": {"name": config["metadata"]["name"]},
    }
    before = decode(base)
    entries = {key: Entry(one.manager, set(one.fields), one.time) for key, one in before.items()}
    last = entries[manager.key].fields if manager.key in entries else set()
    wanted = {path for path in field_set(shapes, config) if not _ignored(path, manager.subresource, has_status)}
    base = _without_managed(base)
    merged = merge(shapes, shapes.root, clone(base), config)
    others = set().union(*(one.fields for key, one in entries.items() if key != manager.key))
    _prune(shapes, merged, last, wanted | others)
    found = compare(shapes, base, merged)
    _settle_conflicts(entries, found.added | found.changed, manager, force)
    for entry in entries.values():
        entry.fields -= found.removed
    entries[manager.key] = Entry(manager, wanted, "")
    _write(merged, entries, before, now)
    return merged


def _settle_conflicts(entries: Entries, taken: set[Path], manager: Manager, force: bool) -> None:
    causes = []
    for key, entry in entries.items():
        lost = entry.fields & taken if key != manager.key else set()
        if force:
            entry.fields -= lost
        else:
            causes += [(str(entry.manager), field_name(path)) for path in sorted(lost)]
    if causes:
        raise errors.apply_conflict(sorted(causes))


def merge(shapes: Shapes, shape: Shape, live, config):
    """`config` laid over `live`: maps and associative lists item by item, everything else whole."""
    how = shapes.resolve(shape, config)
    if how == "map" and isinstance(live, dict):
        for key, value in config.items():
            inner, _declared = shapes.child(shape, key)
            live[key] = merge(shapes, inner, live[key], value) if live.get(key) is not None else clone(value)
        return live
    if how == "list-map" and isinstance(live, list):
        return _merge_items(shapes, shape, live, config)
    if how == "set" and isinstance(live, list):
        return live + [clone(value) for value in config if value not in live]
    return clone(config)


def _merge_items(shapes: Shapes, shape: Shape, live: list, config: list) -> list:
    """Applied items in the applied order; the others keep their places between them."""
    known = {key_element(item, shape.keys): item for item in live}
    applied = {}
    for item in config:
        element = key_element(item, shape.keys)
        if element in applied:
            raise errors.bad_request(f"failed to create typed patch object: duplicate entries for key [{element[2:]}]")
        inner = shape.item or UNTYPED
        applied[element] = merge(shapes, inner, known[element], item) if element in known else clone(item)
    result, waiting = [], list(applied)
    for element, item in known.items():
        if element not in applied:
            result.append(item)
            continue
        while element in waiting:
            result.append(applied[waiting.pop(0)])
    return result + [applied[element] for element in waiting]


def _prefixes(paths: set[Path]) -> set[Path]:
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def _prune(shapes: Shapes, obj: dict, last: set[Path], kept: set[Path]) -> None:
    """Remove what the manager applied the last time and nobody speaks of now."""
    gone = _prefixes(last) - _prefixes(kept) - {("f:metadata",)}
    for path in sorted(gone):
        if path[:-1] not in gone:
            _remove(shapes, shapes.root, obj, path)


def _remove(shapes: Shapes, shape: Shape, value, path: Path) -> None:
    element, rest = path[0], path[1:]
    if isinstance(value, dict):
        key = element[2:]
        if not rest:
            value.pop(key, None)
        elif key in value:
            _remove(shapes, shapes.child(shape, key)[0], value[key], rest)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            name = key_element(item, shape.keys) if element.startswith("k:") else value_element(item)
            if name == element:
                if rest:
                    _remove(shapes, shape.item or UNTYPED, item, rest)
                else:
                    del value[index]
                return
