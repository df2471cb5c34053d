# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub with the real KubeSpawner, in a cluster that judges pods as OpenShift does, and on a real PostgreSQL."""

from __future__ import annotations

import postgres_support
import pytest
from cluster_hub import ClusterHub
from hub_parts import needed
from hub_support import Person, until

needed("jupyterhub", "proxy", "postgresql")


@pytest.fixture(scope="module")
def postgres():
    with postgres_support.made() as found:
        found.start()
        yield found


@pytest.fixture(scope="module")
def cluster(postgres, tmp_path_factory):
    database = {"kind": "postgresql", "host": "127.0.0.1", "port": postgres.port, "name": "postgres", "user": "hub"}
    found = ClusterHub(
        tmp_path_factory.mktemp("hub"), database=database, buckets={"enabled": True, "storage_class": "buckets"}
    )
    found.hub.write("secrets/database-password", "a-secret-word")
    found.hub.process = found.hub.start()
    yield found
    found.stop()


def started(cluster, name: str) -> Person:
    person = Person(cluster.hub)
    person.login(name)
    answer = person.ask(f"/hub/api/users/{name}/server", body={})
    assert answer.status in (201, 202), answer.text
    until(lambda: person.server(name).get("ready"))
    return person


def reached(person: Person, name: str) -> bool:
    return person.ask(f"/user/{name}/").text == "Here is a server."


def test_a_pod_is_admitted_as_restricted_and_its_end_leaves_the_claim(cluster):
    jane = started(cluster, "jane")
    (pod,) = [one for one in cluster.server.system.list("pods", "team") if one["metadata"]["name"] == "hub-nb-jane"]
    assert pod["metadata"]["annotations"]["openshift.io/scc"] == "restricted-v2"
    assert reached(jane, "jane")
    assert "hub-pvc-jane" in cluster.names("persistentvolumeclaims")
    jane.stop_server("jane")
    assert "hub-nb-jane" not in cluster.names("pods") and "hub-pvc-jane" in cluster.names("persistentvolumeclaims")


def test_a_bucket_that_is_bound_costs_at_most_two_requests_more(cluster):
    rose = started(cluster, "rose")
    rose.stop_server("rose")
    cluster.server.journal.clear()
    rose = started(cluster, "rose")
    asked = [entry for entry in cluster.asked() if "objectbucketclaims" in entry.path]
    assert 1 <= len(asked) <= 2, [entry.line for entry in asked]
    assert not [entry.line for entry in cluster.asked() if entry.status == 403]
    rose.stop_server("rose")


def test_a_pod_that_a_slow_cluster_takes_is_asked_for_once(cluster):
    slow = cluster.server.faults.add("slow", "/pods$", method="POST", seconds=4, count=0)
    try:
        vera = started(cluster, "vera")
    finally:
        cluster.server.faults.clear()
    assert slow.hits == 1  # asked again, KubeSpawner would find its own pod and kill it
    vera.stop_server("vera")


def test_a_hub_that_is_killed_finds_the_server_that_its_user_never_lost(cluster):
    otto = started(cluster, "otto")
    cluster.hub.process.kill()
    cluster.hub.process.wait(30)
    assert reached(otto, "otto")
    cluster.hub.process = cluster.hub.run_hub()
    until(lambda: otto.ask("/hub/api/users/otto").status == 200)
    until(lambda: otto.server("otto").get("ready"))
    assert reached(otto, "otto") and "hub-nb-otto" in cluster.names("pods")
    otto.stop_server("otto")


def test_a_database_that_was_restarted_is_connected_to_again(cluster, postgres):
    anna = started(cluster, "anna")
    postgres.stop()
    postgres.start()
    # The connection that the hub holds is found broken by the first request, which fails; then it connects again.
    until(lambda: anna.ask("/hub/api/users/anna").status == 200)
    assert "anna" in postgres.query("select name from users")
    anna.stop_server("anna")


@pytest.mark.parametrize(
    ("user", "fault", "status", "words"),
    [
        ("mary", {"path": "/pods$", "status": 403}, 403, "The cluster refuses your server (forbidden by a fault): ask an administrator."),
        ("lisa", {"path": "/persistentvolumeclaims$", "status": 403}, 403, "The cluster refuses your server (forbidden by a fault)"),
        ("nora", {"path": "/pods$", "status": 500}, 503, "The cluster did not take your server"),
        ("dora", {"path": "/pods$", "kind": "drop"}, 503, "The cluster did not answer when your server was to start: try again later."),
    ],
)  # fmt: skip
def test_what_the_cluster_does_not_take_is_told_in_its_own_words(cluster, user, fault, status, words):
    person = Person(cluster.hub)
    person.login(user)
    cluster.server.faults.add(**{"kind": "status", "method": "POST", "count": 0, **fault})
    try:
        page = person.ask("/hub/spawn", {"profile": "small"})
        answer = person.ask(f"/hub/api/users/{user}/server", body={})
    finally:
        cluster.server.faults.clear()
    assert words in page.said and (answer.status, words in answer.message) == (status, True), (page.said, answer.text)
