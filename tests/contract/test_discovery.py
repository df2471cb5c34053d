# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery, the version, OpenAPI."""

from __future__ import annotations

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def test_version(cluster):
    found = cluster.call("GET", "/version", token="")[2]
    assert found["gitVersion"].startswith("v1.") and found["major"] == "1"


def test_aggregated_discovery(cluster):
    status, headers, core = cluster.call("GET", "/api", headers={"Accept": AGGREGATED})
    assert status == 200 and "as=APIGroupDiscoveryList" in headers["Content-Type"]
    assert core["kind"] == "APIGroupDiscoveryList" and core["apiVersion"] == "apidiscovery.k8s.io/v2"
    (version,) = core["items"][0]["versions"]
    pods = next(one for one in version["resources"] if one["resource"] == "pods")
    assert version["freshness"] == "Current" and pods["scope"] == "Namespaced" and "watch" in pods["verbs"]
    assert pods["responseKind"]["kind"] == "Pod" and "log" in [one["subresource"] for one in pods["subresources"]]
    groups = cluster.call("GET", "/apis", headers={"Accept": AGGREGATED})[2]
    assert {"apps", "batch", "rbac.authorization.k8s.io"} <= {item["metadata"]["name"] for item in groups["items"]}


def test_aggregated_discovery_need_not_be_sent_twice(cluster):
    etag = cluster.call("GET", "/apis", headers={"Accept": AGGREGATED})[1]["ETag"]
    assert cluster.call("GET", "/apis", headers={"Accept": AGGREGATED, "If-None-Match": etag})[0] == 304


def test_legacy_discovery_agrees(cluster):
    groups = cluster.good("GET", "/apis")
    assert groups["kind"] == "APIGroupList"
    batch = next(group for group in groups["groups"] if group["name"] == "batch")
    assert batch["preferredVersion"] == {"groupVersion": "batch/v1", "version": "v1"}
    found = cluster.good("GET", "/apis/batch/v1")
    names = {one["name"]: one for one in found["resources"]}
    assert found["kind"] == "APIResourceList" and {"jobs", "jobs/status", "cronjobs"} <= set(names)
    assert names["jobs"]["kind"] == "Job" and names["jobs"]["namespaced"] and names["cronjobs"]["shortNames"] == ["cj"]
    assert cluster.good("GET", "/api")["versions"] == ["v1"]


def test_what_there_is_not(cluster):
    assert cluster.call("GET", "/apis/none.example.test/v1")[0] == 404
    status, _headers, found = cluster.call("GET", "/apis/none.example.test/v1/things")
    assert status == 404 and (
        not isinstance(found, dict) or found["message"] == "the server could not find the requested resource"
    )


def test_openapi(cluster):
    paths = cluster.good("GET", "/openapi/v3")["paths"]
    document = cluster.good("GET", paths["apis/batch/v1"]["serverRelativeURL"])
    assert any("jobs" in path for path in document["paths"]) and document["components"]["schemas"]
