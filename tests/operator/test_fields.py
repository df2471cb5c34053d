# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of the definition acts, or is refused with a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "operator"))
from notebook_operator.asked import fields  # noqa: E402
from notebook_operator.asked.question import Question  # noqa: E402
from notebook_operator.settings import Settings  # noqa: E402

GIT = {"url": "https://git.example.com/nb.git", "ref": "main"}
SPEC = {
    "notebook": {"git": GIT, "path": "a.ipynb"},
    "podConfig": {"containerImage": "registry.example.com/nb@sha256:" + "e" * 64},
}


def leaves(schema: dict, path: str = ""):
    """Yield the path of each field of a schema that is no object with fields of its own."""
    inner = schema.get("properties", {})
    for name, one in inner.items():
        yield from leaves(one, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from leaves(schema["items"], f"{path}[]")
    elif not inner:
        yield path


def test_the_operator_knows_each_field_of_the_definition_and_no_other():
    definition = yaml.safe_load(
        (ROOT / "operator" / "crds" / "notebookvalidationjobs.yaml").read_text(encoding="utf-8")
    )
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    known = {
        path: fields.covering(fields.ACTS, path) or fields.covering(fields.REFUSED, path) for path in leaves(schema)
    }
    assert [path for path, entry in known.items() if entry is None] == []
    assert sorted({*fields.ACTS, *fields.REFUSED} - set(known.values())) == []


def change(**more) -> dict:
    """The spec with further fields; those of podConfig are added to it."""
    return {**SPEC, **more, "podConfig": {**SPEC["podConfig"], **more.get("podConfig", {})}}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"validationConfig": {"educationalMode": True}}, "advice comes without examples"),
        ({"validationConfig": {"requireExplicitExitCodes": True}}, "a notebook has no exit code"),
        ({"weather": "fair"}, "does not know the field weather"),
        ({"notebook": {**SPEC["notebook"], "path": "../a.ipynb"}}, "notebook.path is ../a.ipynb, which leaves the source"),
        ({"directory": "sub"}, "The notebook a.ipynb is not below the directory sub"),
        ({"notebook": {"git": {"url": "https://u:p@h/nb.git", "ref": "main"}, "path": "a.ipynb"}}, "name a Secret that holds them with git.credentialsSecret"),
        ({"notebook": {"git": {"url": "git@h:nb.git", "ref": "--upload-pack=x"}, "path": "a.ipynb"}}, "git.ref is '--upload-pack=x'"),
        ({"podConfig": {"volumes": [{"name": "work", "emptyDir": {}}]}}, "podConfig.volumes names a volume work"),
        ({"podConfig": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}}, "podConfig.volumeMounts names the volume 'data'"),
        ({"limits": {"memory": "much"}}, "limits.memory is 'much'"),
        ({"notebook": {"git": GIT}}, "Name one notebook by notebook.path, or many by notebook.paths."),
        ({"notebook": {"git": GIT, "path": "a.ipynb", "paths": ["b.ipynb"]}}, "or many by notebook.paths."),
        ({"notebook": {"git": GIT, "paths": ["a.ipynb", "../*.ipynb"]}}, "notebook.paths is ../*.ipynb, which leaves the source"),
        ({"notebook": {"git": GIT, "paths": ["nb/*.ipynb", "b.ipynb"]}, "directory": "nb"}, "The notebook b.ipynb is not below"),
        ({"goldenNotebook": {"git": GIT}}, "or many by goldenNotebook.directory."),
        ({"notebook": {"git": GIT, "paths": ["*.ipynb"]}, "goldenNotebook": {"git": GIT, "path": "g.ipynb"}}, "is for one notebook"),
        ({"retries": 1, "retryPolicy": {"limit": 2}}, "Give retries, or retryPolicy, and not both."),
        ({"podConfig": {"imageRef": SPEC["podConfig"]["containerImage"]}}, "Give podConfig.containerImage, or podConfig.imageRef"),
        ({"artifacts": {"claim": {"name": "results", "path": "../x"}}}, "artifacts.claim.path"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_a_sentence(more, words):
    with pytest.raises(EngineError) as refused:
        Question.of(change(**more))
    assert words in refused.value.message


def test_defaults_that_ask_for_nothing_are_no_reason_to_refuse():
    policies = {"level": "development", "strictMode": False, "educationalMode": False, "checkOutputTypes": True}
    models = {"enabled": False, "platform": "kserve", "phase": "both"}
    assert Question.of(change(validationConfig=policies, modelValidation=models)).settings.policies == {
        "strict": False,
        "detect_silent_failures": True,
    }


def test_fields_come_to_the_engine_as_it_names_them():
    found = Question.of(
        change(
            directory="nb", notebook={**SPEC["notebook"], "path": "nb/a.ipynb"}, timeout="1h30m", cellTimeout="500ms",
            exclude=["*.csv"], limits={"memory": "1Gi", "cpuTime": "2m", "processes": 0}, retries=0, rerun="failed",
            comparisonConfig={"strategy": "normalized", "floatingPointTolerance": "0.1", "absoluteTolerance": "0.5",
                              "customTimestampPatterns": ["at .*"], "ignoreOutputTypes": ["stdout"]},
            validationConfig={"expectedOutputs": [{"cell": 1, "minValue": "2", "notEmpty": False}]},
            podConfig={
                "env": [{"name": "A", "value": "b"}, {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": "c"}}], "credentials": ["s3"], "imagePullSecrets": [{"name": "pull"}],
                "patience": "2m", "annotations": {"inject": "yes"},
            },
        )
    )  # fmt: skip
    assert (found.notebooks, found.settings.timeout, found.settings.cell_timeout) == (("nb/a.ipynb",), 5400.0, 0.5)
    assert (found.limits.memory, found.limits.cpu, found.limits.processes) == (1024**3, 120, None)
    assert found.settings.comparison == {
        "rtol": "0.1", "atol": "0.5", "ignore_outputs": ["stdout"], "patterns": [{"pattern": "at .*", "replacement": "<time>"}]
    }  # fmt: skip
    assert found.settings.policies["expected_outputs"] == [{"cell": 1, "min_value": "2"}]
    assert found.variables == {"A": "b"} and [one["name"] for one in found.pod.env] == ["K"]
    assert (found.pod.env_from, found.pod.credentials) == (({"configMapRef": {"name": "c"}},), ("s3",))
    assert (found.pod.image_pull_secrets, found.pod.patience) == (("pull",), 120.0)
    assert (found.exclude, found.retry.limit, found.rerun) == (("*.csv",), 0, "failed")


def test_fields_about_time_and_many_notebooks_come_to_the_engine():
    found = Question.of(
        change(
            notebook={"git": GIT, "paths": ["a/**/*.ipynb", "b.ipynb"]}, goldenNotebook={"git": GIT, "directory": "golden"},
            retryPolicy={"limit": 4, "backoff": "500ms", "maxBackoff": "1m"}, totalTimeout="2h", parallelism=3,
            artifacts={"formats": ["junit"], "claim": {"name": "results", "path": "runs"}},
        )
    )  # fmt: skip
    assert (found.notebooks, found.many, found.golden, found.mirrored) == (
        ("a/**/*.ipynb", "b.ipynb"),
        True,
        "golden",
        True,
    )
    assert (found.retry.limit, found.retry.delay, found.retry.most) == (4, 0.5, 60.0)
    assert (found.total, found.parallelism, found.formats) == (7200.0, 3, ("junit",))
    assert (found.results.claim, found.results.path) == ("results", "runs")
    plain = Question.of(SPEC)
    assert (plain.total, plain.retry.limit, plain.retry.delay, plain.many) == (None, 2, None, False)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"level": "learning"}, set()),
        ({}, {"detect_silent_failures"}),
        ({"level": "staging"}, {"detect_silent_failures", "fail_on_warnings"}),
        ({"level": "production"}, {"detect_silent_failures", "fail_on_warnings", "fail_on_stderr"}),
        ({"level": "production", "failOnStderr": False}, {"detect_silent_failures", "fail_on_warnings"}),
        ({"level": "learning", "strictMode": True}, {"strict"}),
    ],
)
def test_a_level_is_a_set_of_policies_and_what_is_said_itself_counts(given, asked):
    found = Question.of(change(validationConfig=given)).settings.policies
    assert {name for name, value in found.items() if value} == asked


def test_a_job_without_validation_config_asks_for_no_policy():
    assert Question.of(SPEC).settings.policies == {}


def test_exact_means_that_nothing_is_taken_out_of_texts():
    given = {"strategy": "exact", "ignoreTimestamps": True, "floatingPointTolerance": "0.1"}
    found = Question.of(change(comparisonConfig=given)).settings.comparison
    assert (found["rtol"], found["atol"], found["ignore_timestamps"], found["ignore_addresses"]) == (
        0.0,
        0.0,
        False,
        False,
    )


def test_settings_come_from_the_environment():
    given = {
        "NOTEBOOK_OPERATOR_NAMESPACES": "a, b,",
        "NOTEBOOK_OPERATOR_JOBS": "5",
        "NOTEBOOK_OPERATOR_VERDICT_DAYS": "",
    }
    assert Settings.of(given) == Settings(namespaces=("a", "b"), jobs=5)
    with pytest.raises(ValueError, match="NOTEBOOK_OPERATOR_FETCH_SECONDS is '0': give a whole number of at least 1"):
        Settings.of({"NOTEBOOK_OPERATOR_FETCH_SECONDS": "0"})
