# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of statements names tests that there are; and what no other test shows of them."""

from __future__ import annotations

import ast
import functools
import re

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of
from operator_support import ROOT, URL
from test_steps import BUILD, bench, on_openshift  # noqa: F401  # a fixture

PAGE = ROOT / "docs" / "operator-acceptance.md"
ROWS = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
WORKS = ("validator", "election", "triggers", "s2i", "docker", "tekton", "shipwright", "buildah", "prebuilt", "models")


@functools.cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_each_of_the_fifteen_statements_has_a_row():
    assert list(ROWS) == [str(number) for number in range(1, 16)]


@pytest.mark.parametrize("number", ROWS)
def test_the_tests_of_a_statement_are_there(number):
    named = re.findall(r"`(tests/[^`:]+)::(test_\w+)`", ROWS[number])
    assert any(path.startswith("tests/operator/") for path, _name in named), (
        "nothing shows that it holds for the operator"
    )
    assert [(path, name) for path, name in named if name not in functions(path)] == []


@on_openshift
def test_what_the_base_alone_may_lack_is_a_warning_of_the_job(bench):  # noqa: F811
    bench.site.notebook("a.ipynb", "import no_such_module_of_ours")
    job = bench.team.job("job", "a.ipynb", bench.commit, **BUILD)
    job["spec"]["podConfig"]["buildConfig"] |= {"autoGenerateRequirements": False, "fallbackStrategy": "warn"}
    bench.team.apply(job)
    event = bench.team.event("job", "Requirements")
    assert event["type"] == "Warning" and "no_such_module_of_ours" in event["message"]
    bench.team.ended("job")


@on_openshift
def test_a_golden_notebook_is_compared_in_an_image_that_was_built(bench):  # noqa: F811
    for name in ("a.ipynb", "golden/a.ipynb"):
        bench.site.notebook(name, "1")
    (bench.team.source / "requirements.txt").write_text("alpha\n")
    golden = {"git": {"url": URL, "ref": bench.commit}, "path": "golden/a.ipynb"}
    status = bench.status("job", "a.ipynb", **BUILD, goldenNotebook=golden)
    assert status["buildStatus"]["phase"] == "Complete"
    assert (status["comparisonResult"]["result"], status["comparisonResult"]["totalCells"]) == ("matched", 1)


def test_the_rights_of_the_operator_are_those_of_namespaces_and_open_no_security():
    needs = {(one.group, one.resource, one.verb) for work in WORKS for one in needs_of(work, "team")}
    words = {word for need in needs for word in need}
    assert not words & {
        "*",
        "use",
        "bind",
        "escalate",
        "impersonate",
        "securitycontextconstraints",
        "nodes",
        "deletecollection",
    }
    assert {verb for _group, resource, verb in needs if resource == "secrets"} <= {"get"}
    of_the_cluster = {
        "namespaces",
        "clusterroles",
        "clusterrolebindings",
        "customresourcedefinitions",
        "persistentvolumes",
    }
    assert not {resource for _group, resource, _verb in needs} & of_the_cluster
