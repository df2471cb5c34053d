# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests of the operator that had these names before, and of its early documents: taken, or answered with what to change."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from desk_support import Desk
from face_support import DEFINITION, GIT, GROUP, ROOT, Face, job
from notebook_operator.asked import fields, schedule, shape
from notebook_operator.asked.question import Question
from operator_support import ApiServer, define, namespace

from tests.apiserver.cel.rules import KEY

ENTRY = {"name": "s", "key": "k"}
FILES = [{"key": "k", "path": "a/b", "mode": 0o644}]
VOLUMES = [
    {"name": "claim", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
    {"name": "map", "configMap": {"name": "m", "items": FILES, "defaultMode": 0o777, "optional": True}},
    {"name": "secret", "secret": {"secretName": "s", "items": FILES, "defaultMode": 0, "optional": False}},
    {"name": "room", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    {"name": "more", "emptyDir": {"medium": ""}},
]
AFFINITY = {
    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["yes"]}]}]}},
    "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}}]},
}  # fmt: skip


def at(**git) -> dict:
    return {"notebook": {"git": {**GIT, **git}, "path": "a.ipynb"}}


def pod(**config) -> dict:
    return {"podConfig": config}


def build(**config) -> dict:
    return pod(containerImage="quay.io/jupyter/minimal-notebook:latest", buildConfig={"enabled": True, **config})


# Every field of that operator with its values, written anew. What the document says of them is checked below.
TAKEN = {
    "notebook.git.url": [at(url=one) for one in ("https://h/n.git", "http://h/n.git", "git://h/n")],
    "notebook.git.ref": [at(ref=one) for one in ("main", "v1.0", "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "feature/x")],
    "notebook.git.credentialsSecret": [
        at(url=one, credentialsSecret="git") for one in ("https://h/n.git", "ssh://git@h/n.git", "git@h:team/n.git")
    ],
    "notebook.path": [{"notebook": {"git": GIT, "path": path}} for path in ("a.ipynb", "deep/er/a b.ipynb", "./a.ipynb")],
    "goldenNotebook": [{"goldenNotebook": {"git": {**GIT, "credentialsSecret": "git"}, "path": "golden/a.ipynb"}}],
    "timeout": [{"timeout": value} for value in ("30m", "90s", "1h30m", "1.5h", "500ms")],
    "podConfig.containerImage": [
        pod(containerImage=one) for one in ("nb:1", "quay.io/jupyter/scipy-notebook:latest", "h/nb@sha256:" + "a" * 64)
    ],
    "podConfig.serviceAccountName": [pod(serviceAccountName="runner")],
    "podConfig.resources": [
        pod(resources={"limits": {"memory": "2Gi", "cpu": "1", "nvidia.com/gpu": "1", "a": "1e3"}, "requests": {"cpu": "500m"}})
    ],
    "podConfig.env": [pod(env=[
        {"name": "A", "value": "b"}, {"name": "E"}, {"name": "K", "valueFrom": {"secretKeyRef": ENTRY}},
        {"name": "C", "valueFrom": {"configMapKeyRef": ENTRY}},
    ])],
    "podConfig.envFrom": [pod(envFrom=[{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}])],
    "podConfig.credentials": [pod(credentials=["s3", "database"])],
    "podConfig.volumes": [pod(volumes=VOLUMES)],
    "podConfig.volumeMounts": [
        pod(volumes=VOLUMES, volumeMounts=[{"name": "claim", "mountPath": "/mnt/data", "subPath": "x", "readOnly": True}])
    ],
    "podConfig.tolerations": [{"podConfig": {"tolerations": [
        {"key": "gpu", "operator": "Exists", "effect": effect} for effect in ("", "NoSchedule", "PreferNoSchedule", "NoExecute")
    ] + [{"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 60}]}}],
    "podConfig.nodeSelector": [pod(nodeSelector={"gpu": "yes"})],
    "podConfig.affinity": [pod(affinity=AFFINITY)],
    "buildConfig.enabled": [build(), {"podConfig": {"buildConfig": {"enabled": False}}}],
    "buildConfig.strategy": [build(strategy=one) for one in ("s2i", "tekton", "shipwright")],
    "buildConfig.baseImage": [build(baseImage="quay.io/jupyter/minimal-notebook:latest")],
    "buildConfig.dockerfile": [build(strategy="tekton", dockerfile="docker/Dockerfile.gpu")],
    "buildConfig.autoGenerateRequirements": [build(autoGenerateRequirements=one) for one in (True, False)],
    "buildConfig.requirementsFile": [build(requirementsFile="requirements.txt")],
    "buildConfig.requirementsSources": [build(requirementsSources=["deps/a.txt", "requirements.txt"])],
    "buildConfig.preferDockerfile": [build(preferDockerfile=one) for one in (True, False)],
    "buildConfig.fallbackStrategy": [build(fallbackStrategy=one) for one in ("warn", "fail", "auto")],
    "buildConfig.timeout": [build(timeout="15m")],
    "comparisonConfig.strategy": [{"comparisonConfig": {"strategy": one}} for one in ("exact", "normalized")],
    "comparisonConfig.floatingPointTolerance": [{"comparisonConfig": {"floatingPointTolerance": one}} for one in ("0.0001", "1e-6")],
    "comparisonConfig.ignoreTimestamps": [{"comparisonConfig": {"ignoreTimestamps": one}} for one in (True, False)],
    "comparisonConfig.ignoreExecutionCount": [{"comparisonConfig": {"ignoreExecutionCount": one}} for one in (True, False)],
    "comparisonConfig.customTimestampPatterns": [{"comparisonConfig": {"customTimestampPatterns": ["[0-9]{4}-[0-9]{2}"]}}],
    "comparisonConfig.ignoreOutputTypes": [{"comparisonConfig": {"ignoreOutputTypes": ["stderr", "image/png"]}}],
    "modelValidation.enabled": [{"modelValidation": {"enabled": one}} for one in (True, False)],
    "modelValidation.phase": [{"modelValidation": {"phase": one}} for one in ("clean", "existing", "both")],
    "modelValidation.platform": [{"modelValidation": {"platform": one}} for one in (
        "kserve", "openshift-ai", "vllm", "torchserve", "tensorflow-serving", "triton", "ray-serve", "seldon", "bentoml")],
    "modelValidation.targetModels": [{"modelValidation": {"targetModels": ["fraud", "default/other"]}}],
    "modelValidation.predictionValidation": [{"modelValidation": {"targetModels": ["fraud"], "predictionValidation": {
        "enabled": True, "testData": "[[1]]", "expectedOutput": "[1]", "tolerance": "0.01"}}}],
    "modelValidation.customPlatform": [{"modelValidation": {"platform": "custom", "targetModels": ["fraud"], "customPlatform": {
        "apiGroup": "serving.example.com", "resourceType": "models", "healthCheckEndpoint": "/health", "predictionEndpoint": "/predict"}}}],
    "modelValidation.timeout": [{"modelValidation": {"timeout": "5m"}}],
    "validationConfig.level": [{"validationConfig": {"level": one}} for one in ("learning", "development", "staging", "production")],
    **{f"validationConfig.{name}": [{"validationConfig": {name: one}} for one in (True, False)] for name in (
        "strictMode", "failOnStderr", "failOnWarnings", "detectSilentFailures", "checkOutputTypes", "verifyAssertions")},
    "validationConfig.expectedOutputs": [{"validationConfig": {"expectedOutputs": [
        {"cell": 3, "type": "float", "shape": "2,3", "minValue": "0.1", "maxValue": "1", "notEmpty": True}]}}],
}  # fmt: skip
# Values that are answered with a sentence, by the server when they are applied, or else by the operator.
ANSWERED = {
    "buildConfig.strategy": [(build(strategy="kaniko"), "Kaniko is archived"), (build(strategy="custom"), "there is no strategy custom; choose")],
    "buildConfig.strategyConfig": [(build(strategyConfig={"registry": "h/team"}), "strategyConfig knows no registry: use")],
    "validationConfig.requireExplicitExitCodes": [({"validationConfig": {"requireExplicitExitCodes": True}}, "a notebook has no exit code")],
    "podConfig.resources": [({"podConfig": {"resources": {"limits": {"memory": "much"}}}}, "a value of podConfig.resources is no quantity")],
}  # fmt: skip
# Manifests of early documents.
EARLY = [
    ({"notebook": {"gitRepo": {"url": "u", "branch": "main"}, "path": "a.ipynb"}}, "notebook.gitRepo is called git now: write git: {url: ..., ref: ...}"),
    ({"notebook": {"git": {**GIT, "path": "a.ipynb"}}}, 'unknown field "spec.notebook.git.path"'),
    ({"modelValidation": {"predictionValidation": {"tolerance": 0.01}}}, "predictionValidation.tolerance in body must be of type string"),
    (build(strategyConfig={"s2i": {"builderImage": "x"}}), "spec.podConfig.buildConfig.strategyConfig.s2i"),
    ({"podConfig": {"volumes": [{"name": "source", "emptyDir": {}}]}}, "as one of the operator's own is named"),
]  # fmt: skip


@pytest.fixture(scope="module")
def face():
    with ApiServer(profile="kubernetes", pods="none") as server:
        found = Face(server)
        found.define(DEFINITION)
        yield found


def create(face, manifest: dict) -> tuple[int, dict]:
    """As `kubectl create` and `kubectl apply` do it, which name the fields that the server does not know."""
    path = f"/apis/{GROUP}/v1alpha1/namespaces/default/notebookvalidationjobs?fieldValidation=Strict&dryRun=All"
    return face.call("POST", path, manifest)


@pytest.mark.parametrize("field", sorted(TAKEN))
def test_each_field_that_was_there_is_taken(face, field):
    for spec in copy.deepcopy(TAKEN[field]):
        status, found = create(face, job(**spec))
        assert status == 201, found["message"]
        Question.of(found["spec"])
        schedule.check(found["spec"])


@pytest.mark.parametrize("field", sorted(ANSWERED))
def test_what_cannot_be_done_is_answered(face, field, tmp_path):
    for spec, words in copy.deepcopy(ANSWERED[field]):
        status, found = create(face, job(**spec))
        said = found["message"] if status == 422 else _operators_words(found["spec"], tmp_path)
        assert words in said


def _operators_words(spec: dict, place: Path) -> str:
    from notebook_operator.work import environment

    with pytest.raises(EngineError) as refused:
        question = Question.of(spec)
        if question.is_built:
            environment._settings(spec["podConfig"]["buildConfig"]["strategyConfig"])
    return refused.value.message


@pytest.mark.parametrize(("spec", "words"), EARLY, ids=[words[:40] for _spec, words in EARLY])
def test_manifests_of_early_documents_are_answered_with_what_to_change(face, spec, words):
    status, found = create(face, job(**copy.deepcopy(spec)))
    assert status in (400, 422) and words in found["message"]


def test_an_image_beside_a_build_may_be_there_or_not(face):
    spec = {"podConfig": {"buildConfig": {"enabled": True, "strategy": "s2i", "autoGenerateRequirements": False}}}
    manifest = job(**spec)
    del manifest["spec"]["podConfig"]["containerImage"]
    for one in (manifest, job(**build())):
        status, found = create(face, one)
        assert status == 201, found["message"]
        assert Question.of(found["spec"]).is_built


def test_the_group_of_early_documents_is_another_one(face):
    manifest = {**job(), "apiVersion": "mlops.redhat.com/v1alpha1"}
    path = "/apis/mlops.redhat.com/v1alpha1/namespaces/default/notebookvalidationjobs"
    assert face.call("POST", path, manifest)[0] == 404


def test_annotations_that_once_set_a_comparison_are_answered_by_an_event(tmp_path, monkeypatch):
    gone = {"mlops.dev/comparison-strategy": "exact", "mlops.dev/comparison-tolerance": "0.1", "other": "x"}
    assert [one.split()[2] for one in shape.notes({"annotations": gone})] == sorted(gone)[:2]
    with ApiServer(profile="kubernetes", pods="simulated") as server:
        namespace(server)
        define(server)
        desk = Desk(server, tmp_path, monkeypatch)
        desk.status("old", "missing.ipynb", {"annotations": {"mlops.dev/comparison-strategy": "exact"}})
        said = desk.events("old")["AnnotationIgnored"]
    assert said == "The annotation mlops.dev/comparison-strategy does nothing: say it by spec.comparisonConfig."


def test_jobs_that_were_stored_before_there_were_rules_are_worked_with(face):
    """An upgrade of the definition leaves them, whatever they hold, and their status can be written."""
    with ApiServer(profile="kubernetes", pods="none") as server:
        old, face = yaml.safe_load(DEFINITION.read_text(encoding="utf-8")), Face(server)
        _without_rules(old)
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert face.call("POST", path, old)[0] == 201
        stored = job("old", **build(strategy="kaniko"), notebook={"git": GIT, "path": "../a.ipynb"})
        assert face.apply(stored)[0] == 201
        new = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
        status, found = face.call(
            "PATCH", f"{path}/{new['metadata']['name']}", {"spec": new["spec"]}, "application/merge-patch+json"
        )
        assert status == 200, found
        assert face.apply({**stored, "metadata": {**stored["metadata"], "name": "new"}})[0] == 422
        place = f"/apis/{GROUP}/v1alpha1/namespaces/default/notebookvalidationjobs/old"
        merge = "application/merge-patch+json"
        assert face.call("PATCH", f"{place}/status", {"status": {"phase": "Failed"}}, merge)[0] == 200
        assert face.call("PATCH", place, {"metadata": {"labels": {"a": "b"}}}, merge)[0] == 200
        assert face.call("PATCH", place, {"spec": {"timeout": "1m"}}, merge)[0] == 200


def _without_rules(schema) -> None:
    if isinstance(schema, dict):
        schema.pop(KEY, None)
    for one in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _without_rules(one)


def test_the_document_has_a_row_for_each_of_these_fields():
    text = (ROOT / "docs" / "operator-compatibility.md").read_text(encoding="utf-8")
    told = set(
        re.findall(r"`([^`]+)`", "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `")))
    )
    wanted = {*TAKEN, *ANSWERED, "notebook.gitRepo"}
    assert sorted(wanted - told) == []


def test_the_document_tells_of_no_field_that_is_not_there():
    text = (ROOT / "docs" / "operator-compatibility.md").read_text(encoding="utf-8")
    section = text.partition("## Fields")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([^`]+)`", section, re.M)
    known = {*fields.ACTS, *fields.REFUSED}
    heads = {entry.removesuffix(".**").replace("[]", "") for entry in known}
    for name in told:
        full = f"podConfig.{name}" if name.startswith("buildConfig") else name
        assert any(head == full or head.startswith((f"{full}.",)) or full.startswith(f"{head}.") for head in heads), (
            name
        )
