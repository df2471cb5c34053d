# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model-serving platforms there are: by API group, and by the images of Deployments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..values.platform import ModelServer, Workload
from .asking import NO_CLUSTER, ask
from .offers import group, unseen
from .serving_data import BY_API, BY_IMAGE, NOT_A_SERVER

_LIMIT = 500  # Deployments that are read; a cluster with more has more than one page
_KNOWN = tuple((name, tuple(patterns.split()), ports) for name, patterns, ports in BY_IMAGE)


@dataclass(frozen=True)
class Image:
    """An image reference in its parts: the repository's components without the registry, and the tag ("" if none)."""

    components: tuple[str, ...]
    tag: str = ""


@dataclass(frozen=True)
class Deployments:
    """The Deployments that could be read, and why there may be more (a sentence, else "")."""

    items: tuple[dict, ...] = ()
    unread: str = ""


def serving(cluster: Cluster | None, namespace: str | None) -> dict[str, ModelServer]:
    """Return each known platform by name. Costs one request, two where Deployments may only be listed in the namespace."""
    if cluster is None:
        return {
            name: ModelServer(False, NO_CLUSTER) for name in (*(row[0] for row in BY_API), *(row[0] for row in _KNOWN))
        }
    found = {name: _by_api(cluster.discovery, groups, title) for name, groups, title in BY_API}
    return {**found, **by_image(_deployments(cluster, namespace))}


def _by_api(discovery: Discovery, names: tuple[str, ...], title: str) -> ModelServer:
    found = [group(discovery, name) for name in names]
    served = next((one for one in found if one.served), None)
    if served:
        return ModelServer(True, f"{title}: the server serves {served.api_version}.", served.api_version)
    for name, one in zip(names, found, strict=True):
        if one.served is None:
            return ModelServer(None, unseen(name))
    return ModelServer(False, f"The server does not serve {' or '.join(names)}.")


def by_image(deployments: Deployments) -> dict[str, ModelServer]:
    """Return the servers that are told by their images; where not all Deployments were read, what was not found is unknown."""
    found: dict[str, list[Workload]] = {name: [] for name, *_unused in _KNOWN}
    for deployment in deployments.items:
        for name, workload in _workloads(deployment):
            found[name].append(workload)
    return {name: _server(tuple(workloads), deployments.unread) for name, workloads in found.items()}


def parse_image(reference: str) -> Image:
    """Split a reference as the distribution specification writes it: [registry/]repository[:tag][@digest]."""
    name = reference.partition("@")[0]
    tag = re.search(r":([^:/]+)$", name)
    path = name[: tag.start()] if tag else name
    parts = path.split("/")
    # The first part is a registry if it has a dot or a port, or is localhost.
    if len(parts) > 1 and ("." in parts[0] or ":" in parts[0] or parts[0] == "localhost"):
        parts = parts[1:]
    return Image(tuple(parts), tag.group(1) if tag else "")


def server_of(reference: str) -> str | None:
    """Return the name of the model server that an image is, or None."""
    image = parse_image(reference)
    for name, patterns, _unused in _KNOWN:
        if any(_ends(image.components, pattern) for pattern in patterns):
            return None if fnmatchcase(image.tag, NOT_A_SERVER.get(name, "no tag")) else name
    return None


def _ends(components: tuple[str, ...], pattern: str) -> bool:
    wanted = pattern.split("/")
    last = components[-len(wanted) :]
    return len(last) == len(wanted) and all(map(fnmatchcase, last, wanted))


def _workloads(deployment: dict):
    metadata = deployment.get("metadata", {})
    containers = deployment.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or ()
    for container in containers:
        name = server_of(container.get("image", ""))
        if name:
            ports = [port["containerPort"] for port in container.get("ports") or () if "containerPort" in port]
            yield (
                name,
                Workload(
                    namespace=metadata.get("namespace", ""),
                    name=metadata.get("name", ""),
                    image=container["image"],
                    port=next((port for port in _ports(name) if port in ports), ports[0] if ports else None),
                    ready=deployment.get("status", {}).get("readyReplicas") or 0,
                ),
            )


def _ports(name: str) -> tuple[int, ...]:
    return next(ports for known, _unused, ports in _KNOWN if known == name)


def _server(workloads: tuple[Workload, ...], unread: str) -> ModelServer:
    if workloads:
        first = workloads[0]
        more = f" and {len(workloads) - 1} more" if len(workloads) > 1 else ""
        return ModelServer(True, f"Its image runs in Deployment {first.namespace}/{first.name}{more}.", None, workloads)
    if unread:
        return ModelServer(None, f"No Deployment that could be read runs its image; {unread}")
    return ModelServer(False, "No Deployment runs its image.")


def _deployments(cluster: Cluster, namespace: str | None) -> Deployments:
    everywhere = ask(cluster, "/apis/apps/v1/deployments", {"limit": _LIMIT})
    if everywhere.body is not None:
        return _page(everywhere.body, "the cluster")
    if everywhere.status != 403 or not namespace:
        return Deployments((), f"Deployments cannot be read: {everywhere.reason}")
    here = ask(cluster, f"/apis/apps/v1/namespaces/{namespace}/deployments", {"limit": _LIMIT})
    if here.body is None:
        return Deployments((), f"Deployments cannot be read: {here.reason}")
    page = _page(here.body, f"the namespace {namespace}")
    return Deployments(page.items, page.unread or f"only those of the namespace {namespace} may be listed.")


def _page(body: dict, where: str) -> Deployments:
    left = body.get("metadata", {}).get("continue")
    unread = f"{where} has more than {_LIMIT} Deployments, of which these were read." if left else ""
    return Deployments(tuple(body.get("items") or ()), unread)
