# SPDX-License-Identifier: GPL-3.0-or-later
"""The counts that people and policies look at."""

from __future__ import annotations

import samples
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.summary import summarize
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict


def test_counts_of_a_believable_validation(verdicts):
    summary = summarize(verdicts)
    assert (summary["total"], summary["succeeded"], summary["failed"], summary["cached"]) == (8, 4, 4, 2)
    assert summary["by_code"] == {"cell_error": 1, "cell_timeout": 1, "golden_mismatch": 1, "missing_module": 1}
    assert summary["by_category"] == {"comparison": 1, "environment": 1, "notebook": 1, "timeout": 1}
    assert summary["by_tier"] == {"declared": 4, "base": 2, "generated": 1, "inline": 1}
    assert summary["warnings"] == 2


def test_an_environment_counts_as_reused_only_when_no_verdict_saw_it_built():
    built = samples.passing("a.ipynb", environment="one")
    shared = samples.passing("b.ipynb", environment="one", environment_cached=True)
    found = samples.passing("c.ipynb", environment="two", environment_cached=True)
    summary = summarize([built, shared, found])
    assert (summary["environments"], summary["environments_cached"]) == (2, 1)


def test_a_failure_before_any_environment_counts_none():
    summary = summarize([Verdict("a.ipynb", "failed", code="kernel_missing", category="input")])
    assert (summary["environments"], summary["by_tier"], summary["duration"]) == (0, {}, 0)


def test_nothing_validated_is_no_failure():
    assert summarize([])["failed"] == 0
