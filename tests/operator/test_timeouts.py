# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends before its own end: by a timeout, because the job changes or goes, or by somebody's hand. And what is tried again."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop
from notebook_operator.work.clock import Clock
from operator_support import PLURAL, conditions
from test_many import job
from test_steps import BASE, BUILD, bench, on_openshift

__all__ = ["bench"]
BUILDS = "builds.build.openshift.io"
SLOW = {"name": "*", "seconds": 600, "containers": {"notebook": {"seconds": 600}}}


def slow_builds(bench, *names: str, seconds: float = 600) -> None:
    """Builds that take their time, and notebooks that need the same."""
    bench.server.pod_rules.add({"name": "*-build", "seconds": seconds})
    for name in names:
        bench.site.notebook(name, "1")
    (bench.team.source / "requirements.txt").write_text("alpha\n")


def phase(found: dict) -> str:
    return (found.get("status") or {}).get("phase", "")


def reason(status: dict) -> str:
    return conditions({"status": status})["ValidationComplete"]["reason"]


def test_a_run_has_a_timeout_of_its_own(bench):
    bench.server.pod_rules.add({"name": "notebook-run-*", "results": {"*": "run_timeout"}})
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, timeout="90s"))
    made = bench.team.until("jobs.batch", lambda found: True)
    assert made["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 90 + 300, "what the runner cannot end"
    status = bench.team.ended("job")
    assert (status["phase"], status["code"], reason(status)) == ("Failed", "run_timeout", "RunTimeout")


def test_the_total_ends_a_run_and_removes_its_pod(bench):
    bench.server.pod_rules.add(SLOW)
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb", totalTimeout="1500ms")
    assert (status["phase"], status["code"], reason(status)) == ("Failed", "total_timeout", "TotalTimeout")
    assert status["message"].startswith("The job took longer than its totalTimeout of 1500ms; its phase was ")
    assert conditions({"status": status})["Degraded"]["status"] == "False"
    bench.team.emptied("jobs.batch", "pods")


def test_the_total_counts_what_had_ended_of_many_notebooks(bench, monkeypatch):
    clocks, kept = [], set()
    monkeypatch.setattr(Clock, "__enter__", lambda clock: clocks.append(clock) or clock)  # goes as the test says
    for name in ("a.ipynb", "b.ipynb", "slow.ipynb"):
        bench.site.notebook(name, "1")
    third = {"batch.kubernetes.io/job-completion-index": "2"}
    bench.server.pod_rules.add({"labels": third, "seconds": 600, "containers": {"notebook": {"seconds": 600}}})

    def two_are_kept(found: dict) -> bool:
        name = found["metadata"]["name"]
        kept.update([name] if name.startswith("notebook-verdict-") else [])
        return len(kept) == 2

    job(bench, "*.ipynb", totalTimeout="1h")
    bench.team.until("configmaps", two_are_kept)
    clocks[0].end()
    status = bench.team.ended("job")
    found = {one["path"]: one.get("code") for one in status["notebooks"]}
    assert found == {"slow.ipynb": "total_timeout", "a.ipynb": None, "b.ipynb": None}


def test_the_total_counts_from_the_begin_whichever_process_that_was(bench):
    bench.server.pod_rules.add(SLOW)
    bench.site.notebook("a.ipynb", "1")
    bench.jobs.see = lambda found: None  # another process, which is gone by now
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, totalTimeout="1h"))
    began = datetime.fromtimestamp(datetime.now(timezone.utc).timestamp() - 3599, timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    told = {"startTime": began, "phase": "ValidationRunning", "observedGeneration": 1}
    bench.server.system.patch(PLURAL, "team", "job", {"status": told}, subresource="status")
    del bench.jobs.see
    bench.jobs.see(bench.server.system.get(PLURAL, "team", "job"))
    status = bench.team.ended("job")
    assert (status["code"], status["startTime"]) == ("total_timeout", began)


@on_openshift
def test_the_total_ends_a_build_too(bench):
    slow_builds(bench, "a.ipynb")
    status = bench.status("job", "a.ipynb", totalTimeout="2s", **BUILD)
    assert status["code"] == "total_timeout" and "its phase was Building" in status["message"]
    bench.team.until(BUILDS, lambda found: phase(found) == "Cancelled", 20)
    assert not bench.team.made()


@on_openshift
def test_a_build_has_a_timeout_of_its_own(bench):
    slow_builds(bench, "a.ipynb")
    config = {"enabled": True, "baseImage": BASE, "timeout": "1500ms"}
    status = bench.status("job", "a.ipynb", podConfig={"buildConfig": config})
    assert (status["code"], reason(status), status["buildStatus"]["phase"]) == (
        "build_timeout",
        "BuildTimeout",
        "Failed",
    )
    bench.team.until(BUILDS, lambda found: phase(found) in ("Cancelled", "Failed"), 20)
    assert not bench.team.made()


@on_openshift
@pytest.mark.parametrize("change", ["deleted", "changed"])
def test_a_build_that_no_job_needs_any_more_is_cancelled(bench, change):
    slow_builds(bench, "a.ipynb")
    bench.site.notebook("b.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, **BUILD))
    bench.team.until(BUILDS, lambda found: phase(found) == "Running")
    if change == "deleted":
        bench.team.delete("job")
    else:
        bench.team.apply(bench.team.job("job", "b.ipynb", bench.commit))
        bench.server.system.patch(PLURAL, "team", "job", {"spec": {"podConfig": {"buildConfig": None}}})
    bench.team.until(BUILDS, lambda found: phase(found) == "Cancelled", 20)


@on_openshift
def test_a_build_that_another_job_waits_for_goes_on(bench):
    slow_builds(bench, "a.ipynb", "b.ipynb", seconds=2)
    for name in ("a", "b"):
        bench.team.apply(bench.team.job(name, f"{name}.ipynb", bench.commit, **BUILD))
        bench.team.event(name, "BuildStarted")
    bench.team.delete("a")
    assert bench.team.ended("b")["phase"] == "Succeeded", "had the build been cancelled, it would have failed"
    (build,) = bench.server.system.list(BUILDS, "team")
    assert phase(build) == "Complete"


@on_openshift
def test_a_build_that_somebody_cancels_ends_the_job_with_a_sentence(bench):
    slow_builds(bench, "a.ipynb")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, **BUILD))
    build = bench.team.until(BUILDS, lambda found: phase(found) == "Running")
    bench.server.system.patch(BUILDS, "team", build["metadata"]["name"], {"status": {"cancelled": True}})
    status = bench.team.ended("job")
    assert (status["code"], reason(status)) == ("build_cancelled", "BuildCancelled")
    assert conditions({"status": status})["BuildReady"]["status"] == "False"


@on_openshift
def test_a_process_that_takes_over_builds_nothing_anew(bench):
    bench.site.notebook("a.ipynb", "1")
    (bench.team.source / "requirements.txt").write_text("alpha\n")
    spec = {"podConfig": {"buildConfig": {"enabled": True, "baseImage": BASE, "reuse": "Never"}}}
    bench.status("first", "a.ipynb", **spec)
    bench.server.store.flush()
    bench.server.journal.clear()
    bench.jobs.see = lambda found: None  # another process, which is gone by now
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, **spec))
    told = {"phase": "BuildComplete", "observedGeneration": 1}
    bench.server.system.patch(PLURAL, "team", "job", {"status": told}, subresource="status")
    del bench.jobs.see
    bench.jobs.see(bench.server.system.get(PLURAL, "team", "job"))
    assert bench.team.ended("job")["phase"] == "Succeeded"
    assert not bench.server.journal.entries("instantiate")


@on_openshift
def test_an_image_is_built_anew_for_each_change_where_that_is_asked_for(bench):
    bench.site.notebook("a.ipynb", "1")
    (bench.team.source / "requirements.txt").write_text("alpha\n")
    config = {"enabled": True, "baseImage": BASE, "reuse": "Never"}
    for name, reuse, count in (
        ("first", "Never", 1),
        ("second", "IfPresent", 1),
        ("third", "Verify", 1),
        ("last", "Never", 2),
    ):
        status = bench.status(name, "a.ipynb", podConfig={"buildConfig": {**config, "reuse": reuse}})
        assert status["phase"] == "Succeeded" and "@sha256:" in status["imageRef"], status["message"]
        assert len(bench.server.system.list(BUILDS, "team")) == count or reuse == "Never"
    assert conditions({"status": status})["BuildReady"]["reason"] == "BuildComplete"


def test_an_image_by_digest_takes_the_place_of_the_containers_image(bench):
    bench.site.notebook("a.ipynb", "1")
    made = bench.team.job("job", "a.ipynb", bench.commit)
    reference = made["spec"]["podConfig"].pop("containerImage")
    made["spec"]["podConfig"]["imageRef"] = reference
    bench.team.apply(made)
    status = bench.team.ended("job")
    assert (status["phase"], status["imageRef"]) == ("Succeeded", reference)
    tagged = {"containerImage": "registry.example.com/nb:latest"}
    told = bench.status("tag", "a.ipynb", podConfig=tagged)["imageRef"]
    assert told.startswith("registry.example.com/nb") and "@sha256:" in told, "what the pod says it ran in"


def test_the_policy_says_how_often_and_how_soon_infrastructure_is_tried_again(bench, monkeypatch):
    waited = []
    monkeypatch.setattr(Stop, "wait", lambda self, seconds: waited.append(seconds))
    bench.server.pod_rules.add(
        {"name": "*", "failure": "Evicted", "seconds": 0.1, "containers": {"notebook": {"seconds": 60}}}
    )
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb", retryPolicy={"limit": 3, "backoff": "10s", "maxBackoff": "15s"})
    assert (status["code"], status["retryCount"]) == ("pod_lost", 3) and status["lastRetryTime"] >= status["startTime"]
    assert waited == [10.0, 15.0, 15.0] and len(bench.team.made()) == 4


def test_a_failure_of_the_notebook_is_not_tried_again(bench):
    bench.site.notebook("bad.ipynb", "1")
    status = bench.status("job", "bad.ipynb", retryPolicy={"limit": 3, "backoff": "10ms"})
    assert status["retryCount"] == 0 and "lastRetryTime" not in status and len(bench.team.made()) == 1


def test_a_job_that_waits_to_be_tried_again_hears_that_it_goes(bench):
    bench.server.pod_rules.add(
        {"name": "*", "failure": "Evicted", "seconds": 0.1, "containers": {"notebook": {"seconds": 60}}}
    )
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, retryPolicy={"limit": 1, "backoff": "1h"}))
    bench.team.until("jobs.batch", lambda found: True)
    bench.team.emptied("jobs.batch")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, retryPolicy={"limit": 0}))
    assert bench.team.ended("job", generation=2)["retryCount"] == 0
