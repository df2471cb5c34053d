# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply: written once, conflicts named, secrets hidden."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.apply import apply
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.several import apply_all, secret_values
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import http


def config_map(name: str = "settings", **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "team"}, "data": data}


def deployment(replicas: int | None = 2, image: str = "web:1") -> dict:
    container = {"name": "web", "image": image, "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]}
    spec = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "team"},
        "spec": spec,
    }


def other(server, kind: str, name: str, patch: dict, manager: str = "somebody-else", how: str = "merge") -> None:
    """Another manager changes the object, through HTTP as it would."""
    content = {"merge": "application/merge-patch+json", "apply": "application/apply-patch+yaml"}[how]
    path = {
        "ConfigMap": "/api/v1/namespaces/team/configmaps",
        "Deployment": "/apis/apps/v1/namespaces/team/deployments",
    }
    http(server, "PATCH", f"{path[kind]}/{name}?fieldManager={manager}", patch, content)


def test_an_object_that_is_not_there_is_made(server, cluster):
    made = apply(cluster, config_map(a="1"))
    assert made.changed and made.before == {}
    assert made.after["data"] == {"a": "1"}
    assert server.system.get("configmaps", "team", "settings")["data"] == {"a": "1"}


def test_twenty_unchanged_objects_cost_no_write(server, cluster):
    manifests = [config_map(f"settings-{number}", a=str(number)) for number in range(19)] + [deployment()]
    for manifest in manifests:
        assert apply(cluster, manifest).changed
    server.journal.clear()
    again = [apply(cluster, manifest) for manifest in manifests]
    assert [one.changed for one in again] == [False] * 20
    assert server.journal.writes() == []
    assert server.journal.count() == 20


def test_a_changed_value_is_written_and_shown(server, cluster):
    apply(cluster, deployment(image="web:1"))
    changed = apply(cluster, deployment(image="web:2"))
    assert changed.changed
    images = [side["spec"]["template"]["spec"]["containers"][0]["image"] for side in (changed.before, changed.after)]
    assert images == ["web:1", "web:2"]
    assert "managedFields" not in json.dumps([changed.before, changed.after])
    assert not changed.after.get("status")


def test_a_field_no_longer_named_is_given_up(server, cluster):
    apply(cluster, config_map(a="1", b="2"))
    apply(cluster, config_map(a="1"))
    assert server.system.get("configmaps", "team", "settings")["data"] == {"a": "1"}


def test_fields_of_others_are_left_alone_and_are_no_change(server, cluster):
    apply(cluster, deployment(replicas=None))
    other(server, "Deployment", "web", {"spec": {"replicas": 5}}, manager="autoscaler")
    again = apply(cluster, deployment(replicas=None))
    assert not again.changed
    assert server.system.get("deployments.apps", "team", "web")["spec"]["replicas"] == 5


def test_a_conflict_names_the_other_manager_and_the_field(server, cluster):
    apply(cluster, deployment(replicas=2))
    other(server, "Deployment", "web", {"spec": {"replicas": 5}}, manager="autoscaler")
    with pytest.raises(ClusterError) as caught:
        apply(cluster, deployment(replicas=2))
    assert caught.value.code == "cluster_conflict"
    assert [word for word in ("Deployment web", "autoscaler", "replicas") if word not in caught.value.message] == []


def test_a_conflict_can_be_forced(server, cluster):
    apply(cluster, deployment(replicas=2))
    other(server, "Deployment", "web", {"spec": {"replicas": 5}})
    assert apply(cluster, deployment(replicas=2), force=True).changed
    assert server.system.get("deployments.apps", "team", "web")["spec"]["replicas"] == 2
    assert not apply(cluster, deployment(replicas=2)).changed


def test_a_field_that_somebody_removed_comes_back(server, cluster):
    apply(cluster, config_map(a="1", b="2"))
    other(server, "ConfigMap", "settings", {"data": {"b": None}})
    assert apply(cluster, config_map(a="1", b="2")).changed
    assert server.system.get("configmaps", "team", "settings")["data"] == {"a": "1", "b": "2"}


def test_a_dry_run_says_what_would_change_and_writes_nothing(server, cluster):
    apply(cluster, config_map(a="1"))
    would = apply(cluster, config_map(a="2"), dry_run=True)
    assert would.changed and would.after["data"] == {"a": "2"}
    assert apply(cluster, config_map("another", a="2"), dry_run=True).changed
    assert server.system.get("configmaps", "team", "settings")["data"] == {"a": "1"}
    assert [
        one["metadata"]["name"] for one in server.system.list("configmaps", "team") if one["data"].get("a") == "2"
    ] == []


def test_values_of_a_secret_are_never_in_the_diff(server, cluster):
    def secret(**data):
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": "team"},
            "stringData": data,
        }

    apply(cluster, secret(user="ann", password="first-password"))
    changed = apply(cluster, secret(user="ann", password="second-password"))
    assert changed.before["data"] == {"user": "***", "password": "*** (before)"}
    assert changed.after["data"] == {"user": "***", "password": "*** (after)"}
    stored = server.system.get("secrets", "team", "login")["data"]
    assert base64.b64decode(stored["password"]) == b"second-password"
    again = apply(cluster, secret(user="ann", password="second-password"))
    assert not again.changed and again.after["data"] == {"user": "***", "password": "***"}


def test_what_the_server_stores_in_another_form_is_no_change(server, cluster):
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": "1000m", "memory": "1024Mi"}
    }
    apply(cluster, manifest)
    stored = server.system.get("deployments.apps", "team", "web")
    stored["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "1", "memory": "1Gi"}
    del stored["metadata"]["resourceVersion"]  # the Deployment's controller writes too
    server.store.update(
        server.registry.lookup("apps", "v1", "deployments"), stored
    )  # as a real server would have done at once
    assert not apply(cluster, manifest).changed


def test_an_answer_that_was_lost_is_no_second_object(server, cluster):
    server.faults.add("drop-after-write", method="PATCH")
    made = apply(cluster, config_map(a="1"))
    assert made.after["data"] == {"a": "1"}
    assert not apply(cluster, config_map(a="1")).changed


def test_a_kind_that_the_server_does_not_know_is_told(cluster):
    with pytest.raises(ClusterError) as caught:
        apply(cluster, {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}})
    assert "Thing" in caught.value.message and "example.com/v1" in caught.value.message


def test_where_no_namespace_is_named_it_is_that_of_the_connection(server, cluster):
    manifest = config_map(a="1")
    del manifest["metadata"]["namespace"]
    apply(cluster, manifest)
    assert server.system.get("configmaps", cluster.namespace, "settings")["data"] == {"a": "1"}


def definition(plural: str, kind: str = "Toy") -> dict:
    names = {"plural": plural, "kind": kind}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }


def test_what_a_definition_brings_can_be_made_right_after_it(server, cluster):
    toy = {"apiVersion": "example.com/v1", "kind": "Toy", "metadata": {"name": "ball", "namespace": "team"}}
    assert [one.changed for one in apply_all(cluster, [definition("toys"), toy, config_map()])] == [True] * 3
    assert [one.changed for one in apply_all(cluster, [definition("toys"), toy, config_map()])] == [False] * 3
    with pytest.raises(
        ClusterError, match='games.example.com is not served in time: .*"Toy" is already in use'
    ) as failed:
        apply_all(cluster, [config_map(), definition("games")], seconds=1)
    assert [one.object["kind"] for one in failed.value.details["applied"]] == ["ConfigMap", "CustomResourceDefinition"]


def test_a_manifest_that_does_not_say_what_it_is_stops_all(server, cluster):
    with pytest.raises(EngineError, match="Manifest 2 of definition has no kind, metadata.name"):
        apply_all(cluster, [config_map(), {"apiVersion": "v1", "metadata": {}}])
    assert not server.journal.writes()


def test_values_of_secrets_are_known_in_both_forms():
    encoded = base64.b64encode(b"swordfish").decode()
    secret = {"kind": "Secret", "data": {"a": encoded, "b": "no base64!"}, "stringData": {"c": "plain"}}
    known = secret_values([secret, {**config_map(), "data": {"x": "shown"}}])
    assert {"swordfish", encoded, "plain", base64.b64encode(b"plain").decode(), "no base64!"} <= known
    assert "shown" not in known and "" not in known
