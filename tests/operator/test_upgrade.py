# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that had the reference operator: its definition is replaced, its jobs stay, and what it finished is not run again."""

from __future__ import annotations

import pytest
import yaml
from operator_support import PLURAL, URL, ApiServer, Operator, Site, Team, conditions, namespace, repository

from tests.apiserver.actors.validator import DEFINITION

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CONTAINER = {"name": "validator", "image": "registry.example.com/nb:1"}
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def thing(*required: str, **properties) -> dict:
    found = {"type": "object", "properties": properties}
    return {**found, "required": list(required)} if required else found


def old_definition() -> dict:
    """The definition of before, as far as these jobs need it: the same names, fewer fields, nothing on generations."""
    new = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    git = thing("url", "ref", url=TEXT, ref=TEXT, credentialsSecret=TEXT)
    build = thing(enabled={"type": "boolean"}, strategy=TEXT)
    spec = thing(
        "notebook", "podConfig",
        notebook=thing("git", "path", git=git, path=TEXT),
        podConfig=thing("containerImage", containerImage=TEXT, serviceAccountName=TEXT, buildConfig=build),
        timeout={**TEXT, "default": "30m"},
    )  # fmt: skip
    condition = thing(
        "type", "status", "lastTransitionTime", "reason", "message",
        type=TEXT, status=TEXT, reason=TEXT, message=TEXT, observedGeneration=WHOLE,
        lastTransitionTime={"type": "string", "format": "date-time"},
    )  # fmt: skip
    moment = {"type": "string", "format": "date-time"}
    result = thing("cellIndex", "status", cellIndex=WHOLE, status=TEXT, errorMessage=TEXT, output=TEXT)
    status = thing(
        phase=TEXT, message=TEXT, startTime=moment, completionTime=moment, validationPodName=TEXT, retryCount=WHOLE,
        lastRetryTime=moment, results={"type": "array", "items": result}, conditions={"type": "array", "items": condition},
    )  # fmt: skip
    schema = thing(apiVersion=TEXT, kind=TEXT, metadata={"type": "object"}, spec=spec, status=status)
    version = {"name": "v1alpha1", "served": True, "storage": True, "subresources": {"status": {}}}
    version["schema"] = {"openAPIV3Schema": schema}
    names = {name: new["spec"]["names"][name] for name in ("kind", "plural", "singular", "listKind")}
    metadata = {"name": new["metadata"]["name"]}
    spec = {"group": new["spec"]["group"], "scope": "Namespaced", "names": names, "versions": [version]}
    return {"apiVersion": new["apiVersion"], "kind": new["kind"], "metadata": metadata, "spec": spec}


def said(kind: str, state: str, reason: str) -> dict:
    moment = "2026-01-02T03:04:05Z"
    return {"type": kind, "status": state, "reason": reason, "message": "words", "lastTransitionTime": moment}


READY = said("Ready", "False", "Initializing")
BEGAN = {"startTime": "2026-01-02T03:00:00Z", "retryCount": 0}
OVER = {**BEGAN, "completionTime": "2026-01-02T03:04:05Z"}
PASSED = {
    **OVER, "phase": "Succeeded", "message": "Validation completed successfully", "validationPodName": "passed-validation",
    "conditions": [READY, said("ValidationComplete", "True", "ValidationComplete")],
    "results": [{"cellIndex": 0, "status": "Success"}],
}  # fmt: skip
FAILED = {
    **OVER, "phase": "Failed", "message": "Validation failed after 3 retries", "retryCount": 3,
    "lastRetryTime": "2026-01-02T03:03:05Z", "conditions": [READY, said("ValidationComplete", "False", "PodFailed")],
}  # fmt: skip
RUNNING = {
    **BEGAN, "phase": "Running", "validationPodName": "running-validation",
    "conditions": [READY, said("ValidationComplete", "Unknown", "PodRunning")],
}  # fmt: skip
BROKEN = {**BEGAN, "phase": "Failed", "conditions": [READY]}  # ended between two steps, without a verdict
SEEN = {**BEGAN, "phase": "Initializing", "conditions": [READY]}


def without_generations(status: dict) -> dict:
    """The status but for what this operator may add to a verdict that it lets stand."""
    found = {name: value for name, value in status.items() if name != "observedGeneration"}
    given = [{k: v for k, v in one.items() if k != "observedGeneration"} for one in status["conditions"]]
    return {**found, "conditions": given}


class Legacy:
    """What the operator of before leaves."""

    def __init__(self, server, team: Team, commit: str):
        self.server, self.team, self.commit = server, team, commit

    def job(self, name: str, status: dict | None, **spec) -> dict:
        job = self.team.job(name, "a.ipynb", self.commit, **spec)
        del job["spec"]["podConfig"]["patience"]
        made = self.server.system.create(PLURAL, job)
        if status:
            self.server.system.update_status(PLURAL, {**made, "status": status})
        return made

    def pod(self, job: dict) -> str:
        metadata = job["metadata"]
        name = f"{metadata['name']}-validation"
        owner = {"apiVersion": job["apiVersion"], "kind": job["kind"], "name": metadata["name"], "uid": metadata["uid"]}
        labels = {"app": "jupyter-notebook-validator", "notebookvalidationjob": metadata["name"]}
        made = {"name": name, "namespace": "team", "labels": labels, "ownerReferences": [{**owner, "controller": True}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": made}
        self.server.system.create("pods", {**pod, "spec": {"restartPolicy": "Never", "containers": [CONTAINER]}})
        return name

    def replace_definition(self) -> None:
        """As `kubectl replace` and an apply that owns all fields do it."""
        new = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
        found = self.server.system.get(DEFINITIONS, None, new["metadata"]["name"])
        self.server.system.update(DEFINITIONS, {**found, "spec": new["spec"]})


@pytest.fixture
def legacy(tmp_path):
    with ApiServer(profile="kubernetes") as server:
        namespace(server)
        server.system.create(DEFINITIONS, old_definition())
        server.pod_rules.add({"name": "notebook-run-*", "results": {"*": "completed"}})
        server.pod_rules.add({"name": "*-validation", "seconds": 600})
        site = Site(server, tmp_path)
        site.notebook("a.ipynb", "1")
        commit = repository(tmp_path / "source")
        yield Legacy(server, Team(server, tmp_path / "source"), commit)


@pytest.fixture
def start(legacy, tmp_path):
    """`start()`: the definition is replaced, and the operator begins."""
    operator = Operator(legacy.server, tmp_path, {URL: str(tmp_path / "source")})

    def begin():
        legacy.replace_definition()
        operator.start()

    yield begin
    operator.stop()


def test_what_is_finished_stays_and_what_is_not_is_validated_anew(legacy, start):
    passed, failed = legacy.job("passed", PASSED), legacy.job("failed", FAILED)
    for name, status in (("running", RUNNING), ("broken", BROKEN), ("seen", SEEN), ("unseen", None)):
        legacy.job(name, status, timeout=f"{len(name)}m")
    before = {name: legacy.server.system.get(PLURAL, "team", name)["status"] for name in ("passed", "failed")}
    start()
    for name in ("running", "broken", "seen", "unseen"):
        assert legacy.team.ended(name)["phase"] == "Succeeded", name
    for job in (passed, failed):
        found = legacy.server.system.get(PLURAL, "team", job["metadata"]["name"])
        assert found["metadata"]["uid"] == job["metadata"]["uid"]
        assert without_generations(found["status"]) == before[job["metadata"]["name"]]
    changed = legacy.team.job("failed", "a.ipynb", legacy.commit, timeout="7m")
    legacy.team.apply(changed)
    status = legacy.team.ended("failed", generation=2)
    assert (status["phase"], status["retryCount"]) == ("Succeeded", 0)
    assert {one["observedGeneration"] for one in conditions({"status": status}).values()} == {2}


def test_what_was_changed_after_its_end_is_validated_anew(legacy, start):
    legacy.job("job", PASSED)
    legacy.team.apply(legacy.team.job("job", "a.ipynb", legacy.commit, timeout="7m"))
    start()
    assert legacy.team.ended("job", generation=2)["observedGeneration"] == 2


def test_pods_of_the_operator_before_go_where_they_belong_to_the_job(legacy, start):
    job, other = legacy.job("running", RUNNING), legacy.job("other", PASSED)
    pod, kept = legacy.pod(job), legacy.pod(other)
    strange = {"name": "strange-validation", "namespace": "team"}
    legacy.server.system.create("pods", {"metadata": strange, "spec": {"containers": [CONTAINER]}})
    legacy.job("strange", {**RUNNING, "validationPodName": "strange-validation"}, timeout="8m")
    start()
    assert legacy.team.ended("running")["phase"] == legacy.team.ended("strange")["phase"] == "Succeeded"
    legacy.team.going(pod)
    for name in (kept, "strange-validation"):
        assert "deletionTimestamp" not in legacy.server.system.get("pods", "team", name)["metadata"]
