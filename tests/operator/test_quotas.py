# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the operator one namespace may have, and whose turn is next."""

from __future__ import annotations

import sys
import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from operator_support import PLURAL, ROOT, conditions, namespace
from test_steps import BUILD, Jobs, Settings, bench, on_openshift

sys.path.insert(0, str(ROOT / "operator"))
from notebook_operator.turns.workers import Workers  # noqa: E402
from notebook_operator.work.quotas import Places  # noqa: E402

__all__ = ["bench"]


class Hall:
    """Works that go on until they are told to end."""

    def __init__(self, limit: int, of_each: int | None = None):
        self.workers = Workers(limit, of_each)
        self._began, self._ends = {}, {}

    def submit(self, name: str) -> bool:
        """A work of the namespace that its name begins with."""
        began, ends = self._began[name], self._ends[name] = threading.Event(), threading.Event()
        return self.workers.submit(name[0], lambda: (began.set(), ends.wait(30)))

    def end(self, name: str) -> None:
        self._ends[name].set()

    def begins(self, name: str) -> bool:
        return self._began[name].wait(10)

    def begun(self, *names: str) -> list[str]:
        return [name for name in names if self._began[name].is_set()]


def test_a_namespace_has_so_many_places_and_does_not_hold_up_others():
    hall = Hall(10, 2)
    assert [hall.submit(name) for name in ("a1", "a2", "a3", "a4", "b1")] == [True, True, False, False, True]
    assert hall.begins("b1") and hall.workers.is_full("a") and not hall.workers.is_full("b")
    hall.end("b1")
    hall.end("a2")
    assert hall.begins("a3") and not hall.begun("a4")
    hall.end("a1")
    assert hall.begins("a4")


def test_namespaces_take_turns_where_the_operator_is_full():
    hall = Hall(1)
    for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"):
        hall.submit(name)
    order = ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]
    for number, name in enumerate(order):
        assert hall.begins(name) and not hall.begun(*order[number + 1 :])
        hall.end(name)


def test_a_namespace_without_work_is_forgotten():
    hall = Hall(1, 1)
    hall.submit("a1")
    hall.submit("a2")
    hall.end("a1")
    assert hall.begins("a2")
    hall.end("a2")
    assert hall.submit("b1") or hall.begins("b1")


def test_places_are_given_in_their_order_and_left_where_somebody_asks_to_stop():
    places, queued, order = Places(), threading.Semaphore(0), []
    stops = [Stop() for _one in range(3)]

    def build(number: int) -> None:
        try:
            with places.place("team", 1, stops[number], queued.release):
                order.append(number)
        except Stopped:
            order.append(-number)

    with places.place("team", 1, Stop(), lambda: pytest.fail("there is a place")):
        threads = [threading.Thread(target=build, args=(number,)) for number in range(3)]
        for one in threads:
            one.start()
            assert queued.acquire(timeout=10)
        with places.place("other", 1, Stop(), lambda: pytest.fail("another namespace has its own")):
            stops[1].ask()
            threads[1].join(10)
        assert order == [-1]
    for one in threads:
        one.join(10)
    assert order == [-1, 0, 2]
    with places.place("team", 1, Stop(), lambda: pytest.fail("all places were left")):
        pass


def test_a_job_of_a_full_namespace_says_that_it_waits_and_one_of_another_does_not(bench):
    bench.jobs = Jobs(bench.cluster, Settings(jobs_per_namespace=1))
    bench.server.pod_rules.add({"name": "*", "seconds": 600, "containers": {"notebook": {"seconds": 600}}})
    namespace(bench.server, "other")
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("first", "a.ipynb", bench.commit))
    bench.team.until(PLURAL, lambda found: (found.get("status") or {}).get("phase") == "ValidationRunning")
    bench.team.apply(bench.team.job("second", "a.ipynb", bench.commit, parameters={"n": 2}))
    waiting = bench.team.until(PLURAL, lambda found: conditions(found).get("Progressing", {}).get("reason") == "Queued")
    assert (waiting["metadata"]["name"], waiting["status"]["phase"]) == ("second", "Pending")
    assert "of the namespace" in waiting["status"]["message"]
    other = bench.team.job("third", "a.ipynb", bench.commit)
    other["metadata"]["namespace"] = "other"
    running = Waiting(bench.server, "other", "ValidationRunning")
    bench.server.system.create(PLURAL, other)
    running.wait()
    bench.team.delete("first")
    bench.team.until(PLURAL, lambda found: (found.get("status") or {}).get("phase") == "ValidationRunning")
    bench.team.delete("second")
    bench.server.system.delete(PLURAL, "other", "third")
    bench.team.emptied("jobs.batch")


class Waiting:
    """For a job of a namespace to come to a phase."""

    def __init__(self, server, space: str, phase: str):
        self._come = threading.Event()

        def look(_event, resource, found) -> None:
            told = found.get("status") or {}
            if (
                resource.plural == "notebookvalidationjobs"
                and found["metadata"]["namespace"] == space
                and told.get("phase") == phase
            ):
                self._come.set()

        server.store.subscribe(look)

    def wait(self) -> None:
        assert self._come.wait(30)


@on_openshift
def test_a_build_waits_for_its_turn_and_says_so(bench):
    bench.jobs = Jobs(bench.cluster, Settings(builds_per_namespace=1))
    bench.server.pod_rules.add({"name": "*-build", "seconds": 600, "build": {}})
    bench.site.notebook("one/a.ipynb", "1")
    bench.site.notebook("two/b.ipynb", "2")
    for name, package in (("one", "alpha"), ("two", "beta")):
        (bench.team.source / name / "requirements.txt").write_text(f"{package}\n")
    build = {**BUILD["podConfig"]["buildConfig"]}
    for name, notebook in (("first", "one/a.ipynb"), ("second", "two/b.ipynb")):
        config = {"buildConfig": {**build, "requirementsFile": notebook.partition("/")[0] + "/requirements.txt"}}
        bench.team.apply(bench.team.job(name, notebook, bench.commit, podConfig=config))
        wanted = "BuildQueued" if name == "second" else "Building"
        bench.team.until(
            PLURAL, lambda found, wanted=wanted: conditions(found).get("BuildReady", {}).get("reason") == wanted
        )
        if name == "first":
            bench.team.event("first", "BuildStarted")
    found = bench.server.system.get(PLURAL, "team", "second")
    assert (found["status"]["phase"], found["status"]["buildStatus"]["phase"]) == ("Pending", "Pending")
    assert conditions(found)["Progressing"]["reason"] == "BuildQueued"
    bench.team.delete("first")
    assert bench.team.event("second", "BuildStarted")
    assert conditions(bench.server.system.get(PLURAL, "team", "second"))["BuildReady"]["reason"] == "Building"
    bench.team.delete("second")


def test_limits_of_a_namespace_come_from_the_environment():
    given = {"NOTEBOOK_OPERATOR_JOBS_PER_NAMESPACE": "4", "NOTEBOOK_OPERATOR_BUILDS_PER_NAMESPACE": "2"}
    assert Settings.of(given) == Settings(jobs_per_namespace=4, builds_per_namespace=2)
    with pytest.raises(ValueError, match="BUILDS_PER_NAMESPACE is '0'"):
        Settings.of({"NOTEBOOK_OPERATOR_BUILDS_PER_NAMESPACE": "0"})
