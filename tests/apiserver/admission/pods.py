# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a pod spec stands in each kind of object, and its containers: what several admission plugins need."""

from __future__ import annotations

from collections.abc import Iterator

from ..values import dig

_TEMPLATES = {
    ("", "replicationcontrollers"): ("spec", "template"),
    ("", "podtemplates"): ("template",),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
}


def is_pod(context) -> bool:
    return context.resource.key == ("", "pods")


def is_new_pod(context) -> bool:
    return is_pod(context) and context.operation == "CREATE" and not context.subresource


def template_of(resource, obj: dict) -> dict | None:
    """The pod template of a workload, None where the object has none."""
    path = _TEMPLATES.get(resource.key)
    return dig(obj, *path) if path else None


def containers_of(spec: dict) -> Iterator[tuple[str, dict]]:
    """Every container with its path in the spec, init containers first."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or []):
            yield f".{field}[{index}]", container


def security(container_or_spec: dict) -> dict:
    return container_or_spec.get("securityContext") or {}
