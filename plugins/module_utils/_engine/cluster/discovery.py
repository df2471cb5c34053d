# SPDX-License-Identifier: GPL-3.0-or-later
"""Which APIs a server serves: aggregated discovery, with a fall-back, kept in memory only."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ClusterError

# Kubernetes API concepts, "Discovery API": the aggregated form is GA as v2 since 1.30, beta as v2beta1 since 1.27.
# A server without it takes the last form, the list of groups.
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
ACCEPT = ",".join([_AGGREGATED.format("v2"), _AGGREGATED.format("v2beta1"), "application/json"])


@dataclass(frozen=True)
class Resource:
    """One kind of object that the server serves at one version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, of one object, or of an object's subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        parts = [root + scope, self.plural, name, subresource]
        return "/".join(part for part in parts if part)


class Discovery:
    """What a server serves, asked for as far as somebody wants to know.

    ``get(path, accept)`` sends one GET and returns the JSON object; it raises ClusterError. Answers 403 and 404 make the
    part unknown; any other error is raised.
    """

    def __init__(self, get):
        self._get = get
        # "/api" or "/apis": group -> versions; None where the caller may not see
        self._groups: dict[str, dict[str, tuple[str, ...] | None] | None] = {}
        # (group, version) -> resources; None where unknown
        self._resources: dict[tuple[str, str], tuple[Resource, ...] | None] = {}

    def versions(self, group: str) -> tuple[str, ...] | None:
        """Return the served versions of a group, the server's preferred one first; () = absent, None = unknown."""
        groups = self._root(group)
        if groups is None:
            return None
        return groups.get(group, ())

    def serves(self, group: str, plural: str | None = None) -> bool | None:
        """Return whether the group, or this resource in any of its versions, is served; None = unknown."""
        versions = self.versions(group)
        if not versions:
            return None if versions is None else False
        if plural is None:
            return True
        lists = [self.resources(group, version) for version in versions]
        if any(one.plural == plural for found in lists if found for one in found):
            return True
        return None if None in lists else False

    def is_openshift(self) -> bool | None:
        """Return whether the server is OpenShift; None = unknown.

        OpenShift is what serves security context constraints together with its configuration (config.openshift.io, on every
        OpenShift and OKD) or with routes, as MicroShift does, whose API reference has routes and security context constraints
        and no configuration. One group alone is not enough, since some bring the definitions of single ones to other clusters.
        """
        constraints, configuration, routes = (
            self.serves(f"{name}.openshift.io") for name in ("security", "config", "route")
        )
        return _every(constraints, _either(configuration, routes))

    def resources(self, group: str, version: str) -> tuple[Resource, ...] | None:
        """Return what one version of a group holds; () = not served, None = unknown."""
        if self._root(group) is None:
            return None
        key = (group, version)
        if key not in self._resources:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            answer = self._ask(path, "application/json", absent={"resources": []})
            self._resources[key] = None if answer is None else _legacy_resources(group, version, answer)
        return self._resources[key]

    def find(self, api_version: str, kind: str) -> Resource:
        """Return the resource of a manifest's ``apiVersion`` and ``kind``.

        Raises ClusterError: ``cluster_not_found`` where the server does not serve it, ``cluster_forbidden`` where that
        cannot be seen.
        """
        group, _unused, version = api_version.rpartition("/")
        found = self.resources(group, version)
        for resource in found or ():
            if resource.kind == kind:
                return resource
        if found is None:
            raise ClusterError(
                f"Whether the server knows {kind} of {api_version} cannot be seen: "
                f"discovery of {group or 'the core API'} is denied, or what serves it does not answer.", "cluster_forbidden",
            )  # fmt: skip
        raise ClusterError(
            f"The server knows no {kind} of {api_version}: install what provides it, or name another version.",
            "cluster_not_found", status=404,
        )  # fmt: skip

    def namespaced(self) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
        """Return what can be listed in a namespace, each resource in the version that the server prefers, and what is unknown.

        The latter are names of groups that are stale or may not be seen; ``*`` where not even their names may.
        """
        found: dict[tuple[str, str], Resource] = {}
        unknown = []
        for some_group in ("", "*"):
            groups = self._root(some_group)
            if groups is None:
                unknown.append(some_group or "core")
            for group, versions in (groups or {}).items():
                lists = [self.resources(group, version) for version in versions or ()]
                if versions is None or None in lists:
                    unknown.append(group)
                for resource in (one for some in lists for one in some or ()):
                    if resource.namespaced and "list" in resource.verbs:
                        found.setdefault((group, resource.plural), resource)
        return tuple(found.values()), tuple(unknown)

    def _root(self, group: str) -> dict | None:
        path = "/apis" if group else "/api"
        if path not in self._groups:
            answer = self._ask(path, ACCEPT)
            if answer is not None and answer.get("kind") == "APIGroupDiscoveryList":
                self._groups[path] = self._aggregated(answer)
            else:
                self._groups[path] = answer and _legacy_groups(answer)
        return self._groups[path]

    def _ask(self, path: str, accept: str, absent: dict | None = None) -> dict | None:
        try:
            return self._get(path, accept)
        except ClusterError as error:
            if error.status == 404:
                return absent
            # An API that another server stands behind answers 503 while that server is down.
            if error.status == 403 or (error.status == 503 and path.startswith("/apis/")):
                return None
            raise

    def _aggregated(self, answer: dict) -> dict[str, tuple[str, ...] | None]:
        groups = {}
        for item in answer.get("items", ()):
            group = item.get("metadata", {}).get("name", "")
            versions = item.get("versions", ())
            # Stale: the server behind the group does not answer, and what it serves is what it served last.
            stale = bool(versions) and all(one.get("freshness") == "Stale" for one in versions)
            groups[group] = None if stale else tuple(one["version"] for one in versions)
            for one in versions:
                self._resources[group, one["version"]] = None if stale else _resources(group, one)
        return groups


def _resources(group: str, version: dict) -> tuple[Resource, ...]:
    return tuple(
        Resource(
            group=group,
            version=version["version"],
            plural=one["resource"],
            kind=one.get("responseKind", {}).get("kind", ""),
            namespaced=one.get("scope") == "Namespaced",
            verbs=tuple(one.get("verbs", ())),
        )
        for one in version.get("resources", ())
    )


def _legacy_groups(answer: dict) -> dict[str, tuple[str, ...]]:
    if "groups" not in answer:
        return {"": tuple(answer.get("versions", ()))}
    groups = {}
    for item in answer["groups"]:
        preferred = item.get("preferredVersion", {}).get("version")
        versions = [one["version"] for one in item.get("versions", ())]
        groups[item["name"]] = tuple(sorted(versions, key=lambda version: version != preferred))
    return groups


def _legacy_resources(group: str, version: str, answer: dict) -> tuple[Resource, ...]:
    return tuple(
        Resource(group, version, one["name"], one["kind"], bool(one.get("namespaced")), tuple(one.get("verbs", ())))
        for one in answer.get("resources", ())
        if "/" not in one["name"]
    )


def _every(*facts: bool | None) -> bool | None:
    """All of them, with None as unknown: one that is false decides, else one that is unknown."""
    return False if False in facts else None if None in facts else True


def _either(*facts: bool | None) -> bool | None:
    """Any of them, with None as unknown: one that is true decides, else one that is unknown."""
    return True if True in facts else None if None in facts else False
