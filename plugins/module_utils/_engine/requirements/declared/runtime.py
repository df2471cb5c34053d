# SPDX-License-Identifier: GPL-3.0-or-later
"""runtime.txt: ``python-3.11`` (the convention of repo2docker and Heroku)."""

from __future__ import annotations

import re

from . import versions
from .tree import Tree, invalid


def read(tree: Tree, relative: str) -> str | None:
    """Return what runtime.txt asks of Python as a specifier; None for another language or an empty file.

    Raises EngineError (``requirements_invalid``) for a Python version that is none.
    """
    content = tree.read(relative).strip()
    if not content.startswith("python"):
        return None
    version = re.match(r"^python-(\d+(?:\.\d+){0,2})$", content)
    if not version:
        raise invalid(f"{relative}:1", f"names no Python version: {content[:40]!r}; write python-3.11, for instance.")
    return versions.python(version.group(1))
