# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply and the tracking of fields."""

from __future__ import annotations

import pytest

MERGE = "application/merge-patch+json"


def fields(obj: dict, manager: str, operation: str = "Apply", subresource: str = "") -> dict | None:
    """What the manager owns, as FieldsV1."""
    for entry in obj["metadata"].get("managedFields", []):
        if (entry["manager"], entry["operation"], entry.get("subresource", "")) == (manager, operation, subresource):
            return entry["fieldsV1"]
    return None


@pytest.fixture
def apply(cluster, maps, make_map):
    """`apply(data, manager, force)`: the answer to applying the ConfigMap `a` with the data."""

    def send(data: dict, manager: str = "one", force: bool = False, **metadata):
        return cluster.apply(f"{maps}/a", make_map("a", data, **metadata), manager, force)

    return send


def test_apply_creates_and_owns(apply):
    status, _headers, made = apply({"k": "v"}, labels={"l": "1"})
    assert status == 201
    (entry,) = made["metadata"]["managedFields"]
    assert {key: entry[key] for key in ("manager", "operation", "apiVersion", "fieldsType")} == {
        "manager": "one", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
    }  # fmt: skip
    assert entry["fieldsV1"] == {"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}


def test_an_unchanged_apply_changes_nothing(cluster, maps, apply):
    made = apply({"k": "v"})[2]
    status, _headers, again = apply({"k": "v"})
    assert status == 200 and again == made


def test_a_conflict_names_manager_and_field(apply):
    apply({"k": "v", "l": "v"})
    status, _headers, found = apply({"k": "w"}, "two")
    assert (status, found["reason"], found["code"]) == (409, "Conflict", 409)
    assert found["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.k"}
    ]
    assert found["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.k'
    status, _headers, found = apply({"k": "w", "l": "w"}, "two")
    assert [cause["field"] for cause in found["details"]["causes"]] == [".data.k", ".data.l"]


def test_a_conflict_with_a_writer_that_does_not_apply(cluster, maps, make_map, apply):
    cluster.good("POST", maps, make_map("a", {"k": "v"}))
    status, _headers, found = apply({"k": "w"})
    assert status == 409 and found["details"]["causes"][0]["message"].startswith('conflict with "contract" using v1')


def test_force_takes_the_field_over(apply):
    apply({"k": "v", "l": "v"})
    status, _headers, found = apply({"k": "w"}, "two", force=True)
    assert status == 200 and found["data"] == {"k": "w", "l": "v"}
    assert fields(found, "two") == {"f:data": {"f:k": {}}} and fields(found, "one") == {"f:data": {"f:l": {}}}


def test_the_same_value_is_shared(apply):
    apply({"k": "v"})
    status, _headers, found = apply({"k": "v"}, "two")
    assert status == 200 and fields(found, "one") == fields(found, "two") == {"f:data": {"f:k": {}}}
    assert apply({}, "one")[2]["data"] == {"k": "v"}, "two still wants it"
    assert "data" not in apply({}, "two")[2]


def test_what_is_no_longer_applied_goes(apply):
    apply({"k": "v", "l": "v"}, labels={"x": "1"})
    found = apply({"k": "v"})[2]
    assert found["data"] == {"k": "v"} and "labels" not in found["metadata"]


def test_a_writer_takes_the_fields_that_it_changes(cluster, maps, apply):
    apply({"k": "v", "l": "v"})
    found = cluster.good("PATCH", f"{maps}/a?fieldManager=hand", {"data": {"k": "w", "new": "1"}}, MERGE)
    assert fields(found, "one") == {"f:data": {"f:l": {}}}
    assert fields(found, "hand", "Update") == {"f:data": {"f:k": {}, "f:new": {}}}
    found = cluster.good("PATCH", f"{maps}/a?fieldManager=hand", {"data": {"new": None}}, MERGE)
    assert fields(found, "hand", "Update") == {"f:data": {"f:k": {}}}


def test_a_plain_create_owns_its_containers(cluster, maps, make_map):
    made = cluster.good("POST", f"{maps}?fieldManager=hand", make_map("a", {"k": "v"}, labels={"x": "1"}))
    assert fields(made, "hand", "Update") == {
        "f:data": {".": {}, "f:k": {}},
        "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
    }


def test_the_manager_of_a_plain_write_is_its_user_agent(cluster, maps, make_map):
    assert fields(cluster.good("POST", maps, make_map("a", {"k": "v"})), "contract", "Update")


def test_tracking_can_be_reset(cluster, maps, apply):
    apply({"k": "v"})
    found = cluster.good("PATCH", f"{maps}/a", {"metadata": {"managedFields": [{}]}}, MERGE)
    assert "managedFields" not in found["metadata"]


def test_a_workload_is_owned_item_by_item(cluster, namespace):
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/w"
    container = {
        "name": "a",
        "image": "a:1",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "1"}],
        "args": ["x"],
    }
    pod = {"containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}
    made = cluster.apply(path, body, "one")[2]
    assert fields(made, "one") == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"a"}': {
                            ".": {},
                            "f:args": {},
                            "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        }
                    },
                    "f:volumes": {'k:{"name":"v"}': {".": {}, "f:emptyDir": {}, "f:name": {}}},
                },
            },
        }
    }
    status, _headers, again = cluster.apply(path, body, "one")
    assert status == 200 and again["metadata"]["generation"] == 1
    side = {"name": "b", "image": "b:1"}
    template = {"spec": {"containers": [side]}}
    found = cluster.apply(path, {**body, "spec": {"template": template}}, "two")[2]
    assert [one["name"] for one in found["spec"]["template"]["spec"]["containers"]] == ["a", "b"]
    container.pop("env")
    found = cluster.apply(path, body, "one")[2]
    assert "env" not in found["spec"]["template"]["spec"]["containers"][0]
    pod["containers"] = [{"name": "c", "image": "c:1"}]
    found = cluster.apply(path, body, "one")[2]
    assert sorted(one["name"] for one in found["spec"]["template"]["spec"]["containers"]) == ["b", "c"]


def test_a_conflict_inside_a_list_names_the_item(cluster, namespace):
    path = f"/api/v1/namespaces/{namespace}/services/s"
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80, "targetPort": 1}]},
    }
    assert cluster.apply(path, body, "one")[0] == 201
    body["spec"]["ports"][0]["targetPort"] = 2
    status, _headers, found = cluster.apply(path, body, "two")
    assert status == 409 and found["details"]["causes"][0]["field"] == '.spec.ports[port=80,protocol="TCP"].targetPort'


def test_dry_run_shows_what_would_be(cluster, maps, make_map, apply):
    made = apply({"k": "v"})[2]
    shown = cluster.good(
        "PATCH", f"{maps}/a?fieldManager=one&dryRun=All", make_map("a", {"k": "w"}), "application/apply-patch+yaml"
    )
    assert shown["data"] == {"k": "w"}
    assert cluster.good("GET", f"{maps}/a") == made
    path = f"{maps}/b?fieldManager=one&dryRun=All"
    assert cluster.call("PATCH", path, make_map("b"), "application/apply-patch+yaml")[0] in (200, 201)
    assert cluster.call("GET", f"{maps}/b")[0] == 404


@pytest.mark.parametrize(
    ("query", "kind", "code"),
    [("", "apply-patch+yaml", 422), ("?fieldManager=x&force=true", "merge-patch+json", 422)],
)
def test_what_apply_needs(cluster, maps, make_map, query, kind, code):
    cluster.good("POST", maps, make_map("a"))
    assert cluster.call("PATCH", f"{maps}/a{query}", make_map("a"), f"application/{kind}")[0] == code


def test_apply_of_a_status_owns_it_apart(cluster, namespace):
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"}}
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    cluster.apply(f"{path}/p", {**body, "spec": spec}, "one")
    status = {"expectedPods": 3, "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0}
    found = cluster.apply(f"{path}/p/status", {**body, "status": status}, "two", force=True)[2]
    assert found["spec"]["maxUnavailable"] == 1
    owned = fields(found, "two", subresource="status")
    assert owned == {"f:status": {f"f:{key}": {} for key in sorted(status)}}
