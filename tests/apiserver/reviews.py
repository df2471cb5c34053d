# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources that can only be created and answer a question: access and rules reviews, token reviews."""

from __future__ import annotations

from . import auth, errors
from .auth import User

_INCOMPLETE = "webhook authorizer does not support user rule resolution"


def _decide(server, user: User, spec: dict) -> dict:
    attributes, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if attributes:
        resource = attributes.get("resource", "")
        if attributes.get("subresource"):
            resource += "/" + attributes["subresource"]
        verb, group = attributes.get("verb", ""), attributes.get("group", "")
        where = attributes.get("namespace") or None, attributes.get("name") or None
        good = server.rbac.allowed(user, verb, group, resource, *where)
    else:
        url = url or {}
        good = server.rbac.allowed_url(user, url.get("verb", ""), url.get("path", ""))
    return {"allowed": True, "reason": "RBAC: allowed by the rules in the store"} if good else {"allowed": False}


def _self_access(server, call, obj: dict) -> dict:
    return {**obj, "status": _decide(server, call.user, obj.get("spec") or {})}


def _access(server, call, obj: dict) -> dict:
    spec = dict(obj.get("spec") or {})
    if call.namespace and spec.get("resourceAttributes"):
        spec["resourceAttributes"] = {"namespace": call.namespace, **spec["resourceAttributes"]}
    implied = auth.user_named(spec.get("user", ""), tuple(spec.get("groups") or ()))
    user = User(spec.get("user", ""), implied.groups if spec.get("user") else tuple(spec.get("groups") or ()))
    return {**obj, "status": _decide(server, user, spec)}


def _self_rules(server, call, obj: dict) -> dict:
    namespace = (obj.get("spec") or {}).get("namespace")
    if not namespace:
        raise errors.bad_request("no namespace on request")
    rules = server.rbac.rules(call.user, namespace)
    status = {
        "resourceRules": [rule.as_review() for rule in rules if not rule.urls],
        "nonResourceRules": [rule.as_review() for rule in rules if rule.urls],
        "incomplete": server.rules_incomplete,
    }
    if server.rules_incomplete:
        status["evaluationError"] = _INCOMPLETE
    return {**obj, "status": status}


REVIEWS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): _self_access,
    ("authorization.k8s.io", "subjectaccessreviews"): _access,
    ("authorization.k8s.io", "localsubjectaccessreviews"): _access,
    ("authorization.k8s.io", "selfsubjectrulesreviews"): _self_rules,
    ("authentication.k8s.io", "tokenreviews"): lambda server, _call, obj: auth.token_review(server, obj),
    ("authentication.k8s.io", "selfsubjectreviews"): lambda _server, call, obj: auth.self_subject_review(
        call.user, obj
    ),
}
