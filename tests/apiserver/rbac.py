# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorisation, evaluated from the Roles and Bindings in the store."""

from __future__ import annotations

from dataclasses import dataclass

from . import errors
from .auth import User, user_named
from .selectors import matches_labels
from .values import dig

GROUP = "rbac.authorization.k8s.io"
_TABLES = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")


@dataclass(frozen=True)
class Rule:
    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str, name: str | None) -> bool:
        plain, slash, subresource = resource.partition("/")
        return (
            _has(self.verbs, verb)
            and _has(self.groups, group)
            and (
                resource in self.resources
                or "*" in self.resources
                or bool(slash and f"*/{subresource}" in self.resources)
            )
            and (not self.names or name in self.names)
        )

    def allows_url(self, verb: str, path: str) -> bool:
        return _has(self.verbs, verb) and any(
            url == path or (url.endswith("*") and path.startswith(url[:-1])) for url in self.urls
        )

    def as_review(self) -> dict:
        if self.urls:
            return {"verbs": list(self.verbs), "nonResourceURLs": list(self.urls)}
        found = {"verbs": list(self.verbs), "apiGroups": list(self.groups), "resources": list(self.resources)}
        return {**found, "resourceNames": list(self.names)} if self.names else found


def _has(known: tuple[str, ...], value: str) -> bool:
    return value in known or "*" in known


def _rule(rule: dict) -> Rule:
    fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    return Rule(*(tuple(rule.get(field) or ()) for field in fields))


class Rbac:
    def __init__(self, server):
        self._server = server
        self._cache: dict = {}
        self._seen: tuple = ()

    # What a user may do

    def rules(self, user: User, namespace: str | None) -> list[Rule]:
        """Every rule that holds for the user in the namespace (None: at the cluster scope)."""
        store = self._server.store
        seen = tuple(store.revisions.get((GROUP, table)) for table in _TABLES)
        if seen != self._seen:
            self._cache, self._seen = {}, seen
        key = (user.name, user.groups, namespace or None)
        if key not in self._cache:
            self._cache[key] = self._collect(user, namespace or None)
        return self._cache[key]

    def _collect(self, user: User, namespace: str | None) -> list[Rule]:
        if "system:masters" in user.groups:
            return [Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",))]
        found: list[Rule] = []
        for binding in self._objects("clusterrolebindings"):
            if self._binds(binding, user, None):
                found += self._role_rules(binding["roleRef"], None)
        if namespace:
            for binding in self._objects("rolebindings", namespace):
                if self._binds(binding, user, namespace):
                    found += self._role_rules(binding["roleRef"], namespace)
        return found

    def _objects(self, plural: str, namespace: str | None = None) -> list[dict]:
        resource = self._server.registry.lookup(GROUP, "v1", plural)
        return [one.obj for one in self._server.store.snapshot(resource, namespace)[0]]

    @staticmethod
    def _binds(binding: dict, user: User, namespace: str | None) -> bool:
        for subject in binding.get("subjects") or []:
            kind, name = subject.get("kind"), subject.get("name")
            if kind == "User" and name == user.name or kind == "Group" and name in user.groups:
                return True
            if (
                kind == "ServiceAccount"
                and user.name == f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
            ):
                return True
        return False

    def _role(self, reference: dict, namespace: str | None) -> dict | None:
        """The role that a binding refers to."""
        local = reference.get("kind") == "Role"
        resource = self._server.registry.lookup(GROUP, "v1", "roles" if local else "clusterroles")
        found = self._server.store.find(resource, namespace if local else None, reference.get("name", ""))
        return found.obj if found else None

    def _role_rules(self, reference: dict, namespace: str | None) -> list[Rule]:
        role = self._role(reference, namespace)
        return self._expand(role) if role else []

    def _expand(self, role: dict) -> list[Rule]:
        rules = [_rule(rule) for rule in role.get("rules") or []]
        for selector in dig(role, "aggregationRule", "clusterRoleSelectors", default=[]):
            for other in self._objects("clusterroles"):
                if other is not role and matches_labels(selector, other["metadata"].get("labels") or {}):
                    rules += self._expand(other)
        return rules

    # Questions

    def allowed(
        self,
        user: User | str,
        verb: str,
        group: str,
        resource: str,
        namespace: str | None = None,
        name: str | None = None,
    ) -> bool:
        user = user_named(user) if isinstance(user, str) else user
        return any(rule.allows(verb, group, resource, name) for rule in self.rules(user, namespace))

    def allowed_url(self, user: User, verb: str, path: str) -> bool:
        return any(rule.allows_url(verb, path) for rule in self.rules(user, None))

    def require(
        self,
        user: User,
        verb: str,
        group: str,
        resource: str,
        namespace: str | None,
        name: str | None,
        subresource: str = "",
    ) -> None:
        """Raise the real server's 403 where the user may not."""
        full = f"{resource}/{subresource}" if subresource else resource
        if self.allowed(user, verb, group, full, namespace, name):
            return
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {verb} resource "{full}" in API group "{group}" {where}'
        if self._server.profile == "openshift" and group == "project.openshift.io" and resource == "projectrequests":
            why = "You may not request a new project via this API."
        raise errors.forbidden(group, resource, name, why)

    def require_url(self, user: User, verb: str, path: str) -> None:
        if not self.allowed_url(user, verb, path):
            message = f'forbidden: User "{user.name}" cannot {verb} path "{path}"'
            raise errors.ApiError(403, "Forbidden", message)

    # Escalation

    def check_escalation(self, call, obj: dict, old: dict | None) -> None:
        """Nobody may grant what they do not have, unless by the verbs `escalate` (roles) and `bind` (bindings)."""
        resource = call.resource
        if resource.group != GROUP or "system:masters" in call.user.groups:
            return
        name, namespace = obj["metadata"]["name"], call.namespace
        is_role = resource.plural in ("roles", "clusterroles")
        granting = ("rules", "aggregationRule") if is_role else ("roleRef", "subjects")
        if old is not None and all(old.get(field) == obj.get(field) for field in granting):
            return
        if is_role:
            if self.allowed(call.user, "escalate", GROUP, resource.plural, namespace, name):
                return
            wanted = self._expand(obj)
        else:
            reference = obj.get("roleRef") or {}
            plural = "roles" if reference.get("kind") == "Role" else "clusterroles"
            if self.allowed(call.user, "bind", GROUP, plural, namespace, reference.get("name")):
                return
            if self._role(reference, namespace) is None:
                raise errors.not_found(GROUP, plural, reference.get("name", ""))
            wanted = self._role_rules(reference, namespace)
        missing = [rule for rule in wanted if not self._covers(call.user, namespace, rule)]
        if missing:
            groups = ", ".join(f'"{group}"' for group in call.user.groups)
            listed = "\n".join(_shown(rule) for rule in missing)
            why = f'user "{call.user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{listed}'
            raise errors.forbidden(GROUP, resource.plural, name, why)

    def _covers(self, user: User, namespace: str | None, rule: Rule) -> bool:
        if rule.urls:
            return all(self.allowed_url(user, verb, url) for verb in rule.verbs for url in rule.urls)
        return all(
            self.allowed(user, verb, group, resource, namespace, name)
            for verb in rule.verbs
            for group in rule.groups
            for resource in rule.resources
            for name in rule.names or (None,)
        )


def _shown(rule: Rule) -> str:
    """As the real message shows a rule."""
    parts = [
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("ResourceNames", rule.names),
        ("NonResourceURLs", rule.urls),
        ("Verbs", rule.verbs),
    ]
    listed = [f"{name}:[" + ", ".join(f'"{value}"' for value in values) + "]" for name, values in parts if values]
    return "{" + ", ".join(listed) + "}"
