# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods may be in a namespace: its Pod Security labels, and the ranges that OpenShift gave it."""

from __future__ import annotations

import re

from ..cluster.client import Cluster
from ..values.platform import IdRange, Level, PodSecurity
from .asking import NO_CLUSTER, ask

_LABEL = "pod-security.kubernetes.io/"
_RANGES = "openshift.io/sa.scc."
_UNLABELLED = "has no label for it, so the cluster's default level holds, which no API tells"


def pod_security(cluster: Cluster | None, namespace: str | None, platform: str) -> PodSecurity:
    """Read the namespace, or on OpenShift its project, which its users may read. Costs one or two requests."""
    if cluster is None or namespace is None:
        return PodSecurity(namespace or "", None, NO_CLUSTER)
    answer = ask(cluster, f"/api/v1/namespaces/{namespace}")
    if answer.status == 403 and platform == "openshift":
        project = ask(cluster, f"/apis/project.openshift.io/v1/projects/{namespace}")
        # Where both are refused, the permission that everybody can be given is the one to name.
        answer = project if project.body is not None else answer
    if answer.body is None:
        return PodSecurity(namespace, _mechanism(platform), answer.reason)
    return read_namespace(answer.body, platform)


def read_namespace(found: dict, platform: str) -> PodSecurity:
    """Return what a Namespace or Project says in its labels and annotations."""
    metadata = found.get("metadata", {})
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    enforce = _level(labels, "enforce")
    uid_range = next(iter(id_ranges(notes.get(_RANGES + "uid-range", ""))), None)
    return PodSecurity(
        namespace=metadata["name"],
        mechanism=_mechanism(platform),
        reason=_reason(platform, enforce, uid_range),
        enforce=enforce,
        warn=_level(labels, "warn"),
        audit=_level(labels, "audit"),
        uid_range=uid_range,
        supplemental_groups=id_ranges(notes.get(_RANGES + "supplemental-groups", "")),
        mcs=notes.get(_RANGES + "mcs"),
    )


def id_ranges(text: str) -> tuple[IdRange, ...]:
    """Return the blocks of an annotation: ``start/size`` or ``start-end``, several with commas between them.

    Source: package security of openshift/apiserver-library-go (Block). What is written otherwise gives no range.
    """
    found = []
    for part in text.split(","):
        block = re.fullmatch(r"(\d+)([/-])(\d+)", part.strip())
        if not block:
            return ()
        start, last = int(block[1]), int(block[3])
        size = last if block[2] == "/" else last - start + 1
        if size < 1:
            return ()
        found.append(IdRange(start, size))
    return tuple(found)


def _mechanism(platform: str) -> str | None:
    return {"openshift": "scc", "kubernetes": "pod-security"}.get(platform)


def _level(labels: dict, mode: str) -> Level | None:
    level = labels.get(_LABEL + mode)
    # Kubernetes, "Pod Security Admission": without a version label, the latest.
    return Level(level, labels.get(f"{_LABEL}{mode}-version", "latest")) if level else None


def _reason(platform: str, enforce: Level | None, uid_range: IdRange | None) -> str:
    told = f"Pod Security enforces {enforce.level}" if enforce else f"Pod Security: the namespace {_UNLABELLED}"
    if platform != "openshift":
        return f"{told}."
    if uid_range is None:
        return f"{told}; the namespace has no range of UIDs in a form that is known."
    last = uid_range.start + uid_range.size - 1
    return f"{told}; security context constraints give pods a UID from {uid_range.start} to {last}."
