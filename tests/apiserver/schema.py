# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects of each resource may hold: built-in types and the structural schemas of custom resources."""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import errors
from .builtin_types import BuiltinTypes, elements
from .cel import rules
from .errors import Causes
from .fieldsets import Shapes
from .resources import ResourceType
from .values import clone

_QUANTITY_MAPS = set(
    "limits requests hard used capacity allocatable default defaultRequest min max maxLimitRequestRatio".split()
)
_QUANTITIES = {"sizeLimit", "divisor"}
_HEAD = ("apiVersion", "kind", "metadata")  # of every object, whatever its schema says
_GO_NAMES = {"str": "string", "int": "int32", "bool": "bool", "float": "float64", "datetime": "v1.Time"}
_TYPES = {"str": str, "int": int, "bool": bool, "float": (int, float), "datetime": str}


def _json_type(value) -> str:
    return {bool: "bool", str: "string", int: "number", float: "number", dict: "object", list: "array"}.get(
        type(value), "null"
    )


@dataclass
class _Decoding:
    unknown: list[str]
    keep_empty: bool


class BuiltinSchema:
    """Decodes as the real server does: unknown fields are dropped (and named), wrong types are a 400."""

    def __init__(self, types: BuiltinTypes, resource: ResourceType):
        self._types, self._name = types, types.type_of(resource)

    def conform(self, obj: dict, resource: ResourceType, whole: bool = True) -> list[str]:
        """The unknown fields; `whole` is false for a configuration that is to be applied."""
        state = _Decoding([], not whole)
        try:
            if self._name:
                self._struct(obj, self._name, "", state)
            else:
                self._struct(obj["metadata"], "V1ObjectMeta", "metadata", state)
        except TypeError as problem:
            text = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {problem}'
            raise errors.bad_request(text) from problem
        return state.unknown

    def validate(self, _obj: dict, _old: dict | None = None) -> list[dict]:
        return []

    def _struct(self, value: dict, name: str, path: str, state: _Decoding) -> None:
        fields = self._types.fields(name)
        for key in list(value):
            here = f"{path}.{key}" if path else key
            if key not in fields:
                if fields:
                    state.unknown.append(f'unknown field "{here}"')
                    del value[key]
            elif value[key] is None:
                del value[key]
            else:
                value[key] = self._value(value[key], fields[key], here, key, state)
                if value[key] in ({}, []) and fields[key].startswith(("list[", "dict(")) and not state.keep_empty:
                    del value[key]  # as Go's omitempty does

    def _value(self, value, declared: str, path: str, key: str, state: _Decoding):
        if declared.startswith("list["):
            self._expect(value, list, declared, path)
            inner = elements(declared)
            return [
                self._value(item, inner, f"{path}[{index}]", key, state)
                for index, item in enumerate(value)
                if item is not None
            ]
        if declared.startswith("dict("):
            self._expect(value, dict, declared, path)
            if key in _QUANTITY_MAPS:
                return {name: str(one) if isinstance(one, (int, float)) else one for name, one in value.items()}
            inner = elements(declared)
            return {
                name: self._value(one if one is not None else "", inner, f"{path}.{name}", key, state)
                for name, one in value.items()
            }
        if declared == "object":
            return value
        if declared in _TYPES:
            if key in _QUANTITIES and isinstance(value, (int, float)):
                return str(value)
            self._expect(value, _TYPES[declared], declared, path)
            return value
        if self._types.is_struct(declared):
            self._expect(value, dict, declared, path)
            self._struct(value, declared, path, state)
        return value

    @staticmethod
    def _expect(value, kind, declared: str, path: str) -> None:
        if not isinstance(value, kind) or (isinstance(value, bool) and declared in ("int", "float")):
            plain = re.sub(r"\[\d+\]", "", path)
            name = "map[string]string" if declared.startswith("dict") else _GO_NAMES.get(declared, declared[2:])
            name = "[]" if declared.startswith("list") else name
            raise TypeError(f"json: cannot unmarshal {_json_type(value)} into Go struct field .{plain} of type {name}")


class StructuralSchema:
    """A custom resource's openAPIV3Schema: prunes, defaults and validates; its rules last (see cel/)."""

    def __init__(self, schema: dict):
        self._schema = schema

    def conform(self, obj: dict, _resource: ResourceType, whole: bool = True) -> list[str]:
        problems: list[str] = []
        rest = {key: value for key, value in obj.items() if key not in _HEAD}
        self._prune(rest, self._schema, "", problems)
        for key in set(obj) - set(rest) - set(_HEAD):
            del obj[key]
        obj.update(rest)
        if whole:
            self._default(obj, self._schema)
        return problems

    def validate(self, obj: dict, old: dict | None = None) -> list[dict]:
        found = Causes()
        rest = {key: value for key, value in obj.items() if key not in _HEAD}
        required = [key for key in self._schema.get("required", ()) if key not in _HEAD]
        self._check(rest, {**self._schema, "required": required}, "", found)
        if rules.has_rules(self._schema):
            rules.check_object(found, self._schema, obj, old)
        return found

    def _prune(self, value, schema: dict, path: str, problems: list[str]) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._prune(item, schema.get("items") or {}, f"{path}[{index}]", problems)
            return
        if not isinstance(value, dict):
            return
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        embedded = _HEAD if schema.get("x-kubernetes-embedded-resource") else ()
        for key in list(value):
            here = f"{path}.{key}" if path else key
            if key in properties:
                self._prune(value[key], properties[key], here, problems)
            elif isinstance(extra, dict):
                self._prune(value[key], extra, here, problems)
            elif extra is not True and not schema.get("x-kubernetes-preserve-unknown-fields") and key not in embedded:
                problems.append(f'unknown field "{here}"')
                del value[key]

    def _default(self, value, schema: dict) -> None:
        if isinstance(value, list):
            for item in value:
                self._default(item, schema.get("items") or {})
        if not isinstance(value, dict):
            return
        properties = schema.get("properties") or {}
        for key, inner in properties.items():
            if "default" in inner and (key not in value or (value[key] is None and not inner.get("nullable"))):
                value[key] = clone(inner["default"])
            elif key in value and value[key] is None and not inner.get("nullable"):
                del value[key]
            if key in value:
                self._default(value[key], inner)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for key in set(value) - set(properties):
                self._default(value[key], extra)

    def _check(self, value, schema: dict, path: str, found: Causes) -> None:
        if value is None and schema.get("nullable"):
            return
        if not self._type_fits(value, schema):
            kind = "integer or string" if schema.get("x-kubernetes-int-or-string") else schema.get("type")
            actual = {"bool": "boolean", "number": "integer" if isinstance(value, int) else "number"}.get(
                _json_type(value), _json_type(value)
            )
            where = path or "<nil>"
            text = f'Invalid value: "{actual}": {where} in body must be of type {kind}: "{actual}"'
            found.append(errors.cause("FieldValueTypeInvalid", where, text))
            return
        self._check_value(value, schema, path, found)
        if isinstance(value, dict):
            self._check_object(value, schema, path, found)
        elif isinstance(value, list):
            self._check_list(value, schema, path, found)

    @staticmethod
    def _type_fits(value, schema: dict) -> bool:
        if schema.get("x-kubernetes-int-or-string"):
            return isinstance(value, (int, str)) and not isinstance(value, bool)
        wanted = schema.get("type")
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        if wanted not in kinds:
            return True
        return isinstance(value, kinds[wanted]) and not (isinstance(value, bool) and wanted in ("integer", "number"))

    @staticmethod
    def _check_value(value, schema: dict, path: str, found: Causes) -> None:
        def bad(text: str) -> None:
            found.invalid(path, value, f"{path} in body {text}")

        if "enum" in schema and value not in schema["enum"]:
            found.unsupported(path, value, schema["enum"])
        if isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                bad(f"should match '{schema['pattern']}'")
            if len(value) > schema.get("maxLength", len(value)):
                found.too_long(path, schema["maxLength"])
            if len(value) < schema.get("minLength", 0):
                bad(f"should be at least {schema['minLength']} chars long")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if value < schema.get("minimum", value):
                bad(f"should be greater than or equal to {schema['minimum']}")
            if value > schema.get("maximum", value):
                bad(f"should be less than or equal to {schema['maximum']}")

    def _check_object(self, value: dict, schema: dict, path: str, found: Causes) -> None:
        prefix = f"{path}." if path else ""
        for key in schema.get("required") or ():
            if key not in value:
                found.required(f"{prefix}{key}")
        if len(value) > schema.get("maxProperties", len(value)):
            text = f"Too many: {len(value)}: must have at most {schema['maxProperties']} items"
            found.append(errors.cause("FieldValueTooMany", path, text))
        if len(value) < schema.get("minProperties", 0):
            text = f"{path} in body should have at least {schema['minProperties']} properties"
            found.invalid(path, len(value), text)
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, item in value.items():
            if key in properties:
                self._check(item, properties[key], f"{prefix}{key}", found)
            elif isinstance(extra, dict):
                self._check(item, extra, f"{prefix}{key}", found)

    def _check_list(self, value: list, schema: dict, path: str, found: Causes) -> None:
        if len(value) > schema.get("maxItems", len(value)):
            text = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
            found.append(errors.cause("FieldValueTooMany", path, text))
        if len(value) < schema.get("minItems", 0):
            found.invalid(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
        keys = schema.get("x-kubernetes-list-map-keys") if schema.get("x-kubernetes-list-type") == "map" else None
        seen: list = []
        for index, item in enumerate(value):
            self._check(item, schema.get("items") or {}, f"{path}[{index}]", found)
            mark = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
            if (keys or schema.get("x-kubernetes-list-type") == "set") and mark in seen:
                found.duplicate(f"{path}[{index}]", mark)
            seen.append(mark)


class Schemas:
    """The schema and the shapes of every resource, kept once made."""

    def __init__(self):
        self.types = BuiltinTypes()
        self._custom: dict[tuple[str, str, str], dict] = {}
        self._schemas: dict[ResourceType, object] = {}
        self._shapes: dict[ResourceType, Shapes] = {}

    def set_custom(self, resource: ResourceType, schema: dict) -> None:
        self._custom[(resource.group, resource.version, resource.plural)] = schema
        self._schemas.pop(resource, None)
        self._shapes.pop(resource, None)

    def custom(self, resource: ResourceType) -> dict | None:
        return self._custom.get((resource.group, resource.version, resource.plural)) if resource.custom else None

    def schema(self, resource: ResourceType) -> BuiltinSchema | StructuralSchema:
        if resource not in self._schemas:
            custom = self.custom(resource)
            self._schemas[resource] = (
                BuiltinSchema(self.types, resource) if custom is None else StructuralSchema(custom)
            )
        return self._schemas[resource]

    def shapes(self, resource: ResourceType) -> Shapes:
        if resource not in self._shapes:
            self._shapes[resource] = Shapes(self.types, resource, self.custom(resource))
        return self._shapes[resource]
