# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting what is ours, and nothing else."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster import client
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.goals import absent
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import (
    KEY,
    labels,
    owner_reference,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.removal import remove
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.wait import wait


def make(server, name: str, ours: bool = True, key: str = "abc", owners=(), finalizers=()) -> dict:
    metadata = {"name": name, "namespace": "team", "ownerReferences": list(owners), "finalizers": list(finalizers)}
    metadata["labels"] = labels("build", key) if ours else {KEY: key}
    return server.system.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


def names(server) -> set[str]:
    found = {one["metadata"]["name"] for one in server.system.list("configmaps", "team")}
    return {name for name in found if not name.endswith(".crt")}


@pytest.fixture
def maps(cluster):
    return cluster.discovery.find("v1", "ConfigMap")


def test_by_key_only_what_is_ours_goes(server, cluster, maps, soon):
    for name in ("one", "two"):
        make(server, name)
    make(server, "of-another-key", key="xyz")
    make(server, "of-somebody-else", ours=False)
    assert remove(cluster, maps, soon, key="abc", namespace="team") == ("one", "two")
    assert names(server) == {"of-another-key", "of-somebody-else"}


def test_by_owner_only_what_it_owns_goes(server, cluster, maps, soon):
    owner = make(server, "owner", key="owner")
    make(server, "owned", owners=[owner_reference(owner)])
    make(server, "other")
    assert remove(cluster, maps, soon, owner=owner["metadata"]["uid"], namespace="team") == ("owned",)
    assert names(server) == {"owner", "other"}


def test_by_name_what_is_not_ours_is_refused(server, cluster, maps, soon):
    make(server, "theirs", ours=False)
    with pytest.raises(ClusterError) as caught:
        remove(cluster, maps, soon, name="theirs", namespace="team")
    assert caught.value.code == "cluster_conflict" and "theirs" in caught.value.message
    assert names(server) == {"theirs"}


def test_what_is_not_there_is_no_error(cluster, maps, soon):
    assert remove(cluster, maps, soon, name="none", namespace="team") == ()


def test_a_dry_run_only_names_what_would_go(server, cluster, maps, soon):
    make(server, "one")
    server.journal.clear()
    assert remove(cluster, maps, soon, key="abc", namespace="team", dry_run=True) == ("one",)
    assert names(server) == {"one"} and server.journal.writes() == []


def test_what_a_finalizer_holds_is_named_when_the_time_is_over(server, cluster, maps):
    make(server, "held", finalizers=["example.com/hold"])
    with pytest.raises(ClusterError) as caught:
        remove(cluster, maps, Deadline.after(0.5), name="held", namespace="team")
    assert caught.value.code == "cluster_timeout" and "held" in caught.value.message


def test_without_waiting_it_returns_at_once(server, cluster, maps, soon):
    make(server, "held", finalizers=["example.com/hold"])
    assert remove(cluster, maps, soon, name="held", namespace="team", waiting=False) == ("held",)


@pytest.mark.parametrize(("propagation", "left"), [("Background", set()), ("Foreground", set()), ("Orphan", {"owned"})])
def test_what_depends_on_it_goes_as_asked(propagation, left, server, cluster, maps, soon):
    owner = make(server, "owner", key="owner")
    make(server, "owned", ours=False, owners=[owner_reference(owner, controller=True)])
    remove(cluster, maps, soon, name="owner", namespace="team", propagation=propagation)
    if not left:
        assert not wait(cluster, maps, ["owned"], absent(), soon, namespace="team").pending
    assert names(server) == left


def test_an_object_that_came_in_its_place_is_left_alone(server, cluster, maps, soon, monkeypatch):
    make(server, "one")
    delete = cluster.delete

    def late(*arguments, **options):
        server.system.delete("configmaps", "team", "one")
        make(server, "one", key="another")
        return delete(*arguments, **options)

    monkeypatch.setattr(cluster, "delete", late)
    remove(cluster, maps, soon, name="one", namespace="team", waiting=False)
    assert names(server) == {"one"}


@pytest.mark.parametrize("value", ["-starts-badly", "a" * 64, "with blank"])
def test_a_key_that_is_no_label_value_is_refused(value):
    with pytest.raises(ValueError, match="is no value for the label"):
        labels("build", value)


def test_labels_are_those_that_kubernetes_recommends():
    assert labels("build", "abc", part_of="demo") == {
        "app.kubernetes.io/name": "mlops-notebooks",
        "app.kubernetes.io/managed-by": "mlops.notebooks",
        "app.kubernetes.io/component": "build",
        "app.kubernetes.io/part-of": "demo",
        "notebooks.mlops.dev/key": "abc",
    }


def test_more_than_a_page_of_objects_goes(server, cluster, maps, soon, monkeypatch):
    for number in range(5):
        make(server, f"map-{number}")
    monkeypatch.setattr(client, "PAGE", 2)
    assert len(remove(cluster, maps, soon, key="abc", namespace="team")) == 5
    assert names(server) == set()
    assert server.journal.count("limit=2", verb="list") == 3
