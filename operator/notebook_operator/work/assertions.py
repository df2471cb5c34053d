# SPDX-License-Identifier: GPL-3.0-or-later
"""Which notebooks have an assertion, as ``verifyAssertions`` asks."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook import load
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.syntax import parse
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

_MESSAGE = "{} has no assertion, and validationConfig.verifyAssertions asks for one: assert what it has to show."


def divide(root: Path, notebooks: Sequence[str]) -> tuple[list[str], tuple[dict, ...]]:
    """Return the notebooks that assert something, and the others as what is refused: ``{notebook, code, message}``."""
    lacking = [one for one in notebooks if not _asserts(root / one)]
    refused = [{"notebook": one, "code": "assertions_missing", "message": _MESSAGE.format(one)} for one in lacking]
    return [one for one in notebooks if one not in lacking], tuple(refused)


def _asserts(path: Path) -> bool:
    try:
        cells = [cell.source for cell in load.load(path).cells if cell.type == "code"]
    except EngineError:
        return True  # its run says what is wrong with it
    return any(_is_assertion(node) for text in cells for one in parse(text).body for node in ast.walk(one))


def _is_assertion(node: ast.AST) -> bool:
    """Return whether it is ``assert``, or a call such as ``np.testing.assert_allclose`` or ``self.assertEqual``."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
        return name.lower().startswith("assert")
    return isinstance(node, ast.Assert)
