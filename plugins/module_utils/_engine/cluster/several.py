# SPDX-License-Identifier: GPL-3.0-or-later
"""Several objects in a row, those among them that later ones need to be served."""

from __future__ import annotations

import base64
import contextlib

from ..values.errors import EngineError
from .apply import Applied, apply, path_of
from .client import Cluster
from .deadline import Deadline
from .errors import ClusterError
from .goals import condition
from .wait import wait

_DEFINITION = "CustomResourceDefinition"


def apply_all(
    cluster: Cluster, manifests: list[dict], *, force: bool = False, dry_run: bool = False, seconds: float = 60
) -> list[Applied]:
    """Make objects be as their manifests say, one after the other, as `apply` does each.

    seconds: the most that each may take. A CustomResourceDefinition is waited for until it is served. Raises EngineError
    before anything is written where a manifest does not say what it is; ClusterError of the first object that fails, with the
    list of what was ``applied`` before it in its details.
    """
    for number, manifest in enumerate(manifests, 1):
        _check(manifest, number)
    found: list[Applied] = []
    for manifest in manifests:
        deadline = Deadline.after(seconds)
        try:
            made = apply(cluster, manifest, force=force, dry_run=dry_run, deadline=deadline)
            found.append(made)
            if manifest["kind"] == _DEFINITION and made.changed and not dry_run:
                _served(cluster, manifest, deadline)
        except ClusterError as error:
            name = f"{manifest['kind']} {manifest['metadata']['name']}"
            error.message = error.message if name in error.message else f"{name} was not brought: {error.message}"
            error.details["applied"] = found
            raise
    return found


def secret_values(manifests: list[dict]) -> set[str]:
    """Return what nobody may read in a log of these manifests: the values of Secrets, plain and encoded."""
    found: set[str] = set()
    for manifest in manifests:
        if manifest.get("kind") != "Secret":
            continue
        plain = {str(value) for value in (manifest.get("stringData") or {}).values()}
        encoded = {str(value) for value in (manifest.get("data") or {}).values()}
        for value in encoded:
            with contextlib.suppress(ValueError):
                plain.add(base64.b64decode(value, validate=True).decode())
        found |= plain | encoded | {base64.b64encode(value.encode()).decode() for value in plain}
    return found - {""}


def _check(manifest: dict, number: int) -> None:
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    given = {"apiVersion": manifest.get("apiVersion"), "kind": manifest.get("kind"), "metadata.name": name}
    if lacking := [field for field, value in given.items() if not isinstance(value, str) or not value]:
        raise EngineError(f"Manifest {number} of definition has no {', '.join(lacking)}: say of each what it is.")


def _served(cluster: Cluster, manifest: dict, deadline: Deadline) -> None:
    name, resource = manifest["metadata"]["name"], cluster.discovery.find(manifest["apiVersion"], manifest["kind"])
    if wait(cluster, resource, [name], condition("Established"), deadline).pending:
        found = cluster.find(path_of(cluster, resource, manifest)) or {}
        words = [one.get("message", "") for one in (found.get("status") or {}).get("conditions") or ()]
        told = "; ".join(word for word in words if word) or "nothing says why"
        raise ClusterError(f"{_DEFINITION} {name} is not served in time: {told}.", "cluster_refused")
