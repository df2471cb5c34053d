# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes, of which one works: the Lease between them, and who takes over when that one ends."""

from __future__ import annotations

import sys
import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from operator_support import PLURAL, ROOT, URL, ApiServer, Operator, Team, account

sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests" / "unit" / "run_pods")]
from cluster_support import auth, grant  # noqa: E402
from notebook_operator.process.gate import Gate  # noqa: E402
from notebook_operator.process.lease import Election  # noqa: E402
from notebook_operator.settings import Leading  # noqa: E402

LEASES = "leases.coordination.k8s.io"
SECONDS = 6  # renewed for 4 s at most: enough for a machine that is busy


class Watch:
    """The clock of one process."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Table:
    """Processes that want the same Lease, each with a clock of its own."""

    def __init__(self, server):
        self.server = server

    def process(self, name: str) -> tuple[Election, Watch]:
        watch = Watch()
        return Election(Cluster(auth(self.server)), "operator", 15, name, watch), watch

    @property
    def spec(self) -> dict:
        return self.server.system.get(LEASES, "default", "operator")["spec"]


@pytest.fixture
def table():
    with ApiServer(profile="kubernetes") as server:
        yield Table(server)


def test_the_first_one_leads_and_the_lease_says_so_as_client_go_writes_it(table):
    (first, _watch), (second, _other) = table.process("first"), table.process("second")
    assert first.wait(threading.Event()) and not second.ask()
    spec = table.spec
    assert spec["acquireTime"] == spec["renewTime"] and len(spec["renewTime"]) == len("2026-01-01T00:00:00.000000Z")
    wanted = {"holderIdentity": "first", "leaseDurationSeconds": 15, "leaseTransitions": 0}
    assert {name: spec[name] for name in wanted} == wanted
    assert first.holds() and not second.holds()


def test_renewing_is_one_request_and_changes_the_time_only(table):
    first, _watch = table.process("first")
    first.ask()
    before = table.spec
    table.server.journal.clear()
    assert first.ask()
    assert [one.verb for one in table.server.journal.entries("/leases")] == ["update"]
    changed = {name for name, value in table.spec.items() if before[name] != value}
    assert changed == {"renewTime"}


def test_who_waits_judges_by_its_own_clock_since_the_record_changed(table):
    (first, _watch), (second, watch) = table.process("first"), table.process("second")
    first.ask()
    assert not second.ask()
    watch.time += 14
    assert not second.ask()
    first.ask()
    watch.time += 14
    assert not second.ask(), "it was renewed meanwhile"
    watch.time += 15
    assert second.ask()
    spec = table.spec
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("second", 1)
    assert not first.ask() and not first.holds()


@pytest.mark.parametrize("renewed", ["2001-01-01T00:00:00.000000Z", "2091-01-01T00:00:00.000000Z"])
def test_clocks_of_others_do_not_count_and_their_duration_does(table, renewed):
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 60, "renewTime": renewed, "acquireTime": renewed}
    table.server.system.create(
        LEASES, {"metadata": {"name": "operator", "namespace": "default"}, "spec": {**spec, "leaseTransitions": 4}}
    )
    process, watch = table.process("process")
    assert not process.ask()
    watch.time += 59
    assert not process.ask()
    watch.time += 1
    assert process.ask() and table.spec["leaseTransitions"] == 5


def test_of_two_that_take_it_at_once_one_has_it(table, monkeypatch):
    (first, _watch), (second, other) = table.process("first"), table.process("second")
    third, watch = table.process("third")
    for one in (first, second, third):
        one.ask()
    other.time = watch.time = 2000.0
    read = third._cluster.find
    monkeypatch.setattr(third._cluster, "find", lambda *given, **more: (read(*given, **more), second.ask())[0])
    assert not third.ask()
    assert table.spec["holderIdentity"] == "second"


def test_a_lease_that_is_given_back_is_taken_at_once(table):
    (first, _watch), (second, _other) = table.process("first"), table.process("second")
    first.ask()
    second.ask()
    first.release()
    assert table.spec["holderIdentity"] == "" and not first.holds()
    assert second.ask() and table.spec["leaseTransitions"] == 1
    table.server.journal.clear()
    first.release()
    assert not table.server.journal.writes() and table.spec["holderIdentity"] == "second"


def test_a_process_that_cannot_renew_may_not_write_before_another_leads(table):
    (first, watch), (second, other) = table.process("first"), table.process("second")
    first.ask()
    second.ask()
    table.server.faults.add("status", "/leases/", method="PUT", status=503, count=0)
    watch.time += 9
    gate, passed = Gate(first.holds), threading.Event()
    with gate.passing("PATCH"):
        assert not first.ask()
    watch.time += 1
    other.time += 10

    def write() -> None:
        with gate.passing("PATCH"):
            passed.set()

    threading.Thread(target=write, daemon=True).start()
    with gate.passing("GET"):
        assert not second.ask(), "there are 5 s between them"
    assert not passed.wait(0.05)


def test_at_the_end_no_write_begins_and_one_that_has_begun_is_waited_for():
    gate, inside, go, closed = Gate(), threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        with gate.passing("POST"):
            inside.set()
            go.wait(30)

    threading.Thread(target=write, daemon=True).start()
    inside.wait(10)
    ends = threading.Thread(target=lambda: (gate.close(30), closed.set()), daemon=True)
    ends.start()
    assert not closed.wait(0.05)
    go.set()
    assert closed.wait(10)
    inside.clear()
    threading.Thread(target=write, daemon=True).start()
    assert not inside.wait(0.05)


def test_what_is_said_of_the_lease_is_checked():
    assert Leading.of({}) == Leading("", 15)
    given = {"NOTEBOOK_OPERATOR_LEASE": "operator", "NOTEBOOK_OPERATOR_LEASE_SECONDS": "30"}
    assert Leading.of(given) == Leading("operator", 30)
    for name, value, words in (("LEASE", "A b", "name of a Lease"), ("LEASE_SECONDS", "0", "a whole number")):
        with pytest.raises(ValueError, match=words):
            Leading.of({f"NOTEBOOK_OPERATOR_{name}": value})


# --- two processes


@pytest.fixture(scope="module")
def who(site) -> str:
    """The kubeconfig of an account that may do with the Lease what the Role says."""
    found = account(site.server)
    lease = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    rules = [{**lease, "verbs": ["create"]}, {**lease, "verbs": ["get", "update"], "resourceNames": ["operator"]}]
    grant(site.server, "operator", rules, "default")
    return found


class Pair:
    """A process that leads, and one that stands by."""

    def __init__(self, site, who: str):
        self.server = site.server
        settings = {"NOTEBOOK_OPERATOR_LEASE": "operator", "NOTEBOOK_OPERATOR_LEASE_SECONDS": str(SECONDS)}
        place = {URL: str(site.directory / "source")}
        self.first, self.second = (Operator(site.server, site.directory, place, who, settings) for _one in range(2))
        self.server.journal.clear()
        self.first.start()
        self.server.journal.wait_for("watch=true", timeout=60)
        asked = self.server.journal.count("/leases/operator", verb="get")
        self.second.start()
        self.server.journal.wait_for("/leases/operator", asked + 1, verb="get", timeout=60)

    def holder(self) -> str:
        return self.server.system.get(LEASES, "default", "operator")["spec"]["holderIdentity"]

    def watches(self) -> int:
        return self.server.journal.count(r"/notebookvalidationjobs.*watch=true")

    def end(self) -> None:
        for one in (self.first, self.second):
            one.process.kill()
            one.process.wait()
        self.server.system.delete(LEASES, "default", "operator")


@pytest.fixture
def pair(site, commit, who):
    found = Pair(site, who)
    yield found
    found.end()


@pytest.fixture
def team(site, pair):
    found = Team(site.server, site.directory / "source")
    yield found
    (site.directory / "gate" / "open").touch()
    for one in site.server.system.list(PLURAL, "team"):
        found.delete(one["metadata"]["name"])
    found.emptied("jobs.batch", "pods")
    (site.directory / "gate" / "open").unlink()


def test_who_stands_by_takes_over_from_one_that_is_killed_and_nothing_runs_twice(pair, team, commit, gate):
    assert pair.watches() == 1, "who stands by looks at no job"
    team.apply(team.job("slow", "slow.ipynb", commit))
    pod, made, holder = team.pod_of("slow"), len(team.made()), pair.holder()
    pair.first.kill()
    team.taken_up(pod)
    assert pair.holder() not in ("", holder)
    gate()
    status = team.ended("slow")
    assert (status["phase"], status["validationPodName"]) == ("Succeeded", pod)
    assert len(team.made()) == made
    assert not [one.line for one in team.server.journal.entries() if one.status == 403]


def test_a_signal_hands_over_at_once_and_pods_stay(pair, team, commit, gate):
    team.apply(team.job("slow", "slow.ipynb", commit, parameters={"number": 5}))
    pod, released = team.pod_of("slow"), []
    forget = pair.server.store.subscribe(
        lambda _event, resource, found: (
            resource.plural == "leases"
            and released.append((found["spec"]["holderIdentity"], found["spec"]["leaseDurationSeconds"]))
        )
    )
    pair.first.stop()
    pair.server.store.flush()
    forget()
    assert ("", 1) in released, "nobody has to wait until it expires"
    team.taken_up(pod)
    gate()
    assert team.ended("slow")["validationPodName"] == pod


def test_who_stands_by_ends_in_good_order_and_a_leader_that_cannot_renew_ends_before_another_may_lead(pair):
    before = pair.holder()
    pair.second.stop()
    assert pair.holder() == before and pair.watches() == 1
    fault = pair.server.faults.add("status", "/leases/operator", method="PUT", status=503, count=0)
    assert pair.first.process.wait(60) == 1
    pair.server.faults.clear()
    assert fault.hits and pair.holder() == before, "nothing was given back, and nobody can have taken it"
