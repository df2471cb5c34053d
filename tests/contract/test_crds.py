# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom resources: served as soon as they are established; pruned, defaulted, validated."""

from __future__ import annotations

import uuid

import pytest

MERGE = "application/merge-patch+json"
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
            },
        },
    },
}


@pytest.fixture(scope="module")
def kind(cluster):
    """The group of a CRD `Widget`, removed at the end."""
    group = f"g{uuid.uuid4().hex[:6]}.example.test"
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
        },
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": status}}},
    }
    names = {"plural": "widgets", "kind": "Widget", "singular": "widget", "shortNames": ["wd"]}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [version, {**version, "name": "v1beta1", "storage": False}],
        },
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.good("POST", path, crd)

    def established(obj) -> bool:
        return any(
            one["type"] == "Established" and one["status"] == "True"
            for one in obj.get("status", {}).get("conditions", [])
        )

    cluster.until(f"{path}/widgets.{group}", established)
    yield group
    cluster.good("DELETE", f"{path}/widgets.{group}")


@pytest.fixture
def widgets(kind, namespace):
    return f"/apis/{kind}/v1/namespaces/{namespace}/widgets"


@pytest.fixture
def widget(kind):
    return lambda name="w", **spec: {
        "apiVersion": f"{kind}/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


def test_discovered(cluster, kind):
    found = {one["name"]: one for one in cluster.good("GET", f"/apis/{kind}/v1")["resources"]}
    assert found["widgets"]["shortNames"] == ["wd"] and {"widgets/status", "widgets/scale"} <= set(found)
    group = cluster.good("GET", f"/apis/{kind}")
    assert [one["version"] for one in group["versions"]] == ["v1", "v1beta1"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": "1"}, "spec.size"),
        ({"size": 0}, "spec.size"),
        ({"size": None}, "spec.size"),
        ({"mode": "other"}, "spec.mode"),
        ({"port": 1.5}, "spec.port"),
        ({"tags": ["a", "a"]}, "spec.tags[1]"),
        ({"parts": [{"n": 1}]}, "spec.parts[0].name"),
    ],
)
def test_validated(cluster, widgets, widget, spec, field):
    status, _headers, found = cluster.call("POST", widgets, widget(**spec))
    assert (status, found["reason"]) == (422, "Invalid") and field in [
        cause["field"] for cause in found["details"]["causes"]
    ]


def test_pruned_and_defaulted(cluster, widgets, widget):
    made = cluster.good("POST", widgets, widget(unknown=1, free={"any": {"thing": 1}}, port="http"))
    assert (
        made["spec"] == {"size": 1, "mode": "fast", "free": {"any": {"thing": 1}}, "port": "http"}
        and made["metadata"]["generation"] == 1
    )
    status, _headers, found = cluster.call("POST", f"{widgets}?fieldValidation=Strict", widget("x", unknown=1))
    assert status == 400 and 'unknown field "spec.unknown"' in found["message"]


def test_an_apply_of_an_unknown_field_is_refused(cluster, widgets, widget):
    apply = "application/apply-patch+yaml"
    status, _headers, found = cluster.call("PATCH", f"{widgets}/w?fieldManager=test", widget(unknown=1), apply)
    assert status == 500 and ".spec.unknown: field not declared in schema" in found["message"]


def test_no_strategic_merge(cluster, widgets, widget):
    cluster.good("POST", widgets, widget())
    assert cluster.call("PATCH", f"{widgets}/w", {}, "application/strategic-merge-patch+json")[0] == 415


def test_status_and_scale(cluster, widgets, widget):
    cluster.good("POST", widgets, {**widget(), "status": {"size": 9}})
    assert "status" not in cluster.good("GET", f"{widgets}/w")
    found = cluster.good("PATCH", f"{widgets}/w/status", {"status": {"size": 2}, "spec": {"size": 7}}, MERGE)
    assert found["status"] == {"size": 2} and found["spec"]["size"] == 1 and found["metadata"]["generation"] == 1
    scale = cluster.good("PATCH", f"{widgets}/w/scale", {"spec": {"replicas": 4}}, MERGE)
    assert scale["spec"]["replicas"] == 4 and scale["status"]["replicas"] == 2
    assert cluster.good("GET", f"{widgets}/w")["spec"]["size"] == 4


def test_applied_item_by_item(cluster, widgets, widget):
    path = f"{widgets}/w"
    assert cluster.apply(path, widget(parts=[{"name": "a", "n": 1}], tags=["x"]), "one")[0] == 201
    body = widget(parts=[{"name": "b", "n": 2}], tags=["y"])
    found = cluster.apply(path, body, "two")[2]
    assert [part["name"] for part in found["spec"]["parts"]] == ["a", "b"] and found["spec"]["tags"] == ["x", "y"]
    owned = {entry["manager"]: entry["fieldsV1"]["f:spec"] for entry in found["metadata"]["managedFields"]}
    assert owned["two"]["f:parts"] == {'k:{"name":"b"}': {".": {}, "f:n": {}, "f:name": {}}} and owned["two"][
        "f:tags"
    ] == {'v:"y"': {}}
    status, _headers, refused = cluster.apply(path, widget(parts=[{"name": "a", "n": 5}]), "two")
    assert status == 409 and refused["details"]["causes"][0]["field"] == '.spec.parts[name="a"].n'
    found = cluster.apply(path, widget(), "one")[2]
    assert [part["name"] for part in found["spec"]["parts"]] == ["b"] and found["spec"]["tags"] == ["y"]


def test_versions_share_their_objects(cluster, kind, widgets, widget):
    cluster.good("POST", widgets, widget())
    found = cluster.good("GET", f"{widgets.replace('/v1/', '/v1beta1/', 1)}/w")
    assert found["apiVersion"] == f"{kind}/v1beta1" and found["spec"]["size"] == 1


def test_columns(cluster, widgets, widget):
    cluster.good("POST", widgets, widget(size=3))
    table = cluster.call("GET", widgets, headers={"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"})[2]
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size"] and table["rows"][0][
        "cells"
    ] == ["w", 3]


def test_a_definition_must_make_sense(cluster):
    spec = {"group": "x.example.test", "scope": "Namespaced", "names": {"plural": "xs", "kind": "X"}, "versions": []}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "wrong"},
        "spec": spec,
    }
    assert cluster.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)[0] == 422
