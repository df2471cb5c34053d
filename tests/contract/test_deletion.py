# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion: finalizers, preconditions, owners, collections, namespaces."""

from __future__ import annotations

import pytest

MERGE = "application/merge-patch+json"


def owner(obj: dict, block: bool = False) -> list[dict]:
    metadata = obj["metadata"]
    reference = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return [{**reference, "blockOwnerDeletion": True} if block else reference]


def is_gone(obj) -> bool:
    return obj is None


def test_a_deletion_is_answered_with_its_details(cluster, maps, make_map):
    made = cluster.good("POST", maps, make_map("a"))
    found = cluster.good("DELETE", f"{maps}/a")
    assert found["status"] == "Success" and found["details"] == {
        "name": "a",
        "kind": "configmaps",
        "uid": made["metadata"]["uid"],
    }


def test_finalizers_hold_an_object(cluster, maps, make_map):
    cluster.good("POST", maps, make_map("a", finalizers=["example.test/hold"]))
    found = cluster.good("DELETE", f"{maps}/a")
    assert found["kind"] == "ConfigMap" and found["metadata"]["deletionTimestamp"]
    status, _headers, refused = cluster.call(
        "PATCH", f"{maps}/a", {"metadata": {"finalizers": ["example.test/hold", "example.test/more"]}}, MERGE
    )
    assert status == 422 and "no new finalizers can be added" in refused["message"]
    cluster.good("PATCH", f"{maps}/a", {"metadata": {"finalizers": None}}, MERGE)
    assert cluster.call("GET", f"{maps}/a")[0] == 404


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_preconditions(cluster, maps, make_map, field):
    made = cluster.good("POST", maps, make_map("a"))
    status, _headers, found = cluster.call("DELETE", f"{maps}/a", {"preconditions": {field: "1"}})
    assert (status, found["reason"]) == (409, "Conflict") and "Precondition failed" in found["message"]
    cluster.good("DELETE", f"{maps}/a", {"preconditions": {field: made["metadata"][field]}})


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_dependents_go_with_their_owner(cluster, maps, make_map, policy):
    made = cluster.good("POST", maps, make_map("owner"))
    cluster.good("POST", maps, make_map("child", ownerReferences=owner(made, block=True)))
    cluster.good("DELETE", f"{maps}/owner", {"propagationPolicy": policy})
    cluster.until(f"{maps}/child", is_gone)
    cluster.until(f"{maps}/owner", is_gone)


def test_an_owner_in_the_foreground_goes_last(cluster, maps, make_map):
    made = cluster.good("POST", maps, make_map("owner"))
    cluster.good(
        "POST", maps, make_map("child", ownerReferences=owner(made, block=True), finalizers=["example.test/hold"])
    )
    held = cluster.good("DELETE", f"{maps}/owner?propagationPolicy=Foreground")
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]
    cluster.until(f"{maps}/child", lambda obj: bool(obj["metadata"].get("deletionTimestamp")))
    assert cluster.call("GET", f"{maps}/owner")[0] == 200
    cluster.good("PATCH", f"{maps}/child", {"metadata": {"finalizers": None}}, MERGE)
    cluster.until(f"{maps}/owner", is_gone)


def test_orphans_stay(cluster, maps, make_map):
    made = cluster.good("POST", maps, make_map("owner"))
    cluster.good("POST", maps, make_map("child", ownerReferences=owner(made)))
    cluster.good("DELETE", f"{maps}/owner", {"propagationPolicy": "Orphan"})
    cluster.until(f"{maps}/owner", is_gone)
    assert "ownerReferences" not in cluster.good("GET", f"{maps}/child")["metadata"]


def test_a_second_owner_keeps_the_dependent(cluster, maps, make_map):
    first, second = (cluster.good("POST", maps, make_map(name)) for name in ("first", "second"))
    cluster.good("POST", maps, make_map("child", ownerReferences=owner(first) + owner(second)))
    cluster.good("DELETE", f"{maps}/first")
    cluster.until(f"{maps}/child", lambda obj: len(obj["metadata"]["ownerReferences"]) == 1)
    cluster.good("DELETE", f"{maps}/second")
    cluster.until(f"{maps}/child", is_gone)


def test_a_child_of_nobody_goes(cluster, maps, make_map):
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "never",
        "uid": "00000000-1111-2222-3333-444444444444",
    }
    cluster.good("POST", maps, make_map("child", ownerReferences=[reference]))
    cluster.until(f"{maps}/child", is_gone)


def test_delete_collection_minds_the_selector(cluster, maps, make_map):
    for name, label in (("a", "1"), ("b", "2"), ("c", "2")):
        cluster.good("POST", maps, make_map(name, labels={"x": label}))
    cluster.good("DELETE", f"{maps}?labelSelector=x%3D2")
    assert [item["metadata"]["name"] for item in cluster.good("GET", f"{maps}?labelSelector=x")["items"]] == ["a"]


def test_a_namespace_takes_its_content_along(cluster, namespace, maps, make_map):
    cluster.good("POST", maps, make_map("a", finalizers=["example.test/hold"]))
    cluster.good("DELETE", f"/api/v1/namespaces/{namespace}")
    cluster.until(f"/api/v1/namespaces/{namespace}", lambda obj: obj["status"]["phase"] == "Terminating")
    status, _headers, found = cluster.call("POST", maps, make_map("late"))
    assert status == 403 and "because it is being terminated" in found["message"]
    cluster.until(f"{maps}/a", lambda obj: bool(obj["metadata"].get("deletionTimestamp")))
    cluster.good("PATCH", f"{maps}/a", {"metadata": {"finalizers": None}}, MERGE)
    cluster.until(f"/api/v1/namespaces/{namespace}", is_gone)
