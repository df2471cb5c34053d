# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator is asked, and what becomes of a notebook where it does not answer."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import (
    delegated,
    kept,
    pipeline,
    resource,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import CellVerdict, Verdict
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.judge import refuse
from cluster_support import check_refusal, grant

from tests.apiserver import errors
from tests.apiserver.actors import validator

SOURCE = {"url": "https://git.example.com/team/notebooks.git", "ref": "main"}
PASSED = Verdict("a.ipynb", "succeeded", cells=(CellVerdict(0, "code", "Success"),), duration=1.5)
FAILED = refuse("a.ipynb", "missing_module", "Cell 1 imports thing, which is not in the environment.")
WATCH = f"{validator.GROUP}.*watch=true"
NEEDS = needs_of("operator", "team")
# Without these it polls, does without the memory of verdicts, or leaves for others to remove what it would have removed.
QUIET = {
    ("notebookvalidationjobs", "watch"),
    ("notebookvalidationjobs", "delete"),
    ("configmaps", "list"),
    ("configmaps", "delete"),
}


class Delegating:
    """A site whose notebooks the operator's double judges without a run."""

    def __init__(self, site):
        self.site, self.server = site, site.server
        self.operator = validator.install(site.server, verdicts={"*": PASSED})

    def __call__(self, *, patience=0.5, pod=None, **options):
        if not (self.site.directory / "source" / "a.ipynb").exists():
            self.site.notebook("a.ipynb", "1")
        options = {"source": SOURCE, "pod": {"patience": patience, **(pod or {})}, **options}
        return self.site.validate("a.ipynb", executor="operator", **options)

    def one(self, **options) -> dict:
        return self(**options)["by_name"]["a.ipynb"]

    def jobs(self) -> list[dict]:
        return self.server.system.list(validator.PLURAL, "team")


@pytest.fixture
def delegate(simulated):
    return Delegating(simulated)


def spec_of(delegate, **options) -> dict:
    """Return the spec of the resource that a call makes."""
    made = []

    def look(_event, kind, found):
        if kind.plural == "notebookvalidationjobs":
            made.append(found["spec"])

    forget = delegate.server.store.subscribe(look)
    delegate(**options)
    forget()
    return made[0]


def test_a_verdict_is_read_in_full_and_the_resource_goes(delegate):
    first = delegate.one()
    assert (first["status"], first["duration"], first["cells"][0]["status"]) == ("succeeded", 1.5, "Success")
    assert delegate.jobs() == [] and not first["cached"]
    assert delegate.one()["cached"] and delegate.one(cache="other")["cached"], "the namespace keeps it"
    assert delegate.one(rerun="always")["cached"] is False


def test_without_a_verdict_in_full_the_status_tells_it(delegate):
    delegate.operator.keeps, delegate.operator.verdicts = False, {"*": FAILED}
    told = delegate.one()
    assert (told["status"], told["code"], told["cause"]) == ("failed", "missing_module", FAILED.cause)
    assert told["advice"] == list(FAILED.advice) and "in full" in told["warnings"][0]


def test_what_passes_when_the_surroundings_are_put_right_is_asked_for_again(delegate):
    delegate.operator.keeps = False
    delegate.operator.verdicts = {"*": refuse("a.ipynb", "image_unavailable", "The image cannot be pulled.")}
    assert delegate.one()["code"] == "image_unavailable"
    delegate.operator.verdicts = {"*": PASSED}
    assert delegate.one()["status"] == "succeeded"


def test_options_become_fields_of_the_resource(delegate):
    spec = spec_of(
        delegate, parameters={"n": 1}, timeout=90, cell_timeout=1.5, exclude=["*.log"], rerun="always",
        environment_variables={"A": "b"}, limits={"memory": "1Gi", "cpu": 5, "processes": 7, "file_size": "2k", "output": "0"},
        policies={"strict": True, "expected_outputs": [
            {"cell": 0, "type": "number", "min_value": 1, "max_value": 2.5, "shape": [3, 4], "equals": 2, "not_empty": True}]},
        source={**SOURCE, "path": "notebooks", "secret": "git"},
        pod={
            "resources": {"limits": {"memory": "1Gi", "cpu": 2}}, "service_account": "runner", "node_selector": {"gpu": "yes"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}], "affinity": {"nodeAffinity": {}}, "priority_class": "high",
            "runtime_class": "kata", "image_pull_secrets": ["pull"], "labels": {"team": "ml"}, "annotations": {"inject": "yes"},
            "env": [{"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "c"}}}], "credentials": ["s3"],
            "env_from": [{"secretRef": {"name": "s"}}], "volumes": [{"name": "d", "emptyDir": {}}],
            "volume_mounts": [{"name": "d", "mountPath": "/d"}], "queue": "q",
        },
    )  # fmt: skip
    assert spec["notebook"] == {
        "git": {"url": SOURCE["url"], "ref": "main", "credentialsSecret": "git"}, "path": "notebooks/a.ipynb",
    }  # fmt: skip
    assert (spec["directory"], spec["exclude"], spec["rerun"], spec["retries"]) == ("notebooks", ["*.log"], "always", 0)
    assert (spec["parameters"], spec["timeout"], spec["cellTimeout"]) == ({"n": 1}, "90s", "1.5s")
    assert spec["limits"] == {
        "memory": "1073741824", "cpuTime": "5s", "processes": 7, "fileSize": "2000", "output": "0",
    }  # fmt: skip
    assert spec["validationConfig"]["strictMode"] and not spec["validationConfig"]["detectSilentFailures"]
    assert spec["validationConfig"]["expectedOutputs"] == [
        {
            "cell": 0,
            "type": "number",
            "minValue": "1.0",
            "maxValue": "2.5",
            "shape": "3,4",
            "equals": 2,
            "notEmpty": True,
        }
    ]
    pod = spec["podConfig"]
    assert pod.pop("containerImage").startswith("registry.example.com/team/notebooks@sha256:")
    assert pod == {
        "env": [{"name": "A", "value": "b"}, {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "c"}}}],
        "credentials": ["s3"], "resources": {"limits": {"memory": "1Gi", "cpu": "2"}},
        "serviceAccountName": "runner", "nodeSelector": {"gpu": "yes"}, "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}}, "priorityClassName": "high", "runtimeClassName": "kata",
        "imagePullSecrets": [{"name": "pull"}], "labels": {"team": "ml"}, "annotations": {"inject": "yes"},
        "envFrom": [{"secretRef": {"name": "s"}}], "volumes": [{"name": "d", "emptyDir": {}}],
        "volumeMounts": [{"name": "d", "mountPath": "/d"}], "queue": "q", "patience": "0.5s",
    }  # fmt: skip


def test_a_golden_notebook_is_named_in_the_same_repository(delegate):
    delegate.site.notebook("golden/a.ipynb", "1")
    comparison = {"rtol": 0.1, "ignore_timings": True, "patterns": ["id=[0-9]+"]}
    spec = spec_of(delegate, golden="golden", comparison=comparison)
    assert spec["goldenNotebook"] == {"git": {"url": SOURCE["url"], "ref": "main"}, "path": "golden/a.ipynb"}
    told = spec["comparisonConfig"]
    assert (told["relativeTolerance"], told["ignoreTimings"]) == ("0.1", True) and "absoluteTolerance" not in told
    assert told["patterns"] == [{"pattern": "id=[0-9]+", "replacement": ""}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": None}, "source.url names no repository"),
        ({"source": {**SOURCE, "ref": None}}, "source.ref"),
        ({"source": {**SOURCE, "url": "https://me:secret@git.example.com/nb.git"}}, "credentials"),
        ({"source": {**SOURCE, "image": "registry.example.com/git:1"}}, "source.image"),
        ({"results": {"claim": "out"}}, "results.claim"),
        ({"pass_variables": ["HOME"]}, "pod.env_from"),
        ({"pod": {"volumes": [{"name": "d", "csi": {"driver": "x"}}]}}, "persistentVolumeClaim"),
        ({"policies": {"expected_outputs": [{"cell": 0, "equals": None}]}}, "type: null"),
    ],
)
def test_what_the_operator_cannot_be_asked_is_refused_before_anything_is_written(delegate, options, words):
    with pytest.raises(EngineError, match=words):
        delegate(**options)
    assert not delegate.server.journal.writes()


def test_without_the_operator_a_sentence_says_how_to_get_it(simulated):
    name = simulated.notebook("a.ipynb", "1")
    with pytest.raises(EngineError, match="playbook mlops.notebooks.operator") as error:
        simulated.validate(name, executor="operator", source=SOURCE)
    assert error.value.code == "operator_missing" and not simulated.server.journal.writes()


def test_an_operator_that_says_nothing_is_not_waited_for_and_not_remembered(delegate):
    delegate.operator.silent = True
    names = [delegate.site.notebook(f"{number}.ipynb", "1") for number in range(5)]
    found = delegate.site.validate(*names, executor="operator", source=SOURCE, workers=2, pod={"patience": 0.3})
    assert {one["code"] for one in found["verdicts"]} == {"operator_silent"} and len(found["verdicts"]) == 5
    assert "team" in found["verdicts"][0]["cause"] and delegate.jobs() == []
    made = {one.path for one in delegate.server.journal.entries(verb="apply patch") if validator.GROUP in one.path}
    assert len(made) == 2, "the others are not asked for once it is clear that nobody answers"
    delegate.operator.silent = False
    assert not delegate.one()["cached"]


def test_a_notebook_that_never_ends_is_given_up_after_its_time(delegate, monkeypatch):
    monkeypatch.setattr(delegated, "_GRACE", 0.0)
    delegate.operator.stuck = ("*",)
    told = delegate.one(timeout=0.2, patience=0.2)
    assert told["code"] == "operator_silent" and "long after its timeout" in told["cause"]


def test_workers_is_how_many_are_asked_for_at_once(delegate):
    names, most = [delegate.site.notebook(f"{number}.ipynb", "1") for number in range(6)], []
    forget = delegate.server.store.subscribe(lambda *_event: most.append(len(delegate.jobs())))
    delegate.site.validate(*names, executor="operator", source=SOURCE, workers=2)
    forget()
    assert max(most) == 2


def test_what_admission_refuses_is_a_verdict_that_is_not_remembered(delegate):
    def refuse_all(context):
        if context.resource.group == validator.GROUP and not context.subresource:
            raise errors.bad_request('admission webhook "policy.example.com" denied the request: not in this namespace')

    delegate.server.admission.append(refuse_all)
    told = delegate.one()
    assert told["code"] == "validation_refused" and "not in this namespace" in told["cause"]
    delegate.server.admission.remove(refuse_all)
    assert delegate.one()["status"] == "succeeded"


def test_an_operator_of_another_schema_is_not_asked_in_half(simulated):
    definition = validator.yaml.safe_load(validator.DEFINITION.read_text(encoding="utf-8"))
    fields = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del fields["parameters"]
    simulated.server.system.create("customresourcedefinitions.apiextensions.k8s.io", definition)
    name = simulated.notebook("a.ipynb", "1")
    told = simulated.validate(name, executor="operator", source=SOURCE, parameters={"n": 1})["by_name"][name]
    assert told["code"] == "validation_refused" and "parameters" in told["cause"]


def test_a_resource_that_is_deleted_is_told_and_asked_for_again(delegate, monkeypatch):
    monkeypatch.setattr(pipeline, "RETRY_DELAY", 0.0)
    delegate.operator.stuck = ("*",)

    def delete():
        delegate.server.journal.wait_for(WATCH)
        (job,) = delegate.jobs()
        delegate.operator.stuck = ()
        delegate.server.system.delete(validator.PLURAL, "team", job["metadata"]["name"])

    deleting = threading.Thread(target=delete)
    deleting.start()
    told = delegate.one(patience=30, retries=1)
    deleting.join()
    assert (told["status"], told["attempts"]) == ("succeeded", 2)


def test_the_watch_survives_what_befalls_it(delegate):
    delegate.operator.gate = lambda: delegate.server.journal.wait_for(WATCH, 3)
    delegate.server.faults.add("gone", WATCH)
    delegate.server.faults.add("status", WATCH, status=503)
    delegate.server.faults.add("drop-watch", WATCH)
    assert delegate.one(patience=30)["status"] == "succeeded"


def interrupted(delegate, on_cancel: str, **options) -> None:
    """A call whose notebook never ends is interrupted when that has begun."""
    delegate.operator.stuck, begun = ("*",), threading.Event()

    def look(_event, kind, found):
        if kind.plural == "notebookvalidationjobs" and resource.runs(found):
            begun.set()

    def interrupt(_signal, _frame):
        raise KeyboardInterrupt

    def send():
        assert begun.wait(10)
        delegate.server.journal.wait_for(WATCH)
        os.kill(os.getpid(), signal.SIGUSR1)

    forget = delegate.server.store.subscribe(look)
    before, sending = signal.signal(signal.SIGUSR1, interrupt), threading.Thread(target=send)
    with pytest.raises(KeyboardInterrupt):
        sending.start()
        delegate(patience=30, pod={"on_cancel": on_cancel}, **options)
    sending.join()
    signal.signal(signal.SIGUSR1, before)
    forget()
    delegate.server.journal.clear()


def finish(delegate) -> None:
    """The operator ends the job that an earlier call left."""
    (job,) = delegate.jobs()
    held = kept.pack("f" * 64, "team", replace(PASSED, duration=99.0), None)
    delegate.server.system.create("configmaps", held)
    condition = {"type": "ValidationComplete", "status": "True", "reason": "R", "message": "m", "observedGeneration": 1}
    status = {"phase": "Succeeded", "observedGeneration": 1, "verdict": {"configMap": held["metadata"]["name"]}}
    status["conditions"] = [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    delegate.server.system.patch(validator.PLURAL, "team", job["metadata"]["name"], {"status": status}, "status")
    delegate.operator.stuck = ()


def test_an_interrupted_call_withdraws_what_it_asked_for(delegate):
    interrupted(delegate, "delete")
    assert delegate.jobs() == []


@pytest.mark.parametrize(("rerun", "duration"), [("never", 99.0), ("failed", 99.0), ("always", 1.5)])
def test_what_an_interrupted_call_left_is_taken_up_or_asked_for_again(delegate, rerun, duration):
    interrupted(delegate, "leave", rerun=rerun)
    finish(delegate)
    assert delegate.one(patience=30, rerun=rerun)["duration"] == duration
    assert delegate.jobs() == []


def test_a_verdict_on_an_older_question_does_not_count(delegate):
    interrupted(delegate, "leave")
    delegate.operator.gate, seen = lambda: delegate.server.journal.wait_for(WATCH), threading.Event()

    def look(_event, kind, found):
        if kind.plural == "notebookvalidationjobs" and (found.get("status") or {}).get("observedGeneration") == 2:
            seen.set()

    forget = delegate.server.store.subscribe(look)
    (job,) = delegate.jobs()
    changed = {"spec": {"timeout": "1s"}}  # by somebody else, so that what is asked next is a third generation
    delegate.server.system.patch(validator.PLURAL, "team", job["metadata"]["name"], changed)
    assert seen.wait(10)
    forget()
    finish(delegate)
    assert delegate.one(patience=30)["duration"] == 1.5


@pytest.mark.parametrize("need", [None, *NEEDS], ids=lambda one: one and f"{one.verb} {one.resource}")
def test_the_rights_that_are_named_are_those_that_are_used(delegate, need):
    grant(delegate.server, "jane", list(role_rules([one for one in NEEDS if one != need])))
    old = kept.pack("0" * 64, "team", Verdict("old.ipynb", "failed"), None)
    old["metadata"]["annotations"] |= {"notebooks.mlops.dev/decided": "2020-01-01T00:00:00Z"}
    delegate.server.system.create("configmaps", old)
    if (need and (need.resource, need.verb)) != ("notebookvalidationjobs", "list"):
        delegate.operator.gate = lambda: delegate.server.journal.wait_for(WATCH)
    try:
        result = delegate(token=delegate.server.tokens.issue("jane", 3600), patience=30)
        said = [one["cause"] or "" for one in result["verdicts"]] + result["warnings"]
    except EngineError as error:
        said = [error.message]
        assert error.code == "cluster_forbidden"
    else:
        assert not need or need.verb not in ("create", "patch"), "nothing can begin"
    if need:
        check_refusal(delegate.server, need, said, quiet=(need.resource, need.verb) in QUIET)
    else:
        assert said == [""]
