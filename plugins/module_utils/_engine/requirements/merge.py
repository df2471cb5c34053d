# SPDX-License-Identifier: GPL-3.0-or-later
"""Join what several tiers found into one answer."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from .coverage import name_of
from .found import Found
from .names import canonical
from .transitive import alternatives

if t.TYPE_CHECKING:
    from ..values.resolution import Provenance

_EXTRAS = re.compile(r"\[([^\]]*)\]")


def merge(*founds: Found) -> Found:
    """Join the answers of several tiers: one line for each distribution, the more specific one.

    A line with a version, URL or extra says more than a bare name and takes its place; of two lines that say
    different things the later one stands, as a second install command would, and a warning names both.
    """
    lines: dict[str, Provenance] = {}
    options: dict[str, Provenance] = {}
    optional: dict[str, Provenance] = {}
    warnings: list[str] = []
    founds = _without_renamed(founds)
    for found in founds:
        for entry in found.provenance:
            name = name_of(entry.requirement)
            if name is None:
                options.setdefault(entry.requirement, entry)
            elif name not in lines:
                lines[name] = entry
            else:
                lines[name] = _choose(name, lines[name], entry, warnings)
        for entry in found.optional:
            optional.setdefault(name_of(entry.requirement) or entry.requirement, entry)
        warnings += found.warnings
    ordered = [entry for entry in options.values() if entry.requirement.startswith("--")]
    local = [entry for entry in options.values() if not entry.requirement.startswith("--")]
    return Found(
        provenance=(*ordered, *lines.values(), *local),
        optional=tuple(entry for name, entry in optional.items() if name not in lines and name not in options),
        warnings=tuple(dict.fromkeys(warnings)),
        unresolved=tuple(dict.fromkeys(item for found in founds for item in found.unresolved)),
        python_requires=",".join(dict.fromkeys(found.python_requires for found in founds if found.python_requires))
        or None,
    )


def _without_renamed(founds: tuple[Found, ...]) -> tuple[Found, ...]:
    """Leave out what was generated for a module that an install command provides under another name.

    That is a distribution or repository of the module's own name, or one that stands in for the usual one.
    """
    installed = {name_of(e.requirement) for found in founds for e in found.provenance if e.tier == "inline"} - {None}
    if not installed:
        return founds

    def kept(entry: Provenance) -> bool:
        name = name_of(entry.requirement)
        if entry.tier != "generated" or name is None or name in installed:
            return True
        module = entry.reason.removeprefix("import ").partition(".")[0]
        own = entry.reason.startswith("import ") and canonical(module) in installed
        return not own and installed.isdisjoint(alternatives(name))

    return tuple(replace(found, provenance=tuple(filter(kept, found.provenance))) for found in founds)


def _choose(name: str, old: Provenance, new: Provenance, warnings: list[str]) -> Provenance:
    if _detail(old.requirement) == _detail(new.requirement) or _is_bare(new.requirement):
        return old
    if _is_bare(old.requirement) or _without_extras(old.requirement) == _without_extras(new.requirement):
        return new if len(new.requirement) >= len(old.requirement) else old
    warnings.append(
        f"{name} is asked for as `{old.requirement}` ({_place(old)}) and as `{new.requirement}` ({_place(new)}):"
        " the latter is taken; keep only one of them."
    )
    return new


def _is_bare(line: str) -> bool:
    return re.fullmatch(r"[\w.-]+", line) is not None


def _detail(line: str) -> str:
    return re.sub(r"\s+", "", line).lower().replace("_", "-")


def _without_extras(line: str) -> str:
    return canonical(_EXTRAS.sub("", line))


def _place(entry: Provenance) -> str:
    if entry.file:
        return f"{entry.file}, line {entry.line}"
    return f"cell {entry.cell}" if entry.cell is not None else entry.reason
