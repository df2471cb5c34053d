# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields of an object a manager owns (server-side apply), held against what is to be applied."""

from __future__ import annotations

import json

# Which object it is; not owned by anybody.
_IDENTITY = {"apiVersion", "kind"}
_METADATA_IDENTITY = {"name", "namespace"}


def owned(live: dict, manager: str) -> dict | None:
    """Return the fields that the manager has applied, as the ``fieldsV1`` tree of the object, or None.

    Kubernetes, "Server-Side Apply": only an entry of operation ``Apply`` that is not of a subresource counts.
    """
    for entry in live.get("metadata", {}).get("managedFields", ()):
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry.get("fieldsV1") or {}
    return None


def covers(tree: dict, manifest: dict) -> bool:
    """Return whether the tree holds every field of the manifest.

    A field that another manager has changed or removed since is no longer in the tree (there, "Conflicts" and "Field
    management"), so a tree that covers the manifest means that its values still stand.
    """
    wanted = {name: value for name, value in manifest.items() if name not in _IDENTITY}
    metadata = {name: value for name, value in wanted.get("metadata", {}).items() if name not in _METADATA_IDENTITY}
    return _covers(tree, {**wanted, "metadata": metadata})


def _covers(tree: dict, value) -> bool:
    if isinstance(value, dict):
        return all(
            f"f:{name}" in tree and (not tree[f"f:{name}"] or _covers(tree[f"f:{name}"], inner))
            for name, inner in value.items()
            if inner not in (None, {}, [])
        )
    if isinstance(value, list):
        return all(_holds_item(tree, item) for item in value)
    return True


def _holds_item(tree: dict, item) -> bool:
    if not isinstance(item, dict):
        return f"v:{json.dumps(item)}" in tree or f"v:{json.dumps(item, separators=(',', ':'))}" in tree
    for name, inner in tree.items():
        if name.startswith("k:"):
            key = json.loads(name[2:])
            # Part of a key may be a default that the manifest leaves out, such as the protocol of a port.
            # Without fields of its own an item is owned as a whole, as an owner reference is.
            fits = all(item.get(part, expected) == expected for part, expected in key.items())
            if fits and (not inner or _covers(inner, item)):
                return True
    return False
