# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made by Jobs with buildah: once, found again, never half done."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods import strategy as pods
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.buildah import BuildahStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import BuildOptions, Context
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from cluster_support import auth
from conformance import check_strategy
from pod_support import BASE, DIGEST, REPOSITORY, need, retryable

PUSHED = {"containers": {"push": {"message": DIGEST}}}


@pytest.fixture
def jobs(site):
    site.server.pod_rules.add({"name": "notebook-environment-*", **PUSHED})
    site.make = lambda *needs, **options: site.bring(BuildahStrategy(retryable), *needs, **options)
    return site


def fails(site, step="build", code=1, *lines, **more):
    behaviour = {"exit_code": code, "logs": [[0, line] for line in lines]}
    site.server.pod_rules.add({"name": "notebook-environment-*", "containers": {step: behaviour}, **more})


def test_an_image_is_made_and_returned_by_digest(jobs):
    jobs.server.pod_rules.add(
        {"name": "*", "containers": {"build": {"logs": [[0, "STEP 1/5: FROM base"]]}, "push": {"message": DIGEST}}}
    )
    (made,) = jobs.make(need("alpha", imports={"alpha": "alpha"}))
    assert (made.build.phase, made.build.name) == ("Complete", f"notebook-environment-{made.key}-1")
    found = made.environment
    assert (found.kind, found.reference, found.digest) == ("image", f"{REPOSITORY}@{DIGEST}", DIGEST)
    assert "STEP 1/5: FROM base" in " ".join(jobs.shown)
    (job,) = jobs.list("jobs.batch")
    build, check = job["spec"]["template"]["spec"]["initContainers"]
    assert check["command"][-3:] == ["papermill", "ipykernel", "alpha"]
    assert {"name": "TARGET", "value": f"{REPOSITORY}:{made.key}"} in build["env"]


def test_what_exists_costs_two_requests_and_no_write(jobs):
    (made,) = jobs.make()
    jobs.server.journal.clear()
    (again,) = jobs.make()
    assert again.build.phase == "Cached" and again.environment.reference == made.environment.reference
    assert len(jobs.requests()) <= 2 and not jobs.server.journal.writes()


def test_two_runs_at_once_make_one_build(jobs):
    jobs.server.pod_rules.add({"name": "*", "seconds": 1, "containers": {"push": {"message": DIGEST}}})
    results, gate = [], threading.Barrier(2)

    def run():
        gate.wait()
        results.extend(jobs.make())

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs.list("jobs.batch")) == 1
    assert sorted(result.environment.cached for result in results) == [False, True]


@pytest.mark.parametrize(
    ("step", "rule", "code"),
    [
        ("build", {"logs": [[0, "ERROR: No matching distribution found for alpha"]]}, "dependency_not_found"),
        ("build", {"logs": [[0, 'error: initializing source docker://x: reading manifest: 401']]}, "builder_image_unavailable"),
        ("check", {"logs": [[0, "error: these modules cannot be imported: alpha"]]}, "build_failed"),
        ("push", {"logs": [[0, "Error: pushing image: unauthorized: denied"]]}, "image_push_denied"),
    ],
)  # fmt: skip
def test_a_failed_build_counts_for_nothing_and_says_why(jobs, step, rule, code):
    jobs.server.pod_rules.add({"name": "*", "containers": {step: {"exit_code": 1, **rule}}})
    (made,) = jobs.make()
    assert (made.build.phase, made.build.reason) == ("Failed", code), made.build.message
    assert f"in its step '{step}'" in made.build.message
    assert rule["logs"][0][1] in made.build.log_tail
    assert jobs.make()[0].build.phase == "Failed", "nothing was found"
    assert len(jobs.list("jobs.batch")) == 2


def test_only_some_failed_builds_are_kept(jobs):
    fails(jobs)
    for _number in range(4):
        jobs.make()
    jobs.server.pod_rules.add({"name": "*", **PUSHED})
    (made,) = jobs.make(build=BuildOptions(keep_failed=1))
    names = [job["metadata"]["name"] for job in jobs.list("jobs.batch")]
    assert sorted(names) == [f"notebook-environment-{made.key}-{number}" for number in (4, 5)]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"failure": "OOMKilled"}, "build_out_of_memory"),
        ({"failure": "Evicted", "seconds": 0.1}, "build_pod_lost"),
        ({"failure": "ImagePullBackOff"}, "builder_image_unavailable"),
        ({"failure": "Unschedulable"}, "build_pod_refused"),
    ],
)
def test_what_befalls_a_pod_has_a_code(jobs, rule, code):
    jobs.server.pod_rules.add({"name": "*", **rule})
    (made,) = jobs.make()
    assert (made.build.phase, made.build.reason) == ("Failed", code), made.build.message


def test_a_build_that_takes_too_long_is_stopped(jobs):
    jobs.server.pod_rules.add({"name": "*", "seconds": 60})
    (made,) = jobs.make(timeout=1)
    assert made.build.reason == "build_timeout", made.build.message


def test_a_stop_removes_what_was_begun_and_lets_nothing_begin(jobs):
    def ask(event):
        if "started" in event["text"]:
            stop.ask()

    stop = Stop()
    jobs.server.pod_rules.add({"name": "*", "seconds": 60})
    for _attempt in range(2):
        with pytest.raises(Stopped):
            jobs.make(progress=ask, stop=stop)
    assert jobs.list("jobs.batch") == [] and len(jobs.server.journal.entries(r"/jobs\b", verb="create")) == 1


def test_a_failure_that_may_pass_is_tried_again(jobs):
    jobs.server.pod_rules.add({"name": "*", "failure": "Evicted", "seconds": 0.1, "times": 1})
    (made,) = jobs.make()
    assert made.build.phase == "Complete" and made.build.name.endswith("-2")
    assert "It may pass" in " ".join(jobs.shown)


@pytest.mark.parametrize(("there", "phase"), [(DIGEST, "Cached"), (None, "Complete")])
def test_an_image_that_is_gone_from_its_registry_is_made_anew_where_that_is_asked(jobs, monkeypatch, there, phase):
    jobs.make()
    asked = []
    monkeypatch.setattr(pods, "digest_of", lambda reference: asked.append(reference) or there)
    assert jobs.make(reuse="if-exists")[0].build.phase == "Cached" and not asked
    assert jobs.make(reuse="verify")[0].build.phase == phase
    assert asked == [f"{REPOSITORY}@{DIGEST}"]


def test_check_mode_writes_nothing(jobs):
    (planned,) = jobs.make(check=True)
    assert planned.build.phase == "Planned" and not jobs.server.journal.writes()


def test_options_of_a_build_are_those_of_its_pod(jobs):
    for name in ("pip", "pip-login", "login"):
        kind = "configmaps" if name == "pip" else "secrets"
        jobs.server.system.create(kind, {"metadata": {"name": name, "namespace": "team"}})
    more = {
        "service_account": "default",
        "resources": {"limits": {"memory": "4Gi"}},
        "settings_config_map": "pip",
        "settings_secret": "pip-login",
        "builder_image": "registry.example.com/buildah:1",
    }
    jobs.make(build=BuildOptions(**more), push_secret="login", timeout=77)
    (job,) = jobs.list("jobs.batch")
    pod = job["spec"]["template"]["spec"]
    assert job["spec"]["activeDeadlineSeconds"] == 77 and pod["serviceAccountName"] == "default"
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["image"] == more["builder_image"]
        assert container["resources"]["limits"] == {"memory": "4Gi"}
        mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        assert mounted["settings-config"] != mounted["settings-secret"]
        assert {"name": "REGISTRY_AUTH_FILE", "value": "/login/config.json"} in container["env"]


def test_a_node_selector_is_that_of_the_pod(jobs):
    jobs.make(build=BuildOptions(node_selector={"disk": "ssd"}))
    (job,) = jobs.list("jobs.batch")
    assert job["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd"}


def test_settings_that_are_not_there_are_named(jobs):
    (made,) = jobs.make(build=BuildOptions(settings_config_map="nowhere"))
    assert made.build.reason == "build_pod_refused" and "nowhere" in made.build.message


def test_a_strategy_keeps_its_promises(site):
    strategy = BuildahStrategy(retryable)
    with Cluster(auth(site.server)) as cluster:
        context = Context(
            site.cache_dir, base=BASE, timeout=30, cluster=cluster, namespace="team", repository=REPOSITORY
        )
        other, broken = need("alpha==2.0"), need("nosuchthing")
        interrupted = f"notebook-environment-{strategy.plan(context, other).key}-1"
        site.server.pod_rules.add({"name": "*", **PUSHED})
        site.server.pod_rules.add({"name": f"{interrupted}*", "seconds": 0.3, **PUSHED})
        site.server.pod_rules.add(
            {"name": f"notebook-environment-{strategy.plan(context, broken).key}*", "exit_code": 1}
        )
        check_strategy(strategy, context, needs=need("alpha==1.0"), other=other, broken=broken)


def test_it_says_why_it_cannot_work(jobs):
    with pytest.raises(EngineError, match="buildah cannot work here: no repository is named"):
        jobs.make(repository=None)
