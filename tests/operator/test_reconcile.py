# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator in a cluster: what people apply, and what becomes of it."""

from __future__ import annotations

import pytest
from operator_support import ApiServer, Operator, conditions

pytestmark = pytest.mark.usefixtures("operator")


def test_a_job_comes_to_its_verdict_and_says_how_far_it_is(team, commit):
    team.apply(team.job("good", "good.ipynb", commit, parameters={"rate": 7}))
    status = team.ended("good")
    told = {name: one["status"] for name, one in conditions({"status": status}).items()}
    assert told == {
        "Ready": "True", "Progressing": "False", "BuildReady": "True", "ValidationComplete": "True", "Degraded": "False"
    }  # fmt: skip
    assert (status["phase"], status["observedGeneration"], status["retryCount"]) == ("Succeeded", 1, 0)
    assert [one["status"] for one in status["results"]] == ["Success"] * 2
    assert status["validationPodName"].startswith("notebook-run-")
    assert team.server.system.find("configmaps", "team", status["verdict"]["configMap"])
    assert status["validationPodName"] in team.event("good", "ValidationRunning")["message"]
    assert team.event("good", "ValidationSucceeded")["type"] == "Normal"
    team.emptied("jobs.batch", "pods")
    assert not [one.line for one in team.server.journal.entries(r"/namespaces/team/") if one.status == 403]


def test_a_notebook_that_fails_tells_its_cells(team, commit):
    team.apply(team.job("raises", "raises.ipynb", commit))
    status = team.ended("raises")
    assert [(one["cellIndex"], one["status"]) for one in status["results"]] == [
        (0, "Success"),
        (1, "Failure"),
        (2, "Skipped"),
    ]
    assert "KeyError" in status["results"][1]["errorMessage"]
    assert (status["code"], status["category"], status["cell"]) == ("notebook_execution_failed",) * 2 + (1,)
    told = conditions({"status": status})
    assert (told["Ready"]["status"], told["ValidationComplete"]["status"]) == ("False", "False")
    assert told["ValidationComplete"]["reason"] == "NotebookExecutionFailed"
    assert told["Degraded"]["status"] == "False", "the notebook is at fault, and not the operator"
    event = team.event("raises", "ValidationFailed")
    assert event["type"] == "Warning" and "KeyError" in event["message"]


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_an_operator_that_ends_and_starts_goes_on_where_it_was(team, operator, commit, gate, end):
    team.apply(team.job("slow", "slow.ipynb", commit, parameters={"end": end}))
    pod, made = team.pod_of("slow"), len(team.made())
    getattr(operator, end)()
    operator.start()
    team.taken_up(pod)
    gate()
    status = team.ended("slow")
    assert (status["phase"], status["validationPodName"]) == ("Succeeded", pod)
    assert len(team.made()) == made


def test_jobs_run_side_by_side_and_one_that_is_deleted_leaves_nothing(team, commit, gate):
    for number in (1, 2):
        team.apply(team.job(f"slow-{number}", "slow.ipynb", commit, parameters={"number": number}))
    first, second = team.pod_of("slow-1"), team.pod_of("slow-2")
    team.delete("slow-1")
    team.going(first)
    assert team.server.system.find("pods", "team", second)
    gate()
    assert team.ended("slow-2")["phase"] == "Succeeded"
    team.emptied("jobs.batch", "pods", "secrets")


def test_a_change_of_the_spec_ends_what_runs(team, commit, gate):
    team.apply(team.job("job", "slow.ipynb", commit, parameters={"number": 3}))
    pod = team.pod_of("job")
    team.apply(team.job("job", "raises.ipynb", commit, parameters={"number": None}))
    team.going(pod)
    gate()
    assert team.ended("job", generation=2)["code"] == "notebook_execution_failed"


def test_without_the_definition_it_says_what_to_do_and_ends(tmp_path, capfd):
    with ApiServer(profile="kubernetes") as server:
        alone = Operator(server, tmp_path, {})
        alone.start()
        assert alone.process.wait(30) != 0
    assert "The cluster knows no NotebookValidationJob: apply operator/crds" in capfd.readouterr().err
