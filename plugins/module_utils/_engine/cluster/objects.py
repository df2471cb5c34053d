# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels by which objects are known as ours, and their owners."""

from __future__ import annotations

import re

from .client import MANAGER

KEY = "notebooks.mlops.dev/key"
MANAGED_BY = "app.kubernetes.io/managed-by"
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def labels(component: str, key: str, **more: str) -> dict[str, str]:
    """Return the labels of an object of ours.

    component: what it is there for, such as ``build``. key: the content key or other name that it serves. more: further
    labels of ``app.kubernetes.io/``, such as ``version`` (Kubernetes, "Recommended Labels").
    Raises ValueError where a value is no label value (Kubernetes, "Labels and Selectors").
    """
    found = {
        "app.kubernetes.io/name": "mlops-notebooks",
        MANAGED_BY: MANAGER,
        "app.kubernetes.io/component": component,
        KEY: key,
        **{f"app.kubernetes.io/{name.replace('_', '-')}": value for name, value in more.items()},
    }
    for name, value in found.items():
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{value!r} is no value for the label {name}: up to 63 letters, digits, '-', '_' and '.'.")
    return found


def is_ours(found: dict) -> bool:
    """Return whether the object carries our label."""
    return (found.get("metadata", {}).get("labels") or {}).get(MANAGED_BY) == MANAGER


def owner_reference(owner: dict, *, controller: bool = False) -> dict:
    """Return the entry of ``metadata.ownerReferences`` by which an object goes when its owner goes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **({"controller": True, "blockOwnerDeletion": True} if controller else {}),
    }


def is_owned_by(found: dict, uid: str) -> bool:
    """Return whether the object has an owner of this uid."""
    return any(owner.get("uid") == uid for owner in found.get("metadata", {}).get("ownerReferences", ()))
