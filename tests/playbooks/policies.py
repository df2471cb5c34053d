# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether NetworkPolicies of one namespace let one of its pods reach another, by the rules of networking.k8s.io/v1."""

from __future__ import annotations


def reaches(policies: list[dict], source: dict, target: dict, port: int) -> bool:
    """Return whether a pod with the labels `source` reaches one with the labels `target` at the port, by TCP."""
    return _passes(policies, "egress", source, target, port) and _passes(policies, "ingress", target, source, port)


def _passes(policies: list[dict], way: str, who: dict, peer: dict, port: int) -> bool:
    about = [
        policy["spec"]
        for policy in policies
        if way.capitalize() in policy["spec"]["policyTypes"] and _matches(policy["spec"]["podSelector"], who)
    ]
    rules = [rule for spec in about for rule in spec.get(way) or ()]
    return not about or any(
        _peer(rule.get("to" if way == "egress" else "from"), peer) and _port(rule.get("ports"), port) for rule in rules
    )


def _matches(selector: dict, labels: dict) -> bool:
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())


def _peer(peers: list[dict] | None, labels: dict) -> bool:
    return not peers or any(
        "podSelector" in one and "namespaceSelector" not in one and _matches(one["podSelector"], labels)
        for one in peers
    )


def _port(ports: list[dict] | None, port: int) -> bool:
    return not ports or any(one["protocol"] == "TCP" and one.get("port") == port for one in ports)
