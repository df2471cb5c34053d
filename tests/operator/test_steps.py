# SPDX-License-Identifier: GPL-3.0-or-later
"""One job step by step, in a cluster whose pods only say that they ran: builds, refusals, what a cluster can answer."""

from __future__ import annotations

import functools
import gzip
import json
import sys
import threading
from base64 import b64decode
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from operator_support import PLURAL, ROOT, URL, ApiServer, Site, Team, conditions, define, namespace, repository

sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests" / "unit" / "s2i_build")]
from cluster_support import auth  # noqa: E402
from image_support import BASE, PLAIN  # noqa: E402
from notebook_operator.settings import Settings  # noqa: E402
from notebook_operator.turns import jobs as jobs_module  # noqa: E402
from notebook_operator.turns.jobs import Jobs  # noqa: E402
from notebook_operator.turns.workers import Workers  # noqa: E402


class Bench:
    """A team, and the operator's jobs in this process, which see each change as kopf would show it."""

    def __init__(self, server, directory: Path, **settings):
        self.server, self.site, self.team = server, Site(server, directory), Team(server, directory / "source")
        self.cluster = Cluster(auth(server))
        self.jobs = Jobs(self.cluster, Settings(**settings))
        self._threads = Workers(8)
        server.store.subscribe(self._changed)

    def _changed(self, event, resource, found) -> None:
        if resource.plural == PLURAL.partition(".")[0]:
            gone = event == "DELETED" or "deletionTimestamp" in found["metadata"]
            told = (
                functools.partial(self.jobs.forget, found["metadata"]["uid"])
                if gone
                else functools.partial(self.jobs.see, found)
            )
            self._threads.submit("team", told)

    def status(self, name: str, notebook: str, **spec) -> dict:
        """Apply a job and wait for its verdict."""
        self.team.apply(self.team.job(name, notebook, self.commit, **spec))
        return self.team.ended(name)

    @functools.cached_property
    def commit(self) -> str:
        """Of all that is in the source by now."""
        return repository(self.team.source)


@pytest.fixture(params=["kubernetes"])
def bench(request, tmp_path, monkeypatch):
    """Notebooks whose pods say that they ran; those with a `bad` in their name, that a cell raised."""
    (tmp_path / "source").mkdir()
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    for number, (name, value) in enumerate([("safe.directory", "*"), (f"url.{tmp_path}/source.insteadOf", URL)]):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    with ApiServer(profile=request.param) as server:
        namespace(server)
        define(server)
        server.pod_rules.add({"name": "notebook-run-*", "results": {"bad*": "cell_error", "*": "completed"}})
        server.external_images[BASE] = PLAIN
        found = Bench(server, tmp_path)
        yield found
        for one in server.system.list(PLURAL, "team"):  # what still runs would ask a server that is gone
            found.team.delete(one["metadata"]["name"])
        found.cluster.close()


on_openshift = pytest.mark.parametrize("bench", ["openshift"], indirect=True)
BUILD = {"podConfig": {"buildConfig": {"enabled": True, "baseImage": BASE}}}


@on_openshift
def test_an_image_is_built_and_the_next_job_finds_it(bench):
    bench.site.notebook("a.ipynb", "1")
    bench.site.notebook("b.ipynb", "2")
    (bench.team.source / "requirements.txt").write_text("alpha\n")
    status = bench.status("first", "a.ipynb", **BUILD)
    build = status["buildStatus"]
    assert (status["phase"], build["phase"], build["strategy"]) == ("Succeeded", "Complete", "s2i")
    assert "@sha256:" in build["imageReference"] and build["completionTime"] >= build["startTime"]
    assert conditions({"status": status})["BuildReady"]["reason"] == "BuildComplete"
    assert bench.team.event("first", "BuildStarted") and bench.team.event("first", "BuildComplete")
    second = bench.status("second", "b.ipynb", **BUILD)
    assert second["buildStatus"]["imageReference"] == build["imageReference"]
    assert conditions({"status": second})["BuildReady"]["reason"] == "ImageReused"
    assert len(bench.server.system.list("builds.build.openshift.io", "team")) == 1


@on_openshift
def test_a_build_that_fails_keeps_its_cause_and_the_end_of_its_log(bench):
    bench.server.pod_rules.add(
        {
            "name": "*-build", "exit_code": 1, "build": {"reason": "AssembleFailed"},
            "logs": [[0, "Looking in https://jane:hunter2x@pypi.example.com"], [0, "ERROR: No matching distribution found for alpha"]],
        }
    )  # fmt: skip
    bench.site.notebook("a.ipynb", "1")
    (bench.team.source / "requirements.txt").write_text("alpha\n")
    status = bench.status("job", "a.ipynb", **BUILD)
    assert (status["phase"], status["code"], status["buildStatus"]["phase"]) == (
        "Failed",
        "dependency_not_found",
        "Failed",
    )
    told = conditions({"status": status})
    assert (told["BuildReady"]["status"], told["BuildReady"]["reason"]) == ("False", "BuildFailed")
    event = bench.team.event("job", "BuildFailed")
    assert "No matching distribution found for alpha" in event["message"] and event["type"] == "Warning"
    assert "hunter2x" not in json.dumps([status, event])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "The strategy s2i cannot work here"),
        ({"strategy": "tekton"}, "The strategy tekton cannot work here"),
        ({"strategyConfig": {"registry": "r"}}, "strategyConfig knows no registry"),
        ({"requirementsFile": "gone.txt"}, "gone.txt"),
    ],
)
def test_a_build_that_cannot_begin_says_why(bench, config, words):
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb", podConfig={"buildConfig": {"enabled": True, "baseImage": BASE, **config}})
    assert words in status["message"] and status["buildStatus"]["phase"] == "Failed"
    assert conditions({"status": status})["BuildReady"]["status"] == "False"
    assert not bench.team.made()


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"validationConfig": {"educationalMode": True}}, "invalid_input", "advice comes without examples"),
        ({"notebook": {"git": {"url": URL, "ref": "main"}, "path": "gone.ipynb"}}, "notebook_not_found", "no notebook gone.ipynb"),
        ({"notebook": {"git": {"url": URL, "ref": "main", "credentialsSecret": "gone"}, "path": "a.ipynb"}}, "source_unavailable", "no Secret gone"),
        ({"goldenNotebook": {"git": {"url": URL, "ref": "main"}, "path": "gone.ipynb"}}, "golden_missing", "no golden notebook"),
        ({"parameters": {"not a name": 1}}, "invalid_input", "is no name of Python"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_answered_and_nothing_is_run(bench, spec, code, words):
    bench.site.notebook("a.ipynb", "1")
    job = bench.team.job("job", "a.ipynb", bench.commit)
    job["spec"] |= json.loads(json.dumps(spec).replace('"main"', f'"{bench.commit}"'))
    bench.team.apply(job)
    status = bench.team.ended("job")
    assert (status["phase"], status["code"]) == ("Failed", code) and words in status["message"]
    told = conditions({"status": status})
    assert {one["observedGeneration"] for one in told.values()} == {1} and len(told) == 5
    assert not bench.team.made()


def test_a_golden_notebook_may_be_outside_the_source_and_no_run_sees_it(bench):
    bench.site.notebook("nb/a.ipynb", "1")
    bench.site.notebook("golden/a.ipynb", "1")
    git = {"url": URL, "ref": bench.commit}
    spec = {"directory": "nb", "goldenNotebook": {"git": git, "path": "golden/a.ipynb"}}
    status = bench.status("job", "nb/a.ipynb", **spec, comparisonConfig={"strategy": "exact"})
    assert status["comparisonResult"]["strategy"] == "exact" and status["comparisonResult"]["totalCells"] == 1


def test_the_pod_has_what_the_job_says_of_it_and_goes_with_the_job(bench):
    bench.site.notebook("a.ipynb", "1")
    key = {"secretKeyRef": {"name": "s", "key": "k"}}
    pod = {"env": [{"name": "K", "valueFrom": key}, {"name": "A", "value": "b"}], "labels": {"team": "ml"}}
    bench.server.system.create("secrets", {"metadata": {"name": "s", "namespace": "team"}, "data": {"k": "eA=="}})
    job = bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit, podConfig=pod))
    made = bench.team.until("jobs.batch", lambda found: True)
    assert [one["uid"] for one in made["metadata"]["ownerReferences"]] == [job["metadata"]["uid"]]
    template = made["spec"]["template"]
    (notebook,) = template["spec"]["initContainers"]
    assert notebook["env"] == [{"name": "K", "valueFrom": key}, {"name": "HOME", "value": "/work"}]
    assert template["metadata"]["labels"]["team"] == "ml"
    bench.team.ended("job")


def test_nothing_is_done_again_until_the_spec_changes(bench):
    names = [bench.site.notebook(name, "1") for name in ("a.ipynb", "bad.ipynb")]
    good, bad = (bench.team.job("job", name, bench.commit) for name in names)
    bench.team.apply(good)
    first = bench.team.ended("job")
    bench.team.apply(good)
    bench.server.system.patch(PLURAL, "team", "job", {"metadata": {"annotations": {"a": "b"}}})
    bench.team.apply(bad)
    changed = bench.team.ended("job", generation=2)
    assert len(bench.team.made()) == 2, "one for what changed, none for what did not"
    assert (changed["phase"], changed["code"], changed["cell"]) == ("Failed", "notebook_execution_failed", 0)
    assert changed["startTime"] >= first["completionTime"]
    bench.team.apply(good)
    again = bench.team.ended("job", generation=3)
    assert again["phase"] == "Succeeded" and "code" not in again, "nothing is left of the verdict before"
    assert len(bench.team.made()) == 2, "the namespace knows the verdict"


def test_another_pod_is_another_run(bench):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb")
    bench.status("same", "a.ipynb")
    assert len(bench.team.made()) == 1, "the namespace knows the verdict"
    bench.status("more", "a.ipynb", podConfig={"resources": {"limits": {"memory": "2Gi"}}})
    bench.status("tag", "a.ipynb", podConfig={"containerImage": "registry.example.com/nb:latest"})
    bench.status("again", "a.ipynb", podConfig={"containerImage": "registry.example.com/nb:latest"})
    assert len(bench.team.made()) == 4, "a tag may be another image tomorrow"


def test_the_verdict_is_kept_where_a_caller_of_the_collection_looks(bench):
    bench.site.notebook("bad.ipynb", "1")
    job = bench.team.job("job", "bad.ipynb", bench.commit)
    job["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "mlops.notebooks", "notebooks.mlops.dev/key": "abc"}
    bench.team.apply(job)
    status = bench.team.ended("job")
    assert status["verdict"]["configMap"] == "notebook-verdict-abc"
    kept = bench.server.system.find("configmaps", "team", "notebook-verdict-abc")
    assert json.loads(gzip.decompress(b64decode(kept["binaryData"]["verdict"])))["code"] == status["code"]


def test_trouble_of_the_infrastructure_is_tried_again_and_is_degraded_at_last(bench, monkeypatch):
    monkeypatch.setattr(
        "ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.pipeline.RETRY_DELAY", 0.01
    )
    bench.server.pod_rules.add(
        {"name": "*", "failure": "Evicted", "seconds": 0.1, "containers": {"notebook": {"seconds": 60}}}
    )
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb", retries=1)
    assert (status["code"], status["retryCount"], status["retryable"]) == ("pod_lost", 1, True)
    assert "verdict" not in status and len(bench.team.made()) == 2
    assert conditions({"status": status})["Degraded"]["status"] == "True"


def test_many_jobs_at_once_all_come_to_their_verdicts(bench):
    names = [bench.site.notebook(f"{number}.ipynb", str(number)) for number in range(20)]
    for name in names:
        bench.team.apply(bench.team.job(name.replace(".ipynb", "-job"), name, bench.commit))
    for name in names:
        assert bench.team.ended(name.replace(".ipynb", "-job"))["phase"] == "Succeeded"
    assert len(bench.team.made()) == 20
    bench.team.emptied("jobs.batch")


def test_more_jobs_than_places_say_that_they_wait(bench):
    bench.jobs = Jobs(bench.cluster, Settings(jobs=1))
    bench.server.pod_rules.add({"name": "*", "seconds": 600, "containers": {"notebook": {"seconds": 600}}})
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("first", "a.ipynb", bench.commit))
    bench.team.until(PLURAL, lambda found: (found.get("status") or {}).get("phase") == "ValidationRunning")
    bench.team.apply(bench.team.job("second", "a.ipynb", bench.commit, parameters={"n": 2}))
    waiting = bench.team.until(PLURAL, lambda found: conditions(found).get("Progressing", {}).get("reason") == "Queued")
    assert (waiting["metadata"]["name"], waiting["status"]["phase"]) == ("second", "Pending")
    bench.team.delete("second")
    bench.team.delete("first")
    bench.team.emptied("jobs.batch")


def test_that_a_job_waits_is_never_said_after_its_verdict(bench, monkeypatch):
    over, said = threading.Event(), threading.Event()

    class Slow(jobs_module.Record):
        def write(self, told, **changes):
            over.wait(2)  # what somebody else could do meanwhile
            super().write(told, **changes)
            said.set()

    monkeypatch.setattr(jobs_module, "Record", Slow)
    bench.jobs = Jobs(bench.cluster, Settings(jobs=1))
    names = [bench.site.notebook(f"{number}.ipynb", "1") for number in range(2)]
    for number, name in enumerate(names):
        bench.team.apply(bench.team.job(f"job-{number}", name, bench.commit))
    for number in range(2):
        bench.team.ended(f"job-{number}")
    over.set()
    assert said.wait(10)
    bench.server.store.flush()
    assert [one["status"]["phase"] for one in bench.server.system.list(PLURAL, "team")] == ["Succeeded"] * 2


def test_a_cluster_that_does_not_answer_is_asked_again(bench, monkeypatch):
    monkeypatch.setattr(jobs_module, "_PAUSES", (0.01, 0.01))
    real, calls = jobs_module.reconcile, []

    def unwell(*arguments):
        calls.append(arguments)
        if len(calls) < 3:
            raise ClusterError("The API server could not answer now.", "cluster_unavailable", status=503)
        real(*arguments)

    monkeypatch.setattr(jobs_module, "reconcile", unwell)
    bench.site.notebook("a.ipynb", "1")
    bench.team.apply(bench.team.job("job", "a.ipynb", bench.commit))
    bench.team.until(PLURAL, lambda found: conditions(found).get("Degraded", {}).get("status") == "True")
    status = bench.team.ended("job")
    assert status["phase"] == "Succeeded" and conditions({"status": status})["Degraded"]["status"] == "False"


def test_an_error_of_the_operator_itself_ends_the_job(bench, monkeypatch):
    monkeypatch.setattr(jobs_module, "reconcile", lambda *arguments: 1 / 0)
    bench.site.notebook("a.ipynb", "1")
    status = bench.status("job", "a.ipynb")
    assert "ZeroDivisionError" in status["message"] and status["retryable"]
    assert conditions({"status": status})["Degraded"]["status"] == "True"


def test_what_is_over_is_left_alone_by_an_operator_that_starts(bench):
    bench.site.notebook("a.ipynb", "1")
    bench.status("job", "a.ipynb")
    bench.server.store.flush()
    bench.server.journal.clear()
    fresh = Jobs(bench.cluster, Settings())
    before = threading.active_count()
    fresh.see(bench.server.system.get(PLURAL, "team", "job"))
    assert threading.active_count() <= before and not bench.server.journal.writes()


def test_a_status_says_when_something_changed_and_no_more(bench):
    bench.site.notebook("bad.ipynb", "1")
    seen = []
    bench.server.store.subscribe(
        lambda event, resource, found: resource.plural.startswith("notebookv") and seen.append(found)
    )
    bench.status("job", "bad.ipynb")
    bench.server.store.flush()
    phases = [found["status"]["phase"] for found in seen if "status" in found]
    assert phases == ["Initializing", "ValidationRunning", "Failed"]
    ready = {conditions(found)["Ready"]["lastTransitionTime"] for found in seen if "status" in found}
    assert len(ready) == 1, "it never was ready"
