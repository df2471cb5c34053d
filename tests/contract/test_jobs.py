# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: how many pods they make, and when and why they end."""

from __future__ import annotations

import os

import pytest

STAND_IN = {"pods": "process"}
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("KUBECONFIG"), reason="The stand-in needs root to run pods as processes."
)
IMAGE = os.environ.get("CONTRACT_IMAGE", "registry.access.redhat.com/ubi9/ubi-minimal:latest")


def make_job(cluster, namespace: str, name: str, script: str, **spec) -> str:
    """Create a job; returns its path."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", script], "securityContext": context}
    general = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if not cluster.openshift:
        general["runAsUser"] = 1000
    pod = {
        "restartPolicy": "Never",
        "securityContext": general,
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
    }
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {**spec, "template": {"spec": pod}},
    }
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    status, _headers, answer = cluster.call("POST", path, body)
    assert status == 201, answer
    return f"{path}/{name}"


def condition(job: dict | None, kind: str) -> dict:
    found = ((job or {}).get("status") or {}).get("conditions") or []
    return next((entry for entry in found if entry["type"] == kind and entry["status"] == "True"), {})


def ended(job: dict | None) -> bool:
    return bool(condition(job, "Complete") or condition(job, "Failed"))


def pods_of(cluster, namespace: str, name: str) -> list[dict]:
    path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=batch.kubernetes.io/job-name%3D{name}"
    return cluster.call("GET", path)[2]["items"]


def test_a_job_completes(cluster, namespace):
    job = cluster.until(make_job(cluster, namespace, "good", "exit 0"), ended)
    assert condition(job, "Complete")["reason"] == "CompletionsReached"
    assert condition(job, "SuccessCriteriaMet")
    assert (job["status"]["succeeded"], "failed" in job["status"]) == (1, False)
    assert job["status"]["completionTime"] >= job["status"]["startTime"]
    (pod,) = pods_of(cluster, namespace, "good")
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Job", job["metadata"]["uid"], True)
    assert pod["metadata"]["name"].startswith("good-")


def test_a_job_gives_up_after_its_retries(cluster, namespace):
    job = cluster.until(make_job(cluster, namespace, "bad", "exit 3", backoffLimit=1), ended)
    failed = condition(job, "Failed")
    assert (failed["reason"], failed["message"]) == (
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
    )
    assert condition(job, "FailureTarget")["reason"] == "BackoffLimitExceeded"
    assert job["status"]["failed"] == len(pods_of(cluster, namespace, "bad")) == 2


def test_a_job_has_a_deadline(cluster, namespace):
    job = cluster.until(make_job(cluster, namespace, "late", "sleep 600", activeDeadlineSeconds=1), ended)
    failed = condition(job, "Failed")
    assert (failed["reason"], failed["message"]) == (
        "DeadlineExceeded",
        "Job was active longer than specified deadline",
    )
    assert not job["status"].get("active")


def test_an_exit_code_can_end_the_job_at_once(cluster, namespace):
    codes = {"containerName": "main", "operator": "In", "values": [42]}
    policy = {"rules": [{"action": "FailJob", "onExitCodes": codes}]}
    job = cluster.until(make_job(cluster, namespace, "fatal", "exit 42", podFailurePolicy=policy), ended)
    failed = condition(job, "Failed")
    assert failed["reason"] == "PodFailurePolicy"
    assert "failed with exit code 42 matching FailJob rule at index 0" in failed["message"]
    assert job["status"]["failed"] == 1


def test_an_indexed_job_gives_each_pod_its_number(cluster, namespace):
    spec = {"completionMode": "Indexed", "completions": 3, "parallelism": 2}
    path = make_job(
        cluster, namespace, "indexed", 'test "$JOB_COMPLETION_INDEX" -ge 0 && echo "$JOB_COMPLETION_INDEX"', **spec
    )
    job = cluster.until(path, ended)
    assert job["status"]["completedIndexes"] == "0-2"
    indexes = sorted(
        pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
        for pod in pods_of(cluster, namespace, "indexed")
    )
    assert indexes == ["0", "1", "2"]


def test_a_failed_index_leaves_the_others_alone(cluster, namespace):
    spec = {"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 0}
    job = cluster.until(make_job(cluster, namespace, "perindex", 'test "$JOB_COMPLETION_INDEX" != 1', **spec), ended)
    assert condition(job, "Failed")["reason"] == "FailedIndexes"
    assert (job["status"]["completedIndexes"], job["status"]["failedIndexes"]) == ("0,2", "1")


def test_a_suspended_job_waits(cluster, namespace):
    path = make_job(cluster, namespace, "rests", "exit 0", suspend=True)
    job = cluster.until(path, lambda job: condition(job, "Suspended"))
    assert condition(job, "Suspended")["reason"] == "JobSuspended"
    assert pods_of(cluster, namespace, "rests") == []
    patch = {"spec": {"suspend": False}}
    assert cluster.call("PATCH", path, patch, content_type="application/merge-patch+json")[0] == 200
    job = cluster.until(path, ended)
    assert condition(job, "Complete") and not condition(job, "Suspended")


def test_an_ended_job_goes_by_itself(cluster, namespace):
    path = make_job(cluster, namespace, "fleeting", "exit 0", ttlSecondsAfterFinished=1)
    assert cluster.until(path, lambda job: job is None) is None


def test_deleting_a_job_deletes_its_pods(cluster, namespace):
    path = make_job(cluster, namespace, "doomed", "sleep 600")
    cluster.until(path, lambda job: job["status"].get("active"))
    (pod,) = pods_of(cluster, namespace, "doomed")
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    assert cluster.call("DELETE", path, options)[0] == 200
    cluster.until(f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}", lambda pod: pod is None)


def test_the_selector_of_a_job_finds_its_pods(cluster, namespace):
    job = cluster.until(make_job(cluster, namespace, "found", "exit 0"), ended)
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}}
    query = f"labelSelector=batch.kubernetes.io/controller-uid%3D{job['metadata']['uid']}"
    found = cluster.good("GET", f"/api/v1/namespaces/{namespace}/pods?{query}")["items"]
    assert [pod["metadata"]["ownerReferences"][0]["name"] for pod in found] == ["found"]
