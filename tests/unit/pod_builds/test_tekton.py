# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made by TaskRuns of Tekton: once, found again, never half done."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.tekton import TektonStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import BuildOptions, Context
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import auth, namespace
from conformance import check_strategy
from pod_support import BASE, DIGEST, REPOSITORY, Site, need, retryable

from tests.apiserver.actors import tekton
from tests.apiserver.server import ApiServer

PUSHED = {"containers": {"step-push": {"message": DIGEST}}}
BUILDER = "quay.io/buildah/*"


@pytest.fixture
def runs(site):
    tekton.install(site.server)
    return ready(site)


def ready(site):
    site.server.pod_rules.add({"name": "notebook-environment-*", **PUSHED})
    site.make = lambda *needs, **options: site.bring(TektonStrategy(retryable), *needs, **options)
    return site


def spec_of(site) -> dict:
    (run,) = site.list(tekton.RUNS)
    return run["spec"]


def test_an_image_is_made_and_returned_by_digest(runs):
    logs = {f"step-{name}": {"logs": [[0, f"this is {name}"]]} for name in ("build", "check")}
    runs.server.pod_rules.add(
        {"name": "*", "containers": {**logs, "step-push": {"message": DIGEST}, "prepare": {"logs": [[0, "own"]]}}}
    )
    (made,) = runs.make(need("alpha", imports={"alpha": "alpha"}))
    assert (made.build.phase, made.build.name) == ("Complete", f"notebook-environment-{made.key}-1"), made.build.message
    found = made.environment
    assert (found.kind, found.reference, found.digest) == ("image", f"{REPOSITORY}@{DIGEST}", DIGEST)
    shown = " ".join(runs.shown)
    assert shown.index("this is build") < shown.index("this is check") and "own" not in shown
    build, check, push = spec_of(runs)["taskSpec"]["steps"]
    assert [build["name"], check["name"], push["name"]] == ["build", "check", "push"]
    assert check["command"][-3:] == ["papermill", "ipykernel", "alpha"]
    assert {"name": "TARGET", "value": f"{REPOSITORY}:{made.key}"} in build["env"]


def test_results_are_those_that_tekton_chains_signs_by(runs):
    runs.make()
    spec = spec_of(runs)
    push = spec["taskSpec"]["steps"][-1]
    assert [one["name"] for one in spec["taskSpec"]["results"]] == ["IMAGE_DIGEST", "IMAGE_URL"]
    env = {one["name"]: one["value"] for one in push["env"]}
    assert (env["DIGEST_FILE"], env["URL_FILE"]) == ("$(results.IMAGE_DIGEST.path)", "$(results.IMAGE_URL.path)")
    assert '"$TARGET" >"$URL_FILE"' in push["command"][2] and "--digestfile" in push["command"][-1]


def test_it_names_no_task_workspace_or_namespace_of_others(runs):
    (made,) = runs.make()
    (run,) = runs.list(tekton.RUNS)
    assert "taskRef" not in run["spec"] and "workspaces" not in run["spec"]
    kinds = {key for volume in run["spec"]["taskSpec"]["volumes"] for key in volume if key != "name"}
    assert kinds == {"configMap", "emptyDir"}
    (pod,) = runs.list("pods")
    assert pod["metadata"]["labels"]["notebooks.mlops.dev/key"] == made.key
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_what_exists_costs_two_requests_and_no_write(runs):
    (made,) = runs.make()
    runs.server.journal.clear()
    (again,) = runs.make()
    assert again.build.phase == "Cached" and again.environment.reference == made.environment.reference
    assert len(runs.requests()) <= 2 and not runs.server.journal.writes()


def test_two_runs_at_once_make_one_build(runs):
    runs.server.pod_rules.add({"name": "*", "containers": {"step-push": {"seconds": 1, "message": DIGEST}}})
    results, gate = [], threading.Barrier(2)

    def run():
        gate.wait()
        results.extend(runs.make())

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs.list(tekton.RUNS)) == 1
    assert sorted(result.environment.cached for result in results) == [False, True]


@pytest.mark.parametrize(
    ("step", "rule", "code"),
    [
        ("build", {"logs": [[0, "ERROR: No matching distribution found for alpha"]]}, "dependency_not_found"),
        ("build", {"logs": [[0, "error: initializing source docker://x: reading manifest: 401"]]}, "builder_image_unavailable"),
        ("check", {"logs": [[0, "error: these modules cannot be imported: alpha"]]}, "build_failed"),
        ("push", {"logs": [[0, "Error: pushing image: unauthorized: denied"]]}, "image_push_denied"),
    ],
)  # fmt: skip
def test_a_failed_step_counts_for_nothing_and_says_why(runs, step, rule, code):
    runs.server.pod_rules.add({"name": "*", "containers": {f"step-{step}": {"exit_code": 1, **rule}}})
    (made,) = runs.make()
    assert (made.build.phase, made.build.reason) == ("Failed", code), made.build.message
    assert f"in its step '{step}'" in made.build.message
    assert made.build.log_tail[-2] == rule["logs"][0][1], "what the steps after it say does not count"
    assert runs.make()[0].build.phase == "Failed", "nothing was found"
    assert len(runs.list(tekton.RUNS)) == 2


def test_a_step_that_says_nothing_is_told_in_tektons_words(runs):
    runs.server.pod_rules.add({"name": "*", "containers": {"step-build": {"exit_code": 3}}})
    (made,) = runs.make()
    assert made.build.message.endswith("failed in its step 'build': \"step-build\" exited with code 3.")


def test_steps_that_cannot_begin_end_the_build_though_tektons_own_container_has_worked(runs):
    """Tekton waits for such an image until its time is over."""
    runs.server.pod_rules.add({"name": "*", "containers": {"prepare": {"seconds": 0.5}}})
    (made,) = runs.make(build=BuildOptions(builder_image="Buildah:1"), timeout=20)
    assert made.build.reason == "builder_image_unavailable" and "Buildah:1" in made.build.message


def test_only_some_failed_builds_are_kept(runs):
    runs.server.pod_rules.add({"name": "*", "containers": {"step-build": {"exit_code": 1}}})
    for _number in range(4):
        runs.make()
    runs.server.pod_rules.add({"name": "*", **PUSHED})
    (made,) = runs.make(build=BuildOptions(keep_failed=1))
    names = [run["metadata"]["name"] for run in runs.list(tekton.RUNS)]
    assert sorted(names) == [f"notebook-environment-{made.key}-{number}" for number in (4, 5)]
    assert len(runs.list("pods")) == 2, "pods go with their runs"


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"failure": "OOMKilled", "image": BUILDER}, "build_out_of_memory"),
        ({"failure": "Evicted", "seconds": 0.1, "containers": {"prepare": {}}}, "build_pod_lost"),
        ({"failure": "ImagePullBackOff", "image": BUILDER}, "builder_image_unavailable"),
        ({"failure": "ImagePullBackOff"}, "builder_image_unavailable"),
        ({"failure": "Unschedulable"}, "build_pod_refused"),
    ],
)
def test_what_befalls_a_pod_has_a_code(runs, rule, code):
    runs.server.pod_rules.add({"name": "*", **rule})
    (made,) = runs.make()
    assert (made.build.phase, made.build.reason) == ("Failed", code), made.build.message


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("TaskRunImagePullFailed", "builder_image_unavailable"),
        ("TaskRunTimeout", "build_timeout"),
        ("TaskRunCancelled", "build_cancelled"),
        ("PodCreationFailed", "build_pod_refused"),
        ("TaskRunValidationFailed", "build_pod_refused"),
    ],
)
def test_a_run_that_tekton_ends_has_a_code_and_its_words(runs, reason, code):
    """Whatever the pod was at: here none was made, for a quota."""
    no_pods(runs.server)
    ending(runs.server, {"type": "Succeeded", "status": "False", "reason": reason, "message": "so it is said"})
    (made,) = runs.make(timeout=5)
    assert (made.build.reason, made.build.message[-14:]) == (code, "so it is said."), made.build.message


def no_pods(server) -> None:
    quota = {"metadata": {"name": "none", "namespace": "team"}, "spec": {"hard": {"pods": "0"}}}
    server.system.create("resourcequotas", quota)


def ending(server, condition: dict) -> None:
    """End each run at once, as its controller would."""

    def end(event, resource, found):
        if event == "ADDED" and resource.plural == "taskruns":
            server.system.update_status(tekton.RUNS, {**found, "status": {"conditions": [condition]}})

    server.store.subscribe(end)


def test_a_quota_that_leaves_no_room_is_told_while_tekton_goes_on_trying(runs):
    no_pods(runs.server)
    (made,) = runs.make()
    assert made.build.reason == "quota_exceeded" and "none" in made.build.message, made.build.message
    assert not runs.list(tekton.RUNS), "the run is not left to begin later"


def test_a_service_account_that_is_not_there_is_named(runs):
    (made,) = runs.make(build=BuildOptions(service_account="nobody"))
    assert made.build.reason == "build_pod_refused" and "nobody" in made.build.message


def test_a_cancelled_run_says_so(runs):
    runs.server.pod_rules.add({"name": "*", "containers": {"step-build": {"seconds": 60, "logs": [[0, "busy"]]}}})

    def cancel(event):
        if "busy" in event["text"]:
            (run,) = runs.list(tekton.RUNS)
            runs.server.system.patch(
                tekton.RUNS, "team", run["metadata"]["name"], {"spec": {"status": "TaskRunCancelled"}}
            )

    (made,) = runs.make(progress=cancel)
    assert made.build.reason == "build_cancelled", made.build.message


def test_a_build_that_takes_too_long_is_stopped(runs):
    runs.server.pod_rules.add({"name": "*", "seconds": 60})
    (made,) = runs.make(timeout=1)
    assert made.build.reason == "build_timeout", made.build.message
    # Tekton's own limit is the same; where it was first, the run stays, as one that failed.
    assert all(TektonStrategy().judge(run).settled for run in runs.list(tekton.RUNS))


def test_without_a_timeout_there_is_none(runs):
    runs.make(timeout=None)
    assert spec_of(runs)["timeout"] == "0s"


def test_a_failure_that_may_pass_is_tried_again(runs):
    rule = {"failure": "Evicted", "seconds": 0.1, "containers": {"prepare": {}}, "times": 1}
    runs.server.pod_rules.add({"name": "*", **rule})
    (made,) = runs.make()
    assert made.build.phase == "Complete" and made.build.name.endswith("-2"), made.build.message
    assert "It may pass" in " ".join(runs.shown)


def test_check_mode_writes_nothing(runs):
    (planned,) = runs.make(check=True)
    assert planned.build.phase == "Planned" and not runs.server.journal.writes()


OPTIONS = {
    "service_account": "default",
    "resources": {"requests": {"cpu": "1", "example.com/gpu": 1}, "limits": {"memory": "4Gi", "example.com/gpu": 1}},
    "settings_config_map": "pip",
    "settings_secret": "pip-login",
    "builder_image": "registry.example.com/buildah:1",
    "node_selector": {"disk": "ssd"},
}


@pytest.mark.parametrize(("version", "field"), [("v1", "computeResources"), ("v1beta1", "resources")])
def test_options_of_a_build_are_those_of_its_run(site, version, field):
    tekton.install(site.server, version)
    for name in ("pip", "pip-login", "login"):
        kind = "configmaps" if name == "pip" else "secrets"
        site.server.system.create(kind, {"metadata": {"name": name, "namespace": "team"}})
    (made,) = ready(site).make(build=BuildOptions(**OPTIONS), push_secret="login", timeout=77)
    assert made.build.phase == "Complete", made.build.message
    spec = spec_of(site)
    assert (spec["timeout"], spec["serviceAccountName"]) == ("77s", "default")
    assert spec["podTemplate"]["nodeSelector"] == {"disk": "ssd"}
    for step in spec["taskSpec"]["steps"]:
        assert step["image"] == OPTIONS["builder_image"]
        mounted = {one["name"]: one["mountPath"] for one in step["volumeMounts"]}
        assert mounted["settings-config"] != mounted["settings-secret"]
        assert {"name": "REGISTRY_AUTH_FILE", "value": "/login/config.json"} in step["env"]
    first, *others = (step[field] for step in spec["taskSpec"]["steps"])
    assert first == OPTIONS["resources"]
    assert others == [{"limits": {"memory": "4Gi"}, "requests": {"cpu": "0", "memory": "0"}}] * 2, (
        "steps stand side by side"
    )


def test_logins_of_the_service_account_are_where_buildah_looks(runs):
    runs.make()
    for step in spec_of(runs)["taskSpec"]["steps"]:
        assert {"name": "HOME", "value": "/work"} in step["env"] and "export HOME=/work" in step["command"][-1] + str(
            step
        )


def test_settings_that_are_not_there_are_named(runs):
    (made,) = runs.make(build=BuildOptions(settings_config_map="nowhere"))
    assert made.build.reason == "build_pod_refused" and "nowhere" in made.build.message


def test_a_field_that_tekton_does_not_know_is_refused(runs, monkeypatch):
    manifest = TektonStrategy.manifest

    def wrong(*arguments):
        made = manifest(*arguments)
        made["spec"]["taskSpec"]["steps"][0]["resources"] = {}
        return made

    monkeypatch.setattr(TektonStrategy, "manifest", wrong)
    (made,) = runs.make()
    assert made.build.phase == "Failed" and "steps[0].resources" in made.build.message


def test_openshift_pipelines_takes_the_pod_as_it_is(tmp_path, site):
    """Its SecurityContextConstraints, those of the service account `pipeline`, allow any user and add no capability."""
    with ApiServer(profile="openshift") as server:
        namespace(server)
        tekton.install_openshift_pipelines(server, "team")
        (made,) = ready(Site(server, str(tmp_path))).make()
        assert made.build.phase == "Complete", made.build.message
        (pod,) = server.system.list("pods", "team")
        assert pod["metadata"]["annotations"]["openshift.io/scc"] == "pipelines-scc"
        assert {one["securityContext"]["runAsUser"] for one in pod["spec"]["containers"]} == {1000}


def test_the_pod_of_a_removed_run_of_the_same_name_is_not_followed(runs):
    """A pod takes its time to go, here for ever."""
    with Cluster(auth(runs.server)) as cluster:
        context = Context(runs.cache_dir, base=BASE, cluster=cluster, namespace="team", repository=REPOSITORY)
        key = TektonStrategy(retryable).plan(context, need("alpha")).key
    old = {
        "metadata": {
            "name": "old", "namespace": "team", "finalizers": ["example.com/hold"],
            "labels": {"tekton.dev/taskRun": f"notebook-environment-{key}-1"},
        },
        "spec": {"restartPolicy": "Never", "containers": [{"name": "step-build", "image": "quay.io/x/y:1"}]},
    }  # fmt: skip
    runs.server.pod_rules.add({"name": "old", "logs": [[0, "of old"]]})
    runs.server.system.create("pods", old)
    runs.server.system.delete("pods", "team", "old", grace_seconds=0)
    (made,) = runs.make()
    assert made.build.phase == "Complete" and made.build.name.endswith("-1"), made.build.message
    assert not [line for line in runs.shown if "of old" in line]


def test_a_strategy_keeps_its_promises(site):
    tekton.install(site.server)
    strategy = TektonStrategy(retryable)
    with Cluster(auth(site.server)) as cluster:
        context = Context(
            site.cache_dir, base=BASE, timeout=30, cluster=cluster, namespace="team", repository=REPOSITORY
        )
        other, broken = need("alpha==2.0"), need("nosuchthing")
        site.server.pod_rules.add({"name": "*", **PUSHED})
        site.server.pod_rules.add(
            {"name": f"notebook-environment-{strategy.plan(context, broken).key}*", "exit_code": 1}
        )
        check_strategy(strategy, context, needs=need("alpha==1.0"), other=other, broken=broken)


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (None, "serves no TaskRuns of tekton.dev"),
        ("v1alpha1", "no TaskRuns of tekton.dev in v1 or v1beta1"),
        ("v1", "no repository"),
    ],
)
def test_it_says_why_it_cannot_work(site, version, why):
    if version:
        tekton.install(site.server, version)
    options = {"repository": None} if version == "v1" else {}
    with pytest.raises(EngineError, match=f"tekton cannot work here: .*{why}"):
        ready(site).make(**options)
