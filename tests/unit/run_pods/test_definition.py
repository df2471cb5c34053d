# SPDX-License-Identifier: GPL-3.0-or-later
"""The definition of NotebookValidationJob: what it takes, what it refuses, and that it says what each field is."""

from __future__ import annotations

import copy

import pytest

from tests.apiserver.actors import validator
from tests.apiserver.errors import ApiError

# Structural schemas of apiextensions.k8s.io/v1, as far as the definition uses them.
WORDS = set(
    "type description properties required items additionalProperties default enum pattern format minimum maximum minLength"
    " maxLength minItems maxItems maxProperties x-kubernetes-preserve-unknown-fields x-kubernetes-int-or-string x-kubernetes-validations"
    " x-kubernetes-list-type x-kubernetes-list-map-keys".split()
)
GIT = {"url": "https://git.example.com/nb.git", "ref": "main"}
# What a manifest of the operator whose names these are looks like.
JOB = {
    "apiVersion": "mlops.mlops.dev/v1alpha1",
    "kind": "NotebookValidationJob",
    "metadata": {"name": "a", "namespace": "team"},
    "spec": {
        "notebook": {"git": {**GIT, "credentialsSecret": "git"}, "path": "notebooks/a.ipynb"},
        "goldenNotebook": {"git": GIT, "path": "golden/a.ipynb"},
        "timeout": "1h30m",
        "podConfig": {
            "containerImage": "quay.io/jupyter/minimal-notebook:latest",
            "serviceAccountName": "runner",
            "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "500m"}},
            "env": [
                {"name": "A", "value": "b"},
                {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
            "envFrom": [{"secretRef": {"name": "s"}}],
            "credentials": ["s3"],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "nodeSelector": {"gpu": "yes"},
            "buildConfig": {"enabled": True, "strategy": "s2i", "fallbackStrategy": "warn"},
        },
        "comparisonConfig": {"strategy": "normalized", "floatingPointTolerance": "0.01"},
        "modelValidation": {"enabled": True, "platform": "kserve", "targetModels": ["fraud"]},
        "validationConfig": {
            "level": "production",
            "expectedOutputs": [{"cell": 3, "type": "float", "minValue": "0.9"}],
        },
    },
}


def fields(schema: dict, path: str = ""):
    """Yield each schema below this one with its path."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(inner, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def test_each_field_says_what_it_is_in_words_that_schemas_have():
    definition = validator.yaml.safe_load(validator.DEFINITION.read_text(encoding="utf-8"))
    (version,) = definition["spec"]["versions"]
    found = dict(fields(version["schema"]["openAPIV3Schema"]))
    assert len(found) > 200
    assert [path for path, schema in found.items() if "description" not in schema] == [".metadata"]
    assert [(path, set(schema) - WORDS) for path, schema in found.items() if set(schema) - WORDS] == []


@pytest.fixture
def server(simulated):
    validator.install(simulated.server, silent=True)
    return simulated.server


def test_a_manifest_of_the_operator_that_had_these_names_before_is_taken_whole(server):
    made = server.system.create(validator.PLURAL, copy.deepcopy(JOB))
    assert made["spec"]["podConfig"]["volumes"] == JOB["spec"]["podConfig"]["volumes"]
    assert made["spec"]["validationConfig"]["level"] == "production"
    small = {**JOB, "metadata": {"name": "b", "namespace": "team"}}
    small["spec"] = {"notebook": {"git": GIT, "path": "a.ipynb"}, "podConfig": {"containerImage": "nb:1"}}
    spec = server.system.create(validator.PLURAL, small)["spec"]
    assert (spec["timeout"], spec["rerun"], spec["podConfig"]["serviceAccountName"]) == ("30m", "never", "default")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timeout": "half an hour"}, "spec.timeout"),
        ({"cellTimeout": "-1s"}, "spec.cellTimeout"),
        ({"notebook": {"git": {**GIT, "url": "/srv/nb"}, "path": "a.ipynb"}}, "spec.notebook.git.url"),
        ({"notebook": {"git": GIT, "path": "a.py"}}, "spec.notebook.path"),
        ({"notebook": {"path": "a.ipynb"}}, "spec.notebook.git"),
        ({"rerun": "sometimes"}, "spec.rerun"),
        (
            {"podConfig": {"containerImage": "nb", "volumes": [{"name": "No", "emptyDir": {}}]}},
            "spec.podConfig.volumes[0].name",
        ),
        ({"podConfig": {"containerImage": "nb", "volumeMounts": [{"name": "d", "mountPath": "data"}]}}, "mountPath"),
        ({"comparisonConfig": {"floatingPointTolerance": "small"}}, "floatingPointTolerance"),
    ],
)
def test_what_cannot_be_meant_is_refused(server, change, words):
    with pytest.raises(ApiError) as refused:
        server.system.create(validator.PLURAL, {**JOB, "spec": {**JOB["spec"], **change}})
    assert refused.value.code == 422 and words in refused.value.message
