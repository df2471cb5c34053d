# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl, the one on PATH. It may be as old as 1.20, which Debian 12 has."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from . import clients

STAND_IN = clients.STAND_IN
pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="There is no kubectl on PATH.")


@dataclass
class Kubectl:
    command: list[str]
    environment: dict

    def tried(self, *arguments: str, body: dict | None = None) -> subprocess.CompletedProcess:
        """How it ended; `body` is what `-f -` reads."""
        text = json.dumps(body) if body else ""
        return subprocess.run(
            [*self.command, *arguments], env=self.environment, input=text, capture_output=True, text=True, timeout=150
        )

    def __call__(self, *arguments: str, body: dict | None = None) -> str:
        """What it printed; it must succeed."""
        done = self.tried(*arguments, body=body)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments: str, **streams) -> subprocess.Popen:
        return subprocess.Popen([*self.command, *arguments], env=self.environment, text=True, **streams)


@pytest.fixture
def kubectl(kubeconfig, namespace, tmp_path):
    return Kubectl(["kubectl", "--namespace", namespace], clients.environment(kubeconfig, tmp_path))


@pytest.fixture
def waiting(kubectl):
    """`waiting(arguments...)`: a `kubectl wait` that has its watch; its end is awaited by `.communicate()`."""
    started = []

    def start(*arguments: str) -> subprocess.Popen:
        # Its log of level 6 names each answered request.
        process = kubectl.start("wait", *arguments, "--timeout=120s", "-v=6", stderr=subprocess.PIPE)
        started.append(process)
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "watch=true" in line and "200 OK" in line:
                return process
        raise AssertionError("It did not watch: " + "".join(seen))

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_apply_creates_then_changes_what_differs(kubectl, make_map):
    contents = ({"k": "v", "l": "v"}, {"k": "v", "l": "v"}, {"l": "w"})
    applied = [kubectl("apply", "-f", "-", body=make_map("a", data)).split()[-1] for data in contents]
    assert applied == ["created", "unchanged", "configured"]
    assert json.loads(kubectl("get", "configmap", "a", "-o", "json"))["data"] == {"l": "w"}


def test_server_side_apply_names_the_manager_it_conflicts_with(kubectl, make_map):
    def applied(manager: str, value: str, *options: str):
        arguments = ("apply", "--server-side", f"--field-manager={manager}", *options, "-f", "-")
        return kubectl.tried(*arguments, body=make_map("a", {"k": value}))

    assert applied("anna", "v").returncode == 0
    refused = applied("bert", "w")
    assert refused.returncode == 1
    assert 'conflict with "anna": .data.k' in refused.stderr
    assert applied("bert", "w", "--force-conflicts").returncode == 0
    assert kubectl("get", "configmap", "a", "-o", "jsonpath={.data.k}") == "w"


def test_get_prints_the_table_of_the_server(kubectl, make_map):
    kubectl("create", "-f", "-", body=make_map("table", {"k": "v", "l": "v"}))
    header, row = kubectl("get", "configmap", "table").splitlines()
    assert header.split() == ["NAME", "DATA", "AGE"]
    assert row.split()[:2] == ["table", "2"]
    found = kubectl("get", "configmaps", "-o", "json", "--field-selector=metadata.name=table")
    assert [item["data"] for item in json.loads(found)["items"]] == [{"k": "v", "l": "v"}]


def test_a_missing_object(kubectl):
    missing = kubectl.tried("get", "configmap", "nothing")
    assert (missing.returncode, missing.stderr) == (
        1, 'Error from server (NotFound): configmaps "nothing" not found\n',
    )  # fmt: skip


def test_wait_sees_the_condition_come(kubectl, cluster, waiting):
    kubectl("create", "-f", "-", body=clients.job(cluster, "waits", "exit 0", suspend=True))
    process = waiting("--for=condition=Complete", "job/waits")
    kubectl("patch", "job", "waits", "--type=merge", "-p", '{"spec": {"suspend": false}}')
    process.communicate(timeout=150)
    assert process.returncode == 0
    assert kubectl("get", "job", "waits", "-o", "jsonpath={.status.succeeded}") == "1"


def test_wait_sees_the_object_go(kubectl, make_map, waiting):
    # An object that is gone already is an error to 1.20 ("no matching resources found"), so this one has a finalizer.
    kubectl("create", "-f", "-", body=make_map("goes", finalizers=["contract.example/hold"]))
    kubectl("delete", "configmap", "goes", "--wait=false")
    process = waiting("--for=delete", "configmap/goes")
    kubectl("patch", "configmap", "goes", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    process.communicate(timeout=150)
    assert process.returncode == 0
    assert kubectl.tried("get", "configmap", "goes").returncode == 1


def test_delete_waits_until_the_object_is_gone(kubectl, cluster):
    kubectl("create", "-f", "-", body=clients.pod(cluster, "goes", clients.GREETER))
    kubectl("wait", "--for=condition=Ready", "pod/goes", "--timeout=120s")
    assert kubectl("delete", "pod", "goes").startswith('pod "goes" deleted')
    assert "NotFound" in kubectl.tried("get", "pod", "goes").stderr
    assert kubectl("delete", "pod", "goes", "--ignore-not-found") == ""


@clients.needs_real_pods
def test_logs(kubectl, cluster):
    kubectl("create", "-f", "-", body=clients.job(cluster, "talks", "echo one; echo two"))
    kubectl("wait", "--for=condition=Complete", "job/talks", "--timeout=120s")
    assert kubectl("logs", "job/talks") == "one\ntwo\n"
    assert kubectl("logs", "job/talks", "--tail=1") == "two\n"


@clients.needs_real_pods
def test_logs_are_followed_until_the_pod_ends(kubectl, cluster):
    kubectl("create", "-f", "-", body=clients.pod(cluster, "greeter", clients.GREETER))
    kubectl("wait", "--for=condition=Ready", "pod/greeter", "--timeout=120s")
    process = kubectl.start("logs", "-f", "pod/greeter", stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "hello\n"
        kubectl("delete", "pod", "greeter", "--wait=false")
        assert process.communicate(timeout=60)[0] == "goodbye\n"
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_rollout_status_ends_when_every_replica_is_there(kubectl, cluster):
    kubectl("apply", "-f", "-", body=clients.deployment(cluster, "rolls", replicas=2))
    assert kubectl("rollout", "status", "deployment/rolls", "--timeout=120s").endswith("successfully rolled out\n")
    assert kubectl("get", "deployment", "rolls", "-o", "jsonpath={.status.availableReplicas}") == "2"
    header, row = kubectl("get", "deployment", "rolls").splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == ["rolls", "2/2", "2", "2"]


def test_auth_can_i(kubectl, account, kubeconfig, tmp_path):
    # Not by --token: a client certificate in the kubeconfig would win over it.
    config = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
    token = account([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
    config["users"] = [{**user, "user": {"token": token}} for user in config["users"]]
    own = tmp_path / "kubeconfig"
    own.write_text(json.dumps(config), encoding="utf-8")
    asked = [kubectl.tried("auth", "can-i", verb, "pods", f"--kubeconfig={own}") for verb in ("get", "delete")]
    assert [(done.stdout, done.returncode) for done in asked] == [("yes\n", 0), ("no\n", 1)]
    listed = kubectl("auth", "can-i", "--list", f"--kubeconfig={own}")
    assert "[get]" in next(line for line in listed.splitlines() if line.startswith("pods "))
