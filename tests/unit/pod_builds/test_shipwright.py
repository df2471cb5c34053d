# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made by BuildRuns of Shipwright: what is declared, what it comes to, and what is told where it goes wrong."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.recipes import check
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.shipwright import (
    ShipwrightStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import (
    BuildOptions,
    ImageOptions,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import auth, http
from conformance import check_strategy
from pod_support import DIGEST, REPOSITORY, ApiServer, Site, namespace, need, retryable
from shipwright_support import PUSHED, context_of, with_shipwright

from tests.apiserver.actors import shipwright as stand_in
from tests.apiserver.actors import tekton
from tests.apiserver.errors import ApiError
from tests.schemas import complaints


@pytest.fixture
def shipwright(site):
    return with_shipwright(site)


def test_an_image_is_made_and_returned_by_digest(shipwright):
    steps = {"step-build": {"logs": [[0, "STEP 1/5: FROM base"]]}, "step-push": {"message": DIGEST}}
    shipwright.server.pod_rules.add({"name": "*", "containers": steps})
    (made,) = shipwright.make(need("alpha", imports={"alpha": "alpha"}))
    assert (made.build.phase, made.build.name) == ("Complete", f"notebook-environment-{made.key}-1"), made.build.message
    found = made.environment
    assert (found.kind, found.reference, found.digest) == ("image", f"{REPOSITORY}@{DIGEST}", DIGEST)
    assert "STEP 1/5: FROM base" in " ".join(shipwright.shown)
    (pod,) = shipwright.list("pods")
    build, check, push = pod["spec"]["containers"]
    assert [one["name"] for one in (build, check, push)] == ["step-build", "step-check", "step-push"]
    assert check["args"][-3:] == ["papermill", "ipykernel", "alpha"]
    assert {"name": "TARGET", "value": f"{REPOSITORY}:{made.key}"} in build["env"]


def test_what_is_declared_has_only_fields_that_the_api_has(shipwright):
    with Cluster(auth(shipwright.server)) as cluster:
        options = BuildOptions(
            service_account="default", resources={"limits": {"memory": "4Gi"}}, node_selector={"disk": "ssd"},
            settings_config_map="pip", settings_secret="pip-login",
        )  # fmt: skip
        context = context_of(shipwright, cluster, build=options, push_secret="login")
        strategy = ShipwrightStrategy(retryable)
        plan = strategy.plan(context, need("alpha"))
        manifests = [
            *strategy.prepare(context, plan, strategy.files(context, plan)),
            strategy.manifest(context, plan, "run-1", {}),
        ]
    assert [one["kind"] for one in manifests] == ["BuildStrategy", "Build", "BuildRun"]
    assert [complaints(one) for one in manifests] == [[], [], []]


def test_environments_share_a_build_strategy_as_long_as_options_are_the_same(shipwright):
    shipwright.make(need("alpha", imports={"alpha": "alpha"}), need("beta"))
    (shared,) = shipwright.list("buildstrategies.shipwright.io")
    assert {one["spec"]["strategy"]["name"] for one in shipwright.list("builds.shipwright.io")} == {
        shared["metadata"]["name"]
    }
    shipwright.make(need("gamma"), build=BuildOptions(resources={"limits": {"memory": "4Gi"}}))
    names = {one["metadata"]["name"] for one in shipwright.list("buildstrategies.shipwright.io")}
    assert len(names) == 2 and shared["metadata"]["name"] in names


def test_what_exists_costs_two_requests_and_no_write(shipwright):
    (made,) = shipwright.make()
    shipwright.server.journal.clear()
    (again,) = shipwright.make()
    assert again.build.phase == "Cached" and again.environment.reference == made.environment.reference
    assert len(shipwright.requests()) <= 2 and not shipwright.server.journal.writes()


def test_two_runs_at_once_make_one_build(shipwright):
    shipwright.server.pod_rules.add({"name": "*", "seconds": 1, **PUSHED})
    results, gate = [], threading.Barrier(2)

    def run():
        gate.wait()
        results.extend(shipwright.make())

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shipwright.runs()) == 1
    assert sorted(result.environment.cached for result in results) == [False, True]


@pytest.mark.parametrize(
    ("step", "line", "code"),
    [
        ("build", "ERROR: No matching distribution found for alpha", "dependency_not_found"),
        ("build", "error: initializing source docker://x: reading manifest: 401", "builder_image_unavailable"),
        ("check", "error: these modules cannot be imported: alpha", "build_failed"),
        ("push", "Error: pushing image: unauthorized: denied", "image_push_denied"),
    ],
)
def test_a_failed_build_counts_for_nothing_and_says_why(shipwright, step, line, code):
    shipwright.server.pod_rules.add(
        {"name": "*", "containers": {f"step-{step}": {"exit_code": 1, "logs": [[0, line]]}}}
    )
    (made,) = shipwright.make()
    assert (made.build.phase, made.build.reason) == ("Failed", code), made.build.message
    assert f"in its step '{step}'" in made.build.message and line in made.build.log_tail
    assert shipwright.make()[0].build.phase == "Failed", "nothing was found"
    assert len(shipwright.runs()) == 2


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"failure": "OOMKilled"}, "build_out_of_memory"),
        ({"failure": "Evicted", "seconds": 0.1}, "build_pod_lost"),
        ({"failure": "ImagePullBackOff"}, "builder_image_unavailable"),
        ({"failure": "Unschedulable"}, "build_pod_refused"),
    ],
)
def test_what_befalls_a_pod_has_a_code(shipwright, rule, code):
    shipwright.server.pod_rules.add({"name": "*", **rule})
    (made,) = shipwright.make()
    assert (made.build.phase, made.build.reason) == ("Failed", code), made.build.message


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"build": BuildOptions(service_account="nobody")}, "builder_account_missing", "service account nobody not found"),
        ({"build": BuildOptions(settings_config_map="gone")}, "build_pod_refused", 'configmaps "gone" not found'),
        ({"build": BuildOptions(settings_secret="gone")}, "build_pod_refused", 'secrets "gone" not found'),
        ({"push_secret": "gone"}, "build_pod_refused", 'secrets "gone" not found'),
    ],
)  # fmt: skip
def test_what_a_build_lacks_is_named(shipwright, options, code, words):
    (made,) = shipwright.make(**options)
    assert made.build.reason == code and words in made.build.message
    assert len(shipwright.runs()) == 1, "another run would not help"


@pytest.mark.parametrize(("reason", "code"), ShipwrightStrategy.reasons.items())
def test_each_reason_of_a_run_that_failed_has_a_code(shipwright, reason, code):
    strategy = ShipwrightStrategy(retryable)
    manifest = strategy.manifest

    def ended(*arguments):
        """As another run has made it, and as it is without a pod to look at."""
        made = manifest(*arguments)
        made["spec"]["build"]["name"] = "nowhere"
        shipwright.server.system.create("buildruns.shipwright.io", made)
        condition = {"type": "Succeeded", "status": "False", "reason": reason, "message": "words of Shipwright"}
        # A patch: the controller may be at the same object, which it leaves alone once it has ended.
        place = ("buildruns.shipwright.io", "team", made["metadata"]["name"])
        shipwright.server.system.patch(*place, {"status": {"conditions": [condition]}}, subresource="status")
        return made

    strategy.manifest = ended
    (made,) = shipwright.bring(strategy)
    assert made.build.reason == code and "words of Shipwright" in made.build.message


def test_a_quota_that_leaves_no_room_is_told(shipwright):
    quota = {"metadata": {"name": "small", "namespace": "team"}, "spec": {"hard": {"pods": "0"}}}
    shipwright.server.system.create("resourcequotas", quota)
    (made,) = shipwright.make()
    assert made.build.reason == "quota_exceeded" and "exceeded quota: small" in made.build.message


def test_a_build_that_takes_too_long_is_stopped(shipwright):
    shipwright.server.pod_rules.add({"name": "*", "seconds": 60})
    (made,) = shipwright.make(timeout=1)
    assert made.build.reason == "build_timeout", made.build.message


def test_the_limit_holds_on_the_cluster_too(shipwright):
    shipwright.server.pod_rules.add({"name": "*", "seconds": 60})
    cut = ShipwrightStrategy(retryable)
    manifest = cut.manifest

    def shorter(*arguments):
        made = manifest(*arguments)
        assert made["spec"]["timeout"] == "30s"
        made["spec"]["timeout"] = "1s"
        return made

    cut.manifest = shorter
    (made,) = shipwright.bring(cut)
    assert made.build.reason == "build_timeout" and "failed to finish within 1s" in made.build.message


def test_without_a_limit_that_of_tekton_does_not_hold_either(shipwright):
    (made,) = shipwright.make(timeout=None)
    (run,) = shipwright.runs()
    assert made.build.phase == "Complete" and run["spec"]["timeout"] == "0s"


def test_a_build_that_somebody_cancels_says_so(shipwright):
    shipwright.server.pod_rules.add({"name": "*", "seconds": 60})

    def cancel(event):
        if event["text"].endswith("started"):
            (run,) = shipwright.runs()
            place = f"/apis/shipwright.io/v1beta1/namespaces/team/buildruns/{run['metadata']['name']}"
            body = {"spec": {"state": "BuildRunCanceled"}}
            http(shipwright.server, "PATCH", place, body, "application/merge-patch+json")

    (made,) = shipwright.make(progress=cancel)
    assert made.build.reason == "build_cancelled", made.build.message


def test_a_build_cancelled_just_as_its_task_is_made_says_so_too(shipwright, monkeypatch):
    shipwright.server.pod_rules.add({"name": "*", "seconds": 60})
    task = stand_in.BuildRunController._task

    def cancelled(controller, run):
        place = (stand_in.RUNS, "team", run["metadata"]["name"])
        controller.system.patch(*place, {"spec": {"state": "BuildRunCanceled"}})
        return task(controller, run)

    monkeypatch.setattr(stand_in.BuildRunController, "_task", cancelled)
    (made,) = shipwright.make()
    assert made.build.reason == "build_cancelled", made.build.message


def test_a_failure_that_may_pass_is_tried_again(shipwright):
    shipwright.server.pod_rules.add({"name": "*", "failure": "Evicted", "seconds": 0.1, "times": 1})
    (made,) = shipwright.make()
    assert made.build.phase == "Complete" and made.build.name.endswith("-2")


def test_check_mode_writes_nothing(shipwright):
    (planned,) = shipwright.make(check=True)
    assert planned.build.phase == "Planned" and not shipwright.server.journal.writes()


def test_options_of_a_build_are_those_of_its_pod(shipwright):
    for name in ("pip", "pip-login", "login"):
        kind = "configmaps" if name == "pip" else "secrets"
        shipwright.server.system.create(kind, {"metadata": {"name": name, "namespace": "team"}})
    more = {
        "service_account": "default",
        "resources": {"limits": {"memory": "4Gi"}},
        "settings_config_map": "pip",
        "settings_secret": "pip-login",
        "builder_image": "registry.example.com/buildah:1",
        "node_selector": {"disk": "ssd"},
    }
    (made,) = shipwright.make(build=BuildOptions(**more), push_secret="login", timeout=77)
    (run,), (pod,) = shipwright.runs(), shipwright.list("pods")
    assert run["spec"]["timeout"] == "77s" and run["spec"]["serviceAccount"] == "default"
    spec = pod["spec"]
    assert spec["serviceAccountName"] == "default" and spec["nodeSelector"] == {"disk": "ssd"}
    sources = {one["name"]: one for one in spec["volumes"]}
    assert sources["settings-config"]["configMap"]["name"] == "pip"
    assert sources["settings-secret"]["secret"]["secretName"] == "pip-login"
    assert sources["login"]["secret"]["secretName"] == "login"
    assert sources["context"]["configMap"]["name"] == f"notebook-environment-{made.key}"
    for container in spec["containers"]:
        assert container["image"] == more["builder_image"]
        assert container["resources"]["limits"] == {"memory": "4Gi"}
        assert {"name": "REGISTRY_AUTH_FILE", "value": "/login/config.json"} in container["env"]
    (account,) = [one for one in shipwright.list("serviceaccounts") if one["metadata"]["name"] == "default"]
    assert "login" not in str(account.get("secrets")), "the account of others is left alone"


def test_the_check_of_an_image_is_a_parameter_of_its_build(shipwright):
    (made,) = shipwright.make(need("alpha", imports={"alpha": "alpha"}), image=ImageOptions(tests=("true",)))
    (build,) = shipwright.list("builds.shipwright.io")
    (given,) = build["spec"]["paramValues"]
    assert [one["value"] for one in given["values"]] == check({"alpha": "alpha"}, ("true",)), made.build.message


def test_a_build_looked_at_before_its_strategy_came_is_made_anew(shipwright):
    (made,) = shipwright.make()
    place = f"notebook-environment-{made.key}"
    (build,) = shipwright.list("builds.shipwright.io")
    build["status"] = {"registered": "False", "reason": "BuildStrategyNotFound", "message": "no such strategy"}
    shipwright.server.system.update_status("builds.shipwright.io", build)
    (again,) = shipwright.make(reuse="never")
    assert again.build.phase == "Complete", again.build.message
    (fresh,) = shipwright.list("builds.shipwright.io")
    assert fresh["metadata"]["name"] == place and fresh["metadata"]["uid"] != build["metadata"]["uid"]


def test_a_build_that_shipwright_does_not_take_is_told_in_its_words(shipwright):
    strategy = ShipwrightStrategy(retryable)
    prepare = strategy.prepare

    def lost(*arguments):
        _strategy, build = prepare(*arguments)
        build["spec"]["strategy"]["name"] = "nowhere"
        return (build,)

    strategy.prepare = lost
    (made,) = shipwright.bring(strategy)
    assert made.build.reason == "build_pod_refused"
    assert "buildStrategy nowhere does not exist in namespace team (BuildStrategyNotFound)" in made.build.message
    assert not shipwright.runs()


def test_a_controller_that_does_not_run_is_suspected(site, monkeypatch):
    monkeypatch.setattr(site.server, "add_actors", lambda *_kinds: None)
    stand_in.install(site.server)
    (made,) = site.bring(ShipwrightStrategy(retryable))
    assert made.build.reason == "build_pod_refused" and "see whether its controller runs" in made.build.message


def test_on_openshift_the_account_of_its_pipelines_builds(tmp_path, site):
    """Shipwright takes the service account `pipeline` where there is one."""
    with ApiServer(profile="openshift") as server:
        namespace(server)
        tekton.install_openshift_pipelines(server, "team")
        (made,) = with_shipwright(Site(server, str(tmp_path))).make()
        assert made.build.phase == "Complete", made.build.message
        (pod,) = server.system.list("pods", "team")
        assert pod["metadata"]["annotations"]["openshift.io/scc"] == tekton.PIPELINES_SCC


def test_a_strategy_keeps_its_promises(shipwright):
    strategy = ShipwrightStrategy(retryable)
    with Cluster(auth(shipwright.server)) as cluster:
        context = context_of(shipwright, cluster)
        other, broken = need("alpha==2.0"), need("nosuchthing")
        interrupted = f"notebook-environment-{strategy.plan(context, other).key}-1"
        shipwright.server.pod_rules.add({"name": f"{interrupted}*", "seconds": 0.3, **PUSHED})
        failing = f"notebook-environment-{strategy.plan(context, broken).key}*"
        shipwright.server.pod_rules.add({"name": failing, "exit_code": 1})
        check_strategy(strategy, context, needs=need("alpha==1.0"), other=other, broken=broken)


def test_what_is_deleted_leaves_only_the_shared_strategy(shipwright):
    (made,) = shipwright.make()
    with Cluster(auth(shipwright.server)) as cluster:
        ShipwrightStrategy(retryable).delete(context_of(shipwright, cluster), made.key)
    assert not shipwright.runs() and not shipwright.list("builds.shipwright.io")
    assert not [one for one in shipwright.list("configmaps") if made.key in one["metadata"]["name"]]
    assert len(shipwright.list("buildstrategies.shipwright.io")) == 1


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (None, "the cluster serves no shipwright.io"),
        ("v1alpha1", "the cluster serves shipwright.io as v1alpha1 only: .* serves v1beta1"),
    ],
)
def test_it_says_why_it_cannot_work(site, version, words):
    if version:
        stand_in.install(site.server, version)
    with pytest.raises(EngineError, match=f"shipwright cannot work here: {words}"):
        site.bring(ShipwrightStrategy(retryable))


def test_the_stand_in_refuses_a_field_that_there_is_not(shipwright):
    build = {"strategy": {"name": "x"}, "output": {"image": "x:1", "pushSecrets": "y"}}
    body = {"apiVersion": "shipwright.io/v1beta1", "kind": "Build", "metadata": {"name": "a", "namespace": "team"}}
    with pytest.raises(ApiError, match="output.pushSecrets: there is no such field"):
        shipwright.server.system.create("builds.shipwright.io", {**body, "spec": build})
