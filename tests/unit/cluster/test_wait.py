# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting by one watch: what settles it, what breaks on the way, and what it costs."""

from __future__ import annotations

import sys
import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster import goals
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.wait import wait
from cluster_support import auth, grant

JOBS = "^GET /apis/batch/v1/namespaces/team/jobs"


def make_job(server, name: str, **labels: str) -> None:
    container = {"name": "main", "image": "image"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    metadata = {"name": name, "namespace": "team", "labels": {"app": "test", **labels}}
    server.system.create(
        "jobs.batch", {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}
    )


def finish(server, name: str, kind: str = "Complete", reason: str = "Done", message: str = "It is over.") -> None:
    condition = {"type": kind, "status": "True", "reason": reason, "message": message}
    server.system.patch("jobs.batch", "team", name, {"status": {"conditions": [condition]}}, subresource="status")


@pytest.fixture
def jobs(cluster):
    return cluster.discovery.find("batch/v1", "Job")


@pytest.fixture
def waiting(server, cluster, jobs, soon):
    """A wait in a thread; ``answer()`` joins it."""
    threads = []

    def start(names, goal=None, deadline=None, client=None, **options):
        outcome = {}

        def work():
            try:
                outcome["is"] = wait(
                    client or cluster,
                    jobs,
                    names,
                    goal or goals.job_finished(),
                    deadline or soon,
                    namespace="team",
                    **options,
                )
            except Exception as error:
                outcome["raised"] = error

        thread = threading.Thread(target=work)
        thread.start()
        threads.append(thread)

        def answer():
            thread.join(40)
            assert not thread.is_alive()
            if "raised" in outcome:
                raise outcome["raised"]
            return outcome["is"]

        return answer

    yield start
    for thread in threads:
        thread.join(40)


def watched(server, count: int = 1) -> None:
    """Return when so many watches of jobs have begun."""
    server.journal.wait_for(JOBS, count, verb="watch")


def test_what_is_settled_already_costs_one_request(server, cluster, jobs, soon):
    make_job(server, "one")
    finish(server, "one")
    server.journal.clear()
    assert wait(cluster, jobs, ["one"], goals.job_finished(), soon, namespace="team").outcomes["one"].state == "reached"
    assert server.journal.count() == 1


def test_a_change_is_heard_of_by_watch(server, waiting):
    make_job(server, "one")
    server.journal.clear()
    answer = waiting(["one"])
    watched(server)
    finish(server, "one")
    outcome = answer().outcomes["one"]
    assert (outcome.state, outcome.reason, outcome.message) == ("reached", "Done", "It is over.")
    assert [entry.verb for entry in server.journal.entries()] == ["list", "watch"]


def test_an_object_that_is_known_is_watched_without_a_list_before(server, waiting):
    make_job(server, "a")
    started = goals.Goal(lambda found: goals.REACHED if found.get("status", {}).get("active") else goals.PENDING)
    waiting(["a"], goal=started)()  # the cluster has said of it all that it will say
    server.journal.clear()
    known = server.system.get("jobs.batch", "team", "a")
    finish(server, "a")  # before the watch begins
    seen = []
    found = waiting(["a"], known=known, on_change=seen.append)()
    assert found.outcomes["a"].state == "reached"
    assert [entry.verb for entry in server.journal.entries(JOBS)] == ["watch"]
    assert [bool(one.get("status", {}).get("conditions")) for one in seen] == [False, True]


@pytest.mark.parametrize("problem", ["gone", "deleted", "forgotten"])
def test_what_became_of_a_known_object_is_found_whatever_the_server_remembers(problem, server, waiting):
    make_job(server, "a")
    known = server.system.get("jobs.batch", "team", "a")
    if problem == "deleted":
        server.system.delete("jobs.batch", "team", "a")
    else:
        finish(server, "a")
    if problem == "gone":
        server.faults.add("gone", "/jobs")
    if problem == "forgotten":
        server.store.compact()
    found = waiting(["a"], known=known)()
    assert found.outcomes["a"].state == ("failed" if problem == "deleted" else "reached")


def test_many_are_waited_for_on_one_watch(server, waiting):
    names = [f"job-{number}" for number in range(60)]
    for name in names:
        make_job(server, name)
    make_job(server, "not-ours", app="other")
    server.journal.clear()
    seen = []
    answer = waiting(
        names,
        selector="app=test",
        keep=lambda found: found["metadata"]["uid"],
        on_change=lambda found: seen.append(found["metadata"]["name"]),
    )
    watched(server)
    for name in names:
        finish(server, name, "Failed" if name.endswith("7") else "Complete")
    done = answer()
    assert done.failed == tuple(name for name in names if name.endswith("7"))
    assert not done.pending and len(set(done.kept.values())) == 60
    assert set(seen) == set(names)
    assert [entry.verb for entry in server.journal.entries()] == ["list", "watch"]


def test_a_long_list_is_read_page_by_page(server, cluster, jobs, soon, monkeypatch):
    names = [f"job-{number}" for number in range(5)]
    for name in names:
        make_job(server, name)
        finish(server, name)
    server.journal.clear()
    monkeypatch.setattr(sys.modules[wait.__module__], "PAGE", 2)
    assert not wait(cluster, jobs, names, goals.job_finished(), soon, namespace="team").pending
    assert [entry.verb for entry in server.journal.entries()] == ["list"] * 3


def test_what_cannot_be_reached_any_more_ends_the_wait(server, waiting):
    make_job(server, "one")
    answer = waiting(["one"])
    watched(server)
    finish(server, "one", "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    done = answer()
    assert done.failed == ("one",)
    assert done.outcomes["one"].reason == "BackoffLimitExceeded"


def test_an_object_that_is_deleted_meanwhile_has_failed(server, waiting):
    make_job(server, "one")
    answer = waiting(["one"])
    watched(server)
    server.system.delete("jobs.batch", "team", "one")
    assert answer().outcomes["one"].reason == "Deleted"


def test_an_object_need_not_be_there_yet(server, waiting):
    answer = waiting(["one"])
    watched(server)
    make_job(server, "one")
    finish(server, "one")
    assert answer().outcomes["one"].state == "reached"


def test_absence_can_be_waited_for(server, waiting):
    make_job(server, "one")
    answer = waiting(["one", "never-there"], goals.absent())
    watched(server)
    server.system.delete("jobs.batch", "team", "one")
    assert not answer().pending


def test_when_the_time_is_over_what_is_open_is_named(server, cluster, jobs):
    make_job(server, "one")
    make_job(server, "two")
    finish(server, "two")
    done = wait(cluster, jobs, ["one", "two"], goals.job_finished(), Deadline.after(0.3), namespace="team")
    assert done.pending == ("one",) and done.trouble is None


def test_the_deadline_holds_while_events_go_on(server, cluster, jobs):
    make_job(server, "one")
    stop, deadline, late = threading.Event(), Deadline.after(0.5), []

    def touch():
        number = 0
        while not stop.wait(0.01):
            number += 1
            server.system.patch("jobs.batch", "team", "one", {"metadata": {"annotations": {"n": str(number)}}})

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        done = wait(
            cluster,
            jobs,
            ["one"],
            goals.job_finished(),
            deadline,
            namespace="team",
            on_change=lambda found: late.append(found) if deadline.passed() else None,
        )
    finally:
        stop.set()
        toucher.join()
    assert done.pending == ("one",)
    assert len(late) <= 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("drop", {}),
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("status", {"status": 429, "seconds": 0}),
        ("truncate", {"watch": False}),
        ("gone", {}),
        ("drop-watch", {"events": 0}),
    ],
)
def test_whatever_breaks_the_change_is_heard_of(kind, options, server, waiting):
    make_job(server, "one")
    server.faults.add(kind, JOBS.removeprefix("^GET "), method="GET", **options)
    answer = waiting(["one"])
    watched(server)
    if kind == "drop-watch":  # it is cut when there is something to say
        server.system.patch("jobs.batch", "team", "one", {"metadata": {"annotations": {"touched": "yes"}}})
    if kind in ("gone", "drop-watch"):
        watched(server, 2)
    finish(server, "one")
    assert answer().outcomes["one"].state == "reached"


def test_nothing_is_missed_between_a_drop_and_the_next_watch(server, waiting):
    names = [f"job-{number}" for number in range(10)]
    for name in names:
        make_job(server, name)
    server.faults.add("drop-watch", "/jobs", count=5, events=1)
    answer = waiting(names)
    watched(server)
    for name in names:
        finish(server, name)
    assert not answer().pending


def test_where_the_server_stays_away_the_reason_is_told(server, cluster, jobs):
    make_job(server, "one")
    server.faults.add("status", "/jobs", status=503, count=0)
    done = wait(cluster, jobs, ["one"], goals.job_finished(), Deadline.after(0.5), namespace="team")
    assert done.pending == ("one",)
    assert "503" in done.trouble.message


@pytest.mark.parametrize("verbs", [["get", "list"], ["get"]])
def test_where_watching_is_forbidden_it_polls(verbs, server, jobs, waiting):
    make_job(server, "one")
    token = server.users.add("viewer")
    grant(server, "viewer", [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": verbs}])
    with Cluster(auth(server, token)) as viewer:
        answer = waiting(["one"], client=viewer)
        server.journal.wait_for("GET .*/jobs", 3)
        finish(server, "one")
        assert answer().outcomes["one"].state == "reached"


def test_absence_is_not_taken_for_granted_where_the_server_says_nothing(server, cluster, jobs):
    make_job(server, "one")
    server.faults.add("status", "/jobs", status=503, count=0)
    done = wait(cluster, jobs, ["one"], goals.absent(), Deadline.after(0.3), namespace="team")
    assert done.pending == ("one",)


def test_where_nothing_may_be_seen_it_is_told(server, jobs, soon):
    with Cluster(auth(server, server.users.add("nobody"))) as nobody, pytest.raises(ClusterError) as caught:
        wait(nobody, jobs, ["one"], goals.job_finished(), soon, namespace="team")
    assert caught.value.code == "cluster_forbidden"
    assert 'cannot get resource "jobs"' in caught.value.message


def pod(phase: str = "Running", waiting: str | None = None, code: int | None = None) -> dict:
    state = {"waiting": {"reason": waiting, "message": "why"}} if waiting else {}
    if code is not None:
        state = {"terminated": {"exitCode": code, "reason": "Error"}}
    statuses = [{"name": "main", "state": state}]
    return {"metadata": {"name": "p"}, "status": {"phase": phase, "containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("found", "state", "reason"),
    [
        (pod(), "pending", None),
        (pod("Succeeded", code=0), "reached", None),
        (pod("Failed", code=3), "failed", "Failed"),
        (pod("Pending", waiting="ImagePullBackOff"), "pending", None),
        (pod("Pending", waiting="InvalidImageName"), "failed", "InvalidImageName"),
    ],
)
def test_when_a_pod_is_finished(found, state, reason):
    outcome = goals.pod_finished().judge(found)
    assert (outcome.state, outcome.reason) == (state, reason)
    if reason == "Failed":
        assert "status 3" in outcome.message


def deployment(generation=2, observed=2, replicas=2, updated=2, available=2, total=2, conditions=()) -> dict:
    status = {
        "observedGeneration": observed,
        "replicas": total,
        "updatedReplicas": updated,
        "availableReplicas": available,
        "conditions": list(conditions),
    }
    return {"metadata": {"name": "d", "generation": generation}, "spec": {"replicas": replicas}, "status": status}


STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "stuck"}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (deployment(), "reached"),
        (deployment(observed=1), "pending"),
        (deployment(updated=1), "pending"),
        (deployment(available=1), "pending"),
        (deployment(total=3), "pending"),
        (deployment(available=0, conditions=[STUCK]), "failed"),
    ],
)
def test_when_a_deployment_is_rolled_out(found, state):
    assert goals.rolled_out().judge(found).state == state


def test_a_condition_about_an_older_generation_does_not_count():
    condition = {"type": "Ready", "status": "True", "observedGeneration": 1}
    found = {"metadata": {"generation": 2}, "status": {"conditions": [condition]}}
    assert goals.condition("Ready").judge(found).state == "pending"
    condition["observedGeneration"] = 2
    assert goals.condition("Ready").judge(found).state == "reached"
