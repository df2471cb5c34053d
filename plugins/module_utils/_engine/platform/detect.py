# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what we stand on. The one entry point of the room."""

from __future__ import annotations

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..values.platform import Platform
from .asking import NO_CLUSTER
from .offers import builders, capabilities
from .permissions import missing, permissions
from .permissions_data import WORK
from .registry import registry
from .security import pod_security
from .serving import serving
from .version import version

# In the order of the result. The first four cost at most three requests, each other one at most one more; twice that where
# a server has no aggregated discovery, or refuses the first way to an answer.
PARTS = ("platform", "version", "builders", "capabilities", "serving", "pod_security", "registry", "permissions")
DEFAULT_PARTS = PARTS[:4]
KINDS_OF_WORK = tuple(WORK)


def detect(cluster: Cluster | None, gather: list[str], namespace: str | None = None, work: list[str] = ()) -> Platform:
    """Return the platform with the parts asked for.

    cluster: None where none is configured; then the platform is ``local`` and nothing is asked. gather: names out of
    PARTS. namespace: what parts about a namespace are about, that of the connection by default. work: kinds out of
    KINDS_OF_WORK that ``missing`` is told for.
    Raises ClusterError where the server cannot be reached or does not accept the credentials. What the caller may not see
    is unknown in the result, with the reason.
    """
    discovery = cluster.discovery if cluster else None
    namespace = (namespace or cluster.namespace) if cluster else None
    platform, reason = kind_of(discovery)
    parts = {
        "version": lambda: version(cluster, platform),
        "builders": lambda: builders(discovery),
        "capabilities": lambda: capabilities(discovery),
        "serving": lambda: serving(cluster, namespace),
        "pod_security": lambda: pod_security(cluster, namespace, platform),
        "registry": lambda: registry(cluster, namespace),
        "permissions": lambda: permissions(cluster, namespace),
    }
    found = {part: gathered() for part, gathered in parts.items() if part in gather}
    if "permissions" in found:
        found["missing"] = missing(found["permissions"], work)
    return Platform(platform, reason, cluster.host if cluster else None, namespace, **found)


def kind_of(discovery: Discovery | None) -> tuple[str, str]:
    """Return ``openshift``, ``kubernetes``, ``local`` or ``unknown``, and how it was told."""
    if discovery is None:
        return "local", NO_CLUSTER
    openshift = discovery.is_openshift()
    if openshift is None:
        return (
            "unknown",
            "Which APIs the server has cannot be seen: discovery is denied, or a part of it does not answer.",
        )
    if not openshift:
        return "kubernetes", "The server has not the APIs that every OpenShift has."
    other = "config.openshift.io" if discovery.serves("config.openshift.io") else "route.openshift.io"
    return "openshift", f"The server serves security.openshift.io and {other}."
