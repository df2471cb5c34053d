# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated tier: requirement lines from what the code imports and implies."""

from __future__ import annotations

import typing as t

from ..values.resolution import Provenance, Unresolved
from . import imports
from .found import Found

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..notebook.load import Notebook
    from .found import Need


def generate(notebook: Notebook, root: Path) -> Found:
    """Return one line for each distribution that the notebook's code needs; no network, no environment is asked."""
    return from_needs(imports.needs(notebook, root))


def from_needs(needs: Iterable[Need]) -> Found:
    """Turn needs into requirement lines; what nothing maps is reported as unresolved."""
    required: dict[str, Provenance] = {}
    optional: dict[str, Provenance] = {}
    unresolved: dict[str, Unresolved] = {}
    for need in needs:
        if need.distribution is None:
            if not need.optional:
                unresolved.setdefault(need.module, _unmapped(need))
            continue
        line = Provenance(need.distribution, "generated", need.reason, need.file, need.cell, need.line)
        (optional if need.optional else required).setdefault(need.distribution, line)
    return Found(
        provenance=tuple(required.values()),
        optional=tuple(line for name, line in optional.items() if name not in required),
        unresolved=tuple(unresolved.values()),
    )


def _unmapped(need: Need) -> Unresolved:
    reason = (
        f"No distribution is known for the import {need.module} and no local file provides it: declare what provides"
        " it, or add the missing file."
    )
    return Unresolved(need.module, reason, need.cell, need.line, need.file)
