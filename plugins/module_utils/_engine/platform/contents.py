# SPDX-License-Identifier: GPL-3.0-or-later
"""What a namespace holds that neither this collection nor the cluster itself has put there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..cluster.client import PAGE, Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.objects import is_ours
from ..values.base import Value

# Names suffice: no content, such as that of a Secret, is asked for. A server without this form takes the second.
_NAMES = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
# Group, resource ("*" for all): views of objects that are listed by another name, figures, and what records the past.
_VIEWS = {
    ("", "events"), ("events.k8s.io", "events"), ("metrics.k8s.io", "*"), ("custom.metrics.k8s.io", "*"),
    ("authorization.openshift.io", "*"), ("packages.operators.coreos.com", "*"), ("image.openshift.io", "imagestreamtags"),
    ("image.openshift.io", "imagetags"), ("quota.openshift.io", "appliedclusterresourcequotas"),
}  # fmt: skip
# What Kubernetes, OpenShift and OpenShift Pipelines put into every namespace.
_GIVEN = {
    "configmaps": {
        "kube-root-ca.crt", "openshift-service-ca.crt", "config-service-cabundle", "config-trusted-cabundle",
    },
    "serviceaccounts": {"default", "builder", "deployer", "pipeline"},
    "rolebindings": {
        "system:image-pullers", "system:image-builders", "system:deployers", "pipelines-scc-rolebinding",
        "openshift-pipelines-edit",
    },
}  # fmt: skip
# Secrets that belong to a service account, and what the lifecycle manager copies into each namespace.
_ACCOUNT_NOTES = ("kubernetes.io/service-account.name", "openshift.io/internal-registry-auth-token.service-account")
_COPIED = "olm.copiedFrom"


@dataclass(frozen=True)
class Thing(Value):
    """An object. resource: plural name and group, such as ``deployments.apps``."""

    kind: str
    name: str
    resource: str


@dataclass(frozen=True)
class Contents(Value):
    """What is in a namespace.

    exists, ours: of the namespace itself. others: objects of other people. unseen: resources that could not be listed.
    """

    namespace: str
    exists: bool
    ours: bool = False
    others: tuple[Thing, ...] = ()
    unseen: tuple[str, ...] = ()


def contents(cluster: Cluster, namespace: str) -> Contents:
    """Return what is in a namespace. Costs a request for each kind of object that the server has.

    Raises ClusterError where the namespace itself may not be read, or nothing answers.
    """
    space = cluster.find(f"/api/v1/namespaces/{namespace}")
    if space is None:
        return Contents(namespace, False)
    resources, unknown = cluster.discovery.namespaced()
    unseen = list(unknown)
    found: list[tuple[Resource, dict]] = []
    for resource in resources:
        if {(resource.group, resource.plural), (resource.group, "*")} & _VIEWS:
            continue
        try:
            found += [(resource, one) for one in _names(cluster, resource.path(namespace))]
        except ClusterError as error:
            if error.status not in (403, 404, 405):
                raise
            if error.status == 403:
                unseen.append(_qualified(resource))
    uids = {one["metadata"].get("uid") for _resource, one in found}
    others = sorted(
        (resource.kind, one["metadata"]["name"], _qualified(resource))
        for resource, one in found
        if not (is_ours(one) or _is_given(resource, one["metadata"]) or _belongs(one["metadata"], uids))
    )
    return Contents(namespace, True, is_ours(space), tuple(Thing(*one) for one in others), tuple(sorted(unseen)))


def _names(cluster: Cluster, path: str) -> Iterator[dict]:
    query: dict = {"limit": PAGE}
    while True:
        page = cluster.request("GET", path, query=query, accept=_NAMES)
        yield from page.get("items") or ()
        query["continue"] = page["metadata"].get("continue")
        if not query["continue"]:
            return


def _qualified(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _is_given(resource: Resource, metadata: dict) -> bool:
    """Return whether the cluster itself has put it there."""
    notes = metadata.get("annotations") or {}
    return (
        metadata["name"] in _GIVEN.get(resource.plural, ())
        or (resource.plural == "secrets" and any(note in notes for note in _ACCOUNT_NOTES))
        or _COPIED in (metadata.get("labels") or {})
    )


def _belongs(metadata: dict, uids: set[str]) -> bool:
    """Return whether it goes with another object of the namespace, which is looked at itself."""
    return any(owner.get("uid") in uids for owner in metadata.get("ownerReferences") or ())
