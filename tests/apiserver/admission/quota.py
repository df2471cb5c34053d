# SPDX-License-Identifier: GPL-3.0-or-later
"""ResourceQuota: counts of objects, the storage of claims, and the requests and limits of pods that have not ended."""

from __future__ import annotations

from decimal import Decimal

from .pods import containers_of
from .quantity import plain, quantity

_COUNTED = frozenset(
    "pods services configmaps secrets persistentvolumeclaims replicationcontrollers resourcequotas".split()
)
_CLAIMS = "persistentvolumeclaims"
_SHORT = {"cpu": "requests.cpu", "memory": "requests.memory"}
# Where a quota speaks of these, every container must too.
_NEEDED = frozenset({*_SHORT, *_SHORT.values(), "limits.cpu", "limits.memory"})
Amounts = dict[str, Decimal]


def admit(context) -> None:
    if context.operation != "CREATE" or context.subresource or not context.namespace:
        return
    for quota in context.system.list("resourcequotas", context.namespace):
        _check(context, quota)


def _check(context, quota: dict) -> None:
    hard, title = (quota.get("spec") or {}).get("hard") or {}, quota["metadata"]["name"]
    kind = context.resource.qualified
    concerned = [name for name in sorted(hard) if _kind_of(name) == kind]
    if not concerned:
        return
    if kind == "pods" and (missing := _missing(context.object.get("spec") or {}, concerned)):
        raise context.refuse(f"failed quota: {title}: must specify {'; '.join(missing)}")
    asked, used = _usage_of(kind, context.object), _used_of(context.system, context.namespace, kind)
    zero = Decimal(0)
    over = [key for key in concerned if key in asked and used.get(key, zero) + asked[key] > quantity(hard[key])]
    if over:
        parts = (
            "requested: " + ",".join(f"{key}={_words(key, asked[key])}" for key in over),
            "used: " + ",".join(f"{key}={_words(key, used.get(key, zero))}" for key in over),
            "limited: " + ",".join(f"{key}={hard[key]}" for key in over),
        )
        raise context.refuse(f"exceeded quota: {title}, {', '.join(parts)}")


def _kind_of(name: str) -> str:
    """The resource whose objects use up what a quota calls so."""
    if name.startswith("count/"):
        return name.removeprefix("count/")
    return name if name in _COUNTED else _CLAIMS if name == "requests.storage" else "pods"


def _missing(spec: dict, concerned: list[str]) -> list[str]:
    found = []
    for name in concerned:
        if name in _NEEDED:
            part, _dot, resource = _SHORT.get(name, name).partition(".")
            lacking = [one["name"] for _path, one in containers_of(spec) if resource not in _part(one, part)]
            if lacking:
                found.append(f"{name} for: {','.join(sorted(lacking))}")
    return found


def _part(container: dict, part: str) -> dict:
    return (container.get("resources") or {}).get(part) or {}


def _amounts(container: dict) -> Amounts:
    kinds = ("requests", "limits")
    return {f"{kind}.{key}": quantity(value) for kind in kinds for key, value in _part(container, kind).items()}


def _usage_of(kind: str, obj: dict) -> Amounts:
    """What one object takes of a quota."""
    usage = dict.fromkeys([f"count/{kind}", *([kind] if kind in _COUNTED else [])], Decimal(1))
    spec = obj.get("spec") or {}
    if kind == _CLAIMS:
        usage["requests.storage"] = quantity(_part(spec, "requests").get("storage", 0))
    if kind != "pods":
        return usage
    total: Amounts = {}
    for container in spec.get("containers") or []:
        for name, value in _amounts(container).items():
            total[name] = total.get(name, Decimal(0)) + value
    for container in spec.get("initContainers") or []:  # they run one after another, before the others
        for name, value in _amounts(container).items():
            total[name] = max(total.get(name, Decimal(0)), value)
    return {**usage, **total, **{short: total[long] for short, long in _SHORT.items() if long in total}}


def _used_of(system, namespace: str, kind: str) -> Amounts:
    """What the objects of a kind in a namespace take; ended pods take nothing."""
    total: Amounts = {}
    for obj in system.list(kind, namespace):
        if kind == "pods" and (obj.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
            continue
        for name, value in _usage_of(kind, obj).items():
            total[name] = total.get(name, Decimal(0)) + value
    return total


def usage(system, namespace: str, hard: dict) -> dict[str, str]:
    """How much of each limit of a quota is used."""
    totals = {kind: _used_of(system, namespace, kind) for kind in {_kind_of(name) for name in hard}}
    return {name: _words(name, totals[_kind_of(name)].get(name, Decimal(0))) for name in hard}


def _words(name: str, number: Decimal) -> str:
    return plain(number, binary="memory" in name or "storage" in name)
