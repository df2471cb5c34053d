# SPDX-License-Identifier: GPL-3.0-or-later
"""24 kinds of output, one notebook run twice by a real kernel: no false alarm, no real change missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.golden.compare import compare
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.golden.options import GoldenOptions

RUNS = Path(__file__).parents[2] / "notebooks" / "golden"
REAL_CHANGES = {"elapsed_time", "image_of_other_data", "unseeded_random", "process_id"}


def run(name: str) -> dict:
    return json.loads((RUNS / f"{name}.ipynb").read_text(encoding="utf-8"))


def flagged(golden: dict, executed: dict, **options) -> set[str]:
    comparison = compare(executed, golden, GoldenOptions.from_options(options), golden_name="first.ipynb")
    return {executed["cells"][diff.cell]["metadata"]["tags"][0] for diff in comparison.diffs}


def test_the_runs_hold_24_kinds_that_truly_differ():
    first, second = run("first"), run("second")
    kinds = [cell["metadata"]["tags"][0] for cell in first["cells"][1:]]
    assert len(set(kinds)) == 24
    runs = zip(kinds, first["cells"][1:], second["cells"][1:], strict=True)
    same = {kind for kind, one, other in runs if one["outputs"] == other["outputs"]}
    # figure_repr holds an address; split_stream is split by chance
    assert same <= {
        "stable_text",
        "table",
        "image",
        "image_with_noise",
        "split_stream",
        "version_text",
        "expected_error",
    }


@pytest.mark.parametrize(("golden", "executed"), [("first", "second"), ("second", "first")])
def test_by_default_exactly_the_four_real_changes_are_flagged(golden, executed):
    assert flagged(run(golden), run(executed)) == REAL_CHANGES


def test_nothing_is_flagged_in_a_run_compared_with_itself():
    assert flagged(run("first"), run("first")) == set()


def test_stderr_of_the_second_run_is_flagged_on_request():
    assert flagged(run("first"), run("second"), ignore_outputs=[]) == REAL_CHANGES | {"stderr_warning"}
