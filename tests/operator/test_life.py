# SPDX-License-Identifier: GPL-3.0-or-later
"""When a job is worked on: suspended, at the times of its schedule, never again, deleted; and a process that starts anew."""

from __future__ import annotations

import sys
import threading
import time
from datetime import datetime

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stopped
from operator_support import PLURAL, ROOT, URL, Operator, Team, account, conditions, repository
from test_steps import Cluster, Jobs, Settings, auth, bench, jobs_module

sys.path.insert(0, str(ROOT / "operator"))
from notebook_operator.asked import schedule  # noqa: E402
from notebook_operator.turns import resting  # noqa: E402

__all__ = ["bench"]
LONG = {"name": "*", "seconds": 600, "containers": {"notebook": {"seconds": 600}}}


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Hands:
    """An operator whose clock is moved by hand."""

    def __init__(self, bench, now: float):
        self.bench, self.now = bench, now
        self.start()

    def start(self) -> None:
        """Begin anew, as a process that knows nothing."""
        self.bench.jobs = Jobs(self.bench.cluster, Settings(), lambda: self.now)

    def set(self, now: float) -> None:
        self.now = now
        self.bench.jobs.timers.look()


@pytest.fixture
def hands(bench):
    return Hands(bench, seconds("2026-11-25T10:30:00Z"))


def told(bench, name: str) -> dict[str, tuple[str, str]]:
    found = bench.server.system.get(PLURAL, "team", name)
    return {kind: (one["status"], one["reason"]) for kind, one in conditions(found).items()}


def change(bench, name: str, **spec) -> None:
    bench.server.system.patch(PLURAL, "team", name, {"spec": spec})


def until(bench, name: str, reason: str) -> dict:
    """The job as soon as it goes on no more, or does, for this reason."""

    def so(found: dict) -> bool:
        one = conditions(found).get("Progressing", {})
        same = one.get("observedGeneration") == found["metadata"]["generation"]
        return found["metadata"]["name"] == name and same and one["reason"] == reason

    return bench.team.until(PLURAL, so)


# --- suspend


def test_a_suspended_job_starts_nothing_until_it_is_resumed(bench, monkeypatch):
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, suspend=True))
    found = until(bench, "job", "Suspended")
    assert {kind: one["status"] for kind, one in conditions(found).items()} == {
        "Ready": "False", "Progressing": "False", "BuildReady": "Unknown", "ValidationComplete": "Unknown", "Degraded": "False"
    }  # fmt: skip
    assert found["status"]["phase"] == "Pending" and bench.team.event("job", "Suspended")
    cluster, asked = Cluster(auth(bench.server)), []
    monkeypatch.setattr(cluster, "send", lambda *given, **_more: asked.append(given))
    Jobs(cluster, Settings()).see(found)
    assert not asked, "it is at rest, also for a process that starts"
    assert not bench.team.made()
    change(bench, "job", suspend=False)
    assert bench.team.ended("job", generation=2)["phase"] == "Succeeded"
    assert bench.team.event("job", "Resumed")


def test_what_runs_is_removed_when_its_job_is_suspended_and_goes_on_later(bench):
    bench.server.pod_rules.add(LONG)
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit))
    bench.team.event("job", "ValidationRunning")
    change(bench, "job", suspend=True)
    until(bench, "job", "Suspended")
    bench.team.emptied("jobs.batch", "pods")
    assert told(bench, "job")["ValidationComplete"] == ("Unknown", "Suspended")
    bench.server.pod_rules.add({"name": "notebook-run-*", "results": {"*": "completed"}})
    change(bench, "job", suspend=None)
    assert bench.team.ended("job", generation=3)["phase"] == "Succeeded"
    assert len(bench.team.made()) == 2


@pytest.mark.parametrize(
    "spec", [{"suspend": True}, {"parameters": {"n": 2}, "suspend": True}, {"parameters": {"n": 2}}]
)
def test_what_an_operator_left_that_is_gone_is_removed_where_the_job_has_changed_since(
    bench, spec, monkeypatch, request
):
    over = threading.Event()
    request.addfinalizer(over.set)

    def unanswered(*_given, **_more):
        over.wait()
        raise Stopped

    bench.server.pod_rules.add(LONG)
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit))
    bench.team.event("job", "ValidationRunning")
    (run,) = bench.server.system.list("jobs.batch", "team")
    monkeypatch.setattr(bench.cluster, "send", unanswered)
    bench.jobs = Jobs(Cluster(auth(bench.server)), Settings())
    bench.server.journal.clear()
    change(bench, "job", **spec)
    bench.server.journal.wait_for(rf"/jobs/{run['metadata']['name']}\b", verb="delete")
    if "suspend" in spec:
        until(bench, "job", "Suspended")
        bench.team.emptied("jobs.batch", "pods")
    else:
        bench.server.journal.wait_for(r"/jobs\b", verb="create")
    bench.team.delete("job")


def test_a_verdict_stays_when_only_suspend_changes(bench):
    bench.site.notebook("a.ipynb", "1")
    before = bench.status("job", "a.ipynb", rerun="always")
    for generation, suspend in ((2, True), (3, False)):
        change(bench, "job", suspend=suspend)
        status = bench.team.ended("job", generation=generation)
        assert (status["completionTime"], status["results"]) == (before["completionTime"], before["results"])
        assert status["observedGeneration"] == generation
        assert told(bench, "job")["ValidationComplete"] == ("True", "ValidationComplete")
    assert len(bench.team.made()) == 1
    change(bench, "job", parameters={"n": 2})
    bench.team.ended("job", generation=4)
    assert len(bench.team.made()) == 2


def test_a_job_that_waits_for_its_turn_can_be_suspended(bench):
    bench.jobs = Jobs(bench.cluster, Settings(jobs=1))
    bench.server.pod_rules.add(LONG)
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("first", "a.ipynb", bench.commit))
    bench.team.event("first", "ValidationRunning")
    bench.team.apply(bench.team.job("second", "a.ipynb", bench.commit, parameters={"n": 2}))
    until(bench, "second", "Queued")
    change(bench, "second", suspend=True)
    until(bench, "second", "Suspended")
    bench.team.apply(bench.team.job("third", "a.ipynb", bench.commit, parameters={"n": 3}))
    until(bench, "third", "Queued")
    bench.team.delete("first")
    bench.team.event("third", "ValidationRunning")
    assert told(bench, "second")["Progressing"] == ("False", "Suspended")


def test_a_change_of_when_does_not_touch_what_runs(bench):
    bench.site.notebook("a.ipynb", "1")
    gate = bench.server.faults.add("slow", r"/jobs\b", method="POST", seconds=1)
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit))
    until(bench, "job", "Fetching")
    change(bench, "job", ttlSecondsAfterFinished=3600)
    assert bench.team.ended("job", generation=2)["phase"] == "Succeeded"
    assert len(bench.team.made()) == 1 and gate.hits


# --- schedule


@pytest.mark.parametrize(
    ("spec", "after", "following"),
    [
        ({"schedule": "0 6 * * 1-5"}, "2026-11-27T06:00:00Z", "2026-11-30T06:00:00Z"),
        ({"schedule": "*/15 * * * *"}, "2026-11-25T10:31:12Z", "2026-11-25T10:45:00Z"),
        ({"schedule": "0 6 * * *", "timeZone": "Europe/Prague"}, "2026-11-25T10:30:00Z", "2026-11-26T05:00:00Z"),
        ({"schedule": "30 2 * * *", "timeZone": "Europe/Prague"}, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
        ({"schedule": "0 0 29 2 *"}, "2026-11-25T10:30:00Z", "2028-02-29T00:00:00Z"),
    ],
)
def test_times_are_those_of_cron_in_the_zone(spec, after, following):
    assert schedule.following(spec, seconds(after)) == seconds(following)
    assert schedule.latest(spec, seconds(following)) == seconds(following)
    assert schedule.latest(spec, seconds(following) - 1) <= seconds(after)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"schedule": "0 6 * * * *"}, "give the five fields of cron"),
        ({"schedule": "@daily at"}, "give the five fields of cron"),
        ({"schedule": "61 * * * *"}, "whose minute is not a field of cron"),
        ({"schedule": "0 0 * * " + "9" * 5000}, "give the five fields of cron"),
        ({"schedule": "0 0 30 2 *"}, "is not a field of cron"),
        ({"schedule": "0 6 * * *", "timeZone": "Mars/Olympus"}, "timeZone is 'Mars/Olympus'"),
        ({"schedule": "0 6 * * *", "timeZone": "../../etc/passwd"}, "IANA time zone database"),
        ({"schedule": "0 6 * * *", "timeZone": "Europe"}, "IANA time zone database"),
        ({"timeZone": "UTC"}, "there is none"),
        ({"schedule": "0 6 * * *", "ttlSecondsAfterFinished": 60}, "leave one of them out"),
    ],
)
def test_times_that_cannot_be_meant_are_refused(spec, words):
    with pytest.raises(EngineError) as refused:
        schedule.check(spec)
    assert words in refused.value.message and len(refused.value.message) < 400


def test_a_wrong_schedule_is_answered_in_the_conditions_and_can_be_corrected(bench):
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb", schedule="0 25 * * *")
    assert (status["code"], told(bench, "job")["ValidationComplete"][0]) == ("invalid_input", "False")
    assert "whose hour is not a field of cron" in status["message"] and not bench.team.made()
    change(bench, "job", schedule="0 5 * * *")
    assert bench.team.ended("job", generation=2)["phase"] == "Succeeded"
    change(bench, "job", timeZone="Nowhere/At_All")
    assert bench.team.ended("job", generation=3)["code"] == "invalid_input"


def ran(bench, name: str, last: str) -> dict:
    """The status of a job with the verdict for this time of its schedule."""

    def so(found: dict) -> bool:
        one = conditions(found).get("ValidationComplete", {})
        status = found.get("status") or {}
        return status.get("lastScheduleTime") == last and one["status"] != "Unknown" and "completionTime" in status

    return bench.team.until(PLURAL, so)["status"]


def test_a_job_is_validated_at_once_and_anew_at_each_time_with_the_source_of_then(bench, hands):
    bench.site.notebook("a.ipynb", "1")
    repository(bench.team.source)
    job = bench.team.job("job", "a.ipynb", "HEAD", schedule="0 * * * *")
    bench.team.apply(job)
    first = bench.team.ended("job")
    assert first["nextScheduleTime"] == "2026-11-25T11:00:00Z" and "lastScheduleTime" not in first
    bench.site.notebook("a.ipynb", "2")
    repository(bench.team.source)
    hands.set(seconds("2026-11-25T11:00:00Z"))
    status = ran(bench, "job", "2026-11-25T11:00:00Z")
    assert status["nextScheduleTime"] == "2026-11-25T12:00:00Z" and status["phase"] == "Succeeded"
    assert len(bench.team.made()) == 2, "it has changed since"
    assert told(bench, "job")["ValidationComplete"] == ("True", "ValidationComplete")


@pytest.mark.parametrize(("rerun", "runs"), [("never", 1), ("always", 2)])
def test_rerun_says_whether_the_same_work_is_done_at_the_next_time(bench, hands, rerun, runs):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb", schedule="0 * * * *", rerun=rerun)
    hands.set(seconds("2026-11-25T11:00:10Z"))
    ran(bench, "job", "2026-11-25T11:00:00Z")
    assert len(bench.team.made()) == runs


def test_times_that_passed_while_the_operator_was_away_are_made_up_once(bench, hands):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb", schedule="0 * * * *", rerun="always")
    hands.now = seconds("2026-11-25T14:20:00Z")
    hands.start()
    bench.jobs.see(bench.server.system.get(PLURAL, "team", "job"))
    status = ran(bench, "job", "2026-11-25T14:00:00Z")
    assert status["nextScheduleTime"] == "2026-11-25T15:00:00Z"
    assert len(bench.team.made()) == 2


def test_a_time_that_passes_while_the_job_runs_is_made_up_once(bench, hands):
    bench.server.faults.add("slow", r"/jobs\b", method="POST", seconds=0.3)
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, schedule="0 * * * *", rerun="always"))
    until(bench, "job", "Fetching")
    hands.now = seconds("2026-11-25T13:10:00Z")
    assert ran(bench, "job", "2026-11-25T13:00:00Z")["nextScheduleTime"] == "2026-11-25T14:00:00Z"
    assert len(bench.team.made()) == 2


def test_a_suspended_schedule_does_nothing_and_goes_on_with_the_next_time(bench, hands):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb", schedule="0 * * * *", rerun="always")
    change(bench, "job", suspend=True)
    assert "nextScheduleTime" not in bench.team.ended("job", generation=2)
    hands.set(seconds("2026-11-25T12:40:00Z"))
    change(bench, "job", suspend=False)
    assert bench.team.ended("job", generation=3)["nextScheduleTime"] == "2026-11-25T13:00:00Z"
    assert len(bench.team.made()) == 1
    hands.set(seconds("2026-11-25T13:00:00Z"))
    ran(bench, "job", "2026-11-25T13:00:00Z")


def test_another_schedule_counts_from_now_and_runs_nothing(bench, hands):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb", schedule="0 * * * *", rerun="always")
    change(bench, "job", schedule="45 * * * *", timeZone="Asia/Kolkata")
    assert bench.team.ended("job", generation=2)["nextScheduleTime"] == "2026-11-25T11:15:00Z"
    change(bench, "job", schedule=None, timeZone=None)
    assert "nextScheduleTime" not in bench.team.ended("job", generation=3)
    assert len(bench.team.made()) == 1


# --- ttlSecondsAfterFinished


def gone(bench, name: str) -> None:
    bench.team.emptied(PLURAL)
    assert bench.server.system.find(PLURAL, "team", name) is None


@pytest.mark.parametrize("anew", [False, True], ids=["same-process", "new-process"])
def test_a_job_is_deleted_so_long_after_its_end(bench, anew):
    hands = Hands(bench, time.time())
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb", ttlSecondsAfterFinished=3600)
    if anew:
        hands.start()
        bench.jobs.see(bench.server.system.get(PLURAL, "team", "job"))
    bench.server.store.flush()
    hands.set(seconds(status["completionTime"]) + 3599)
    assert bench.server.system.find(PLURAL, "team", "job")
    hands.set(seconds(status["completionTime"]) + 3600)
    gone(bench, "job")
    bench.team.emptied("jobs.batch", "pods")


def test_a_time_to_live_given_later_runs_nothing_and_counts_from_the_end(bench):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb", rerun="always")
    change(bench, "job", ttlSecondsAfterFinished=0)
    gone(bench, "job")
    assert len(bench.team.made()) == 1


def test_a_job_that_has_changed_meanwhile_is_not_deleted(bench):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb")
    found = bench.server.system.get(PLURAL, "team", "job")
    bench.server.system.patch(PLURAL, "team", "job", {"metadata": {"labels": {"keep": "me"}}})
    with pytest.raises(Stopped):
        resting.delete(bench.cluster, found)
    assert bench.server.system.find(PLURAL, "team", "job")


# --- processes


def test_a_thousand_jobs_at_rest_cost_no_request_and_no_thread(bench, monkeypatch):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb", schedule="0 0 1 1 *")
    found = bench.server.system.get(PLURAL, "team", "job")
    cluster, asked = Cluster(auth(bench.server)), []
    monkeypatch.setattr(cluster, "send", lambda *given, **_more: asked.append(given))
    fresh, before = Jobs(cluster, Settings()), {one.name for one in threading.enumerate()}
    for number in range(1000):
        fresh.see({**found, "metadata": {**found["metadata"], "name": f"job-{number}", "uid": str(number)}})
    assert {one.name for one in threading.enumerate()} <= {*before, "timers"}, "one for all times"
    assert not asked


def test_a_cluster_that_is_away_is_asked_again_ever_later_and_after_five_minutes_at_most(bench, hands, monkeypatch):
    real, at, pauses = jobs_module.reconcile, bench.jobs.timers.at, []

    def unwell(*arguments):
        if len(pauses) < 12:
            raise ClusterError("The API server could not answer now.", "cluster_unavailable", status=503)
        real(*arguments)

    def at_once(key: str, moment: float, function) -> None:
        pauses.append(moment - hands.now)
        at(key, hands.now, function)

    monkeypatch.setattr(jobs_module, "reconcile", unwell)
    monkeypatch.setattr(bench.jobs.timers, "at", at_once)
    bench.site.notebook("a.ipynb", "1")
    assert bench.status("job", "a.ipynb")["phase"] == "Succeeded"
    longest = [min(300, 2**number) for number in range(12)]
    assert [0.75 * most <= pause <= most for pause, most in zip(pauses, longest, strict=True)] == [True] * 12
    assert len(set(pauses[9:])) == 3, "not all jobs come back at the same moment"


def test_a_token_that_is_replaced_is_read_anew(site, commit):
    server = site.server
    path = account(server)
    operator = Operator(server, site.directory, {URL: str(site.directory / "source")}, path)
    team = Team(server, site.directory / "source")
    server.journal.clear()
    server.faults.add("drop-watch", r"/notebookvalidationjobs", events=1)
    operator.start()
    try:
        server.journal.wait_for(r"/notebookvalidationjobs.*watch=true", timeout=60)
        (old,) = server.tokens.of_user("operator")
        server.tokens.revoke(old)
        server.write_kubeconfig("operator", server.tokens.issue("operator", 3600))
        team.apply(team.job("good", "good.ipynb", commit, parameters={"rate": 7}))
        assert team.ended("good")["phase"] == "Succeeded"
        team.apply(team.job("again", "good.ipynb", commit, parameters={"rate": 7}))
        assert team.ended("again")["phase"] == "Succeeded"
        refused = [one.path for one in server.journal.entries() if one.status == 401]
        assert len(refused) > 1 and any(path.endswith("notebookvalidationjobs") for path in refused)
    finally:
        operator.stop()


def test_a_process_that_was_killed_leaves_no_files_to_the_next_one(site, commit, tmp_path):
    operator = Operator(site.server, tmp_path, {}, site.server.kubeconfig)
    site.server.journal.clear()
    operator.start()
    site.server.journal.wait_for("watch=true", timeout=60)
    (left,) = tmp_path.glob("notebook-operator-*")
    operator.kill()
    site.server.journal.clear()
    operator.start()
    site.server.journal.wait_for("watch=true", timeout=60)
    (fresh,) = tmp_path.glob("notebook-operator-*")
    operator.stop()
    assert fresh != left and not list(tmp_path.glob("notebook-operator-*"))
