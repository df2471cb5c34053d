# SPDX-License-Identifier: GPL-3.0-or-later
"""ResourceQuota: counts of objects, and the requests and limits of pods that have not ended."""

from __future__ import annotations

from decimal import Decimal

from ..errors import ApiError, qualified
from .pods import containers_of, is_new_pod
from .quantity import plain, quantity

_COUNTED = frozenset(
    "pods services configmaps secrets persistentvolumeclaims replicationcontrollers resourcequotas".split()
)


def admit(context) -> None:
    if context.operation != "CREATE" or context.subresource or not context.namespace:
        return
    for quota in context.system.list("resourcequotas", context.namespace):
        _check(context, quota)


def _check(context, quota: dict) -> None:
    hard = (quota.get("spec") or {}).get("hard") or {}
    kind = qualified(context.resource.group, context.resource.plural)
    asked = _usage_of(kind, context.object)
    concerned = [name for name in sorted(hard) if _concerns(context, name)]
    missing = [name for name in concerned if name not in asked]
    name = context.name or context.object["metadata"].get("generateName", "")
    plural = context.resource.plural
    if missing:
        text = f"failed quota: {quota['metadata']['name']}: must specify {','.join(missing)}"
        raise ApiError(403, "Forbidden", f'{plural} "{name}" is forbidden: {text}', {"name": name, "kind": plural})
    used = _used_of(context.system, context.namespace, kind) if concerned else {}
    over = [key for key in concerned if used.get(key, Decimal(0)) + asked[key] > quantity(hard[key])]
    if over:
        parts = (
            "requested: " + ",".join(f"{key}={_words(key, asked[key])}" for key in over),
            "used: " + ",".join(f"{key}={_words(key, used.get(key, Decimal(0)))}" for key in over),
            "limited: " + ",".join(f"{key}={hard[key]}" for key in over),
        )
        text = f"exceeded quota: {quota['metadata']['name']}, {', '.join(parts)}"
        raise ApiError(403, "Forbidden", f'{plural} "{name}" is forbidden: {text}', {"name": name, "kind": plural})


def _count_names(plural: str) -> list[str]:
    return [f"count/{plural}", plural] if plural in _COUNTED else [f"count/{plural}"]


def _concerns(context, name: str) -> bool:
    if name in _count_names(qualified(context.resource.group, context.resource.plural)):
        return True
    return is_new_pod(context) and (name.startswith(("requests.", "limits.")) or name in {"cpu", "memory"})


def _usage_of(plural: str, obj: dict) -> dict[str, Decimal]:
    """What one object takes of a quota."""
    usage = {name: Decimal(1) for name in _count_names(plural)}
    if plural != "pods":
        return usage
    for _path, container in containers_of(obj.get("spec") or {}):
        for kind in ("requests", "limits"):
            for name, value in ((container.get("resources") or {}).get(kind) or {}).items():
                usage[f"{kind}.{name}"] = usage.get(f"{kind}.{name}", Decimal(0)) + quantity(value)
    for name in ("cpu", "memory"):  # the short names mean requests
        if f"requests.{name}" in usage:
            usage[name] = usage[f"requests.{name}"]
    return usage


def _used_of(system, namespace: str, plural: str) -> dict[str, Decimal]:
    """What the objects of a kind in a namespace take; ended pods take nothing."""
    total: dict[str, Decimal] = {}
    for obj in system.list(plural, namespace):
        if plural == "pods" and (obj.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
            continue
        for name, value in _usage_of(plural, obj).items():
            total[name] = total.get(name, Decimal(0)) + value
    return total


def usage(system, namespace: str, hard: dict) -> dict[str, str]:
    """How much of each limit of a quota is used."""
    totals: dict[str, dict[str, Decimal]] = {}
    used = {}
    for name in hard:
        plural = name.removeprefix("count/") if name.startswith("count/") or name in _COUNTED else "pods"
        if plural not in totals:
            totals[plural] = _used_of(system, namespace, plural)
        used[name] = _words(name, totals[plural].get(name, Decimal(0)))
    return used


def _words(name: str, number: Decimal) -> str:
    return plain(number, binary="memory" in name or "storage" in name)
