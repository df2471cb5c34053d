# SPDX-License-Identifier: GPL-3.0-or-later
"""CustomResourceDefinitions: checked, established and served as soon as they are stored."""

from __future__ import annotations

import re

from . import errors
from .cel import rules
from .resources import ResourceType
from .values import clone, dig, timestamp

_ACCEPTED = (
    ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
    ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
)


def _types(crd: dict) -> list[ResourceType]:
    spec, names = crd["spec"], dig(crd, "status", "acceptedNames", default=crd["spec"]["names"])
    return [
        ResourceType(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            kind=names["kind"],
            namespaced=spec.get("scope") == "Namespaced",
            singular=names.get("singular") or names["kind"].lower(),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=tuple(sorted(version.get("subresources") or ())),
            custom=True,
        )
        for version in _by_priority(spec["versions"])
        if version.get("served")
    ]


def _by_priority(versions: list[dict]) -> list[dict]:
    """GA before beta before alpha, the newest first."""

    def rank(version: dict):
        match = re.match(r"^v(\d+)(?:(alpha|beta)(\d+))?$", version["name"])
        if not match:
            return (3, 0, 0)
        stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
        return (stage, -int(match[1]), -int(match[3] or 0))

    return sorted(versions, key=rank)


class Crds:
    def __init__(self, server):
        self._server = server
        self._definitions: dict[tuple[str, str], dict] = {}

    def prepare(self, crd: dict) -> None:
        """Fill names in and set the status that the real controllers reach a moment later."""
        spec = crd.get("spec")
        if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict) or not spec.get("versions"):
            return
        names = spec["names"]
        if names.get("kind"):
            names.setdefault("singular", names["kind"].lower())
            names.setdefault("listKind", names["kind"] + "List")
        spec.setdefault("conversion", {"strategy": "None"})
        now = timestamp(self._server.clock.now())
        known = {one["type"]: one for one in dig(crd, "status", "conditions", default=[])}
        conditions = []
        for kind, status, reason, message in self._accepted(spec):
            fresh = {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now}
            conditions.append(known[kind] if known.get(kind, {}).get("status") == status else fresh)
        stored = [version["name"] for version in spec["versions"] if version.get("storage")]
        old = dig(crd, "status", "storedVersions", default=[])
        crd["status"] = {
            "conditions": conditions,
            "acceptedNames": clone(names),
            "storedVersions": [*old, *(one for one in stored if one not in old)],
        }

    def _accepted(self, spec: dict) -> tuple:
        """Conditions, as apiextensions-apiserver's naming and establishing controllers set them; of the names only kinds count."""
        own, kind = (spec.get("group"), spec["names"].get("plural")), spec["names"].get("kind")
        others = (one["spec"]["names"] for key, one in self._definitions.items() if key[0] == own[0] and key != own)
        if kind not in {names.get("kind") for names in others}:
            return _ACCEPTED
        return (
            ("NamesAccepted", "False", "KindConflict", f'"{kind}" is already in use'),
            ("Established", "False", "NotAccepted", "not all names are accepted"),
        )

    def check(self, checks, crd: dict) -> None:
        spec = crd.get("spec") or {}
        names = spec.get("names") or {}
        wanted = f"{names.get('plural')}.{spec.get('group')}"
        if crd["metadata"]["name"] != wanted:
            checks.invalid("metadata.name", crd["metadata"]["name"], 'must be spec.names.plural+"."+spec.group')
        if spec.get("scope") not in ("Namespaced", "Cluster"):
            checks.unsupported("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
        versions = spec.get("versions") or []
        if sum(1 for version in versions if version.get("storage")) != 1:
            checks.invalid("spec.versions", "", "must have exactly one version marked as storage version")
        for index, stored in enumerate(dig(crd, "status", "storedVersions", default=[])):
            if stored not in [version.get("name") for version in versions]:
                checks.invalid(f"status.storedVersions[{index}]", stored, "must appear in spec.versions")
        for index, version in enumerate(versions):
            schema = dig(version, "schema", "openAPIV3Schema")
            if schema is None:
                checks.required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
            elif schema.get("type") != "object":
                where = f"spec.versions[{index}].schema.openAPIV3Schema.type"
                checks.invalid(where, schema.get("type", ""), "must be object at the root")
            elif rules.has_rules(schema):
                # A real server has the schema of an only version in this place, too.
                place = "spec.validation" if len(versions) == 1 else f"spec.versions[{index}].schema"
                rules.check_schema(checks, schema, f"{place}.openAPIV3Schema")

    def serve(self, crd: dict) -> None:
        key = (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        types = _types(crd)
        schemas = {
            version["name"]: dig(version, "schema", "openAPIV3Schema", default={})
            for version in crd["spec"]["versions"]
        }
        for one in types:
            self._server.schemas.set_custom(one, schemas[one.version])
        self._server.registry.remove(*key)
        self._server.registry.add(types)
        self._definitions[key] = crd

    def version(self, resource: ResourceType) -> dict:
        """The entry of spec.versions that the resource comes from."""
        crd = self._definitions.get((resource.group, resource.plural), {})
        return next((one for one in dig(crd, "spec", "versions", default=[]) if one["name"] == resource.version), {})

    def selectable(self, resource: ResourceType) -> tuple[str, ...]:
        fields = self.version(resource).get("selectableFields") or [] if resource.custom else []
        return tuple(field["jsonPath"].lstrip(".") for field in fields)

    def committed(self, event: str, crd: dict) -> None:
        """Called within the write of a CRD, so that its resource is served when the client has its answer."""
        if event != "DELETED":
            if all(one["status"] == "True" for one in crd["status"]["conditions"]):
                self.serve(crd)
            return
        key = (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        resource = self._server.registry.by_key(key)
        if resource:
            for stored in self._server.store.snapshot(resource)[0]:
                namespace, name = stored.place
                try:
                    self._server.store.remove(resource, namespace, name)
                except errors.ApiError as problem:
                    if problem.code != 404:
                        raise
        self._server.registry.remove(*key)
        self._definitions.pop(key, None)
