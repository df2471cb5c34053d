# SPDX-License-Identifier: GPL-3.0-or-later
"""Inline script metadata in a code cell (PEP 723): the notebook's own declaration."""

from __future__ import annotations

import re

from ...values.resolution import Provenance
from ..found import Found
from .pep508 import declared, requirement
from .toml import loads
from .tree import invalid

# PEP 723, "Reference Implementation": the block's grammar.
_BLOCK = re.compile(r"^# /// script[ \t]*$\s(?P<content>(?:^#(?:| .*)$\s)+)^# ///[ \t]*$", re.MULTILINE)


def read(notebook: str, cells: list[tuple[int, str]]) -> tuple[Found | None, str | None]:
    """Return ``(declaration, requires-python)`` of a notebook; None where it has none.

    cells: index and source of its code cells. The declaration is there even where it lists nothing.
    Raises EngineError (``requirements_invalid``) for more than one block and for a block that does not parse.
    """
    cells = [(index, source) for index, source in cells if "# /// script" in source]
    blocks = [(index, source, match) for index, source in cells for match in _BLOCK.finditer(source)]
    if not blocks:
        return None, None
    if len(blocks) > 1:
        second = blocks[1]
        raise invalid(f"{notebook}, cell {second[0]}", "holds a second `# /// script` block: keep one (PEP 723).")
    index, source, match = blocks[0]
    where, first = f"{notebook}, cell {index}", source.count("\n", 0, match.start()) + 2
    text = "".join(line[2:] if line.startswith("# ") else line[1:] for line in match["content"].splitlines(True))
    data = loads(text, where, first)
    python = data.get("requires-python")
    python = python if isinstance(python, str) else None
    if "dependencies" not in data:
        return None, python
    return Found(tuple(_lines(data["dependencies"], index, text, first, where)), python_requires=python), python


def _lines(dependencies: object, cell: int, text: str, first: int, where: str) -> list[Provenance]:
    if not isinstance(dependencies, list) or not all(isinstance(line, str) for line in dependencies):
        raise invalid(where, "gives dependencies that are no list of strings: write one string a requirement.")
    result = []
    for line in dependencies:
        number = next((n for n, content in enumerate(text.splitlines(), first) if line in content), first)
        result.append(declared(requirement(line, f"{where}:{number}"), None, number, cell))
    return result
