# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator made with kopf: it watches, writes status and finalizers, and takes up its work where it left it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from . import clients

pytest.importorskip("kopf")
MERGE = "application/merge-patch+json"


@pytest.fixture
def group(cluster):
    """The API group of a custom resource Greeting that is there for one test."""
    group = f"g{uuid.uuid4().hex[:8]}.contract.example"
    names = {"plural": "greetings", "singular": "greeting", "kind": "Greeting"}
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}},
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"greetings.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }
    cluster.good("POST", path, definition)
    cluster.until(f"{path}/greetings.{group}", established)
    yield group
    cluster.good("DELETE", f"{path}/greetings.{group}")


def established(crd: dict | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)


@pytest.fixture
def operator(kubeconfig, namespace, group, tmp_path):
    """`with operator():` it runs; at the end it is asked to go, and must do so in good order."""
    environment = clients.environment(kubeconfig, tmp_path) | {"CONTRACT_GROUP": group}
    program = Path(__file__).with_name("greeter.py")
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", namespace, str(program)]

    @contextlib.contextmanager
    def run():
        # Its log is in the report of a test that fails.
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL)
        try:
            yield
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()

    return run


@pytest.fixture
def greeting(cluster, namespace, group):
    """The path of a Greeting."""
    collection = f"/apis/{group}/v1/namespaces/{namespace}/greetings"
    body = {"apiVersion": f"{group}/v1", "kind": "Greeting", "metadata": {"name": "g"}, "spec": {"name": "Anna"}}
    cluster.good("POST", collection, body)
    yield f"{collection}/g"
    # A finalizer that nobody removes would hold up namespace and definition.
    cluster.call("PATCH", f"{collection}/g", {"metadata": {"finalizers": None}}, MERGE)


def status(greeting: dict | None) -> dict:
    return (greeting or {}).get("status") or {}


def test_an_operator_sees_to_its_objects(cluster, operator, greeting):
    def said(words: str) -> dict:
        return cluster.until(greeting, lambda found: status(found).get("said") == words, 60)

    with operator():
        assert said("Hello, Anna!")["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
        cluster.good("PATCH", greeting, {"spec": {"name": "Bert"}}, MERGE)
        before = status(said("Goodbye, Anna, and hello, Bert!")).get("resumed", 0)

    cluster.good("PATCH", greeting, {"spec": {"name": "Carl"}}, MERGE)  # which nobody sees until
    with operator():
        said("Goodbye, Bert, and hello, Carl!")
        found = cluster.until(greeting, lambda found: status(found).get("resumed", 0) > before, 60)
        cluster.good("DELETE", greeting)
        collection, version = greeting.rpartition("/")[0], found["metadata"]["resourceVersion"]
        events = []
        for event in cluster.watch(f"{collection}?watch=true&resourceVersion={version}&timeoutSeconds=60"):
            events.append(event)
            if event["type"] == "DELETED":
                break
        assert events[-1]["type"] == "DELETED"
        assert status(events[-1]["object"])["said"] == "Goodbye, Carl!"
