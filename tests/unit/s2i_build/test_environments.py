# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments as images of OpenShift: made once, found again at little cost, never half done."""

from __future__ import annotations

import json
import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift import claim
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.environments import (
    DockerStrategy,
    S2iStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import Context
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from cluster_support import auth, http
from image_support import BASE, BUILDER, DIGESTS, bring, config, hook, need


def tags(site):
    return [one["metadata"]["name"] for one in site.server.system.list("imagestreamtags.image.openshift.io", "team")]


@pytest.mark.parametrize("strategy", ["s2i", "docker"])
def test_an_image_is_made_and_returned_by_digest(openshift, strategy):
    (made,) = bring(openshift, need("alpha", imports={"alpha": "alpha"}), strategy=strategy)
    assert (made.build.phase, made.build.name) == ("Complete", f"notebook-environment-{made.key}-1")
    found = made.environment
    digest = openshift.build(made.build.name)["status"]["output"]["to"]["imageDigest"]
    assert (found.kind, found.digest, found.key, found.cached) == ("image", digest, made.key, False)
    assert found.reference.endswith(f"/team/notebook-environments@{digest}") and found.strategy == strategy
    assert set(made.build.stages) == {"FetchInputs", "PullImages", "Build", "PushImage"}
    spec = config(openshift, made.key)["spec"]
    assert hook(spec)[-3:] == ["papermill", "ipykernel", "alpha"]
    assert {"name": "notebooks.mlops.dev/key", "value": made.key} in spec["output"]["imageLabels"]
    assert f"{made.build.name}: started" in " ".join(openshift.shown)


def test_what_exists_costs_three_requests_and_no_write(openshift):
    (made,) = bring(openshift)
    openshift.server.journal.clear()
    (again,) = bring(openshift, strategy="auto")
    assert again.build.phase == "Cached" and again.environment.reference == made.environment.reference
    lines = openshift.requests()
    assert len(lines) <= 3, lines
    # Asking the registry is a POST that writes nothing.
    assert all("imagestreamimports" in entry.line for entry in openshift.server.journal.writes())


def test_a_base_by_digest_is_not_even_asked_for(openshift):
    base = f"{BASE.removesuffix(':latest')}@{DIGESTS['a']}"
    (made,) = bring(openshift, base=base)
    assert bring(openshift)[0].build.phase == "Cached", "the tag stands for the same image"
    openshift.server.journal.clear()
    assert bring(openshift, base=base)[0].key == made.key
    assert not [line for line in openshift.requests() if "imagestreamimports" in line]


def test_a_tag_that_moved_is_another_image(openshift):
    (made,) = bring(openshift)
    openshift.server.external_images[BASE]["digest"] = DIGESTS["b"]
    (other,) = bring(openshift)
    assert other.build.phase == "Complete" and other.key != made.key
    assert len(tags(openshift)) == 2


def test_a_hundred_notebooks_with_three_needs_are_three_builds(openshift):
    needs = [need(f"alpha=={number % 3}.0", notebook=f"{number}.ipynb") for number in range(100)]
    results = bring(openshift, *needs)
    assert [result.build.phase for result in results] == ["Complete"] * 3
    assert sum(len(result.notebooks) for result in results) == 100 and len(openshift.names()) == 3


def test_two_runs_at_once_make_one_build(openshift):
    openshift.server.pod_rules.add({"name": "*-build", "seconds": 1})
    results, gate = [], threading.Barrier(2)

    def run():
        gate.wait()
        results.extend(bring(openshift))

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(openshift.names()) == 1, openshift.names()
    assert sorted(result.environment.cached for result in results) == [False, True]


def test_a_claim_of_others_is_waited_for(openshift):
    (made,) = bring(openshift)
    name, spaces = f"notebook-environment-{made.key}", "/apis/build.openshift.io/v1/namespaces/team"
    body = {"metadata": {"annotations": {"notebooks.mlops.dev/claim": "2 somebody"}}}
    http(openshift.server, "PATCH", f"{spaces}/buildconfigs/{name}", body, "application/merge-patch+json")
    openshift.server.journal.clear()
    results = []
    run = threading.Thread(target=lambda: results.extend(bring(openshift, reuse="never")))
    run.start()
    openshift.server.journal.wait_for("/builds[?]")  # it has seen that there is no other build yet
    request = {"kind": "BuildRequest", "apiVersion": "build.openshift.io/v1", "metadata": {"name": name}}
    http(openshift.server, "POST", f"{spaces}/buildconfigs/{name}/instantiate", request)
    run.join()
    assert results[0].environment.cached and results[0].build.name == f"{name}-2"
    assert openshift.names()[-1] == f"{name}-2", "there was no third build"


def test_a_claim_that_nobody_followed_up_is_taken_over(openshift, monkeypatch):
    (made,) = bring(openshift)
    path = f"/apis/build.openshift.io/v1/namespaces/team/buildconfigs/notebook-environment-{made.key}"
    body = {"metadata": {"annotations": {"notebooks.mlops.dev/claim": "2 somebody"}}}
    http(openshift.server, "PATCH", path, body, "application/merge-patch+json")
    monkeypatch.setattr(claim, "PATIENCE", 0.2)
    (again,) = bring(openshift, reuse="never")
    assert again.build.phase == "Complete" and again.build.name.endswith("-2")


def test_a_failed_build_makes_no_tag_and_says_why(openshift):
    openshift.server.pod_rules.add(
        {
            "name": "*-build", "exit_code": 1, "build": {"reason": "AssembleFailed"},
            "logs": [[0, "ERROR: No matching distribution found for nosuchthing"]],
        }
    )  # fmt: skip
    (failed,) = bring(openshift, need("nosuchthing"))
    assert (failed.build.phase, failed.build.reason) == ("Failed", "dependency_not_found")
    assert failed.environment is None and failed.build.name.endswith("-1") and tags(openshift) == []
    assert "ERROR: No matching distribution found for nosuchthing" in failed.build.log_tail


def test_an_interrupted_build_is_cancelled_and_the_next_one_succeeds(openshift):
    def interrupt(event):
        if "started" in event["text"]:
            raise KeyboardInterrupt

    openshift.server.pod_rules.add({"name": "*-1-build", "seconds": 60})
    with pytest.raises(KeyboardInterrupt):
        bring(openshift, progress=interrupt)
    assert tags(openshift) == []
    (made,) = bring(openshift)
    assert made.build.phase == "Complete" and made.build.name.endswith("-2")


def test_a_stop_cancels_what_was_begun_and_lets_nothing_begin(openshift):
    def ask(event):
        if "started" in event["text"]:
            stop.ask()

    stop = Stop()
    openshift.server.pod_rules.add({"name": "*-1-build", "seconds": 60})
    (made,) = bring(openshift, progress=ask, stop=stop)
    assert made.build.reason == "build_cancelled", made.build.message
    with pytest.raises(Stopped):
        bring(openshift, stop=stop)
    assert len(openshift.server.system.list("builds.build.openshift.io", "team")) == 1


@pytest.mark.parametrize(("reuse", "phase"), [("if-exists", "Cached"), ("verify", "Cached"), ("never", "Complete")])
def test_reuse(openshift, reuse, phase):
    bring(openshift)
    assert bring(openshift, reuse=reuse)[0].build.phase == phase
    assert len(openshift.names()) <= 1, "OpenShift keeps one complete build of each"


def test_check_mode_says_what_would_be_built_and_writes_nothing(openshift):
    openshift.server.journal.clear()
    (planned,) = bring(openshift, check=True)
    assert planned.build.phase == "Planned"
    assert all("imagestreamimports" in entry.line for entry in openshift.server.journal.writes())


def test_a_builder_image_is_left_its_own_scripts(openshift, monkeypatch):
    seen = []
    write = S2iStrategy._complete
    monkeypatch.setattr(S2iStrategy, "_complete", lambda *given: seen.append(write(*given)) or seen[-1])
    bring(openshift)
    openshift.server.external_images[BASE] = BUILDER
    bring(openshift)
    assert [".s2i/bin/assemble" in one.files for one in seen] == [True, False]
    (refused,) = bring(openshift, need("alpha==1.0 --hash=sha256:" + "c" * 64))
    assert refused.build.phase == "Failed" and "choose the strategy docker" in refused.build.message


def test_a_base_that_cannot_be_read_is_told_before_anything_is_written(openshift):
    openshift.server.external_images[BASE] = {
        "failure": {"reason": "Unauthorized", "message": "you may not have access"}
    }
    openshift.server.journal.clear()
    (refused,) = bring(openshift)
    assert refused.build.reason == "builder_image_unavailable" and "you may not have access" in refused.build.message
    assert all("imagestreamimports" in entry.line for entry in openshift.server.journal.writes())


def test_an_image_of_the_internal_registry_is_a_base_too(openshift):
    (parent,) = bring(openshift)
    base = parent.environment.reference.partition("@")[0] + f":{parent.key}"
    (child,) = bring(openshift, need("beta"), base=base, strategy="docker")
    assert child.build.phase == "Complete"
    wanted = config(openshift, child.key)["metadata"]["annotations"]
    assert wanted["notebooks.mlops.dev/base"] == parent.environment.reference
    assert json.loads(wanted["notebooks.mlops.dev/requirements"]) == ["beta"]
    (lost,) = bring(openshift, base=base + "x")
    assert lost.build.reason == "builder_image_unavailable"


def test_an_image_of_the_internal_registry_by_digest_needs_no_import(openshift):
    (parent,) = bring(openshift)
    openshift.server.journal.clear()
    (child,) = bring(openshift, need("beta"), base=parent.environment.reference, strategy="docker")
    assert child.build.phase == "Complete"
    assert (
        config(openshift, child.key)["metadata"]["annotations"]["notebooks.mlops.dev/base"]
        == parent.environment.reference
    )
    assert not [line for line in openshift.requests() if "imagestreamimports" in line]
    (lost,) = bring(openshift, base=parent.environment.reference[:-64] + "0" * 64)
    assert lost.build.reason == "builder_image_unavailable" and "no such digest" in lost.build.message


def test_delete_takes_the_tag_and_the_builds(openshift):
    (made,) = bring(openshift)
    with Cluster(auth(openshift.server)) as cluster:
        context = Context(cache_dir=openshift.cache_dir, base=BASE, cluster=cluster, namespace="team")
        assert S2iStrategy().delete(context, made.key) is True
        assert S2iStrategy().find(context, made.key) is None
        assert S2iStrategy().verify(context, made.environment)
    assert tags(openshift) == []


def test_a_strategy_says_why_it_cannot_work(openshift):
    with pytest.raises(EngineError, match="s2i cannot work here: base names no image"):
        bring(openshift, base="3.11")
    with pytest.raises(EngineError, match="docker cannot work here: no cluster is named"):
        make([need("alpha")], strategy="docker", base=BASE, strategies=[DockerStrategy()])
