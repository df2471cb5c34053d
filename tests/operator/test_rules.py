# SPDX-License-Identifier: GPL-3.0-or-later
"""What no schema can say is refused when it is applied, by the rules of the definition; the operator itself says it, too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.registry import Registry
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod import manifests, merging
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from face_support import DEFINITION, GIT, ROOT, Face, job
from operator_support import ApiServer

from tests.apiserver.cel.rules import KEY

sys.path.insert(0, str(ROOT / "operator"))
from notebook_operator.asked import schedule  # noqa: E402
from notebook_operator.asked.question import Question  # noqa: E402

DEFINITIONS = [
    file
    for file in sorted(DEFINITION.parent.glob("*.yaml"))
    if "kind: CustomResourceDefinition" in file.read_text(encoding="utf-8")
]
REFERENCE = {"secretKeyRef": {"name": "s", "key": "k"}}
BOTH = {**REFERENCE, "configMapKeyRef": {"name": "c", "key": "k"}}
MANY = {"git": GIT, "paths": ["*.ipynb"]}
CLAIM = {"persistentVolumeClaim": {"claimName": "c"}}
DIGEST = "r.example.com/nb@sha256:" + "a" * 64


@pytest.fixture(scope="module")
def face():
    with ApiServer(profile="kubernetes", pods="none") as server:
        found = Face(server)
        found.define(*DEFINITIONS)  # the server refuses rules that do not compile, or may cost too much
        yield found


def volumes(*names: str, **source) -> list[dict]:
    return [{"name": name, **(source or {"emptyDir": {}})} for name in names]


def mounts(*paths: str, volume: str = "data") -> dict:
    return {"volumes": volumes(volume), "volumeMounts": [{"name": volume, "mountPath": path} for path in paths]}


def golden(**where) -> dict:
    return {"git": GIT, **where}


def built(**config) -> dict:
    return {"buildConfig": {"enabled": True, **config}}


# What is applied -> words of the refusal, and of what the operator says where the cluster asks no rules.
CASES = [
    # where it is
    ({"notebook": {"path": "a.ipynb"}}, "spec.notebook.git: Required value: name the repository", "Name the repository by notebook.git.url"),
    ({"notebook": {"gitRepo": {"url": "u", "branch": "b"}, "path": "a.ipynb"}}, "notebook.gitRepo is called git now", "notebook.gitRepo is called git now"),
    ({"notebook": {"git": GIT}}, "name one notebook by notebook.path, or many", "Name one notebook by notebook.path, or many"),
    ({"notebook": {"git": GIT, "path": "a.ipynb", "paths": ["*.ipynb"]}}, "name one notebook by notebook.path", "Name one notebook by notebook.path"),
    ({"notebook": {"git": {**GIT, "url": "https://u:p@git.example.com/nb"}, "path": "a.ipynb"}}, "a password stands in git.url", "credentialsSecret"),
    ({"notebook": {"git": GIT, "path": "../a.ipynb"}}, "notebook.path leaves the source", "notebook.path is ../a.ipynb, which leaves the source"),
    ({"notebook": {"git": GIT, "path": "/srv/a.ipynb"}}, "notebook.path leaves the source", "leaves the source"),
    ({"notebook": {"git": GIT, "path": "x/.git/a.ipynb"}}, "notebook.path leaves the source", "leaves the source"),
    ({"notebook": {"git": GIT, "paths": ["a/*.ipynb", "b/../../*.ipynb"]}}, "an entry of notebook.paths leaves", "notebook.paths is b/../../*.ipynb"),
    ({"directory": "a/.."}, "directory leaves the source", "directory is a/.., which leaves the source"),
    ({"goldenNotebook": golden()}, "name one golden notebook", "Name one golden notebook"),
    ({"goldenNotebook": golden(path="a.ipynb", directory="g")}, "name one golden notebook", "Name one golden notebook"),
    ({"goldenNotebook": golden(path="../g.ipynb")}, "goldenNotebook.path leaves the source", "goldenNotebook.path is ../g.ipynb"),
    ({"goldenNotebook": golden(directory="/g")}, "goldenNotebook.directory leaves the source", "goldenNotebook.directory is /g"),
    ({"notebook": MANY, "goldenNotebook": golden(path="g.ipynb")}, "goldenNotebook.path is for one notebook", "goldenNotebook.path is for one notebook"),
    # how it is run
    ({"retries": 1, "retryPolicy": {"limit": 2}}, "give retries, or retryPolicy", "Give retries, or retryPolicy"),
    ({"podConfig": {"containerImage": "nb", "imageRef": DIGEST}}, "give podConfig.containerImage, or podConfig.imageRef", "Give podConfig.containerImage, or"),
    ({"podConfig": {"imageRef": DIGEST, **built()}}, "and buildConfig builds another one", "and buildConfig builds another one"),
    ({"podConfig": {"volumes": volumes("x", "x")}}, "two volumes of podConfig.volumes have one name", "two volumes named x"),
    ({"podConfig": {"volumes": [{"name": "x"}]}}, "a volume has exactly one of", "The volume x of podConfig.volumes needs exactly one"),
    ({"podConfig": {"volumes": volumes("x", **CLAIM, emptyDir={})}}, "a volume has exactly one of", "needs exactly one of"),
    ({"podConfig": {"volumeMounts": [{"name": "x", "mountPath": "/x"}]}}, "names a volume that podConfig.volumes does not hold", "names the volume 'x'"),
    ({"podConfig": mounts("/data", "/data")}, "mounts twice at one path", "mounts twice at /data"),
    ({"podConfig": mounts("/data/../work")}, "mountPath holds . or ..", "where /work of the collection is"),
    ({"podConfig": {"env": [{"name": "A", "value": "", "valueFrom": REFERENCE}]}}, "has both value and valueFrom", "has both value and valueFrom"),
    ({"podConfig": {"env": [{"name": "A", "valueFrom": {}}]}}, "valueFrom has exactly one of", "needs exactly one of secretKeyRef and configMapKeyRef"),
    ({"podConfig": {"env": [{"name": "A", "valueFrom": BOTH}]}}, "valueFrom has exactly one of", "needs exactly one of secretKeyRef"),
    ({"podConfig": {"envFrom": [{"prefix": "X_"}]}}, "has exactly one of secretRef and configMapRef", "needs exactly one of secretRef and configMapRef"),
    # what is built
    ({"podConfig": built(strategy="kaniko")}, "spec.podConfig.buildConfig.strategy: Invalid value: \"object\": Kaniko is archived", None),
    ({"podConfig": built(strategy="custom")}, "there is no strategy custom; choose", None),
    # when it is run
    ({"schedule": "0 6 * * *", "ttlSecondsAfterFinished": 60}, "would delete a job that its schedule validates again", None),
    ({"timeZone": "Europe/Prague"}, "timeZone is that of a schedule", None),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "words", "operators"), CASES, ids=[words[:50] for _spec, words, _operators in CASES])
def test_a_rule_refuses_with_a_sentence_and_so_does_the_operator(face, spec, words, operators):
    assert words in face.refusal(job(**spec))
    if operators:
        with pytest.raises(EngineError) as refused:
            Question.of(job(**spec)["spec"])
        assert operators in refused.value.message


def test_neither_image_nor_build(face):
    manifest = job()
    del manifest["spec"]["podConfig"]["containerImage"]
    assert "give containerImage or imageRef, or let an image be built" in face.refusal(manifest)
    with pytest.raises(EngineError, match="let an image be built"):
        Question.of(manifest["spec"])


@pytest.mark.parametrize("field", ["requirementsFile", "dockerfile"])
def test_files_of_a_build_are_below_the_source(face, field):
    assert f"buildConfig.{field} leaves the source" in face.refusal(job(podConfig=built(**{field: "../x"})))
    spec = job(directory="nb", notebook={"git": GIT, "path": "nb/a.ipynb"})["spec"]
    with pytest.raises(EngineError, match=f"buildConfig.{field} is ../x, which leaves the source"):
        Question.of(spec).below("../x", f"buildConfig.{field}")
    assert "requirementsSources leaves" in face.refusal(job(podConfig=built(requirementsSources=["r.txt", "/r.txt"])))


def test_strategies_that_are_refused_have_none(face):
    """The rules name those that do not exist, and the definition names no other that does not."""
    known = Registry([kind(lambda code: False) for kind in _builders()]).names()
    definition = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    pod = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "podConfig"
    ]
    named = set(pod["properties"]["buildConfig"]["properties"]["strategy"]["enum"])
    assert named - set(known) == {"kaniko", "custom", "auto"} and set(known) <= named
    for name in sorted(named - {"kaniko", "custom"}):
        assert face.apply(job(podConfig=built(strategy=name)), dry=True)[0] in (200, 201)
    off = job(podConfig={"buildConfig": {"enabled": False, "strategy": "kaniko"}})
    assert face.apply(off, dry=True)[0] in (200, 201)  # it asks for nothing


def _builders():
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.builders import BUILDERS

    return BUILDERS


@pytest.mark.parametrize("name", sorted(manifests.VOLUMES))
def test_names_of_the_operators_volumes(face, name):
    assert "as one of the operator's own is named" in face.refusal(job(podConfig={"volumes": volumes(name)}))


@pytest.mark.parametrize("place", sorted(manifests.PLACES))
def test_places_of_the_operator(face, place):
    for path in (place, f"{place}/", f"{place}/below", f"/{place}"):
        assert "where the operator's own directories are" in face.refusal(job(podConfig=mounts(path))), path
    assert face.apply(job(podConfig=mounts(f"{place}x")), dry=True)[0] in (200, 201)  # only begins so


@pytest.mark.parametrize("path", ["/", "/dev"])
def test_what_is_above_a_place_of_the_operator(face, path):
    assert "where the operator's own directories are" in face.refusal(job(podConfig=mounts(path)))


@pytest.mark.parametrize("name", sorted(merging._OURS))
def test_variables_of_the_operator(face, name):
    entry = {"name": name, "valueFrom": REFERENCE}
    assert "sets a variable that the operator sets itself" in face.refusal(job(podConfig={"env": [entry]}))
    with pytest.raises(EngineError, match=f"podConfig.env sets {name}"):
        Question.of(job(podConfig={"env": [entry]})["spec"])


def test_all_that_is_in_order_is_taken(face):
    manifest = job(
        notebook={"git": {**GIT, "url": "ssh://git@git.example.com:2222/team/nb.git"}, "paths": ["**/*.ipynb", "a b/..c.ipynb"]},
        goldenNotebook=golden(directory="golden"), directory="", timeout="0s", retryPolicy={"limit": 3},
        podConfig={
            "imageRef": DIGEST, "volumes": [*volumes("data", "more"), *volumes("x", **CLAIM)],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "data", "mountPath": "/data/sub", "subPath": "s"}],
            "env": [{"name": "HOME", "value": "/work"}, {"name": "B"}, {"name": "K", "valueFrom": REFERENCE}],
            "envFrom": [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}, "prefix": "C_"}],
            "buildConfig": {"enabled": False, "requirementsFile": "reqs/a.txt", "dockerfile": "docker/Dockerfile"},
        },
    )  # fmt: skip
    status, found = face.apply(manifest)
    assert status == 201, found
    Question.of(found["spec"])


def test_a_schedule_with_nothing_against_it(face):
    status, found = face.apply(job("nightly", schedule="0 6 * * 1-5", timeZone="Europe/Prague"))
    assert status == 201, found["message"]
    with pytest.raises(EngineError, match="would delete a job"):
        schedule.check({**found["spec"], "ttlSecondsAfterFinished": 1})


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"comparisonConfig": {"customTimestampPatterns": ["[0-9"]}}, "comparisonConfig.patterns is no regular expression: '[0-9'"),
        ({"comparisonConfig": {"patterns": [{"pattern": "("}]}}, "comparisonConfig.patterns is no regular expression: '('"),
        ({"validationConfig": {"expectedOutputs": [{"cell": 1, "matches": "("}]}}, "validationConfig.expectedOutputs[0].matches is no regular"),
        ({"validationConfig": {"expectedOutputs": [{"cell": 1, "expression": "[["}]}}, "expectedOutputs[0].expression is no JMESPath"),
        ({"comparisonConfig": {"ignoreOutputTypes": ["x"]}}, "comparisonConfig.ignoreOutputTypes names 'x'"),
    ],
)  # fmt: skip
def test_what_no_rule_can_tell_is_refused_by_the_operator_before_it_begins(face, spec, words):
    """Rules know RE2, and these are expressions of Python."""
    assert face.apply(job(**spec), dry=True)[0] in (200, 201)
    with pytest.raises(EngineError) as refused:
        Question.of(job(**spec)["spec"])
    assert words in refused.value.message


# --- the budget of the API server


def test_whatever_a_rule_reads_of_many_has_a_limit():
    """The server estimates rules by the largest object; what has no limit is as large as a request."""
    for file in DEFINITIONS:
        for version in yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["versions"]:
            assert list(_unbounded(version["schema"]["openAPIV3Schema"], file.stem)) == []


def _unbounded(schema: dict, path: str):
    """Yield each list and map that holds a rule, or is read by one, and has no limit."""
    read = " ".join(rule["rule"] for rule in schema.get(KEY, ()))
    for name, inner in schema.get("properties", {}).items():
        if f".{name}." in read and inner.get("type") == "array" and "maxItems" not in inner:
            yield f"{path}.{name}: maxItems"
        if f".{name}." in read and "additionalProperties" in inner and "maxProperties" not in inner:
            yield f"{path}.{name}: maxProperties"
        yield from _unbounded(inner, f"{path}.{name}")
    for word, limit in (("items", "maxItems"), ("additionalProperties", "maxProperties")):
        inner = schema.get(word)
        if isinstance(inner, dict):
            if _ruled(inner) and limit not in schema:
                yield f"{path}: {limit}"
            yield from _unbounded(inner, f"{path}[]")
    if schema.get("type") == "string" and KEY in schema and not {"maxLength", "enum"} & set(schema):
        yield f"{path}: maxLength"


def _ruled(schema: dict) -> bool:
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return KEY in schema or any(_ruled(one) for one in inner if isinstance(one, dict))
