# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of the built-in kinds, read from the sources of the `kubernetes` package (which is never imported).

The package's models are generated from the real OpenAPI. Where it is not installed, the built-in kinds are untyped:
unknown fields and wrong types then pass.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

from .resources import ResourceType

_NAMES = {("", "Event"): "CoreV1Event", ("events.k8s.io", "Event"): "EventsV1Event"}
_SCALARS = {"str", "int", "bool", "float", "datetime", "bytearray", "object"}


def _directory() -> Path | None:
    spec = importlib.util.find_spec("kubernetes")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "client" / "models"


def _plain(declared: str) -> str:
    """List[X] as list[X], Dict[str, X] as dict(str, X): the forms of every generation of the package."""
    return re.sub(r"Dict\[str, (.*)\]$", r"dict(str, \1)", declared).replace("List[", "list[").replace("bytes", "str")


def elements(declared: str) -> str:
    """The type of the items of list[X], or of the values of dict(str, X)."""
    return declared[5:-1] if declared.startswith("list[") else declared[5:-1].split(", ", 1)[1]


@cache
def _read(directory: Path | None, name: str) -> tuple[dict[str, str], frozenset[str]] | None:
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    path = directory / f"{module}.py" if directory else None
    if path is None or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    types, names = (
        ast.literal_eval(re.search(table + r"[^=\n]*= (\{.*?\n    \})", text, re.DOTALL)[1])
        for table in ("openapi_types", "attribute_map")
    )
    fields = {names[key]: _plain(declared) for key, declared in types.items()}
    required = {
        names[key] for key in types if re.search(rf"^    {key}: (?!Optional\[)(?!.*= ?None\b)", text, re.MULTILINE)
    }
    return fields, frozenset(required)


class BuiltinTypes:
    """Looks types up by the package's names, such as V1PodSpec; fields are `{JSON name: declared type}`."""

    def __init__(self):
        self._directory = _directory()

    def _load(self, name: str) -> tuple[dict[str, str], frozenset[str]] | None:
        return _read(self._directory, name)

    def type_of(self, resource: ResourceType) -> str:
        """The name of the type of a built-in kind, or "" where it is not known."""
        if resource.custom or resource.group.endswith(".openshift.io"):
            return ""
        version = resource.version[:1].upper() + resource.version[1:]
        name = _NAMES.get((resource.group, resource.kind), version + resource.kind)
        return name if self._load(name) else ""

    def is_struct(self, name: str) -> bool:
        return name not in _SCALARS and self._load(name) is not None

    def fields(self, name: str) -> dict[str, str]:
        found = self._load(name)
        return found[0] if found else {}

    def required(self, name: str) -> frozenset[str]:
        found = self._load(name)
        return found[1] if found else frozenset()
