# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator in a cluster: what people apply, and what becomes of it."""

from __future__ import annotations

import base64
import json

import pytest
import urllib3
from jupyter_support import PLURAL, conditions

INGRESSES, POLICIES, DEPLOYMENTS = (
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "deployments.apps",
)
IDLE = {"status": {"last_activity": "2020-01-01T00:00:00.000000Z", "connections": 0, "kernels": 1}}


def token_of(team, name: str) -> str:
    return base64.b64decode(team.find("secrets", f"jupyter-{name}")["data"]["token"]).decode()


def test_a_notebook_becomes_a_server_with_an_address(team, operator):
    team.create("first", labels=["squonk.it/owner=jane"], image="registry.example.com:5000/team/lab")
    found = team.ready("first")
    told, token = found["status"]["jupyter"], token_of(team, "first")
    assert told == {
        "notebook": {"url": f"http://hub.example.com/first?token={token}", "token": token, "interface": "lab"},
        "image": "registry.example.com:5000/team/lab", "serviceAccountName": "default", "project": {},
        "resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }  # fmt: skip
    assert len(token) > 30 and found["status"]["observedGeneration"] == 1
    assert {name: one["status"] for name, one in conditions(found).items()} == {
        "Accepted": "True", "Stopped": "False", "Ready": "True"
    }  # fmt: skip
    children = [team.find(plural, "first") for plural in (DEPLOYMENTS, "services", INGRESSES, POLICIES)]
    children += [team.find(plural, "jupyter-first") for plural in ("secrets", "configmaps")]
    owners = [one["metadata"]["ownerReferences"] for one in children]
    assert all(one[0]["uid"] == found["metadata"]["uid"] and one[0]["blockOwnerDeletion"] for one in owners)
    (pod,) = team.list("pods")
    assert pod["metadata"]["labels"]["data-manager.informaticsmatters.com/instance"] == "first"
    assert team.event("first", "Answers")["type"] == "Normal"
    assert not [one.line for one in team.server.journal.entries() if one.status == 403 and one.user == "operator"]
    secrets = [base64.b64encode(token.encode()).decode().rstrip("="), token]
    told = [json.dumps([team.list("events"), children[5], team.list("pods"), children[0]]), operator.log.read_text()]
    assert not [secret for secret in secrets for text in told if secret in text]


def test_a_change_of_the_spec_comes_to_the_pod_and_keeps_the_token(team):
    team.create("second")
    token = team.ready("second")["status"]["jupyter"]["notebook"]["token"]
    team.change("second", image="jupyter/scipy:1", resources={"limits": {"memory": "2Gi", "storage": "5Gi"}})
    found = team.told("second", "Accepted", "Accepted")
    assert found["status"]["observedGeneration"] == 2 and found["status"]["jupyter"]["notebook"]["token"] == token
    container = team.find(DEPLOYMENTS, "second")["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("jupyter/scipy:1", "IfNotPresent")
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "5Gi"}


@pytest.mark.parametrize("plural", [DEPLOYMENTS, "services", INGRESSES, POLICIES])
def test_a_child_that_is_deleted_or_changed_is_repaired(team, plural):
    team.create("third")
    team.ready("third")
    first = team.find(plural, "third")
    team.delete(plural, "third")
    second = team.until(plural, lambda found: found["metadata"]["uid"] != first["metadata"]["uid"])
    assert second["spec"].keys() == first["spec"].keys()
    bad = {
        DEPLOYMENTS: {"replicas": 3},
        "services": {"selector": {"deployment": "other"}},
        INGRESSES: {"rules": [{"host": "evil.example.com"}]},
        POLICIES: {"ingress": [{}]},
    }
    name = next(iter(bad[plural]))
    team.server.system.patch(plural, "team", "third", {"spec": bad[plural]})
    team.until(plural, lambda found: found["spec"][name] == first["spec"][name])
    team.server.system.patch(plural, "team", "third", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}})
    team.until(plural, lambda found: found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "jupyter-operator")


def test_secret_and_files_are_there_again_when_a_pod_needs_them(team):
    team.create("fourth")
    token = team.ready("fourth")["status"]["jupyter"]["notebook"]["token"]
    team.delete("secrets", "jupyter-fourth")
    team.delete("configmaps", "jupyter-fourth")
    (pod,) = team.list("pods")
    team.delete("pods", pod["metadata"]["name"])
    team.until("configmaps", lambda found: found["metadata"]["name"] == "jupyter-fourth")
    team.until("secrets", lambda found: found["metadata"]["name"] == "jupyter-fourth")
    assert token_of(team, "fourth") == token


def test_a_notebook_is_stopped_and_started_by_its_annotation(team):
    team.create("fifth", project={"claimName": "projects", "id": "p-1"})
    team.server.system.create("persistentvolumeclaims", {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "projects", "namespace": "team"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    })  # fmt: skip
    url = team.ready("fifth")["status"]["jupyter"]["notebook"]["url"]
    team.note("fifth", stopped="maintenance")
    found = team.told("fifth", "Stopped", "Asked")
    assert "maintenance" in conditions(found)["Ready"]["message"] and conditions(found)["Ready"]["reason"] == "Stopped"
    assert team.find(DEPLOYMENTS, "fifth")["spec"]["replicas"] == 0
    assert team.event("fifth", "Asked")["type"] == "Normal"
    team.note("fifth", stopped=None)
    assert team.ready("fifth")["status"]["jupyter"]["notebook"]["url"] == url
    assert team.find("persistentvolumeclaims", "projects")
    team.drop_if_there("persistentvolumeclaims", "projects")


def test_a_server_that_nobody_uses_is_stopped_and_says_so(team, activity):
    activity.said |= {"idle": IDLE, "busy": {**IDLE, "kernels": [{"execution_state": "busy"}]}}
    activity.said |= {"seen": {"status": {**IDLE["status"], "connections": 1}}, "kept": IDLE}
    for name in activity.said:
        team.create(name, notes={} if name == "kept" else {"notebooks.mlops.dev/cull-after": "1h"})
    token = team.ready("idle")["status"]["jupyter"]["notebook"]["token"]
    found = team.told("idle", "Stopped", "Idle")
    assert "idle since 2020-01-01T00:00:00Z" in conditions(found)["Stopped"]["message"]
    assert team.find(DEPLOYMENTS, "idle")["spec"]["replicas"] == 0
    assert ("/idle/api/status?no_track_activity=1", f"token {token}") in activity.asked
    assert [conditions(team.ready(name))["Stopped"]["status"] for name in ("busy", "seen", "kept")] == ["False"] * 3
    assert not [path for path, _token in activity.asked if path.startswith("/kept/")]
    activity.said.clear()
    team.note("idle", stopped=None)
    team.ready("idle")


@pytest.mark.parametrize(
    ("rule", "reason", "words"),
    [
        (
            {"failure": "ErrImagePull"},
            "ImageNotPulled",
            "The image cannot be pulled: container notebook: failed to pull",
        ),
        ({"failure": "Unschedulable"}, "Unschedulable", "No node can take the pod: 0/1 nodes are available"),
        ({"seconds": 0.0, "exit_code": 3}, "Crashed", "The server ended with the status 3"),
        (
            {"seconds": 0.0, "failure": "OOMKilled"},
            "Crashed",
            "since it needed more memory than resources.limits.memory",
        ),
    ],
)
def test_what_befalls_the_pod_is_said_in_words(team, rule, reason, words):
    team.server.pod_rules.add({"name": "sixth-*", **rule})
    team.create("sixth")
    found = team.told("sixth", "Ready", reason)
    assert words in conditions(found)["Ready"]["message"]
    assert team.event("sixth", reason)["type"] == "Warning"
    assert conditions(found)["Accepted"]["status"] == "True" and found["status"]["jupyter"]["notebook"]["url"]


def test_what_cannot_be_had_is_refused_before_anything_is_written(team):
    team.server.journal.clear()
    team.create("seventh", image="registry.example.com/other:1")
    found = team.told("seventh", "Accepted", "NotAllowed")
    assert "JUPYTER_OPERATOR_ALLOWED_IMAGES has jupyter/*" in conditions(found)["Ready"]["message"]
    written = [one.line for one in team.server.journal.writes() if one.user == "operator" and "events" not in one.path]
    assert written == ["PATCH /apis/squonk.it/v2/namespaces/team/jupyternotebooks/seventh/status"]
    team.change("seventh", image="jupyter/lab:1")
    team.ready("seventh")


def test_what_is_of_somebody_else_is_left_alone(team):
    spec = {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "eighth", "namespace": "team"}, "spec": spec}
    team.server.system.create("services", theirs)
    team.create("eighth")
    found = team.told("eighth", "Accepted", "NameTaken")
    assert "The Service eighth is there and not of this notebook" in conditions(found)["Accepted"]["message"]
    assert team.find("services", "eighth")["spec"]["selector"] == {"app": "theirs"}
    assert team.find(DEPLOYMENTS, "eighth") is None and team.find("secrets", "jupyter-eighth") is None
    team.delete("services", "eighth")
    team.note("eighth", asked="again")
    team.ready("eighth")


def test_an_operator_that_is_killed_goes_on_where_it_was(team, operator):
    team.server.faults.add("status", "/namespaces/team/deployments/ninth", method="PATCH", count=0, status=503)
    team.create("ninth")
    team.server.journal.wait_for("PATCH .*/deployments/ninth", timeout=60)
    token = token_of(team, "ninth")
    operator.kill()
    team.server.faults.clear()
    operator.start()
    assert team.ready("ninth")["status"]["jupyter"]["notebook"]["token"] == token
    assert team.find(PLURAL, "ninth")["metadata"].get("finalizers") is None
    team.event("ninth", "Answers")  # the last that is written of it
    reads, writes = len(team.server.journal.entries("/deployments/ninth", "get")), of_operator(team, "ninth")
    operator.kill()
    operator.start()
    team.server.journal.wait_for("/deployments/ninth", reads + 1, timeout=60, verb="get")
    team.create("tenth")
    team.ready("tenth")
    assert of_operator(team, "ninth") == writes


def of_operator(team, name: str) -> list[str]:
    """What the operator has written about a notebook, and the reasons of its events."""
    lines = [one.line for one in team.server.journal.writes() if one.user == "operator" and name in one.path]
    return [*lines, *(one["reason"] for one in team.list("events") if one["involvedObject"]["name"] == name)]


def test_notebooks_at_rest_cost_no_requests_and_little_memory(team, operator):
    names = [f"rest-{number}" for number in range(30)]
    for name in names:
        team.create(name)
    for name in names:
        team.ready(name)
    before = len(team.server.journal.entries())
    team.create("other")
    team.ready("other")
    team.note("other", stopped="yes")
    team.told("other", "Stopped", "Asked")
    seen = [
        one
        for one in team.server.journal.entries()[before:]
        if one.user == "operator" and "watch=true" not in one.query
    ]
    assert not [one.line for one in seen if "other" not in one.path and not one.path.endswith("/events")]
    assert operator.memory() < 150  # MiB; of 500 notebooks it is 130


def test_it_answers_to_whoever_asks_whether_it_lives(operator):
    address = f"http://127.0.0.1:{operator.settings['HEALTH_PORT']}/healthz"
    starting = urllib3.Retry(connect=12, backoff_factor=0.1)  # as the kubelet does
    assert urllib3.request("GET", address, retries=starting, timeout=10).status == 200


def test_its_log_is_one_object_a_line(team, operator):
    team.create("logged")
    team.ready("logged")
    told = [json.loads(line) for line in operator.log.read_text(encoding="utf-8").splitlines()]
    assert any("team/logged" in one["message"] for one in told)
