# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's clock and the rules for its pods: hours of cluster life in no time."""

from __future__ import annotations

import threading

import pytest

STAND_IN = {"profile": "openshift", "clock": "manual"}


@pytest.fixture
def clock(cluster, namespace):
    """The server's clock, with no rules for pods, and with the namespace ready."""
    cluster.server.pod_rules.clear()
    cluster.server.clock.advance(0)
    return cluster.server.clock


def add_rule(cluster, **rule) -> None:
    cluster.server.pod_rules.add(rule)


def make_pod(cluster, namespace: str, name: str, **spec) -> str:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example/image:1"}], **spec},
    }
    path = f"/api/v1/namespaces/{namespace}/pods"
    cluster.good("POST", path, body)
    return f"{path}/{name}"


def make_job(cluster, namespace: str, name: str, **spec) -> str:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example/image:1"}]}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": pod}, **spec},
    }
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    cluster.good("POST", path, body)
    return f"{path}/{name}"


def phase(cluster, path: str) -> str:
    return cluster.good("GET", path)["status"].get("phase", "")


def container(cluster, path: str) -> dict:
    return cluster.good("GET", path)["status"]["containerStatuses"][0]


def conditions(cluster, path: str) -> dict[str, dict]:
    found = cluster.good("GET", path)["status"].get("conditions") or []
    return {entry["type"]: entry for entry in found if entry["status"] == "True"}


def test_calls_run_in_the_order_of_their_time(clock):
    manual = type(clock)()
    seen: list[str] = []
    manual.call_later(2, lambda: seen.append("late"))
    manual.call_later(1, lambda: manual.call_later(0.5, lambda: seen.append("nested")))
    manual.call_later(1, lambda: 1 / 0)  # is reported, and harms nobody
    manual.call_later(1, lambda: seen.append("cancelled")).cancel()
    began = manual.now()
    manual.advance(1.9)
    assert seen == ["nested"]
    manual.advance(0.1)
    assert seen == ["nested", "late"]
    assert ((manual.now() - began).total_seconds(), manual.monotonic()) == (2, 2)


def test_the_real_clock_calls_back(clock):
    real = next(kind for kind in type(clock).__base__.__subclasses__() if kind.__name__ == "RealClock")()
    called, cancelled = threading.Event(), threading.Event()
    real.call_later(0.001, cancelled.set).cancel()
    real.call_later(0.01, called.set)
    assert called.wait(30)
    real.stop()
    assert not cancelled.is_set()


def test_objects_carry_the_time_of_the_clock(cluster, namespace, clock):
    path = make_pod(cluster, namespace, "dated")
    created = cluster.good("GET", path)["metadata"]["creationTimestamp"]
    assert created == clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_pod_takes_its_time_and_prints_its_lines(cluster, namespace, clock):
    add_rule(
        cluster,
        name="timed",
        start_seconds=5,
        seconds=30,
        exit_code=4,
        logs=[[0, "zero"], [20, "twenty"]],
        message="bye",
    )
    path = make_pod(cluster, namespace, "timed")
    clock.advance(4)
    assert (phase(cluster, path), container(cluster, path)["state"]["waiting"]["reason"]) == (
        "Pending",
        "ContainerCreating",
    )
    clock.advance(10)
    assert (phase(cluster, path), cluster.good("GET", f"{path}/log")) == ("Running", "zero\n")
    clock.advance(20)
    assert cluster.good("GET", f"{path}/log") == "zero\ntwenty\n"
    clock.advance(1)
    state = container(cluster, path)["state"]["terminated"]
    assert (phase(cluster, path), state["exitCode"], state["message"]) == ("Failed", 4, "bye")


@pytest.mark.parametrize(
    ("failure", "expected", "kind", "reason"),
    [
        ("ImagePullBackOff", "Pending", "waiting", "ImagePullBackOff"),
        ("InvalidImageName", "Pending", "waiting", "InvalidImageName"),
        ("CreateContainerConfigError", "Pending", "waiting", "CreateContainerConfigError"),
        ("OOMKilled", "Failed", "terminated", "OOMKilled"),
    ],
)
def test_what_can_go_wrong_with_a_container(cluster, namespace, clock, failure, expected, kind, reason):
    add_rule(cluster, failure=failure, seconds=3)
    path = make_pod(cluster, namespace, "wrong")
    clock.advance(5)
    assert (phase(cluster, path), container(cluster, path)["state"][kind]["reason"]) == (expected, reason)


@pytest.mark.parametrize("failure", ["Evicted", "NodeLost"])
def test_what_can_go_wrong_with_a_node(cluster, namespace, clock, failure):
    add_rule(cluster, failure=failure, seconds=3)
    path = make_pod(cluster, namespace, "wrong")
    clock.advance(2)
    assert phase(cluster, path) == "Running"
    clock.advance(1)
    pod = cluster.good("GET", path)
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", failure)
    assert "DisruptionTarget" in conditions(cluster, path)


def test_a_pod_that_no_node_takes(cluster, namespace, clock):
    add_rule(cluster, failure="Unschedulable")
    path = make_pod(cluster, namespace, "big")
    clock.advance(60)
    (scheduled,) = cluster.good("GET", path)["status"]["conditions"]
    assert (scheduled["type"], scheduled["status"], scheduled["reason"]) == ("PodScheduled", "False", "Unschedulable")
    assert phase(cluster, path) == "Pending"


def test_restarts_come_later_and_later(cluster, namespace, clock):
    add_rule(cluster, seconds=1, exit_code=1)
    path = make_pod(cluster, namespace, "crash", restartPolicy="Always")
    clock.advance(2.5)
    assert container(cluster, path)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    counts = []
    for seconds in (0, 10, 21, 41):
        clock.advance(seconds)
        counts.append(container(cluster, path)["restartCount"])
    assert counts == [1, 2, 3, 4]


def test_a_rule_counts_for_as_many_pods_as_it_says(cluster, namespace, clock):
    add_rule(cluster, times=1, exit_code=1)
    path = make_job(cluster, namespace, "second-try")
    clock.advance(5)
    status = cluster.good("GET", path)["status"]
    assert (status["failed"], status["succeeded"]) == (1, 1)
    assert "Complete" in conditions(cluster, path)


def test_an_ignored_failure_does_not_count(cluster, namespace, clock):
    add_rule(cluster, times=1, failure="Evicted")
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    path = make_job(cluster, namespace, "ignores", backoffLimit=0, podFailurePolicy={"rules": [rule]})
    clock.advance(5)
    assert "Complete" in conditions(cluster, path)
    assert "failed" not in cluster.good("GET", path)["status"]


def test_a_deadline_of_an_hour(cluster, namespace, clock):
    add_rule(cluster, seconds=7200)
    path = make_job(cluster, namespace, "hour", activeDeadlineSeconds=3600, ttlSecondsAfterFinished=86400)
    clock.advance(3599)
    assert not conditions(cluster, path)
    clock.advance(1)
    assert conditions(cluster, path)["Failed"]["reason"] == "DeadlineExceeded"
    clock.advance(86399)
    assert cluster.call("GET", path)[0] == 200
    clock.advance(2)
    assert cluster.call("GET", path)[0] == 404


def make_workload(cluster, namespace: str, kind: str, name: str, **spec) -> str:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "example/image:1"}]},
    }
    body = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}}
    body["spec"] = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    path = f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s"
    cluster.good("POST", path, body)
    return f"{path}/{name}"


def pods_of(cluster, namespace: str, name: str) -> list[str]:
    found = cluster.good("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{name}")["items"]
    return sorted(pod["metadata"]["name"] for pod in found)


def test_a_deployment_rolls_out_and_scales(cluster, namespace, clock):
    path, merge = make_workload(cluster, namespace, "Deployment", "web", replicas=2), "application/merge-patch+json"
    clock.advance(1)
    status = cluster.good("GET", path)["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (2, 2, 2)
    assert conditions(cluster, path)["Progressing"]["reason"] == "NewReplicaSetAvailable"
    before = pods_of(cluster, namespace, "web")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example/image:2"}]}}}}
    changed = cluster.good("PATCH", path, image, content_type=merge)
    clock.advance(1)
    status = cluster.good("GET", path)["status"]
    assert (status["observedGeneration"], status["replicas"]) == (changed["metadata"]["generation"], 2)
    assert not set(before) & set(pods_of(cluster, namespace, "web"))
    cluster.good("PATCH", f"{path}/scale", {"spec": {"replicas": 3}}, content_type=merge)
    clock.advance(1)
    assert len(pods_of(cluster, namespace, "web")) == cluster.good("GET", path)["status"]["readyReplicas"] == 3


def test_a_stateful_set_names_its_pods_and_makes_them_in_order(cluster, namespace, clock):
    add_rule(cluster, start_seconds=10)
    path = make_workload(cluster, namespace, "StatefulSet", "db", replicas=2, serviceName="db")
    clock.advance(9)
    assert pods_of(cluster, namespace, "db") == ["db-0"]
    clock.advance(11)
    assert pods_of(cluster, namespace, "db") == ["db-0", "db-1"]
    status = cluster.good("GET", path)["status"]
    assert (status["readyReplicas"], status["currentRevision"]) == (2, status["updateRevision"])


def test_pods_that_are_refused_are_told_of_by_their_owner(cluster, namespace, clock):
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.good(
        "PATCH",
        f"/api/v1/namespaces/{namespace}",
        {"metadata": {"labels": labels}},
        content_type="application/merge-patch+json",
    )
    containers = [{"name": "main", "image": "example/image:1", "securityContext": {"privileged": True}}]
    template = {"metadata": {"labels": {"app": "bold"}}, "spec": {"containers": containers}}
    path = make_workload(cluster, namespace, "Deployment", "bold", template=template)
    clock.advance(1)
    failure = conditions(cluster, path)["ReplicaFailure"]
    assert failure["reason"] == "FailedCreate" and "is forbidden: " in failure["message"]
    events = cluster.good("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
    assert any(event["reason"] == "FailedCreate" and "Error creating: pods" in event["message"] for event in events)


def test_a_rollout_that_makes_no_progress(cluster, namespace, clock):
    add_rule(cluster, failure="ImagePullBackOff")
    path = make_workload(cluster, namespace, "Deployment", "stuck", progressDeadlineSeconds=60)
    clock.advance(59)
    assert conditions(cluster, path)["Progressing"]
    clock.advance(1)
    found = cluster.good("GET", path)["status"]["conditions"]
    progressing = next(entry for entry in found if entry["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_a_build_takes_its_time(cluster, namespace, clock):
    base = f"/apis/build.openshift.io/v1/namespaces/{namespace}"
    add_rule(cluster, name="slow-1-build", seconds=90, build={"commit": "abc123", "digest": "sha256:" + "0" * 64})
    stream = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": "slow"}}
    cluster.good("POST", f"/apis/image.openshift.io/v1/namespaces/{namespace}/imagestreams", stream)
    output = {"to": {"kind": "ImageStreamTag", "name": "slow:1"}}
    source = {"type": "Git", "git": {"uri": "https://example.com/x.git"}}
    spec = {"source": source, "strategy": {"type": "Source", "sourceStrategy": {}}, "output": output}
    config = {"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", "metadata": {"name": "slow"}, "spec": spec}
    cluster.good("POST", f"{base}/buildconfigs", config)
    request = {"apiVersion": "build.openshift.io/v1", "kind": "BuildRequest", "metadata": {"name": "slow"}}
    cluster.good("POST", f"{base}/buildconfigs/slow/instantiate", request)
    clock.advance(89)
    assert phase(cluster, f"{base}/builds/slow-1") == "Running"
    clock.advance(1)
    build = cluster.good("GET", f"{base}/builds/slow-1")
    assert (build["status"]["phase"], build["status"]["duration"]) == ("Complete", 90_000_000_000)
    assert build["status"]["output"]["to"]["imageDigest"] == "sha256:" + "0" * 64
    assert build["spec"]["revision"]["git"]["commit"] == "abc123"
    assert [stage["name"] for stage in build["status"]["stages"]] == ["FetchInputs", "PullImages", "Build", "PushImage"]
    assert cluster.good("GET", f"{base}/builds/slow-1/log") == ""


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        ("FetchSourceFailed", {"build": {"reason": "FetchSourceFailed"}}),
        ("OutOfMemoryKilled", {"failure": "OOMKilled"}),
    ],
)
def test_a_build_fails_for_the_reason_of_its_rule(cluster, namespace, clock, reason, rule):
    base = f"/apis/build.openshift.io/v1/namespaces/{namespace}"
    add_rule(cluster, name="bad-*-build", exit_code=1, **rule)
    config = {"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", "metadata": {"name": "bad"}, "spec": {}}
    cluster.good("POST", f"{base}/buildconfigs", config)
    request = {"apiVersion": "build.openshift.io/v1", "kind": "BuildRequest", "metadata": {"name": "bad"}}
    cluster.good("POST", f"{base}/buildconfigs/bad/instantiate", request)
    clock.advance(5)
    status = cluster.good("GET", f"{base}/builds/bad-1")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", reason)


def test_a_rule_must_be_meant(cluster, clock):
    with pytest.raises(ValueError, match="no field second;"):
        add_rule(cluster, second=3)
    with pytest.raises(ValueError, match="none of"):
        add_rule(cluster, failure="Meteorite")
