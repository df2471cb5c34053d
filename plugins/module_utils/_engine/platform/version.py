# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of Kubernetes and OpenShift."""

from __future__ import annotations

from ..cluster.client import Cluster
from ..values.platform import Version
from .asking import NO_CLUSTER, ask

_CLUSTER_VERSION = "/apis/config.openshift.io/v1/clusterversions/version"


def version(cluster: Cluster | None, platform: str) -> Version:
    """Ask for /version and, on OpenShift, for the ClusterVersion."""
    if cluster is None:
        return Version(reason=NO_CLUSTER)
    reasons = []
    server = ask(cluster, "/version")
    if server.body is None:
        reasons.append(server.reason)
    body = server.body or {}
    release = {}
    if platform == "openshift":
        release = _release(cluster, reasons)
    return Version(
        kubernetes=body.get("gitVersion"),
        major=body.get("major"),
        minor=body.get("minor"),
        reason=" ".join(reasons) or None,
        **release,
    )


def _release(cluster: Cluster, reasons: list[str]) -> dict:
    if not _has_cluster_versions(cluster):
        reasons.append("The server has no ClusterVersion; MicroShift is known for that.")
        return {}
    answer = ask(cluster, _CLUSTER_VERSION)
    if answer.body is None:
        reasons.append(answer.reason)
        return {}
    found = from_cluster_version(answer.body)
    if found["openshift"] is None:
        reasons.append("No release of OpenShift has been rolled out completely yet.")
    return found


def _has_cluster_versions(cluster: Cluster) -> bool:
    return cluster.discovery.versions("config.openshift.io") != ()


def from_cluster_version(found: dict) -> dict[str, str | None]:
    """Return the release that was rolled out last, and the one that is wanted.

    Source: OpenShift's API reference, ClusterVersion: ``status.history`` holds the newest first.
    """
    status = found.get("status", {})
    done = (entry.get("version") for entry in status.get("history") or () if entry.get("state") == "Completed")
    return {"openshift": next(done, None), "openshift_desired": (status.get("desired") or {}).get("version")}
