# SPDX-License-Identifier: GPL-3.0-or-later
"""pyproject.toml: ``[project]`` (PEP 621), Poetry's own tables, and uv's sources."""

from __future__ import annotations

import posixpath

from ...values.resolution import Provenance
from ..found import Found
from . import requirements_txt, versions
from .pep508 import at, declared, requirement
from .table import to_line
from .toml import item, key, loads, table
from .tree import Tree, invalid, line_of


def read(tree: Tree, relative: str, where: str | None = None) -> Found:
    """Return the run-time dependencies of a project; extras, groups and build requirements are not among them.

    A file that holds only the settings of tools gives no lines. Raises EngineError (``requirements_invalid``).
    """
    text = tree.read(relative, where)
    data = loads(text, relative)
    project = table(data, "project")
    dynamic = project.get("dynamic")
    if "dependencies" in project:
        found = _project(tree, relative, text, data)
    elif table(data, "tool", "poetry", "dependencies"):
        found = _poetry(tree, relative, text, table(data, "tool", "poetry", "dependencies"))
    elif isinstance(dynamic, list) and "dependencies" in dynamic:
        found = _dynamic(tree, relative, text, data)
    else:
        found = Found()
    python = project.get("requires-python", found.python_requires)
    return Found(found.provenance, (), found.warnings, found.unresolved, python if isinstance(python, str) else None)


def listed(tree: Tree, relative: str, text: str, lines: object, sources: dict, first_line: int = 1) -> list[Provenance]:
    """Return the provenance of a TOML list of PEP 508 lines, with uv's sources put in their place."""
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise invalid(relative, "gives dependencies that are no list of strings: write one string a requirement.")
    provenance = []
    for line in lines:
        number = line_of(text, item(line))
        where = at(relative, number and number + first_line - 1)
        provenance.append((_sourced(tree, relative, requirement(line, where), sources, where), number))
    return [declared(line, relative, number and number + first_line - 1) for line, number in provenance]


def _sourced(tree: Tree, relative: str, line: str, sources: dict, where: str) -> str:
    """Return the line with the git, path or URL that ``[tool.uv.sources]`` gives for its name."""
    if not sources:
        return line
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    parsed = Requirement(line)
    source = next(
        (spec for name, spec in sources.items() if canonicalize_name(name) == canonicalize_name(parsed.name)), None
    )
    if not isinstance(source, dict) or not {"git", "path", "url"} & set(source):
        return line
    spec = {**source, "extras": sorted(parsed.extras), "marker": str(parsed.marker or "")}
    return to_line(tree, posixpath.dirname(relative), parsed.name, spec, versions.poetry, where) or line


def _project(tree: Tree, relative: str, text: str, data: dict) -> Found:
    sources = table(data, "tool", "uv", "sources")
    return Found(tuple(listed(tree, relative, text, table(data, "project")["dependencies"], sources)))


def _poetry(tree: Tree, relative: str, text: str, dependencies: dict) -> Found:
    directory, provenance, python = posixpath.dirname(relative), [], None
    start = line_of(text, r"^\s*\[tool\.poetry\.dependencies") or 1
    for name, spec in dependencies.items():
        number = line_of(text, key(name), start + 1)
        if name.lower() == "python":
            python = versions.poetry(spec) if isinstance(spec, str) else None
            continue
        # Several constraints for one name: one line each, told apart by their markers.
        for one in spec if isinstance(spec, list) else [spec]:
            line = to_line(tree, directory, name, one, versions.poetry, at(relative, number))
            if line:
                provenance.append(declared(line, relative, number))
    return Found(tuple(provenance), python_requires=python or None)


def _dynamic(tree: Tree, relative: str, text: str, data: dict) -> Found:
    """Follow setuptools' ``dependencies = {file = [...]}``."""
    files = table(data, "tool", "setuptools", "dynamic", "dependencies").get("file")
    files = [files] if isinstance(files, str) else files
    provenance, warnings, unresolved = [], [], []
    for name in files if isinstance(files, list) else []:
        where = at(relative, line_of(text, item(str(name))))
        found = requirements_txt.read(tree, tree.locate(str(name), posixpath.dirname(relative), where), where)
        provenance += found.provenance
        warnings += found.warnings
        unresolved += found.unresolved
    return Found(tuple(provenance), (), tuple(warnings), tuple(unresolved))
