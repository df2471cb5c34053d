# SPDX-License-Identifier: GPL-3.0-or-later
"""What images are pulled by from the cluster's own registry."""

from __future__ import annotations

from ..cluster.client import Cluster
from ..values.platform import Registry
from .asking import NO_CLUSTER, Answer, ask
from .offers import group, unseen

# Every authenticated user may read the image streams of this namespace on OpenShift.
_STREAMS = "/apis/image.openshift.io/v1/namespaces/openshift/imagestreams"
_CONFIG = "/apis/config.openshift.io/v1/images/cluster"


def registry(cluster: Cluster | None, namespace: str | None) -> Registry:
    """Return the registry that OpenShift runs inside the cluster. Costs one request, two where image streams do not tell."""
    if cluster is None:
        return Registry(False, NO_CLUSTER)
    streams = group(cluster.discovery, "image.openshift.io")
    if streams.served is None:
        return Registry(None, unseen("image.openshift.io"))
    if not streams.served:
        return Registry(False, "The server has no image streams, and Kubernetes itself has no registry.")
    listed = ask(cluster, _STREAMS, {"limit": 1})
    if listed.body and listed.body.get("items"):
        return from_stream(listed.body["items"][0], namespace)
    return _from_config(ask(cluster, _CONFIG), listed, namespace)


def from_stream(stream: dict, namespace: str | None) -> Registry:
    """Return what an ImageStream's status says: its repositories there, less its own namespace and name."""
    status = stream.get("status", {})
    return _registry(
        _host(status.get("dockerImageRepository")), _host(status.get("publicDockerImageRepository")), namespace
    )


def _from_config(config: Answer, listed: Answer, namespace: str | None) -> Registry:
    if config.body is None:
        why = listed.reason or "there is no image stream in the namespace openshift"
        return Registry(None, f"The registry cannot be seen ({why.rstrip('.')}); {config.reason}")
    status, spec = config.body.get("status", {}), config.body.get("spec", {})
    external = (status.get("externalRegistryHostnames") or spec.get("externalRegistryHostnames") or [None])[0]
    return _registry(status.get("internalRegistryHostname"), external, namespace)


def _registry(host: str | None, external: str | None, namespace: str | None) -> Registry:
    if not host:
        return Registry(
            False, "OpenShift's internal registry is not there: it is removed, or not set up yet.", None, external
        )
    reference = f"{host}/{namespace}" if namespace else host
    return Registry(True, f"Pods pull images of the namespace from {reference}.", host, external, reference)


def _host(repository: str | None) -> str | None:
    return repository.partition("/")[0] if repository else None
