# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders and capabilities: told by the API groups that a server serves, so that they cost no request of their own."""

from __future__ import annotations

from dataclasses import dataclass

from ..cluster.discovery import Discovery
from ..values.platform import Offer
from .asking import NO_CLUSTER

# name: API group that only this capability brings, and what that is called.
CAPABILITIES = {
    "routes": ("route.openshift.io", "Routes of OpenShift"),
    "image_streams": ("image.openshift.io", "Image streams of OpenShift"),
    "projects": ("project.openshift.io", "Projects of OpenShift"),
    "gateway_api": ("gateway.networking.k8s.io", "The Gateway API"),
    "external_secrets": ("external-secrets.io", "The External Secrets Operator"),
    "monitoring": ("monitoring.coreos.com", "The Prometheus Operator"),
    "kueue": ("kueue.x-k8s.io", "Kueue"),
    "object_bucket_claims": ("objectbucket.io", "Object bucket claims"),
    "cert_manager": ("cert-manager.io", "cert-manager"),
}

_BUILDS = (
    ("build.openshift.io", (), "BuildConfigs: the server is not OpenShift, or its Build capability is disabled"),
    ("image.openshift.io", (), "image streams, which the image would be put into"),
)
# name: what it needs, each as API group, versions that will do (any where empty), and what is missing without it.
BUILDERS = {
    "s2i": _BUILDS,
    "docker": _BUILDS,
    "tekton": (("tekton.dev", ("v1", "v1beta1"), "Tekton Pipelines in the version v1 or v1beta1"),),
    "shipwright": (("shipwright.io", ("v1beta1",), "Shipwright Build in the version v1beta1"),),
    "buildah": (("batch", ("v1",), "Jobs"),),
}
_NOTES = {"buildah": "; a registry to push to is needed"}


@dataclass(frozen=True)
class Group:
    """What a server says of one API group: served (None = unknown), and the API version to use."""

    served: bool | None
    api_version: str | None = None


def group(discovery: Discovery, name: str, wanted: tuple[str, ...] = ()) -> Group:
    """Look a group up, in the first of the wanted versions that is served; the server's preferred one where any will do."""
    versions = discovery.versions(name)
    if versions is None:
        return Group(None)
    usable = [version for version in wanted if version in versions] if wanted else list(versions)
    return Group(True, f"{name}/{usable[0]}") if usable else Group(False)


def unseen(name: str) -> str:
    """Return the sentence for a group of which the server does not say whether it is there."""
    return f"Whether the API group {name} is served cannot be seen: discovery is denied, or what serves it does not answer."


def capabilities(discovery: Discovery | None) -> dict[str, Offer]:
    """Return each capability; without a server none is available."""
    return {name: _capability(discovery, *row) for name, row in CAPABILITIES.items()}


def _capability(discovery: Discovery | None, name: str, title: str) -> Offer:
    if discovery is None:
        return Offer(False, NO_CLUSTER)
    found = group(discovery, name)
    if found.served is None:
        return Offer(None, unseen(name))
    if not found.served:
        return Offer(False, f"The server does not serve {name}.")
    return Offer(True, f"{title}: the server serves {found.api_version}.", found.api_version)


def builders(discovery: Discovery | None) -> dict[str, Offer]:
    """Return each builder; without a server none is available."""
    if discovery is None:
        return {name: Offer(False, NO_CLUSTER) for name in BUILDERS}
    return {name: _builder(discovery, name, needs) for name, needs in BUILDERS.items()}


def _builder(discovery: Discovery, name: str, needs: tuple) -> Offer:
    found = [(group(discovery, which, versions), which, what) for which, versions, what in needs]
    for one, _unused, what in found:
        if one.served is False:
            return Offer(False, f"The server has no {what}.")
    for one, which, _unused in found:
        if one.served is None:
            return Offer(None, unseen(which))
    api_version = found[0][0].api_version
    return Offer(True, f"The server serves {api_version}{_NOTES.get(name, '')}.", api_version)
