# SPDX-License-Identifier: GPL-3.0-or-later
"""The module cluster_objects as a process: what it writes, what it leaves, and what it tells of both."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from cluster_support import auth, http

MODULE = "ansible_collections.mlops.notebooks.plugins.modules.cluster_objects"
TREE = next(path for path in map(Path, sys.path) if (path / "ansible_collections" / "mlops" / "notebooks").is_dir())
SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "team"},
    "data": {"a": "1"},
}
KEYS = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "team"}}
TOYS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "toys.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
BALL = {"apiVersion": "example.com/v1", "kind": "Toy", "metadata": {"name": "ball", "namespace": "team"}}


def call(server, *definition: dict, check: bool = False, **options) -> tuple[dict, str]:
    """Run the module; return its result, and all that it wrote."""
    given = {**auth(server), "definition": list(definition), **options}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**given, "_ansible_check_mode": check, "_ansible_diff": True}}),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TREE), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout), done.stdout + done.stderr


def test_what_is_made_once_is_only_read_after(server):
    first, _text = call(server, TOYS, BALL, SETTINGS)
    assert first["changed"] and [one["changed"] for one in first["objects"]] == [True] * 3
    assert first["objects"][2]["uid"] == server.system.get("configmaps", "team", "settings")["metadata"]["uid"]
    server.journal.clear()
    again, _text = call(server, TOYS, BALL, SETTINGS)
    assert not again["changed"] and again["diff"] == [] and not server.journal.writes()
    assert [one["changed"] for one in again["objects"]] == [False] * 3
    server.system.delete("configmaps", "team", "settings")
    mended, _text = call(server, TOYS, BALL, SETTINGS)
    assert [one["changed"] for one in mended["objects"]] == [False, False, True]


def test_check_mode_tells_and_writes_nothing(server):
    call(server, SETTINGS)
    planned, _text = call(server, {**SETTINGS, "data": {"a": "2"}}, check=True)
    (told,) = planned["diff"]
    assert planned["changed"] and (told["before"]["data"], told["after"]["data"]) == ({"a": "1"}, {"a": "2"})
    assert told["after_header"] == "ConfigMap settings"
    assert server.system.get("configmaps", "team", "settings")["data"] == {"a": "1"}


def test_no_value_of_a_secret_is_in_what_it_says(server):
    encoded = base64.b64encode(b"swordfish").decode()
    for kind, value in (("stringData", "swordfish"), ("data", encoded)):
        made, text = call(server, {**KEYS, kind: {"key": value, "word": value}})
        assert made["objects"][0]["name"] == "keys" and "swordfish" not in text and encoded not in text
    assert server.system.get("secrets", "team", "keys")["data"]["word"] == encoded


def test_what_others_own_is_left_to_them_unless_forced(server):
    call(server, SETTINGS)
    path = "/api/v1/namespaces/team/configmaps/settings?fieldManager=jane"
    http(server, "PATCH", path, {"data": {"a": "2"}}, "application/merge-patch+json")
    refused, _text = call(server, {**BALL, "apiVersion": "v1", "kind": "ConfigMap"}, SETTINGS)
    assert refused["code"] == "cluster_conflict" and "jane" in refused["msg"]
    assert [one["name"] for one in refused["applied"]] == ["ball"]
    assert call(server, SETTINGS, force=True)[0]["changed"]
    assert server.system.get("configmaps", "team", "settings")["data"] == {"a": "1"}


def test_what_is_no_manifest_is_refused_before_anything_is_written(server):
    for wrong in ({"kind": "ConfigMap", "metadata": {"name": "x"}}, {**SETTINGS, "metadata": {}}):
        refused, _text = call(server, SETTINGS, wrong)
        assert refused["failed"] and "Manifest 2 of definition has no" in refused["msg"]
    refused, _text = call(server, SETTINGS, timeout=0)
    assert "timeout must be at least 1 second" in refused["msg"]
    assert not server.journal.writes()


def test_a_definition_that_is_not_served_in_time_is_told_with_the_reason(server):
    call(server, TOYS)
    clash = {**TOYS, "metadata": {"name": "games.example.com"}}
    clash["spec"] = {**TOYS["spec"], "names": {**TOYS["spec"]["names"], "plural": "games", "singular": "game"}}
    refused, _text = call(server, clash, timeout=1)
    assert refused.get("failed") and "games.example.com is not served in time" in refused["msg"], refused
    assert '"Toy" is already in use' in refused["msg"]
