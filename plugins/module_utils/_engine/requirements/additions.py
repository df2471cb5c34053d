# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notebook's own install commands add to a declared file."""

from __future__ import annotations

import typing as t

from .coverage import name_of

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..values.resolution import Provenance


def is_hashed(provenance: Sequence[Provenance]) -> bool:
    """Whether the lines are locked by hashes: pip then refuses any line without one."""
    return any(" --hash" in entry.requirement or entry.requirement == "--require-hashes" for entry in provenance)


def from_inline(
    declared: Sequence[Provenance], inline: Sequence[Provenance], source: str
) -> tuple[list[Provenance], list[str]]:
    """Return the inline lines that the declared ones lack, and warnings.

    A version that an install command asks for holds together with the declared one where both can be met;
    where they contradict each other the declared one stands and a warning says so. source: what declares, for the
    warnings. pip options of the install commands come along only with a line that needs them.
    """
    by_name = {name_of(entry.requirement): entry for entry in declared if name_of(entry.requirement)}
    present = {entry.requirement for entry in declared}
    added, options, warnings = [], [], []
    for entry in inline:
        name = name_of(entry.requirement)
        if entry.requirement in present:
            continue
        if entry.requirement.startswith("--"):
            options.append(entry)
        elif name not in by_name:
            added.append(entry)
        else:
            relation = _relation(by_name[name].requirement, entry.requirement)
            if relation == "contradiction":
                warnings.append(
                    f"Cell {entry.cell} installs `{entry.requirement}`, but {source} declares "
                    f"`{by_name[name].requirement}`, which stands: make the two agree."
                )
            elif relation == "narrows":
                added.append(entry)
    if added and is_hashed(declared):
        lines = ", ".join(f"`{entry.requirement}`" for entry in added)
        warnings.append(
            f"{source} is locked by hashes, so {lines} from the notebook's cells cannot be added: lock it anew."
        )
        return [], warnings
    return (options + added if added else []), warnings


def _relation(declared: str, inline: str) -> str:
    """Return ``met`` (nothing new), ``narrows`` (both hold) or ``contradiction``."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        # Hashes and other options of one line are not part of PEP 508.
        ours, theirs = (Requirement(line.split(" --")[0]) for line in (declared, inline))
    except InvalidRequirement:
        return "contradiction"
    if ours.url or theirs.url:
        return "met" if ours.url and not theirs.specifier and not theirs.url else "contradiction"
    if not theirs.specifier:
        return "narrows" if theirs.extras - ours.extras else "met"
    for one, other in ((ours, theirs), (theirs, ours)):
        pin = _pin(one)
        if pin and not other.specifier.contains(pin, prereleases=True):
            return "contradiction"
    return "met" if _pin(ours) and not theirs.extras - ours.extras else "narrows"


def _pin(requirement) -> str | None:
    for clause in requirement.specifier:
        if clause.operator in ("==", "===") and not clause.version.endswith("*"):
            return clause.version
    return None
