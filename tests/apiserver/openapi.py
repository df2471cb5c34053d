# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenAPI v3 of every group version (and a v2 without definitions), enough for kubectl and for the clients."""

from __future__ import annotations

import hashlib

from .builtin_types import elements
from .errors import no_route
from .http import Request, Response
from .resources import ResourceType
from .values import encode

_SCALARS = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "datetime": "string"}
# kubectl before 1.27 asks for the first, which is no valid media type; the second is what is answered then too.
_V2_TYPES = tuple(f"application/com.github.proto-openapi.spec.v2{mark}v1.0+protobuf" for mark in "@.")
# A swagger document with its version and title only, in protobuf: fields 1 and 2 of gnostic's Document.
_V2_PROTOBUF = b"\x0a\x032.0\x12\x0c\x0a\x0aKubernetes"


def _group_path(api_version: str) -> str:
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"


def _reference(name: str) -> dict:
    return {"$ref": f"#/components/schemas/{name}"}


class _Document:
    """The document of one group version."""

    def __init__(self, server, resources: list[ResourceType]):
        self._server, self._types = server, server.schemas.types
        self.schemas: dict[str, dict] = {}
        self.paths: dict[str, dict] = {}
        for resource in resources:
            self._add(resource)

    def _add(self, resource: ResourceType) -> None:
        prefix = (
            f"/{_group_path(resource.api_version)}/"
            + ("namespaces/{namespace}/" if resource.namespaced else "")
            + resource.plural
        )
        group = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        name = self._schema(resource)
        schema = self.schemas[name]
        schema["x-kubernetes-group-version-kind"] = [group]
        parameters = [
            {"name": one, "in": "query", "schema": {"type": "string"}}
            for one in ("dryRun", "fieldManager", "fieldValidation")
        ]
        content = {"application/json": {"schema": _reference(name)}}
        operation = {
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-group-version-kind": group,
        }
        self.paths[prefix] = {"get": operation, "post": {**operation, "requestBody": {"content": content}}}
        patch_types = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
        patch_content = {kind: {"schema": {"type": "object"}} for kind in patch_types}
        one = dict.fromkeys(("get", "put", "delete"), operation)
        self.paths[prefix + "/{name}"] = {**one, "patch": {**operation, "requestBody": {"content": patch_content}}}

    def _schema(self, resource: ResourceType) -> str:
        builtin = self._types.type_of(resource)
        if builtin:
            return self._builtin(builtin)
        name = ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
        custom = self._server.schemas.custom(resource)
        self.schemas[name] = {**(custom or {"type": "object", "x-kubernetes-preserve-unknown-fields": True})}
        properties = {**self.schemas[name].get("properties", {}), "metadata": _reference(self._builtin("V1ObjectMeta"))}
        self.schemas[name]["properties"] = {**{key: {"type": "string"} for key in ("apiVersion", "kind")}, **properties}
        return name

    def _builtin(self, name: str) -> str:
        if name not in self.schemas:
            self.schemas[name] = schema = {"type": "object"}
            fields = self._types.fields(name)
            schema["properties"] = {field: self._typed(declared) for field, declared in fields.items()}
            required = self._types.required(name)
            if required:
                schema["required"] = sorted(required)
        return name

    def _typed(self, declared: str) -> dict:
        if declared.startswith("list["):
            return {"type": "array", "items": self._typed(elements(declared))}
        if declared.startswith("dict("):
            return {"type": "object", "additionalProperties": self._typed(elements(declared))}
        if declared in _SCALARS:
            return {"type": _SCALARS[declared]}
        if self._types.is_struct(declared):
            return {"allOf": [_reference(self._builtin(declared))], "default": {}}
        return {"x-kubernetes-preserve-unknown-fields": True}

    def body(self) -> dict:
        info = {"title": "Kubernetes", "version": f"v{self._server.version}.0"}
        return {"openapi": "3.0.0", "info": info, "paths": self.paths, "components": {"schemas": self.schemas}}


def answer(server, request: Request, path: str) -> Response:
    versions: dict[str, list[ResourceType]] = {}
    for resource in server.registry.all():
        versions.setdefault(resource.api_version, []).append(resource)
    if path == "/openapi/v2":
        if any(kind in (request.headers.get("Accept") or "") for kind in _V2_TYPES):
            return Response(200, _V2_PROTOBUF, _V2_TYPES[-1])
        info = {"title": "Kubernetes", "version": f"v{server.version}.0"}
        return Response.json(200, {"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})
    if path == "/openapi/v3":
        mark = hashlib.sha256(str(server.registry.revision).encode()).hexdigest().upper()
        listed = {
            _group_path(one): {"serverRelativeURL": f"/openapi/v3/{_group_path(one)}?hash={mark}"} for one in versions
        }
        return Response.json(200, {"paths": listed})
    for api_version, resources in versions.items():
        if path == f"/openapi/v3/{_group_path(api_version)}":
            return Response(200, encode(_Document(server, resources).body()))
    raise no_route()
