# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenShift resources that are answers rather than objects: projects, project requests, one's own user and tokens."""

from __future__ import annotations

from . import errors
from .actors.imagestream import image_in_stream, import_stream
from .actors.namespace import role_binding
from .api import Call
from .auth import oauth_token_objects
from .selectors import Selector
from .states import Stored
from .values import success

_PROJECT = ("project.openshift.io", "projects")
_REQUEST = ("project.openshift.io", "projectrequests")
_IMPORT = ("image.openshift.io", "imagestreamimports")
_IMAGES = ("image.openshift.io", "imagestreamimages")
_TOKENS = ("oauth.openshift.io", "useroauthaccesstokens")
_USERS = ("user.openshift.io", "users")


def _plain(call: Call) -> tuple[str, str]:
    return call.resource.group, call.resource.plural


class Views:
    """Each method returns None where the common way serves."""

    def __init__(self, server):
        self._server = server

    def get(self, call: Call) -> Stored | None:
        if _plain(call) == _USERS and call.name == "~":
            user = {
                "kind": "User",
                "apiVersion": "user.openshift.io/v1",
                "metadata": {"name": call.user.name},
                "groups": list(call.user.groups),
            }
            return Stored(user, 0)
        if _plain(call) == _TOKENS:
            for obj in oauth_token_objects(self._server, call.user.name):
                if obj["metadata"]["name"] == call.name:
                    return Stored(obj, 0)
        if _plain(call) == _IMAGES:
            image = image_in_stream(self._server.system, call.namespace or "", call.name or "")
            return Stored(image, 0) if image else None
        return None

    def list(self, call: Call) -> list[Stored] | None:
        if _plain(call) == _PROJECT:
            return [state for state in self._server.store.snapshot(call.resource)[0] if self._may_see(call, state.obj)]
        if _plain(call) == _REQUEST:
            return []
        if _plain(call) == _TOKENS:
            return [Stored(obj, 0) for obj in oauth_token_objects(self._server, call.user.name)]
        return None

    def limit(self, call: Call, selector: Selector) -> Selector:
        """A watch of projects shows those that the user may see."""
        if _plain(call) != _PROJECT:
            return selector
        return lambda obj: selector(obj) and self._may_see(call, obj)

    def _may_see(self, call: Call, namespace: dict) -> bool:
        name = namespace["metadata"]["name"]
        return self._server.rbac.allowed(call.user, "get", "", "namespaces", name, name)

    def create(self, call: Call, obj: dict) -> dict | None:
        if _plain(call) == _IMPORT:
            return import_stream(self._server, call.namespace, obj)
        if _plain(call) != _REQUEST:
            return None
        metadata = obj.get("metadata") or {}
        annotations = {
            "openshift.io/requester": call.user.name,
            "openshift.io/description": obj.get("description", ""),
            "openshift.io/display-name": obj.get("displayName", ""),
        }
        if not metadata.get("name"):
            kind, why = (call.resource.group, call.resource.kind, ""), "name or generateName is required"
            raise errors.bad_field(*kind, "required", "metadata.name", why)
        if self._server.system.find("namespaces", None, metadata["name"]):
            raise errors.already_exists("project.openshift.io", "project", metadata["name"])
        annotations = {**(metadata.get("annotations") or {}), **annotations}
        namespace = {"metadata": {"name": metadata["name"], "annotations": annotations}}
        made = self._server.system.create("namespaces", namespace)
        user = {"kind": "User", "name": call.user.name}
        self._server.system.create(*role_binding(metadata["name"], "admin", "admin", user))
        return {**made, "kind": "Project", "apiVersion": "project.openshift.io/v1"}

    def delete(self, call: Call) -> dict | None:
        if _plain(call) != _TOKENS:
            return None
        text = self._server.tokens.by_hash(call.name or "")
        if text is None or text not in self._server.tokens.of_user(call.user.name):
            raise errors.not_found("oauth.openshift.io", "useroauthaccesstokens", call.name or "")
        self._server.tokens.revoke(text)
        return success(details={"name": call.name, "group": call.resource.group, "kind": call.resource.plural})
