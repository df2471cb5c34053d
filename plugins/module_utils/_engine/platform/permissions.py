# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller may do in a namespace, and what some work lacks there."""

from __future__ import annotations

from dataclasses import dataclass

from ..cluster.client import Cluster
from ..values.platform import Missing, Permissions, Rule
from .asking import NO_CLUSTER, ask
from .permissions_data import WORK

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


@dataclass(frozen=True)
class Need:
    """One verb on one resource; ``name`` where it is about a single object."""

    group: str
    resource: str
    verb: str
    name: str | None = None


def permissions(cluster: Cluster | None, namespace: str | None) -> Permissions:
    """Ask the server for the rules that hold for the caller in the namespace. Costs one request."""
    if cluster is None or namespace is None:
        return Permissions(namespace or "", (), False, NO_CLUSTER)
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = ask(cluster, _REVIEWS, body=review)
    if answer.body is None:
        return Permissions(namespace, (), True, answer.reason)
    return from_review(answer.body.get("status") or {}, namespace)


def from_review(status: dict, namespace: str) -> Permissions:
    """Return the status of a SelfSubjectRulesReview as it is, each rule once."""
    rules = dict.fromkeys(
        Rule(
            api_groups=tuple(rule.get("apiGroups") or ()),
            resources=tuple(rule.get("resources") or ()),
            verbs=tuple(rule.get("verbs") or ()),
            resource_names=tuple(rule.get("resourceNames") or ()),
        )
        for rule in status.get("resourceRules") or ()
    )
    incomplete = bool(status.get("incomplete"))
    reason = status.get("evaluationError") or "The server says that it does not know all rules."
    return Permissions(namespace, tuple(rules), incomplete, reason if incomplete else None)


def missing(found: Permissions, work: list[str]) -> tuple[Missing, ...]:
    """Return for each kind of work what it lacks; a kind that lacks nothing is left out.

    Where the rules are incomplete, what they do not allow is unknown.
    """
    if not found.namespace:
        return ()
    lacking = []
    for name in dict.fromkeys(work):
        needs = [
            need for need in needs_of(name, found.namespace) if not any(allows(rule, need) for rule in found.rules)
        ]
        if needs:
            rules = role_rules(needs)
            lacking.append(Missing(name, (), rules) if found.incomplete else Missing(name, rules))
    return tuple(lacking)


def needs_of(work: str, namespace: str) -> tuple[Need, ...]:
    """Return what a kind of work needs, one verb on one resource each."""
    return tuple(
        Need(group, resource, verb, names[0].format(namespace=namespace) if names else None)
        for group, resource, verbs, *names in WORK[work]
        for verb in verbs.split()
    )


def allows(rule: Rule, need: Need) -> bool:
    """Return whether an RBAC rule allows it.

    Source: Kubernetes, "Using RBAC Authorization", and its evaluation helpers: ``*`` stands for every verb, group or
    resource with its subresources; ``*/log`` for that subresource of every resource; nothing else is a pattern, so
    ``pods/*`` allows nothing. Resource names limit a rule to these objects.
    """
    _unused, slash, subresource = need.resource.partition("/")
    resources = {"*", need.resource} | ({f"*/{subresource}"} if slash else set())
    return (
        bool({"*", need.verb} & set(rule.verbs))
        and bool({"*", need.group} & set(rule.api_groups))
        and bool(resources & set(rule.resources))
        and (not rule.resource_names or need.name in rule.resource_names)
    )


def role_rules(needs: list[Need]) -> tuple[dict, ...]:
    """Return the needs as rules of a Role, as few as can be: resources of a group that need the same verbs share one."""
    verbs: dict[tuple, list[str]] = {}
    for need in needs:
        verbs.setdefault((need.group, need.name, need.resource), []).append(need.verb)
    resources: dict[tuple, list[str]] = {}
    for (group, name, resource), needed in verbs.items():
        resources.setdefault((group, name, tuple(sorted(needed))), []).append(resource)
    return tuple(
        {
            "apiGroups": [group],
            "resources": sorted(shared),
            **({"resourceNames": [name]} if name else {}),
            "verbs": list(needed),
        }
        for (group, name, needed), shared in resources.items()
    )
