# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms in which objects are given: whole, as metadata only, as a table, as YAML."""

from __future__ import annotations

import re

import yaml

from . import errors
from .resources import ResourceType
from .states import Stored
from .tables import columns, row
from .values import encode


class Form:
    """Plain JSON; the others differ from it."""

    content_type = "application/json"

    def one(self, state: Stored, resource: ResourceType) -> bytes:
        return state.json(resource)

    def event(self, state: Stored, resource: ResourceType) -> bytes:
        return state.json(resource)

    def many(self, states: list[Stored], resource: ResourceType, metadata: dict) -> bytes:
        head = encode({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
        return head[:-1] + b',"items":[' + b",".join(state.json(resource, item=True) for state in states) + b"]}"


class YamlForm(Form):
    content_type = "application/yaml"

    def one(self, state: Stored, resource: ResourceType) -> bytes:
        return yaml.safe_dump(state.seen_as(resource), sort_keys=True).encode()

    def many(self, states: list[Stored], resource: ResourceType, metadata: dict) -> bytes:
        items = [state.seen_as(resource) for state in states]
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
        return yaml.safe_dump({**head, "items": items}).encode()


class PartialForm(Form):
    """PartialObjectMetadata of one object or an event, PartialObjectMetadataList of a list; the other way round is refused."""

    def __init__(self, listed: bool):
        self._listed = listed

    @staticmethod
    def _partial(state: Stored) -> dict:
        return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": state.obj["metadata"]}

    def one(self, state: Stored, _resource: ResourceType) -> bytes:
        if self._listed:
            raise errors.not_acceptable()
        return encode(self._partial(state))

    event = one

    def many(self, states: list[Stored], _resource: ResourceType, metadata: dict) -> bytes:
        if not self._listed:
            raise errors.not_acceptable()
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return encode({**head, "items": [self._partial(state) for state in states]})


class TableForm(Form):
    """What kubectl prints."""

    def __init__(self, server, include: str):
        self._server, self._include = server, include

    def _table(self, states: list[Stored], resource: ResourceType, metadata: dict) -> bytes:
        listed = columns(resource, self._server.crds.version(resource) if resource.custom else {})
        rows = []
        for state in states:
            entry: dict = {"cells": row(listed, state.obj, self._server.clock.now())}
            if self._include == "Object":
                entry["object"] = state.seen_as(resource)
            elif self._include != "None":
                entry["object"] = PartialForm._partial(state)
            rows.append(entry)
        definitions = [column.definition() for column in listed]
        head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return encode({**head, "columnDefinitions": definitions, "rows": rows})

    def one(self, state: Stored, resource: ResourceType) -> bytes:
        return self._table([state], resource, {"resourceVersion": state.obj["metadata"]["resourceVersion"]})

    event = one

    def many(self, states: list[Stored], resource: ResourceType, metadata: dict) -> bytes:
        return self._table(states, resource, metadata)


def form_for(server, request, resource: ResourceType) -> Form:
    """By the Accept header, the first of its types that can be given; 406 if none."""
    accept = request.headers.get("Accept") or "*/*"
    for part in accept.split(","):
        kind = re.sub(r"\s", "", part).lower()
        media = kind.partition(";")[0]
        if media == "application/json" and ";as=table" in kind:
            return TableForm(server, request.query.get("includeObject", "Metadata"))
        if media == "application/json" and ";as=partialobjectmetadata" in kind:
            listed = ";as=partialobjectmetadatalist" in kind
            if listed and request.is_watch:
                raise errors.not_acceptable()
            return PartialForm(listed)
        if media in ("application/json", "*/*", "application/*"):
            return Form()
        if media == "application/yaml" and not request.is_watch:
            return YamlForm()
    raise errors.not_acceptable()
