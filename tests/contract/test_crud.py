# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating, reading, updating and deleting, and what is refused."""

from __future__ import annotations

import pytest


def test_create_sets_what_the_server_owns(cluster, maps, make_map):
    made = cluster.good("POST", maps, make_map("a", {"k": "v"}, uid="mine", creationTimestamp="2001-01-01T00:00:00Z"))
    metadata = made["metadata"]
    assert metadata["uid"] != "mine" and not metadata["creationTimestamp"].startswith("2001")
    assert metadata["resourceVersion"].isdigit() and "generation" not in metadata
    assert cluster.good("GET", f"{maps}/a") == made


def test_generate_name(cluster, maps):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "some-"}}
    names = {cluster.good("POST", maps, body)["metadata"]["name"] for _unused in range(5)}
    assert len(names) == 5 and all(name.startswith("some-") and len(name) == 10 for name in names)


@pytest.mark.parametrize(
    ("method", "tail", "body", "code", "reason"),
    [
        ("GET", "/none", None, 404, "NotFound"),
        ("POST", "", {"metadata": {"name": "Bad_Name"}}, 422, "Invalid"),
        ("POST", "", {"metadata": {}}, 422, "Invalid"),
        ("POST", "", {"metadata": {"name": "x", "namespace": "other"}}, 400, "BadRequest"),
        ("POST", "", {"kind": "Secret", "metadata": {"name": "x"}}, 400, "BadRequest"),
        ("POST", "", {"metadata": {"name": "x"}, "data": {"k": 1}}, 400, "BadRequest"),
        ("POST", "", {"metadata": {"name": "x", "labels": {"a b": "c"}}}, 422, "Invalid"),
        ("PUT", "/none", {"metadata": {"name": "none"}}, 404, "NotFound"),
        ("PATCH", "/none", {}, 415, "UnsupportedMediaType"),
        ("DELETE", "/none", None, 404, "NotFound"),
        ("PUT", "", {}, 405, "MethodNotAllowed"),
    ],
)
def test_refusals_are_statuses(cluster, maps, method, tail, body, code, reason):
    body = {"apiVersion": "v1", "kind": "ConfigMap", **body} if body is not None else None
    status, _headers, found = cluster.call(method, maps + tail, body)
    assert (status, found["kind"], found["status"], found["code"], found["reason"]) == (
        code,
        "Status",
        "Failure",
        code,
        reason,
    )


def test_the_words_of_refusals(cluster, namespace, maps, make_map):
    cluster.good("POST", maps, make_map("a"))
    assert cluster.call("POST", maps, make_map("a"))[2]["message"] == 'configmaps "a" already exists'
    gone = cluster.call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/x")[2]
    assert gone["message"] == 'deployments.apps "x" not found'
    assert gone["details"] == {"name": "x", "group": "apps", "kind": "deployments"}
    missing = cluster.call("POST", "/api/v1/namespaces/no-such-namespace/configmaps", make_map("a"))
    assert missing[0] == 404 and missing[2]["message"] == 'namespaces "no-such-namespace" not found'


def test_put_replaces_and_minds_the_version(cluster, maps, make_map):
    old = cluster.good("POST", maps, make_map("a", {"k": "v"}))
    new = cluster.good("PUT", f"{maps}/a", make_map("a", {"only": "1"}))
    assert new["data"] == {"only": "1"} and new["metadata"]["uid"] == old["metadata"]["uid"]
    status, _headers, found = cluster.call("PUT", f"{maps}/a", old)
    assert (status, found["reason"]) == (409, "Conflict") and "object has been modified" in found["message"]


def test_an_update_without_a_change_keeps_the_version(cluster, maps, make_map):
    made = cluster.good("POST", maps, make_map("a", {"k": "v"}))
    again = cluster.good("PATCH", f"{maps}/a", {"data": {"k": "v"}}, "application/merge-patch+json")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_generation_counts_changes_of_the_spec(cluster, namespace):
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "n"},
        "spec": {"podSelector": {}},
    }
    assert cluster.good("POST", path, body)["metadata"]["generation"] == 1
    labels = {"metadata": {"labels": {"a": "b"}}}
    assert cluster.good("PATCH", f"{path}/n", labels, "application/merge-patch+json")["metadata"]["generation"] == 1
    spec = {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}
    assert cluster.good("PATCH", f"{path}/n", spec, "application/merge-patch+json")["metadata"]["generation"] == 2


def test_items_of_a_list_show_neither_kind_nor_version(cluster, maps, make_map):
    cluster.good("POST", maps, make_map("a"))
    found = cluster.good("GET", maps)
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert all("kind" not in item and "apiVersion" not in item for item in found["items"])


def test_a_long_list_in_pages(cluster, maps, make_map):
    names = {
        cluster.good("POST", maps, make_map(f"page-{number}", page="yes"))["metadata"]["name"] for number in range(5)
    }
    seen, token = [], ""
    while True:
        page = cluster.good("GET", f"{maps}?limit=2" + (f"&continue={token}" if token else ""))
        assert len(page["items"]) <= 2
        seen += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names <= set(seen) and len(seen) == len(set(seen))


def test_dry_run_answers_and_changes_nothing(cluster, maps, make_map):
    assert cluster.good("POST", f"{maps}?dryRun=All", make_map("a"))["metadata"]["uid"]
    assert cluster.call("GET", f"{maps}/a")[0] == 404
    made = cluster.good("POST", maps, make_map("a", {"k": "v"}))
    shown = cluster.good("PATCH", f"{maps}/a?dryRun=All", {"data": {"k": "w"}}, "application/merge-patch+json")
    assert shown["data"] == {"k": "w"}
    cluster.good("DELETE", f"{maps}/a?dryRun=All")
    assert cluster.good("GET", f"{maps}/a") == made


def test_field_validation(cluster, maps, make_map):
    body = {**make_map("a"), "dat": {}}
    status, _headers, found = cluster.call("POST", f"{maps}?fieldValidation=Strict", body)
    assert status == 400 and 'unknown field "dat"' in found["message"]
    status, headers, found = cluster.call("POST", f"{maps}?fieldValidation=Warn", body)
    assert status == 201 and 'unknown field \\"dat\\"' in headers["Warning"] and "dat" not in found


def test_required_and_immutable_fields(cluster, namespace):
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"suspend": False}}
    status, _headers, found = cluster.call("POST", path, body)
    assert status == 422 and any(cause["field"].startswith("spec.template") for cause in found["details"]["causes"])
    containers = [{"name": "c", "image": "i", "command": ["true"]}]
    body["spec"] = {"suspend": True, "template": {"spec": {"restartPolicy": "Always", "containers": containers}}}
    assert cluster.call("POST", path, body)[0] == 422
    body["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    made = cluster.good("POST", path, body)
    assert made["spec"]["backoffLimit"] == 6 and made["spec"]["selector"]["matchLabels"]
    change = {"spec": {"completionMode": "Indexed", "completions": 1}}
    status, _headers, found = cluster.call("PATCH", f"{path}/j", change, "application/merge-patch+json")
    assert status == 422 and "field is immutable" in found["message"]


def test_an_immutable_map(cluster, maps, make_map):
    cluster.good("POST", maps, {**make_map("a", {"k": "v"}), "immutable": True})
    status, _headers, found = cluster.call("PATCH", f"{maps}/a", {"data": {"k": "w"}}, "application/merge-patch+json")
    assert status == 422 and found["details"]["causes"][0]["reason"] == "FieldValueForbidden"


def test_secrets_take_plain_text(cluster, namespace):
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "plain"}}
    made = cluster.good("POST", f"/api/v1/namespaces/{namespace}/secrets", body)
    assert made["data"] == {"k": "cGxhaW4="} and made["type"] == "Opaque" and "stringData" not in made


def test_the_status_is_a_resource_of_its_own(cluster, namespace):
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    body = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "p"},
        "spec": {"maxUnavailable": 1},
    }
    body["spec"]["selector"] = {"matchLabels": {"a": "b"}}
    cluster.good("POST", path, {**body, "status": {"currentHealthy": 77}})
    assert cluster.good("GET", f"{path}/p").get("status", {}).get("currentHealthy") != 77
    change = {"status": {"disruptionsAllowed": 0}, "spec": {"maxUnavailable": 9}}
    cluster.good("PATCH", f"{path}/p/status", change, "application/merge-patch+json")
    assert cluster.good("GET", f"{path}/p")["spec"]["maxUnavailable"] == 1


def test_a_partial_view_and_a_table(cluster, maps, make_map):
    cluster.good("POST", maps, make_map("a", {"k": "v"}))
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    found = cluster.call("GET", f"{maps}?fieldSelector=metadata.name%3Da", headers=accept)[2]
    assert found["kind"] == "PartialObjectMetadataList" and "data" not in found["items"][0]
    assert cluster.call("GET", f"{maps}/a", headers=accept)[0] == 406, "one object is no list of them"
    found = cluster.call("GET", f"{maps}/a", headers={"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"})[2]
    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert found["rows"][0]["cells"][:2] == ["a", 1]


def test_what_cannot_be_read_or_given(cluster, maps):
    assert cluster.call("POST", maps, b"\x00\x01", "application/octet-stream")[0] == 415
    assert cluster.call("POST", maps, b"{", "application/json")[0] == 400
    assert cluster.call("GET", maps, headers={"Accept": "text/csv"})[0] == 406
