# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of failures is whole, and its documentation is made from it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import REASONS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict import taxonomy

ROOT = Path(__file__).resolve().parents[3]
ENGINE = Path(taxonomy.__file__).resolve().parents[1]


def codes_raised() -> dict[str, str]:
    """Every code that the engine gives to an EngineError, with the place."""
    found = {}
    for path in ENGINE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "EngineError":
                values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                found.update({value.value: str(path) for value in values if isinstance(value, ast.Constant)})
    return found


def test_codes_are_unique_and_in_a_known_category_with_advice():
    codes = [row.code for row in taxonomy.TABLE]
    assert len(codes) == len(set(codes))
    for row in taxonomy.TABLE:
        assert row.category in taxonomy.CATEGORIES and row.cause.endswith(".") and row.advice


def test_every_code_that_the_engine_raises_is_in_the_table():
    known = {row.code for row in taxonomy.TABLE}
    assert {code: place for code, place in codes_raised().items() if code not in known} == {}


def test_every_reason_of_a_run_has_a_row_of_its_own():
    for reason in set(REASONS) - {"completed"}:
        assert reason in taxonomy.by_reason(reason).reasons


def test_an_unknown_code_is_no_exception():
    assert taxonomy.entry("made_up").code == "system_error"
    assert taxonomy.by_reason("made_up").code == "system_error"


def test_only_infrastructure_is_tried_again():
    assert {row.category for row in taxonomy.TABLE if row.retryable} == {"infrastructure"}


def test_the_documentation_is_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "error_docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
