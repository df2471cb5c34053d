# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notebook consists of, and how that comes to be as it is to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.apply import APPLIED, prepared, put
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import MANAGER, Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.fields import covers, owned
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import CONFIG_MAPS, SECRETS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import (
    is_owned_by,
    owner_reference,
)

from . import files, pod
from .exposure import KINDS, Exposure, network_policy, service
from .question import Question
from .refusal import Refusal
from .settings import Settings

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True)
SERVICES = Resource("", "v1", "services", "Service", True)
POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True)
MANAGED = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
OPERATOR = "jupyter-operator"
SELECTOR = f"{MANAGED}={OPERATOR}"
_REPLACED = (DEPLOYMENTS, *KINDS.values())


class Waiting(Exception):
    """Something that has the name goes, and has to be gone first. The text is a sentence."""


@dataclass(frozen=True)
class Plan:
    """What children are made by. exposure: ingress, route or httproute. namespace: the operator's own."""

    settings: Settings
    exposure: str
    openshift: bool
    namespace: str

    def way(self, asked: Question) -> Exposure:
        """Return how the server is reached."""
        return Exposure(self.exposure, asked, self.settings)

    def manifests(self, asked: Question, owner: dict, token: str | None) -> list[tuple[Resource, dict]]:
        """Return all children, what the others rest on first, the Deployment last. Raises Refusal.

        owner: the JupyterNotebook. token: None leaves the Secret out.
        """
        parts: list[tuple[Resource, str, dict, dict]] = [
            (CONFIG_MAPS, files.name_of(asked.name), {}, {"data": files.config_data(asked.name)})
        ]
        if token is not None:
            content = {"type": "Opaque", "stringData": files.secret_data(token)}
            parts.insert(0, (SECRETS, files.name_of(asked.name), {}, content))
        if self.settings.network_policy:
            spec = network_policy(asked, self.settings, self.openshift, self.namespace)
            parts.append((POLICIES, asked.name, {}, {"spec": spec}))
        parts.append((SERVICES, asked.name, {}, {"spec": service(asked)}))
        kind, notes, spec = self.way(asked).manifest()
        parts.append((kind, asked.name, notes, {"spec": spec}))
        parts.append((DEPLOYMENTS, asked.name, pod.notes(asked), {"spec": pod.deployment(asked, self.settings)}))
        return [(resource, _manifest(resource, name, notes, body, owner)) for resource, name, notes, body in parts]


def _manifest(resource: Resource, name: str, notes: dict, body: dict, owner: dict) -> dict:
    labels = {
        "app": owner["metadata"]["name"],
        "app.kubernetes.io/name": "jupyter-notebook",
        INSTANCE: owner["metadata"]["name"],
        MANAGED: OPERATOR,
    }
    metadata = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": labels,
        "annotations": notes,
        "ownerReferences": [owner_reference(owner, controller=True)],
    }
    if resource is DEPLOYMENTS:
        body["spec"]["template"]["metadata"]["labels"] |= labels
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **body}


def stands(live: dict, manifest: dict) -> bool:
    """Return whether an object is as it is to be, by our mark and the fields that are ours."""
    wanted, tree = prepared(manifest), owned(live, MANAGER)
    marked = (live["metadata"].get("annotations") or {}).get(APPLIED) == wanted["metadata"]["annotations"][APPLIED]
    return marked and tree is not None and covers(tree, wanted) and not live["metadata"].get("deletionTimestamp")


def find(cluster: Cluster, resource: Resource, name: str, owner: dict) -> dict | None:
    """Return a child, None where it is not there. Raises Refusal where the name is somebody else's, Waiting, ClusterError."""
    live = cluster.find(resource.path(owner["metadata"]["namespace"], name))
    if live is None:
        return None
    what = f"The {resource.kind} {name}"
    if not is_owned_by(live, owner["metadata"]["uid"]):
        owners = live["metadata"].get("ownerReferences") or ()
        if any((one["kind"], one["name"]) == (owner["kind"], owner["metadata"]["name"]) for one in owners):
            raise Waiting(f"{what} of a former notebook of this name is not gone yet.")
        raise Refusal("NameTaken", f"{what} is there and not of this notebook: choose another name, or remove it.")
    if live["metadata"].get("deletionTimestamp"):
        raise Waiting(f"{what} is being deleted, and has to be gone before it can be made anew.")
    return live


def bring(cluster: Cluster, resource: Resource, manifest: dict, live: dict | None, going: Callable[[], bool]) -> None:
    """Make a child be as it is to be, by at most one write. Raises ClusterError.

    live: as it is. going: whether the notebook is still there.
    """
    if live is not None and stands(live, manifest) or not going():
        return
    if live is not None and resource in _REPLACED and owned(live, MANAGER) is None:
        # Of the operator that was here before this one; what it has set could not be taken out by an apply.
        remove(cluster, resource, live)
    put(cluster, manifest, resource)


def remove(cluster: Cluster, resource: Resource, live: dict) -> None:
    """Delete an object, if it still is that one. Raises ClusterError."""
    metadata = live["metadata"]
    options = {"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"}
    cluster.delete(resource.path(metadata["namespace"], metadata["name"]), options)


def former(plan: Plan, asked: Question, status: dict) -> list[tuple[Resource, str]]:
    """Return what an operator before this one, or one of other settings, made and nobody needs any more."""
    found = []
    before = (status.get("exposure") or {}).get("kind")
    if before in KINDS and before != plan.exposure:
        found.append((KINDS[before], asked.name))
    if before and (status["exposure"].get("networkPolicy") and not plan.settings.network_policy):
        found.append((POLICIES, asked.name))
    if not before and status.get("jupyter"):
        # The token was in the first of them.
        found += [(CONFIG_MAPS, f"{part}-{asked.name}") for part in ("config", "bp", "startup")]
        found += [(KINDS["ingress"], asked.name)] if plan.exposure != "ingress" else []
    return found
