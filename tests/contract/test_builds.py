# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds of OpenShift: from BuildConfig to image, with log, output, cancellation and history."""

from __future__ import annotations

import pytest

STAND_IN = {"profile": "openshift"}
BUILD = "/apis/build.openshift.io/v1/namespaces"
STREAM = "/apis/image.openshift.io/v1/namespaces"
ENDED = {"Complete", "Failed", "Cancelled", "Error"}


@pytest.fixture(autouse=True)
def rules(cluster):
    """On the stand-in a build does what a rule says; without one it is done at once."""
    if not cluster.openshift:
        pytest.skip("Builds are OpenShift's.")
    if cluster.server:
        cluster.server.pod_rules.clear()
        log = [[0, "Successfully pushed the image"]]
        cluster.server.pod_rules.add({"name": "slow-*-build", "seconds": 600})
        cluster.server.pod_rules.add({"name": "bad-*-build", "exit_code": 1, "logs": [[0, "error: building failed"]]})
        cluster.server.pod_rules.add({"name": "image-*-build", "logs": log})


def make_config(cluster, namespace: str, name: str, dockerfile: str = "FROM scratch\nLABEL a=b\n", **more) -> str:
    """A BuildConfig with its image stream; returns its path."""
    stream = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": name}}
    assert cluster.call("POST", f"{STREAM}/{namespace}/imagestreams", stream)[0] == 201
    spec = {
        "source": {"type": "Dockerfile", "dockerfile": dockerfile},
        "strategy": {"type": "Docker", "dockerStrategy": {}},
        "output": {"to": {"kind": "ImageStreamTag", "name": f"{name}:latest"}},
        **more,
    }
    config = {"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", "metadata": {"name": name}, "spec": spec}
    status, _headers, answer = cluster.call("POST", f"{BUILD}/{namespace}/buildconfigs", config)
    assert status == 201, answer
    return f"{BUILD}/{namespace}/buildconfigs/{name}"


def instantiate(cluster, config: str, **request) -> tuple[dict, str]:
    name = config.rsplit("/", 1)[1]
    body = {"apiVersion": "build.openshift.io/v1", "kind": "BuildRequest", "metadata": {"name": name}, **request}
    status, _headers, build = cluster.call("POST", f"{config}/instantiate", body)
    assert status == 201, build
    namespace = build["metadata"]["namespace"]
    return build, f"{BUILD}/{namespace}/builds/{build['metadata']['name']}"


def ended(build: dict | None) -> bool:
    return bool(build) and build["status"]["phase"] in ENDED


def test_a_build_ends_with_an_image(cluster, namespace):
    config = make_config(cluster, namespace, "image")
    build, path = instantiate(cluster, config)
    assert build["metadata"]["name"] == "image-1"
    assert build["metadata"]["labels"]["openshift.io/build-config.name"] == "image"
    assert build["status"]["phase"] == "New"
    build = cluster.until(path, ended, seconds=600)
    status = build["status"]
    assert status["phase"] == "Complete"
    assert status["outputDockerImageReference"].endswith(f"/{namespace}/image:latest")
    assert build["metadata"]["annotations"]["openshift.io/build.pod-name"] == "image-1-build"
    digest = status["output"]["to"]["imageDigest"]
    tag = cluster.until(f"{STREAM}/{namespace}/imagestreams/image", lambda found: found["status"].get("tags"))[
        "status"
    ]["tags"][0]
    assert (tag["tag"], tag["items"][0]["image"]) == ("latest", digest)
    shown = cluster.call("GET", f"{STREAM}/{namespace}/imagestreamtags/image:latest")[2]
    assert shown["image"]["dockerImageReference"].endswith(f"image@{digest}")
    log = cluster.call("GET", f"{path}/log")
    assert (log[0], "pushed" in log[2]) == (200, True)
    assert cluster.call("GET", config)[2]["status"]["lastVersion"] == 1


def test_an_image_goes_by_the_name_of_another_stream_too(cluster, namespace):
    build, path = instantiate(cluster, make_config(cluster, namespace, "image"))
    digest = cluster.until(path, ended, seconds=600)["status"]["output"]["to"]["imageDigest"]
    found = cluster.call("GET", f"{STREAM}/{namespace}/imagestreamimages/image@{digest}")
    assert (found[0], found[2]["image"]["metadata"]["name"]) == (200, digest)
    tag = {
        "name": "1", "from": {"kind": "ImageStreamImage", "name": f"image@{digest}"}, "referencePolicy": {"type": "Local"},
    }  # fmt: skip
    stream = {
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": "other"}, "spec": {"tags": [tag]},
    }  # fmt: skip
    assert cluster.call("POST", f"{STREAM}/{namespace}/imagestreams", stream)[0] == 201
    path = f"{STREAM}/{namespace}/imagestreams/other"
    (shown,) = cluster.until(path, lambda one: one["status"].get("tags"))["status"]["tags"]
    assert shown["items"][0]["dockerImageReference"].endswith(f"/{namespace}/other@{digest}")
    assert cluster.call("DELETE", f"{STREAM}/{namespace}/imagestreamtags/image:latest")[0] == 200
    assert cluster.call("GET", f"{STREAM}/{namespace}/imagestreamtags/other:1")[0] == 200
    assert cluster.call("GET", f"{STREAM}/{namespace}/imagestreamimages/other@sha256:{'0' * 64}")[0] == 404


def test_a_build_that_fails_says_why(cluster, namespace):
    config = make_config(cluster, namespace, "bad", "FROM scratch\nRUN false\n")
    build = cluster.until(instantiate(cluster, config)[1], ended, seconds=600)
    assert (build["status"]["phase"], build["status"]["reason"]) == ("Failed", "DockerBuildFailed")
    assert build["status"]["message"] == "Dockerfile build strategy has failed."
    assert "error: building" in build["status"]["logSnippet"]


def test_builds_wait_for_each_other_and_can_be_cancelled(cluster, namespace):
    config = make_config(
        cluster, namespace, "slow", "FROM registry.access.redhat.com/ubi9/ubi-minimal\nRUN sleep 600\n"
    )
    _build, first = instantiate(cluster, config)
    cluster.until(first, lambda build: build["status"]["phase"] == "Running", seconds=300)
    _build, second = instantiate(cluster, config)
    patch, kind = {"status": {"cancelled": True}}, "application/merge-patch+json"
    assert cluster.call("GET", second)[2]["status"]["phase"] == "New"
    assert cluster.call("PATCH", first, patch, content_type=kind)[0] == 200
    build = cluster.until(first, ended)
    assert (build["status"]["phase"], build["status"]["reason"]) == ("Cancelled", "CancelledBuild")
    cluster.until(second, lambda build: build["status"]["phase"] in {"Pending", "Running"}, seconds=300)
    assert cluster.call("PATCH", second, patch, content_type=kind)[0] == 200
    assert cluster.until(second, ended)["status"]["phase"] == "Cancelled"


def test_a_request_can_change_the_environment(cluster, namespace):
    config = make_config(cluster, namespace, "image")
    build, _path = instantiate(cluster, config, env=[{"name": "LEVEL", "value": "3"}])
    assert build["spec"]["strategy"]["dockerStrategy"]["env"] == [{"name": "LEVEL", "value": "3"}]
    assert "env" not in cluster.call("GET", config)[2]["spec"]["strategy"]["dockerStrategy"]


def test_a_request_adds_to_the_build_arguments_and_annotations(cluster, namespace):
    docker = {"buildArgs": [{"name": "KEPT", "value": "1"}]}
    config = make_config(cluster, namespace, "image", strategy={"type": "Docker", "dockerStrategy": docker})
    build, _path = instantiate(
        cluster,
        config,
        metadata={"name": "image", "annotations": {"example.com/marker": "x"}},
        dockerStrategyOptions={"buildArgs": [{"name": "NEW", "value": "2"}], "noCache": True},
    )
    made = build["spec"]["strategy"]["dockerStrategy"]
    assert sorted((one["name"], one["value"]) for one in made["buildArgs"]) == [("KEPT", "1"), ("NEW", "2")]
    assert made["noCache"] is True and build["metadata"]["annotations"]["example.com/marker"] == "x"


def test_a_build_whose_pod_is_refused_stays_new_until_there_is_room(cluster, namespace):
    config = make_config(cluster, namespace, "image")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    assert cluster.call("POST", quotas, quota)[0] == 201
    cluster.until(f"{quotas}/none", lambda found: "hard" in (found.get("status") or {}))
    _build, path = instantiate(cluster, config)
    build = cluster.until(path, lambda build: build["status"].get("reason"))
    assert (build["status"]["phase"], build["status"]["reason"]) == ("New", "CannotCreateBuildPod")
    assert build["status"]["message"] == "Failed creating build pod."
    events = f"/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{build['metadata']['name']}"
    told = [event["message"] for event in cluster.call("GET", events)[2]["items"] if event["reason"] == "FailedCreate"]
    assert told and "exceeded quota" in told[0]
    assert cluster.call("DELETE", f"{quotas}/none")[0] == 200
    assert cluster.until(path, ended, seconds=600)["status"]["phase"] == "Complete"


def test_a_build_without_its_stream_waits_and_says_so(cluster, namespace):
    output = {"to": {"kind": "ImageStreamTag", "name": "elsewhere:1"}}
    config = make_config(cluster, namespace, "image", output=output)
    build = cluster.until(instantiate(cluster, config)[1], lambda build: build["status"].get("reason"))
    assert (build["status"]["phase"], build["status"]["reason"]) == ("New", "InvalidOutputReference")


def test_old_builds_are_removed(cluster, namespace):
    config = make_config(cluster, namespace, "image", successfulBuildsHistoryLimit=1)
    _build, first = instantiate(cluster, config)
    cluster.until(first, ended, seconds=600)
    _build, second = instantiate(cluster, config)
    cluster.until(second, ended, seconds=600)
    assert cluster.until(first, lambda build: build is None) is None
    assert cluster.call("GET", second)[0] == 200


def test_an_unknown_builder_image_is_refused(cluster, namespace):
    builder = {"from": {"kind": "ImageStreamTag", "name": "no-such-builder:1"}}
    config = make_config(cluster, namespace, "image", strategy={"type": "Docker", "dockerStrategy": builder})
    body = {"apiVersion": "build.openshift.io/v1", "kind": "BuildRequest", "metadata": {"name": "image"}}
    status, _headers, answer = cluster.call("POST", f"{config}/instantiate", body)
    assert status >= 400 and "no-such-builder:1" in answer["message"]
