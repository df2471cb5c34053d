# SPDX-License-Identifier: GPL-3.0-or-later
"""Request bodies: JSON, YAML, and the protobuf that kubectl sends for a few small kinds."""

from __future__ import annotations

import json

import yaml

from . import errors
from .protobuf import decode_object

PROTOBUF = "application/vnd.kubernetes.protobuf"
_READABLE = ["application/json", "application/yaml", PROTOBUF]


def content_type(request) -> str:
    return (request.headers.get("Content-Type") or "").partition(";")[0].strip()


def number(query: dict[str, str], name: str) -> int:
    """A parameter that is a whole number; 0 where it is not given, 400 where it is none."""
    try:
        return int(query.get(name) or 0)
    except ValueError as problem:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{query[name]}": invalid syntax') from problem


def parse(body: bytes, content_type: str):
    """The value in a body; 400 where it cannot be read, 415 for protobuf of a kind that is not known here."""
    try:
        if content_type.startswith(PROTOBUF):
            return decode_object(body)
        return yaml.safe_load(body) if "yaml" in content_type else json.loads(body)
    except LookupError as problem:
        raise errors.unsupported_media_type(_READABLE[:2]) from problem
    except (ValueError, yaml.YAMLError) as problem:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {problem}") from problem


def decode(body: bytes, content_type: str) -> dict:
    """An object; an empty body is an empty object."""
    if content_type and content_type not in (*_READABLE, "application/x-yaml", "text/plain", "*/*"):
        raise errors.unsupported_media_type(_READABLE)
    value = parse(body, content_type) if body.strip() else {}
    if not isinstance(value, dict):
        raise errors.bad_request("the body of the request is not an object")
    return value
