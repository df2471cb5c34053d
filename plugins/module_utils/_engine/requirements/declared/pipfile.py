# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipfile and Pipfile.lock (Pipenv)."""

from __future__ import annotations

import json
import posixpath

from ...values.resolution import Provenance
from ..found import Found
from . import versions
from .pep508 import VARIABLE, at, check_url, declared
from .table import to_line
from .toml import item, key, loads, table
from .tree import Tree, invalid, line_of


def read(tree: Tree, relative: str, where: str | None = None) -> Found:
    """Return ``[packages]`` of a Pipfile; development packages are not among them.

    Raises EngineError (``requirements_invalid``) naming file and line.
    """
    text = tree.read(relative, where)
    data = loads(text, relative)
    start = line_of(text, r"^\s*\[packages\]") or 1
    provenance, warnings = _sources(relative, text, data.get("source"))
    for name, spec in table(data, "packages").items():
        number = line_of(text, key(name), start)
        line = to_line(tree, posixpath.dirname(relative), name, spec, _version, at(relative, number))
        if line:
            provenance.append(declared(line, relative, number))
    return Found(_needed(provenance), (), warnings, (), _python(table(data, "requires")))


def read_lock(tree: Tree, relative: str, where: str | None = None) -> Found:
    """Return the ``default`` section of a Pipfile.lock: exact versions, with hashes where every entry has them.

    Raises EngineError (``requirements_invalid``) naming file and line.
    """
    text = tree.read(relative, where)
    try:
        data = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise invalid(at(relative, line), "is not valid JSON: run pipenv lock to write it anew.") from None
    packages = table(data, "default")
    provenance, warnings = _sources(relative, text, table(data, "_meta").get("sources"))
    start = line_of(text, '"default"') or 1
    # pip checks hashes for all requirements or for none.
    hashed = all(isinstance(spec, dict) and spec.get("hashes") for spec in packages.values())
    for name, spec in packages.items():
        number = line_of(text, item(name), start)
        line = to_line(tree, posixpath.dirname(relative), name, spec, _version, at(relative, number))
        if line:
            hashes = "".join(f" --hash={value}" for value in spec["hashes"]) if hashed else ""
            provenance.append(declared(line + hashes, relative, number))
    return Found(_needed(provenance), (), warnings, (), _python(table(data, "_meta", "requires")))


def _version(text: str) -> str:
    return "" if text.strip() == "*" else text


def _python(requires: dict) -> str | None:
    version = requires.get("python_full_version") or requires.get("python_version")
    return versions.python(version) if isinstance(version, str) else None


def _needed(provenance: list[Provenance]) -> tuple[Provenance, ...]:
    """Sources alone declare nothing."""
    return tuple(provenance) if any(not entry.requirement.startswith("--") for entry in provenance) else ()


def _sources(relative: str, text: str, sources: object) -> tuple[list[Provenance], tuple[str, ...]]:
    """Return the index options. Pipenv writes its default index into every file under the name ``pypi``:
    that one stays the index that the machine is configured for."""
    sources = [source for source in sources if isinstance(source, dict)] if isinstance(sources, list) else []
    provenance, warnings = [], []
    for position, source in enumerate(sources):
        url = source.get("url")
        if source.get("name") == "pypi" or not isinstance(url, str):
            continue
        number = line_of(text, item(url))
        check_url(url, at(relative, number))
        option = "--index-url" if position == 0 else "--extra-index-url"
        provenance.append(declared(f"{option} {url}", relative, number))
        for name in VARIABLE.findall(url):
            warnings.append(
                f"{at(relative, number)} needs the environment variable {name} when the environment is built."
            )
    return provenance, tuple(warnings)
