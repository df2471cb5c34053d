# SPDX-License-Identifier: GPL-3.0-or-later
"""The patch types, but for server-side apply."""

from __future__ import annotations

import pytest

MERGE, JSON, STRATEGIC = (f"application/{kind}+json" for kind in ("merge-patch", "json-patch", "strategic-merge-patch"))


@pytest.fixture
def workload(cluster, namespace):
    """The path of a Deployment without pods, of two containers."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    containers = [
        {"name": "a", "image": "a:1", "args": ["x"], "env": [{"name": "A", "value": "1"}]},
        {"name": "b", "image": "b:1"},
    ]
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    cluster.good("POST", path, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec})
    return f"{path}/w"


def containers(obj: dict) -> list[dict]:
    return obj["spec"]["template"]["spec"]["containers"]


def pod(**spec) -> dict:
    return {"spec": {"template": {"spec": spec}}}


def test_merge_patch(cluster, maps, make_map):
    cluster.good("POST", maps, make_map("a", {"k": "v", "l": "m"}))
    assert cluster.good("PATCH", f"{maps}/a", {"data": {"k": None, "n": "o"}}, MERGE)["data"] == {"l": "m", "n": "o"}


def test_merge_patch_with_a_stale_version(cluster, maps, make_map):
    cluster.good("POST", maps, make_map("a"))
    assert (
        cluster.call("PATCH", f"{maps}/a", {"metadata": {"resourceVersion": "1"}, "data": {"a": "b"}}, MERGE)[0] == 409
    )


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/data/n~1o", "value": "1"}, None),
        ({"op": "add", "path": "/data/n", "value": "1"}, {"k": "v", "n": "1"}),
        ({"op": "replace", "path": "/data/k", "value": "w"}, {"k": "w"}),
        ({"op": "remove", "path": "/data/k"}, {}),
        ({"op": "move", "from": "/data/k", "path": "/data/m"}, {"m": "v"}),
        ({"op": "copy", "from": "/data/k", "path": "/data/m"}, {"k": "v", "m": "v"}),
        ({"op": "remove", "path": "/data/none"}, None),
        ({"op": "test", "path": "/data/k", "value": "x"}, None),
    ],
)
def test_json_patch(cluster, maps, make_map, operation, expected):
    cluster.good("POST", maps, make_map("a", {"k": "v"}))
    status, _headers, found = cluster.call("PATCH", f"{maps}/a", [operation], JSON)
    if expected is None:
        assert status == 422
    else:
        assert found.get("data", {}) == expected


def test_strategic_merge_knows_items_by_their_keys(cluster, workload):
    change = pod(containers=[{"name": "b", "image": "b:2"}, {"name": "a", "env": [{"name": "B", "value": "2"}]}])
    found = {one["name"]: one for one in containers(cluster.good("PATCH", workload, change, STRATEGIC))}
    assert found["b"]["image"] == "b:2" and found["a"]["image"] == "a:1"
    assert {one["name"]: one["value"] for one in found["a"]["env"]} == {"A": "1", "B": "2"}


def test_strategic_merge_replaces_plain_lists(cluster, workload):
    assert containers(cluster.good("PATCH", workload, pod(containers=[{"name": "a", "args": ["y", "z"]}]), STRATEGIC))[
        0
    ]["args"] == ["y", "z"]


def test_strategic_merge_directives(cluster, workload):
    found = cluster.good("PATCH", workload, pod(containers=[{"name": "b", "$patch": "delete"}]), STRATEGIC)
    assert [one["name"] for one in containers(found)] == ["a"]
    found = cluster.good(
        "PATCH", workload, pod(containers=[{"$patch": "replace"}, {"name": "c", "image": "c:1"}]), STRATEGIC
    )
    assert [one["name"] for one in containers(found)] == ["c"]
    order = {
        "$setElementOrder/containers": [{"name": "d"}, {"name": "c"}],
        "containers": [{"name": "d", "image": "d:1"}],
    }
    assert [one["name"] for one in containers(cluster.good("PATCH", workload, pod(**order), STRATEGIC))] == ["d", "c"]
    retain = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert cluster.good("PATCH", workload, retain, STRATEGIC)["spec"]["strategy"] == {"type": "Recreate"}
    deleted = cluster.good("PATCH", workload, {"spec": {"strategy": {"$patch": "delete"}}}, STRATEGIC)
    assert deleted["spec"]["strategy"]["type"] == "RollingUpdate", "the default"


def test_scale_is_a_resource_of_its_own(cluster, workload):
    found = cluster.good("GET", f"{workload}/scale")
    assert (found["kind"], found["apiVersion"], found["spec"].get("replicas", 0)) == ("Scale", "autoscaling/v1", 0)
    assert found["status"]["selector"] == "app=x"
    assert (
        cluster.good("PATCH", f"{workload}/scale?dryRun=All", {"spec": {"replicas": 3}}, MERGE)["spec"]["replicas"] == 3
    )
    assert cluster.good("GET", workload)["spec"]["replicas"] == 0
