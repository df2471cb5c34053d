# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts that a namespace keeps, Jobs that a call left, and the order in which notebooks run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import kept
from cluster_support import grant


@pytest.fixture
def site(simulated):
    """Notebooks whose pods say that they ran; those with a `bad` in their name, that a cell raised."""
    simulated.server.pod_rules.add({"name": "*", "results": {"bad*": "cell_error", "*": "completed"}})
    return simulated


def verdicts_of(server) -> list[dict]:
    """Return the ConfigMaps that keep verdicts."""
    found = server.system.list("configmaps", "team")
    return [one for one in found if one["metadata"]["name"].startswith("notebook-verdict-")]


def annotate(server, verdict: dict, name: str, value: str) -> None:
    patch = {"metadata": {"annotations": {f"notebooks.mlops.dev/{name}": value}}}
    server.system.patch("configmaps", "team", verdict["metadata"]["name"], patch)


def told(verdict: dict, name: str) -> str:
    return verdict["metadata"]["annotations"][f"notebooks.mlops.dev/{name}"]


def jobs_made(server) -> list[str]:
    entries = server.journal.entries(verb="create")
    return [one.line for one in entries if one.path.endswith("/jobs") and one.status == 201]


def test_another_machine_finds_the_verdicts_and_starts_no_pod(site):
    given = [site.notebook("good.ipynb", "1"), site.notebook("bad.ipynb", "1/0")]
    first = site.validate(*given)
    site.server.journal.clear()
    planned = site.validate(*given, cache="other", check=True)
    again = site.validate(*given, cache="other")
    assert planned["planned"] == [] and not again["changed"] and not site.server.journal.writes()
    for name in given:
        one, before = again["by_name"][name], first["by_name"][name]
        assert one["cached"] and (one["status"], one["code"]) == (before["status"], before["code"])
        assert json.loads(Path(one["executed"]).read_text()) == json.loads(Path(before["executed"]).read_text())
    assert len(site.server.journal.entries(verb="list")) == 2, "each call asks once"
    site.server.journal.clear()
    assert not site.validate(*given, cache="other")["changed"]
    assert {one.path for one in site.server.journal.entries()} == {"/apis"}, "this machine knows them by now"


@pytest.mark.parametrize(
    ("rerun", "cached"), [("never", [True, True]), ("failed", [True, False]), ("always", [False] * 2)]
)
def test_rerun_says_what_is_run_again(site, rerun, cached):
    given = [site.notebook("good.ipynb", "1"), site.notebook("bad.ipynb", "1/0")]
    site.validate(*given)
    for machine in ("other", "cache"):
        found = site.validate(*given, cache=machine, rerun=rerun)["by_name"]
        assert [found[name]["cached"] for name in given] == cached, machine


def test_a_verdict_that_is_too_old_does_not_count_and_goes(site):
    site.validate(site.notebook("gone.ipynb", "1"), site.notebook("a.ipynb", "1"))
    for one in verdicts_of(site.server):
        annotate(site.server, one, "decided", "2020-01-01T00:00:00Z")
    assert site.validate("a.ipynb", cache="other", max_age=90)["changed"]
    (left,) = verdicts_of(site.server)
    assert told(left, "notebook") == "a.ipynb"
    assert not site.validate("a.ipynb", cache="third")["changed"]


def test_what_ended_by_the_infrastructure_is_not_kept(simulated):
    simulated.server.pod_rules.add(
        {"name": "*", "failure": "Evicted", "seconds": 0.1, "containers": {"notebook": {"seconds": 60}}}
    )
    assert simulated.validate(simulated.notebook("a.ipynb", "1"))["verdicts"][0]["code"] == "pod_lost"
    assert verdicts_of(simulated.server) == []


def test_an_executed_notebook_that_is_large_is_not_kept_and_the_verdict_is(site, monkeypatch):
    monkeypatch.setattr(kept, "LARGEST_EXECUTED", 10)
    name = site.notebook("a.ipynb", "1")
    site.validate(name)
    found = site.validate(name, cache="other")["by_name"][name]
    assert found["cached"] and found["executed"] is None


def test_a_namespace_that_may_not_be_read_is_done_without_and_said(site):
    rules = [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "create", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["pods", "pods/log", "events"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]},
    ]
    grant(site.server, "jane", rules)
    token = site.server.tokens.issue("jane", 3600)
    found = site.validate(site.notebook("a.ipynb", "1"), token=token)
    assert found["by_name"]["a.ipynb"]["status"] == "succeeded"
    assert "cannot list" in found["warnings"][0] and "team" in found["warnings"][0]


def test_the_next_call_takes_up_what_still_runs_and_starts_only_the_rest(site):
    """A call is killed after its first result: what it began is not begun again, whatever is asked for beside it."""
    given = [site.notebook(name, "1") for name in ("a.ipynb", "b.ipynb", "c.ipynb")]
    for index in ("1", "2"):  # they have not begun when the first result falls
        later = {"start_seconds": 1.5, "results": {"*": "completed"}}
        site.server.pod_rules.add({"labels": {"batch.kubernetes.io/job-completion-index": index}, **later})
    with pytest.raises(KeyboardInterrupt):
        interrupted_after_a_verdict(site, given)
    assert len(site.server.system.list("jobs.batch", "team")) == 1
    site.server.journal.clear()
    found = site.validate(*given, site.notebook("d.ipynb", "1"))
    assert {one["status"] for one in found["verdicts"]} == {"succeeded"}
    assert sum(one["cached"] for one in found["verdicts"]) == 1, "the verdict that had fallen"
    assert len(jobs_made(site.server)) == 1, "for d alone"
    assert site.emptied()


def interrupted_after_a_verdict(site, given) -> None:
    def interrupt(event):
        if event["event"] == "verdict":
            raise KeyboardInterrupt

    site.validate(*given, workers=1, pod={"on_cancel": "leave"}, listener=interrupt)


def test_notebooks_that_took_long_before_run_first(site):
    given = [site.notebook(f"{name}.ipynb", "1") for name in "abc"]
    site.validate(*given)
    for one in verdicts_of(site.server):
        annotate(site.server, one, "duration", {"a.ipynb": "1", "b.ipynb": "3", "c.ipynb": "2"}[told(one, "notebook")])
    for name in given:
        site.notebook(name, "2")
    asked = []
    site.server.store.subscribe(
        lambda event, resource, one: (
            asked.append(one) if event == "ADDED" and "batch.json" in one.get("data", ()) else None
        )
    )
    site.validate(*given)
    (batch,) = [json.loads(one["data"]["batch.json"]) for one in asked]
    assert [request["notebook"][0] for request in batch["requests"]] == ["b", "c", "a"], "pods begin in this order"


def test_a_long_validation_says_how_far_it_is(site):
    given = [site.notebook(f"{number:02}.ipynb", "1") for number in range(19)] + [site.notebook("bad.ipynb", "1/0")]
    events = [event for event in site.validate(*given)["events"] if event["event"] == "progress"]
    assert [event["done"] for event in events] == list(range(2, 21, 2))
    assert events[-1]["text"] == "20 of 20 notebooks done, 1 failed" and events[-1]["failed"] == 1
    assert all(" left" in event["text"] and event["total"] == 20 for event in events[:-1])


def test_a_failure_of_the_cluster_says_where_to_look_further(simulated):
    rule = {"name": "*", "containers": {"notebook": {"exit_code": 3, "logs": [[0, "no papermill here"]]}}}
    simulated.server.pod_rules.add(rule)
    (verdict,) = simulated.validate(simulated.notebook("a.ipynb", "1"))["verdicts"]
    (command,) = [words for words in verdict["advice"] if "kubectl -n team get events" in words]
    assert "involvedObject.name=notebook-run-" in command
    assert any("no papermill here" in words for words in verdict["warnings"])


def test_a_secret_in_the_log_of_a_pod_is_hidden(simulated, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    simulated.server.pod_rules.add(
        {"name": "*", "containers": {"notebook": {"exit_code": 3, "logs": [[0, "key s3cr3t-value"]]}}}
    )
    found = simulated.validate(simulated.notebook("a.ipynb", "1"), pass_variables=["TOKEN"])
    assert "s3cr3t-value" not in json.dumps(found) and "key ***" in json.dumps(found["verdicts"])
