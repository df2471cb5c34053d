# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manager owns of an object, as a server writes it, against what is to be applied."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.fields import covers, owned

MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "team", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "containers": [
                    {"name": "main", "image": "web:1", "ports": [{"containerPort": 80}], "args": ["-v"]},
                    {"name": "side", "image": "side:1", "env": [{"name": "A", "value": "1"}]},
                ],
                "volumes": [{"name": "scratch", "emptyDir": {}}],
            }
        },
    },
}
# As Kubernetes 1.36 answers the server-side apply of that manifest.
TREE = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"main"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:args": {},
                        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                    },
                    'k:{"name":"side"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                    },
                },
                "f:volumes": {'k:{"name":"scratch"}': {".": {}, "f:name": {}, "f:emptyDir": {}}},
            }
        },
    },
}


def test_the_manifest_that_was_applied_is_covered():
    assert covers(TREE, MANIFEST)


def without(tree: dict, path: str) -> dict:
    """The tree without a field, and without what held nothing but that field."""
    first, _slash, rest = path.partition("/")
    inner = without(tree[first], rest) if rest else {}
    return {name: value if name != first else inner for name, value in tree.items() if name != first or inner}


@pytest.mark.parametrize(
    "path",
    [
        "f:spec/f:replicas",
        "f:metadata/f:labels/f:app",
        'f:spec/f:template/f:spec/f:containers/k:{"name":"side"}',
        'f:spec/f:template/f:spec/f:containers/k:{"name":"main"}/f:image',
        'f:spec/f:template/f:spec/f:containers/k:{"name":"side"}/f:env/k:{"name":"A"}/f:value',
        'f:spec/f:template/f:spec/f:volumes/k:{"name":"scratch"}',
    ],
)
def test_a_field_that_another_manager_took_is_not(path):
    assert not covers(without(TREE, path), MANIFEST)


def test_items_of_a_list_are_told_apart_by_their_key():
    ports = {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    assert covers({"f:spec": {"f:ports": ports}}, service)
    service["spec"]["ports"].append({"port": 81})
    assert not covers({"f:spec": {"f:ports": ports}}, service)


def test_items_of_a_set_are_told_apart_by_their_value():
    tree = {"f:metadata": {"f:finalizers": {'v:"example.com/ours"': {}}}}
    finalizers = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "finalizers": ["example.com/ours"]},
    }
    assert covers(tree, finalizers)
    finalizers["metadata"]["finalizers"] = ["example.com/other"]
    assert not covers(tree, finalizers)


def test_what_says_nothing_needs_no_owner():
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": None, "binaryData": {}}
    assert covers({}, manifest)


def test_only_what_was_applied_by_the_manager_to_the_object_itself_counts():
    entries = [
        {"manager": "us", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}},
        {"manager": "us", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}},
        {"manager": "them", "operation": "Apply", "fieldsV1": {"f:data": {"f:b": {}}}},
    ]
    assert owned({"metadata": {"managedFields": entries}}, "us") is None
    entries.append({"manager": "us", "operation": "Apply", "fieldsV1": {"f:data": {"f:c": {}}}})
    assert owned({"metadata": {"managedFields": entries}}, "us") == {"f:data": {"f:c": {}}}


def test_an_owner_reference_is_owned_as_a_whole():
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"}
    tree = {"f:metadata": {"f:ownerReferences": {'k:{"uid":"u"}': {}}}}
    assert covers(tree, {"metadata": {"name": "b", "ownerReferences": [owner]}})
    assert not covers(tree, {"metadata": {"name": "b", "ownerReferences": [{**owner, "uid": "v"}]}})
