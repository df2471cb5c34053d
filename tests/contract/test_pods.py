# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of pods: what runs in them, what they see, what their status says."""

from __future__ import annotations

import os
import threading

import pytest

STAND_IN = {"pods": "process"}
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("KUBECONFIG"), reason="The stand-in needs root to run pods as processes."
)
IMAGE = os.environ.get("CONTRACT_IMAGE", "registry.access.redhat.com/ubi9/ubi-minimal:latest")
USER = 1000


def shell(script: str, **more) -> dict:
    """A container that every level of pod security allows."""
    allowed = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", script], **more}
    return {**container, "securityContext": {**allowed, **more.get("securityContext", {})}}


def make_pod(cluster, namespace: str, name: str, *containers: dict, **spec) -> str:
    """Create a pod; returns its path."""
    # On OpenShift user and group come from the namespace.
    context = {} if cluster.openshift else {"fsGroup": USER, "runAsUser": USER}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "securityContext": context, "containers": list(containers), **spec},
    }
    path = f"/api/v1/namespaces/{namespace}/pods"
    status, _headers, answer = cluster.call("POST", path, body)
    assert status == 201, answer
    return f"{path}/{name}"


def make(cluster, namespace: str, plural: str, kind: str, name: str, **fields) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}
    status, _headers, answer = cluster.call("POST", f"/api/v1/namespaces/{namespace}/{plural}", body)
    assert status == 201, answer


def ended(pod: dict | None) -> bool:
    return bool(pod) and pod["status"].get("phase") in {"Succeeded", "Failed"}


def state(pod: dict | None, kind: str) -> dict:
    """What the first container's state of that kind says; empty where it is in another."""
    statuses = ((pod or {}).get("status") or {}).get("containerStatuses") or [{}]
    return (statuses[0].get("state") or {}).get(kind) or {}


def log(cluster, path: str, query: str = "") -> str:
    status, _headers, text = cluster.call("GET", f"{path}/log{query}")
    assert status == 200, text
    return text


def test_a_pod_runs_its_command(cluster, namespace):
    path = make_pod(cluster, namespace, "hello", shell("echo one; echo two >&2; echo three"))
    pod = cluster.until(path, ended)
    assert pod["status"]["phase"] == "Succeeded"
    assert state(pod, "terminated")["reason"] == "Completed"
    assert sorted(log(cluster, path).split()) == ["one", "three", "two"]
    assert log(cluster, path, "?tailLines=1").count("\n") == 1
    assert "T" in log(cluster, path, "?timestamps=true").split()[0]
    conditions = {entry["type"]: entry for entry in pod["status"]["conditions"]}
    assert conditions["PodScheduled"]["status"] == "True"
    assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == ("False", "PodCompleted")


def test_a_command_that_fails_leaves_code_and_message(cluster, namespace):
    container = shell("echo why > /dev/termination-log; exit 3")
    pod = cluster.until(make_pod(cluster, namespace, "fails", container), ended)
    assert pod["status"]["phase"] == "Failed"
    assert (state(pod, "terminated")["exitCode"], state(pod, "terminated")["reason"]) == (3, "Error")
    assert state(pod, "terminated")["message"].strip() == "why"


def test_the_log_is_the_message_where_that_is_asked_for(cluster, namespace):
    container = shell("echo the last words; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    pod = cluster.until(make_pod(cluster, namespace, "fallback", container), ended)
    assert state(pod, "terminated")["message"].strip() == "the last words"


def test_a_command_that_does_not_exist(cluster, namespace):
    pod = cluster.until(make_pod(cluster, namespace, "nothing", shell("", command=["/no/such"])), ended)
    assert (state(pod, "terminated")["exitCode"], state(pod, "terminated")["reason"]) == (128, "StartError")
    assert "/no/such" in state(pod, "terminated")["message"]


def test_init_containers_run_first_and_in_order(cluster, namespace):
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    inits = [shell(f"echo {word} >> /shared/words", name=word, volumeMounts=mounts) for word in ("first", "second")]
    path = make_pod(
        cluster,
        namespace,
        "inits",
        shell("cat /shared/words", volumeMounts=mounts),
        initContainers=inits,
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    pod = cluster.until(path, ended)
    assert pod["status"]["phase"] == "Succeeded"
    assert log(cluster, path).split() == ["first", "second"]
    assert [entry["state"]["terminated"]["exitCode"] for entry in pod["status"]["initContainerStatuses"]] == [0, 0]


def test_an_init_container_that_fails_ends_the_pod(cluster, namespace):
    path = make_pod(cluster, namespace, "badinit", shell("echo never"), initContainers=[shell("exit 5", name="init")])
    pod = cluster.until(path, ended)
    assert pod["status"]["phase"] == "Failed"
    assert state(pod, "waiting")["reason"] == "PodInitializing"


def test_the_environment_of_a_container(cluster, namespace):
    make(cluster, namespace, "configmaps", "ConfigMap", "settings", data={"COLOUR": "blue", "SHAPE": "round"})
    make(cluster, namespace, "secrets", "Secret", "password", stringData={"word": "open sesame"})
    container = shell(
        'echo "$COLOUR $SHAPE|$WORD|$NAME|$BOTH|$HOSTNAME"',
        envFrom=[{"configMapRef": {"name": "settings"}}],
        env=[
            {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "password", "key": "word"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "BOTH", "value": "$(NAME)-$(WORD)-$$(WORD)"},
        ],
    )
    path = make_pod(cluster, namespace, "environment", container)
    cluster.until(path, ended)
    words = "blue round|open sesame|environment|environment-open sesame-$(WORD)|environment"
    assert log(cluster, path).strip() == words


def test_volumes_hold_what_they_refer_to(cluster, namespace):
    make(cluster, namespace, "configmaps", "ConfigMap", "files", data={"a.txt": "alpha", "b.txt": "beta"})
    make(cluster, namespace, "secrets", "Secret", "keys", stringData={"key": "gamma"})
    script = (
        "cat /etc/files/a.txt /one.txt /keys/renamed; ls /etc/files; (echo x > /keys/new) 2>/dev/null || echo refused"
    )
    container = shell(
        script,
        volumeMounts=[
            {"name": "files", "mountPath": "/etc/files"},
            {"name": "files", "mountPath": "/one.txt", "subPath": "b.txt"},
            {"name": "keys", "mountPath": "/keys"},
        ],
    )
    items = [{"key": "key", "path": "renamed"}]
    volumes = [
        {"name": "files", "configMap": {"name": "files"}},
        {"name": "keys", "secret": {"secretName": "keys", "items": items, "defaultMode": 0o440}},
    ]
    path = make_pod(cluster, namespace, "volumes", container, volumes=volumes)
    cluster.until(path, ended)
    assert log(cluster, path) == "alphabetagammaa.txt\nb.txt\nrefused\n"


def test_a_read_only_root_is_read_only(cluster, namespace):
    script = "(echo x > /tmp/file) 2>/dev/null || echo refused; echo y > /scratch/file && echo written"
    container = shell(
        script,
        securityContext={"readOnlyRootFilesystem": True},
        volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
    )
    path = make_pod(cluster, namespace, "readonly", container, volumes=[{"name": "scratch", "emptyDir": {}}])
    cluster.until(path, ended)
    assert log(cluster, path).split() == ["refused", "written"]


def test_the_user_is_the_one_of_the_pod_and_the_token_is_there(cluster, namespace):
    script = "id -u; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo +"
    path = make_pod(cluster, namespace, "identity", shell(script))
    pod = cluster.until(path, ended)
    own = pod["spec"]["containers"][0]["securityContext"]
    user, rest = log(cluster, path).split("\n", 1)
    assert int(user) == own.get("runAsUser", pod["spec"]["securityContext"].get("runAsUser"))
    assert rest == f"{namespace}+\n"


def test_a_missing_secret_holds_the_container_until_it_is_there(cluster, namespace):
    reference = {"name": "later", "key": "word"}
    container = shell("echo $WORD", env=[{"name": "WORD", "valueFrom": {"secretKeyRef": reference}}])
    path = make_pod(cluster, namespace, "waits", container)
    pod = cluster.until(path, lambda pod: state(pod, "waiting").get("reason") == "CreateContainerConfigError")
    assert 'secret "later" not found' in state(pod, "waiting")["message"]
    status, _headers, answer = cluster.call("GET", f"{path}/log?container=main")
    assert (status, answer["reason"]) == (400, "BadRequest")
    assert "waiting to start" in answer["message"]
    make(cluster, namespace, "secrets", "Secret", "later", stringData={"word": "here"})
    cluster.until(path, ended)
    assert log(cluster, path) == "here\n"


def test_a_pod_that_runs_too_long_is_ended(cluster, namespace):
    path = make_pod(
        cluster, namespace, "slow", shell("sleep 600"), activeDeadlineSeconds=1, terminationGracePeriodSeconds=1
    )
    pod = cluster.until(path, ended)
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_container_may_start_again(cluster, namespace):
    script = "if test -e /kept/file; then echo again; else echo first; echo > /kept/file; exit 1; fi"
    container = shell(script, volumeMounts=[{"name": "kept", "mountPath": "/kept"}])
    path = make_pod(
        cluster, namespace, "again", container, restartPolicy="OnFailure", volumes=[{"name": "kept", "emptyDir": {}}]
    )
    pod = cluster.until(path, ended)
    assert pod["status"]["phase"] == "Succeeded"
    first = pod["status"]["containerStatuses"][0]
    assert (first["restartCount"], first["lastState"]["terminated"]["exitCode"]) == (1, 1)
    assert log(cluster, path) == "again\n"
    assert log(cluster, path, "?previous=true") == "first\n"


def test_deletion_gives_the_container_time_to_say_goodbye(cluster, namespace):
    script = "trap 'echo goodbye; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    path = make_pod(cluster, namespace, "polite", shell(script))
    cluster.until(path, lambda pod: state(pod, "running"))
    text: list[str] = []
    reader = threading.Thread(target=lambda: text.append(log(cluster, path, "?follow=true")))
    reader.start()
    until_log(cluster, path, "ready")
    last: list[dict] = []

    def gone(pod: dict | None) -> bool:
        last.extend([pod] if pod else [])
        return pod is None

    status, _headers, answer = cluster.call("DELETE", path)
    assert status == 200 and answer["metadata"]["deletionGracePeriodSeconds"] == 30
    cluster.until(path, gone)
    reader.join(timeout=60)
    assert text == ["ready\ngoodbye\n"]
    assert state(last[-1], "terminated").get("exitCode") == 7


def until_log(cluster, path: str, word: str) -> None:
    """Return when a line with the word has been printed: a followed log ends after so many bytes."""
    assert word in log(cluster, path, f"?follow=true&limitBytes={len(word)}")
