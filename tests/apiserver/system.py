# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the server's own parts: through admission and validation, but neither HTTP nor authorisation."""

from __future__ import annotations

from .api import Api, Call
from .auth import SYSTEM, user_named
from .selectors import labels_selector
from .values import clone


class SystemClient:
    """Resources are named by plural, or `plural.group`. All objects are copies."""

    def __init__(self, server, api: Api):
        self._server, self._api = server, api

    def _call(self, verb: str, plural: str, namespace: str | None, name: str | None = None, user: str | None = None,
              subresource: str = "", manager: str = "kube-controller-manager") -> Call:  # fmt: skip
        resource = self._server.registry.named(plural)
        who = user_named(user) if user else SYSTEM
        return Call(verb, resource, namespace if resource.namespaced else None, name, subresource, who, manager)

    @staticmethod
    def _place(obj: dict) -> tuple[str | None, str | None]:
        metadata = obj.get("metadata", {})
        return metadata.get("namespace"), metadata.get("name")

    def get(self, plural: str, namespace: str | None, name: str) -> dict:
        return self._server.store.get(self._server.registry.named(plural), namespace, name)

    def find(self, plural: str, namespace: str | None, name: str) -> dict | None:
        """Like get, but None where there is no such object."""
        resource = self._server.registry.named(plural)
        found = self._server.store.find(resource, namespace, name)
        return clone(found.seen_as(resource)) if found else None

    def list(self, plural: str, namespace: str | None = None, label_selector: str | None = None) -> list[dict]:
        resource = self._server.registry.named(plural)
        found, _version = self._server.store.snapshot(resource, namespace)
        matches = labels_selector(label_selector or "")
        return [clone(one.seen_as(resource)) for one in found if matches(one.obj)]

    def create(self, plural: str, obj: dict, user: str | None = None, **more) -> dict:
        call = self._call("create", plural, self._place(obj)[0], user=user, **more)
        return clone(self._api.create(call, obj).seen_as(call.resource))

    def update(self, plural: str, obj: dict, subresource: str = "", user: str | None = None, **more) -> dict:
        call = self._call("update", plural, *self._place(obj), user=user, subresource=subresource, **more)
        return clone(self._api.update(call, obj).seen_as(call.resource))

    def update_status(self, plural: str, obj: dict, **more) -> dict:
        return self.update(plural, obj, "status", **more)

    def patch(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        body: dict,
        subresource: str = "",
        user: str | None = None,
        **more,
    ) -> dict:
        """A merge patch."""
        call = self._call("patch", plural, namespace, name, user, subresource, **more)
        return clone(self._api.patch(call, "merge", body)[0].seen_as(call.resource))

    def delete(self, plural: str, namespace: str | None, name: str, propagation: str = "Background",
               grace_seconds: int | None = None, user: str | None = None) -> dict:  # fmt: skip
        """A pod that runs is only marked as deleted, unless `grace_seconds` is 0, which is what the kubelet says in the end."""
        call = self._call("delete", plural, namespace, name, user)
        options = {"propagationPolicy": propagation, "gracePeriodSeconds": grace_seconds}
        return clone(self._api.delete(call, options).seen_as(call.resource))
