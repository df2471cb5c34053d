# SPDX-License-Identifier: GPL-3.0-or-later
"""What manifests may say: published schemas where a package has them, field tables of the API references elsewhere."""

from __future__ import annotations

import importlib

VERSIONS = ("1.30.0", "1.36.0")  # of Kubernetes: the oldest and the newest that are promised
# API group: module of this package with TABLES, by apiVersion and kind.
_TABLES = {
    "build.openshift.io": "openshift",
    "image.openshift.io": "openshift",
    "monitoring.coreos.com": "monitoring",
    "tekton.dev": "tekton",
    "shipwright.io": "shipwright",
}


def complaints(manifest: dict) -> list[str]:
    """Return what a server would refuse of a manifest, or silently drop: unknown fields count."""
    group = manifest["apiVersion"].rpartition("/")[0]
    return _by_table(manifest, _TABLES[group]) if group in _TABLES else _by_schema(manifest)


def _by_schema(manifest: dict) -> list[str]:
    import kubernetes_validate

    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{version}: {'.'.join(map(str, error.path))}: {error.message}")
    return found


def _by_table(manifest: dict, name: str) -> list[str]:
    tables = importlib.import_module(f"{__name__}.{name}").TABLES
    table = tables.get((manifest["apiVersion"], manifest["kind"]))
    if table is None:
        return [f"There is no table for {manifest['kind']} of {manifest['apiVersion']}."]
    metadata = {"apiVersion": str, "kind": str, "metadata": METADATA}
    return list(unfit(manifest, {**metadata, **table}, ""))


def unfit(value, table, path: str):
    """Yield where a value is not as a table says.

    A table is a type (``object`` takes anything), a list of one table, a dict of tables by field, or ``{"*": table}``
    for a map. A field that is required is written with ``!`` at its end.
    """
    if isinstance(table, list):
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for number, item in enumerate(value):
            yield from unfit(item, table[0], f"{path}[{number}]")
    elif isinstance(table, dict):
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no object"
            return
        yield from _unfit_fields(value, table, path)
    elif table is not object and (not isinstance(value, table) or (table is int and isinstance(value, bool))):
        yield f"{path}: {value!r} is no {table.__name__}"


def _unfit_fields(value: dict, table: dict, path: str):
    fields = {name.removesuffix("!"): inner for name, inner in table.items()}
    for name in value:
        if name not in fields and "*" not in fields:
            yield f"{path}.{name}: there is no such field"
        else:
            yield from unfit(value[name], fields.get(name, fields.get("*")), f"{path}.{name}")
    for name in table:
        if name.endswith("!") and name.removesuffix("!") not in value:
            yield f"{path}: {name.removesuffix('!')} is required"


_TEXTS = {"*": str}
METADATA = {
    "name!": str,
    "namespace": str,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "ownerReferences": [
        {
            "apiVersion!": str, "kind!": str, "name!": str, "uid!": str, "controller": bool, "blockOwnerDeletion": bool,
        }
    ],
}  # fmt: skip
