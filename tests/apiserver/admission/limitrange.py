# SPDX-License-Identifier: GPL-3.0-or-later
"""LimitRange: default requests and limits of containers, and their bounds."""

from __future__ import annotations

from .pods import containers_of, is_new_pod
from .quantity import quantity


def admit(context) -> None:
    if not is_new_pod(context):
        return
    spec = context.object.get("spec") or {}
    problems: list[str] = []
    for limit_range in context.system.list("limitranges", context.namespace):
        for limit in limit_range.get("spec", {}).get("limits") or []:
            if limit.get("type") == "Container":
                for _path, container in containers_of(spec):
                    _default(limit, container)
                    problems += _bounds(limit, container)
    if problems:
        raise context.refuse(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _default(limit: dict, container: dict) -> None:
    resources = container.setdefault("resources", {})
    limits = {**(limit.get("default") or {}), **(resources.get("limits") or {})}
    # A container's own limit counts as its request before the range's default does.
    requests = {
        **(limit.get("defaultRequest") or limit.get("default") or {}),
        **(resources.get("limits") or {}),
        **(resources.get("requests") or {}),
    }
    resources.update({key: value for key, value in (("limits", limits), ("requests", requests)) if value})


def _bounds(limit: dict, container: dict) -> list[str]:
    resources = container.get("resources") or {}
    problems = []
    for resource, bound in (limit.get("min") or {}).items():
        used = (resources.get("requests") or {}).get(resource)
        if used is None:
            problems.append(f"minimum {resource} usage per Container is {bound}.  No request is specified")
        elif quantity(used) < quantity(bound):
            problems.append(f"minimum {resource} usage per Container is {bound}, but request is {used}")
    for resource, bound in (limit.get("max") or {}).items():
        used = (resources.get("limits") or {}).get(resource)
        if used is None:
            problems.append(f"maximum {resource} usage per Container is {bound}.  No limit is specified")
        elif quantity(used) > quantity(bound):
            problems.append(f"maximum {resource} usage per Container is {bound}, but limit is {used}")
    return problems
