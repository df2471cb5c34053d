# SPDX-License-Identifier: GPL-3.0-or-later
"""A job with many notebooks: what runs, what each is compared with, and a status that stays small."""

from __future__ import annotations

import json
import sys

import pytest
from operator_support import PLURAL, ROOT, URL, conditions
from test_steps import BUILD, bench, on_openshift

sys.path.insert(0, str(ROOT / "operator"))
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import (  # noqa: E402
    CellVerdict,
    Verdict,
)
from notebook_operator.work import many  # noqa: E402
from notebook_operator.work.running import Ran  # noqa: E402

__all__ = ["bench"]


def job(bench, *paths: str, name: str = "job", **spec) -> dict:
    """A job with these paths, applied."""
    made = bench.team.job(name, "unused.ipynb", bench.commit, **spec)
    made["spec"]["notebook"] = {"git": {"url": URL, "ref": bench.commit}, "paths": list(paths)}
    return bench.team.apply(made)


def test_a_glob_and_a_path_are_run_by_one_job_of_pods_and_each_has_its_verdict(bench):
    for name in ("a/1.ipynb", "bad/0.ipynb", "a/deep/2.ipynb", "b.ipynb", "left.ipynb"):
        bench.site.notebook(name, "1", "2")
    job(bench, "a/**/*.ipynb", "ba?/*.ipynb", "b.ipynb", parallelism=2)
    status = bench.team.ended("job")
    assert (status["phase"], status["code"]) == ("Failed", "notebook_execution_failed")
    assert status["summary"] == {"total": 4, "succeeded": 3, "failed": 1, "omitted": 0}
    assert [one["path"] for one in status["notebooks"]] == ["bad/0.ipynb", "a/1.ipynb", "a/deep/2.ipynb", "b.ipynb"]
    failed, passed = status["notebooks"][0], status["notebooks"][1]
    assert (failed["phase"], failed["cell"], len(failed["results"])) == ("Failed", 0, 1)
    assert failed["cause"] and failed["advice"] and failed["podName"].startswith("notebook-run-")
    assert passed["phase"] == "Succeeded" and "results" not in passed
    assert bench.server.system.find("configmaps", "team", passed["verdict"]["configMap"])
    told = conditions({"status": status})
    assert (
        told["ValidationComplete"]["status"] == "False" and "1 of 4 notebooks failed. bad/0.ipynb" in status["message"]
    )
    assert told["Degraded"]["status"] == "False" and "results" not in status and "validationPodName" not in status
    (made,) = bench.team.made()
    assert made


def test_the_pods_at_once_are_as_many_as_the_job_says(bench):
    for number in range(5):
        bench.site.notebook(f"{number}.ipynb", "1")
    job(bench, "*.ipynb", parallelism=3)
    made = bench.team.until("jobs.batch", lambda found: True)
    assert (made["spec"]["parallelism"], made["spec"]["completions"]) == (3, 5)
    status = bench.team.ended("job")
    assert status["message"] == "All 5 notebooks passed." and status["imageRef"].endswith(
        "@" + status["imageRef"][-71:]
    )


@on_openshift
def test_notebooks_that_need_the_same_share_an_image(bench):
    for name, needs in (("a", "alpha"), ("b", "beta")):
        for notebook in ("1", "2"):
            bench.site.notebook(f"{name}/{notebook}.ipynb", "1")
        (bench.team.source / name / "requirements.txt").write_text(f"{needs}\n")
    made = []
    bench.server.store.subscribe(
        lambda event, resource, found: event == "ADDED" and resource.plural == "jobs" and made.append(found)
    )
    job(bench, "**/*.ipynb", **BUILD)
    status = bench.team.ended("job")
    assert status["phase"] == "Succeeded" and "2 of 2 images are there" in status["buildStatus"]["message"]
    assert len(bench.server.system.list("builds.build.openshift.io", "team")) == 2
    bench.server.store.flush()
    images = {one["spec"]["template"]["spec"]["initContainers"][0]["image"] for one in made}
    assert len(images) == 2 and all("@sha256:" in one for one in images)


@on_openshift
def test_notebooks_whose_image_cannot_be_built_fail_and_the_others_run(bench):
    bench.site.notebook("good/1.ipynb", "1")
    bench.site.notebook("broken/1.ipynb", "1")
    (bench.team.source / "good" / "requirements.txt").write_text("alpha\n")
    (bench.team.source / "broken" / "requirements.txt").write_text("not a requirement at all !!\n")
    job(bench, "**/*.ipynb", **BUILD)
    status = bench.team.ended("job")
    assert [(one["path"], one["phase"]) for one in status["notebooks"]] == [
        ("broken/1.ipynb", "Failed"), ("good/1.ipynb", "Succeeded"),
    ]  # fmt: skip
    assert status["notebooks"][0]["code"] == "requirements_invalid"


@pytest.mark.parametrize("directory", ["", "nb"])
def test_golden_notebooks_stand_in_a_directory_that_mirrors_the_source(bench, directory):
    for name in ("a.ipynb", "deep/b.ipynb", "c.ipynb"):
        bench.site.notebook(f"nb/{name}", "1")
    for name in ("a.ipynb", "deep/b.ipynb"):
        bench.site.notebook(f"golden/{name if directory else f'nb/{name}'}", "1")
    git = {"url": URL, "ref": bench.commit}
    spec = {"directory": directory} if directory else {}
    job(bench, "nb/**/*.ipynb", goldenNotebook={"git": git, "directory": "golden"}, **spec)
    found = {one["path"]: one.get("comparisonResult") for one in bench.team.ended("job")["notebooks"]}
    assert found["nb/a.ipynb"]["totalCells"] == found["nb/deep/b.ipynb"]["totalCells"] == 1
    assert found["nb/c.ipynb"] is None


@pytest.mark.parametrize(
    ("paths", "spec", "code", "words"),
    [
        (("x*.ipynb",), {}, "notebook_not_found", f"No notebook in {URL} at"),
        (("a.ipynb", "gone.ipynb"), {}, "notebook_not_found", "There is no notebook 'gone.ipynb' in"),
        (("*.ipynb",), {"goldenNotebook": {"git": {"url": URL, "ref": "main"}, "directory": "gone"}}, "golden_missing", "golden notebook in gone"),
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere_end_the_job_and_nothing_runs(bench, paths, spec, code, words):
    bench.site.notebook("a.ipynb", "1")
    job(bench, *paths, **json.loads(json.dumps(spec).replace('"main"', f'"{bench.commit}"')))
    status = bench.team.ended("job")
    assert (status["phase"], status["code"]) == ("Failed", code) and words in status["message"]
    assert "/tmp" not in status["message"] and not bench.team.made()


def test_notebooks_without_an_assertion_fail_where_one_is_asked_for(bench):
    for name, cell in (
        ("a", "assert 1"),
        ("b", "import numpy as np\nnp.testing.assert_allclose(1, 1)"),
        ("c", "print(1)"),
    ):
        bench.site.notebook(f"{name}.ipynb", "# first", cell)
    job(bench, "*.ipynb", validationConfig={"verifyAssertions": True})
    status = bench.team.ended("job")
    assert [(one["path"], one.get("code")) for one in status["notebooks"]] == [
        ("c.ipynb", "assertions_missing"), ("a.ipynb", None), ("b.ipynb", None),
    ]  # fmt: skip
    assert "c.ipynb has no assertion" in status["notebooks"][0]["cause"]


def test_progress_is_said_at_tenths_and_not_for_each_notebook(bench):
    for number in range(40):
        bench.site.notebook(f"{number}.ipynb", "1")
    seen = []
    bench.server.store.subscribe(
        lambda event, resource, found: resource.plural == PLURAL.partition(".")[0] and seen.append(found)
    )
    job(bench, "*.ipynb", parallelism=40)
    bench.team.ended("job")
    bench.server.store.flush()
    told = [found["status"]["message"] for found in seen if found.get("status")]
    assert len(told) <= 14 and told[-1] == "All 40 notebooks passed."
    assert "of 40 notebooks have ended, 0 of them failed." in told[-2]


def verdict(number: int, failed: bool) -> Verdict:
    """One with as many words as there can be."""
    words = "word " * 2000
    cells = tuple(
        CellVerdict(index, "code", "Failure" if failed else "Success", 1.0, words, (words,)) for index in range(50)
    )
    return Verdict(
        f"{number:05}-{'deep/' * 20}a.ipynb", "failed" if failed else "succeeded", code="cell_timeout" if failed else None,
        category="notebook_execution_failed" if failed else None, cause=words if failed else None,
        advice=(words,) * 5 if failed else (), cells=cells, cell=3 if failed else None,
    )  # fmt: skip


def test_a_status_of_thousands_of_notebooks_is_smaller_than_an_object_may_be():
    verdicts = tuple(verdict(number, failed=number % 2 == 0) for number in range(4000))
    status = many.status(Ran(verdicts, {}, {}), "normalized", "")
    assert len(json.dumps(status)) < 1_000_000
    assert status["notebooks"][0]["results"] and status["notebooks"][-1].keys() <= {"path", "phase", "code", "cell"}
    summary, phases = status["summary"], [one["phase"] for one in status["notebooks"]]
    assert (summary["total"], summary["failed"]) == (4000, 2000) and summary["omitted"] == 4000 - len(phases)
    assert phases == sorted(phases), "the failed ones come first"
    overall = many.overall(verdicts, "*.ipynb")
    assert len(overall.cause) < 2000 and overall.code == "cell_timeout"


def test_notebooks_that_fail_for_several_reasons_have_a_code_of_their_own_and_trouble_is_told():
    mixed = (
        verdict(0, failed=True),
        Verdict("b", "failed", code="pod_lost", category="infrastructure", retryable=True),
    )
    assert many.overall(mixed, "x").code == "validation_failed"
    assert many.trouble(mixed).code == "pod_lost" and not many.overall(mixed, "x").retryable
