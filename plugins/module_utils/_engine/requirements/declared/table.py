# SPDX-License-Identifier: GPL-3.0-or-later
"""One dependency given as a TOML table: the form that Poetry, Pipfile and uv's sources share."""

from __future__ import annotations

from collections.abc import Callable

from . import versions
from .pep508 import check_url, requirement
from .tree import Tree, invalid

# Keys of a Pipfile table that are markers of their own (Pipfile specification).
_MARKERS = (
    "sys_platform",
    "os_name",
    "platform_machine",
    "platform_system",
    "python_full_version",
    "implementation_name",
)


def to_line(
    tree: Tree, directory: str, name: str, spec: object, convert: Callable[[str], str | None], where: str
) -> str | None:
    """Return the requirement line for ``name = spec``; None for an optional one.

    spec: a version string or a table. convert: the tool's version notation -> PEP 440, None where it cannot be said.
    Raises EngineError (``requirements_invalid``).
    """
    spec = {"version": spec} if isinstance(spec, str) else spec
    if not isinstance(spec, dict):
        raise invalid(where, f"gives {name} neither a version nor a table: write a version string.")
    if spec.get("optional"):
        return None
    extras = spec.get("extras") or []
    named = f"{name}[{','.join(map(str, extras))}]" if extras else name
    marker = _marker(spec)
    path = spec.get("path")
    if isinstance(path, str):
        return _local(tree, directory, path, spec, where, marker)
    url = _url(spec)
    if url:
        check_url(url, where)
        return requirement(f"{named} @ {url}{marker}", where)
    version = spec.get("version", "")
    specifier = convert(version) if isinstance(version, str) else ""
    if specifier is None:
        raise invalid(
            where, f"gives {name} alternative versions ({version}), which pip does not know: write one range."
        )
    return requirement(f"{named}{specifier}{marker}", where)


def _local(tree: Tree, directory: str, path: str, spec: dict, where: str, marker: str) -> str:
    relative = tree.locate(path, directory, where)
    if not (tree.is_directory(relative) or tree.is_file(relative)):
        raise invalid(where, f"names {path}, which does not exist: correct the path.")
    editable = "-e " if spec.get("editable") or spec.get("develop") else ""
    return f"{editable}./{relative}{marker}"


def _url(spec: dict) -> str | None:
    if isinstance(spec.get("git"), str):
        git = spec["git"]
        ref = next((spec[key] for key in ("rev", "ref", "tag", "branch") if spec.get(key)), None)
        # scp-like addresses (git@host:path) are no URLs.
        if "://" not in git:
            git = "ssh://" + git.replace(":", "/", 1)
        subdirectory = f"#subdirectory={spec['subdirectory']}" if spec.get("subdirectory") else ""
        return f"{git if git.startswith('git+') else 'git+' + git}{'@' + ref if ref else ''}{subdirectory}"
    return next((spec[key] for key in ("url", "file") if isinstance(spec.get(key), str)), None)


def _marker(spec: dict) -> str:
    parts = [str(spec[key]) for key in ("markers", "marker") if spec.get(key)]
    parts += [f"{key} {spec[key]}" for key in _MARKERS if spec.get(key)]
    if isinstance(spec.get("python_version"), str):
        parts.append(f"python_version {spec['python_version']}")
    if isinstance(spec.get("python"), str):
        specifier = versions.poetry(spec["python"])
        parts += [_python_clause(clause) for clause in specifier.split(",")] if specifier else []
    if isinstance(spec.get("platform"), str):
        parts.append(f"sys_platform == '{spec['platform']}'")
    if not parts:
        return ""
    joined = " and ".join(f"({part})" if " or " in part else part for part in parts)
    return f" ; {joined}"


def _python_clause(clause: str) -> str:
    operator = clause[: len(clause) - len(clause.lstrip("<>=!~"))]
    return f"python_version {operator} '{clause[len(operator) :]}'"
