# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining generated names with what the notebook installs."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.found import Found
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.merge import merge
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Provenance, Unresolved


def generated(*names):
    return Found(tuple(Provenance(name, "generated", f"import {name}", cell=0, line=1) for name in names))


def inline(*names, **keys):
    return Found(tuple(Provenance(name, "inline", "%pip install", cell=1, line=1) for name in names), **keys)


def lines(found):
    return [entry.requirement for entry in found.provenance]


@pytest.mark.parametrize(
    ("ours", "theirs", "result"),
    [
        (["a"], ["a==1"], ["a==1"]),
        (["a-b"], ["A_b[x]>=1"], ["A_b[x]>=1"]),
        (["a"], ["a"], ["a"]),
        (["a", "b"], ["c"], ["a", "b", "c"]),
        (["a"], ["a @ git+https://x.example/a.git"], ["a @ git+https://x.example/a.git"]),
        (["a"], ["git+https://x.example/o/a.git"], ["git+https://x.example/o/a.git"]),
        (["a"], ["--pre", "a"], ["--pre", "a"]),
        (["a"], ["./local"], ["a", "./local"]),
    ],
)
def test_the_more_specific_line_stands(ours, theirs, result):
    merged = merge(generated(*ours), inline(*theirs))
    assert lines(merged) == result
    assert merged.warnings == ()


def test_order_does_not_matter_for_a_bare_name():
    assert lines(merge(inline("a==1"), generated("a"))) == ["a==1"]


def test_a_contradiction_is_reported_and_the_later_line_stands():
    merged = merge(inline("numpy==1.24.1"), inline("numpy==1.21.5"))
    assert lines(merged) == ["numpy==1.21.5"]
    assert "`numpy==1.24.1`" in merged.warnings[0]
    assert "`numpy==1.21.5`" in merged.warnings[0]


def test_a_repository_of_the_modules_name_provides_the_module():
    ours = Found((Provenance("granite-tsfm", "generated", "import tsfm_public.toolkit", cell=0, line=1),))
    merged = merge(ours, inline("tsfm_public[x] @ git+https://x.example/granite-tsfm.git"))
    assert lines(merged) == ["tsfm_public[x] @ git+https://x.example/granite-tsfm.git"]


def test_what_is_required_is_not_optional_too():
    optional = Found(optional=(Provenance("a", "inline", "%pip install"), Provenance("b", "inline", "%pip install")))
    merged = merge(generated("a"), optional)
    assert [entry.requirement for entry in merged.optional] == ["b"]


def test_warnings_and_unresolved_are_kept_once():
    item = Unresolved("x", "reason", 1)
    merged = merge(inline("a", warnings=("w",), unresolved=(item,)), inline("a", warnings=("w",), unresolved=(item,)))
    assert (merged.warnings, merged.unresolved) == (("w",), (item,))
    assert merge(Found(python_requires=">=3.10"), Found()).python_requires == ">=3.10"
