# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server has: /version, and the lists of groups, versions and resources, legacy and aggregated."""

from __future__ import annotations

import hashlib
import re

from .resources import ResourceType
from .values import encode

_AGGREGATED = re.compile(
    r"application/json;(?=[^,]*\bg=apidiscovery\.k8s\.io)(?=[^,]*\bv=(v2beta1|v2)\b)(?=[^,]*\bas=APIGroupDiscoveryList)"
)
_SUBRESOURCE_KINDS = {
    ("", "eviction"): ("policy", "v1", "Eviction", ("create",)),
    ("", "binding"): ("", "v1", "Binding", ("create",)),
    ("", "token"): ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
    ("", "log"): ("", "v1", "Pod", ("get",)),
    ("", "exec"): ("", "v1", "PodExecOptions", ("create", "get")),
    ("", "attach"): ("", "v1", "PodAttachOptions", ("create", "get")),
    ("", "portforward"): ("", "v1", "PodPortForwardOptions", ("create", "get")),
    ("", "finalize"): ("", "v1", "Namespace", ("update",)),
    ("build.openshift.io", "instantiate"): ("build.openshift.io", "v1", "BuildRequest", ("create",)),
    ("build.openshift.io", "instantiatebinary"): ("build.openshift.io", "v1", "BinaryBuildRequestOptions", ("create",)),
    ("build.openshift.io", "clone"): ("build.openshift.io", "v1", "BuildRequest", ("create",)),
    ("build.openshift.io", "log"): ("build.openshift.io", "v1", "BuildLog", ("get",)),
}


def version_info(version: str) -> dict:
    major, _unused, minor = version.partition(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{version}.0",
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.24.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def _subresource(resource: ResourceType, name: str) -> tuple[tuple[str, str, str], tuple[str, ...]]:
    """((group, version, kind), verbs) of a subresource."""
    if name == "scale":
        return ("autoscaling", "v1", "Scale"), ("get", "patch", "update")
    group, version, kind, verbs = _SUBRESOURCE_KINDS.get((resource.group, name), ("", "", "", ()))
    if kind:
        return (group, version, kind), verbs
    return (resource.group, resource.version, resource.kind), ("get", "patch", "update")


def _names(one: ResourceType) -> dict:
    found = {"shortNames": list(one.short_names), "categories": list(one.categories)}
    return {key: value for key, value in found.items() if value}


class Discovery:
    """`aggregated` and `stale` (names of groups) may be changed while the server runs."""

    def __init__(self, server, aggregated: bool):
        self._server = server
        self.aggregated = aggregated
        self.stale: set[str] = set()

    def answer(self, path: str, accept: str) -> tuple[dict, str, str] | None:
        """(body, content type, ETag) for a discovery path; None where there is no such group or version."""
        parts = [part for part in path.split("/") if part]
        match = _AGGREGATED.search(accept) if self.aggregated else None
        if match and len(parts) == 1:
            body = self._aggregated(parts[0], match[1])
            kind = f"application/json;g=apidiscovery.k8s.io;v={match[1]};as=APIGroupDiscoveryList"
            return body, kind, hashlib.sha256(encode(body)).hexdigest().upper()
        body = self._legacy(parts)
        return (body, "application/json", "") if body is not None else None

    def _groups(self) -> dict:
        return self._server.registry.groups()

    def _legacy(self, parts: list[str]) -> dict | None:
        groups = self._groups()
        if parts == ["api"]:
            address = {"clientCIDR": "0.0.0.0/0", "serverAddress": self._server.address}
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}
        if parts == ["api", "v1"]:
            return self._resource_list("v1", groups[""]["v1"])
        if parts == ["apis"]:
            listed = [self._group(name, versions) for name, versions in groups.items() if name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        if len(parts) == 2 and parts[1] in groups:
            return {"kind": "APIGroup", "apiVersion": "v1", **self._group(parts[1], groups[parts[1]])}
        if len(parts) == 3 and parts[2] in groups.get(parts[1], {}):
            return self._resource_list(f"{parts[1]}/{parts[2]}", groups[parts[1]][parts[2]])
        return None

    @staticmethod
    def _group(name: str, versions: dict) -> dict:
        listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
        return {"name": name, "versions": listed, "preferredVersion": listed[0]}

    @staticmethod
    def _resource_list(api_version: str, resources: list[ResourceType]) -> dict:
        listed = []
        for one in resources:
            names = {"name": one.plural, "singularName": one.singular, "namespaced": one.namespaced}
            listed.append({**names, "kind": one.kind, "verbs": list(one.verbs), **_names(one)})
            for name in one.subresources:
                (group, version, kind), verbs = _subresource(one, name)
                names = {"name": f"{one.plural}/{name}", "singularName": "", "namespaced": one.namespaced}
                elsewhere = (group, version) != (one.group, one.version)
                where = {"group": group, "version": version} if elsewhere else {}
                listed.append({**names, **where, "kind": kind, "verbs": list(verbs)})
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": listed}

    def _aggregated(self, root: str, version: str) -> dict:
        items = []
        for group, versions in self._groups().items():
            if (group == "") != (root == "api"):
                continue
            freshness = "Stale" if group in self.stale else "Current"
            listed = [
                {"version": name, "resources": [self._discovered(one) for one in resources], "freshness": freshness}
                for name, resources in versions.items()
            ]
            if freshness == "Stale":  # a group whose server does not answer has nothing to show
                for entry in listed:
                    del entry["resources"]
            metadata = {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None}
            items.append({"metadata": metadata, "versions": listed})
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }

    @staticmethod
    def _discovered(one: ResourceType) -> dict:
        entry = {
            "resource": one.plural,
            "responseKind": {"group": one.group, "version": one.version, "kind": one.kind},
            "scope": "Namespaced" if one.namespaced else "Cluster",
            "singularResource": one.singular,
            "verbs": list(one.verbs),
            **_names(one),
        }
        subresources = []
        for name in one.subresources:
            (group, version, kind), verbs = _subresource(one, name)
            answer = {"group": group, "version": version, "kind": kind}
            subresources.append({"subresource": name, "responseKind": answer, "verbs": list(verbs)})
        return {**entry, "subresources": subresources} if subresources else entry
