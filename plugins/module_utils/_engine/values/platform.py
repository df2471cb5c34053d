# SPDX-License-Identifier: GPL-3.0-or-later
"""What we stand on: the kind of cluster, and what it offers to whoever asks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .base import Value


@dataclass(frozen=True)
class Offer(Value):
    """Whether the platform has something.

    available: None where that is unknown: the caller may not see it, or what would tell does not answer.
    reason: one sentence, whatever the answer is.
    api_version: the served API version that it was told by, such as ``tekton.dev/v1``.
    """

    available: bool | None
    reason: str
    api_version: str | None = None


@dataclass(frozen=True)
class Workload(Value):
    """A Deployment that runs a model server.

    image: as the Deployment names it. port: the container's port that the server listens on by default, else the first
    that it declares, else None. ready: replicas that are ready.
    """

    namespace: str
    name: str
    image: str
    port: int | None
    ready: int


@dataclass(frozen=True)
class ModelServer(Value):
    """A model-serving platform: an Offer, with the Deployments it was told by where it has no API of its own."""

    available: bool | None
    reason: str
    api_version: str | None = None
    deployments: tuple[Workload, ...] = ()


@dataclass(frozen=True)
class Version(Value):
    """Versions of the server, None where not known or not applicable; ``reason`` says why, else None.

    kubernetes: ``v1.31.4``, with ``major`` and ``minor`` as the server says them. openshift: the newest release that was
    completely rolled out. openshift_desired: the release that the cluster is on the way to, or on.
    """

    kubernetes: str | None = None
    major: str | None = None
    minor: str | None = None
    openshift: str | None = None
    openshift_desired: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Level(Value):
    """A Pod Security Standard (``privileged``, ``baseline``, ``restricted``) and the version it is taken from."""

    level: str
    version: str


@dataclass(frozen=True)
class IdRange(Value):
    """The IDs ``start`` to ``start + size - 1``."""

    start: int
    size: int


@dataclass(frozen=True)
class PodSecurity(Value):
    """What pods may be in a namespace.

    mechanism: ``scc`` (OpenShift's security context constraints, beside Pod Security), ``pod-security``, or None where
    that is unknown. enforce, warn, audit: of the namespace's labels; None where it has none, or where they are unknown.
    uid_range, supplemental_groups, mcs: what OpenShift gave the namespace. reason: one sentence.
    """

    namespace: str
    mechanism: str | None
    reason: str
    enforce: Level | None = None
    warn: Level | None = None
    audit: Level | None = None
    uid_range: IdRange | None = None
    supplemental_groups: tuple[IdRange, ...] = ()
    mcs: str | None = None


@dataclass(frozen=True)
class Registry(Value):
    """The cluster's own image registry.

    available: None where unknown. host: what pods pull from. external_host: what the world pulls from, if it may.
    reference: what an image of the namespace is pulled by, less its name. reason: one sentence.
    """

    available: bool | None
    reason: str
    host: str | None = None
    external_host: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Rule(Value):
    """What the caller may do, as RBAC says it; no ``resource_names`` means all."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Permissions(Value):
    """What the caller may do in a namespace.

    incomplete: there may be more than the rules say. reason: why they are incomplete, else None.
    """

    namespace: str
    rules: tuple[Rule, ...]
    incomplete: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class Missing(Value):
    """What some work needs in the namespace, and the caller lacks.

    rules: as a Role has them. unknown: rules of which it cannot be said whether the caller has them.
    """

    work: str
    rules: tuple[dict, ...] = ()
    unknown: tuple[dict, ...] = ()


@dataclass(frozen=True)
class Platform(Value):
    """The outcome of detection. A part that was not asked for is None.

    platform: ``openshift``, ``kubernetes``, ``local`` (no cluster) or ``unknown``. reason: how it was told.
    host: URL of the API server. namespace: the one that parts about a namespace are about.
    builders, capabilities: Offers by name. serving: ModelServers by name.
    """

    platform: str
    reason: str
    host: str | None = None
    namespace: str | None = None
    version: Version | None = None
    builders: dict | None = None
    capabilities: dict | None = None
    serving: dict | None = None
    pod_security: PodSecurity | None = None
    registry: Registry | None = None
    permissions: Permissions | None = None
    missing: tuple[Missing, ...] | None = None

    @classmethod
    def from_dict(cls, data: dict) -> Platform:
        """Make the value from ``as_dict`` output, the values in its tables too."""
        kinds = {"builders": Offer, "capabilities": Offer, "serving": ModelServer}
        tables = {
            part: {name: kind.from_dict(item) for name, item in data[part].items()}
            for part, kind in kinds.items()
            if data.get(part) is not None
        }
        return dataclasses.replace(super().from_dict(data), **tables)
