# SPDX-License-Identifier: GPL-3.0-or-later
"""What Argo CD makes of a job, and what a success triggers."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.transport import Answer, Server
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop
from cluster_support import auth, grant
from operator_support import PLURAL, ROOT

from notebook_operator.told import aggregate  # isort: skip
from notebook_operator.work import reconcile, triggers  # isort: skip
from notebook_operator.turns import resting  # isort: skip
from notebook_operator.told.aggregate import Aggregates  # isort: skip

pytest_plugins = ("desk_fixtures",)
lupa = pytest.importorskip("lupa.lua51")
ARGOCD = ROOT / "operator" / "argocd"
KEY = "resource.customizations.health.mlops.mlops.dev_NotebookValidationJob"
SHOP = {"labels": {"app.kubernetes.io/part-of": "shop"}}


# --- health


@pytest.fixture(scope="module")
def health():
    """`health(job)`: the status and the message that Argo CD shows, by its own way: the text is run with `obj`."""
    text = yaml.safe_load((ARGOCD / "argocd-cm.yaml").read_text(encoding="utf-8"))["data"][KEY]

    def run(job: dict) -> tuple[str, str]:
        lua = lupa.LuaRuntime(unpack_returned_tuples=True)
        for name in ("io", "os", "require", "dofile", "loadfile", "package", "debug"):
            lua.globals()[name] = None  # Argo CD gives none of these
        lua.globals().obj = lua.table_from(job, recursive=True)
        found = lua.execute(text)
        return found["status"], found["message"]

    return run


def seen(desk, name: str, notebook: str, **spec) -> list[dict]:
    """All states of a job from its creation to its verdict."""
    states: list[dict] = []
    forget = desk.server.store.subscribe(
        lambda _event, resource, found: resource.plural.startswith("notebookv") and states.append(found)
    )
    try:
        desk.status(name, notebook, **spec)
        desk.server.store.flush()
    finally:
        forget()
    return states


@pytest.mark.parametrize(("notebook", "last"), [("a.ipynb", "Healthy"), ("bad.ipynb", "Degraded")])
def test_the_health_follows_what_the_operator_says(desk, health, notebook, last):
    states = seen(desk, "job", notebook)
    phases = [(state.get("status") or {}).get("phase") for state in states]
    assert phases[0] is None and {"Initializing", "ValidationRunning"} <= set(phases)
    told = [health(state) for state in states]
    assert [status for status, _words in told] == ["Progressing"] * (len(told) - 1) + [last]
    final = states[-1]["status"]
    assert told[-1][1] == final["message"] and all(words for _status, words in told)


def test_a_verdict_on_an_older_generation_is_no_health(desk, health):
    desk.status("job")
    changed = desk.server.system.patch(PLURAL, "team", "job", {"spec": {"parameters": {"n": 2}}})
    assert changed["metadata"]["generation"] == 2 and changed["status"]["phase"] == "Succeeded"
    assert health(changed)[0] == "Progressing"


def test_a_job_that_waits_for_the_cluster_goes_on(desk, health):
    job = desk.apply("job")
    reconcile.wait_for_cluster(desk.cluster, job, Stop(), ClusterError("It does not answer.", "cluster_unavailable"))
    assert health(desk.server.system.get(PLURAL, "team", "job")) == ("Progressing", "It does not answer.")


def test_a_suspended_job_is_suspended_until_it_has_a_verdict(health):
    job = {"metadata": {"generation": 3}, "spec": {"suspend": True}}
    assert health(job)[0] == "Suspended"
    condition = {"type": "ValidationComplete", "status": "True", "observedGeneration": 3, "message": "It passed."}
    assert health({**job, "status": {"conditions": [condition]}}) == ("Healthy", "It passed.")


def test_what_the_operator_says_of_a_suspended_job_is_no_verdict(desk, health):
    job = desk.apply("job", "a.ipynb", SHOP, suspend=True)
    resting.hold(desk.cluster, job, Stop())
    held = desk.server.system.get(PLURAL, "team", "job")
    assert health(held)[0] == "Suspended" and aggregate._told(held)["state"] == "Suspended"


def test_openshift_gitops_is_given_the_same(health):
    config = yaml.safe_load((ARGOCD / "argocd-cm.yaml").read_text(encoding="utf-8"))
    resource = yaml.safe_load((ARGOCD / "openshift-gitops.yaml").read_text(encoding="utf-8"))
    (check,) = resource["spec"]["resourceHealthChecks"]
    assert (check["group"], check["kind"], check["check"]) == (
        "mlops.mlops.dev",
        "NotebookValidationJob",
        config["data"][KEY],
    )


# --- waves


@pytest.mark.parametrize(
    ("notebook", "mine", "other"), [("a.ipynb", "complete", "failed"), ("bad.ipynb", "failed", "complete")]
)
def test_a_wave_that_is_over_is_told(desk, notebook, mine, other):
    before = {f"mlops.dev/wave-{other}": "2"}
    desk.status("job", notebook, {"annotations": {"argocd.argoproj.io/sync-wave": "2", **before}})
    found = desk.server.system.get(PLURAL, "team", "job")["metadata"]
    assert found["annotations"][f"mlops.dev/wave-{mine}"] == "2" and "mlops.dev/completion-time" in found["annotations"]
    assert f"mlops.dev/wave-{other}" not in found["annotations"] and found["generation"] == 1


def test_a_wave_whose_job_is_refused_has_failed(desk):
    wave = {"argocd.argoproj.io/sync-wave": "1"}
    desk.status("job", "a.ipynb", {"annotations": wave}, modelValidation={"phase": "existing"})
    assert desk.server.system.get(PLURAL, "team", "job")["metadata"]["annotations"]["mlops.dev/wave-failed"] == "1"


def test_without_a_wave_nothing_is_annotated(desk):
    desk.status("job")
    assert "annotations" not in desk.server.system.get(PLURAL, "team", "job")["metadata"]


# --- triggers


def trigger(kind: str, action: str = "restart", name: str = "scorer", version: str = "apps/v1", **more) -> dict:
    entry = {"apiVersion": version, "kind": kind, "name": name, "action": action, **more}
    return {"annotations": {triggers.ANNOTATION: yaml.safe_dump([entry])}}


def deployment(desk, space: str = "team", plural: str = "deployments.apps", kind: str = "Deployment") -> None:
    labels = {"app": "scorer"}
    pod = {"containers": [{"name": "server", "image": "registry.example.com/scorer:1"}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    desk.create(plural, "apps/v1", kind, "scorer", space, spec=spec)


def pods_of(desk, plural: str = "deployments.apps") -> dict:
    return desk.server.system.get(plural, "team", "scorer")["spec"]["template"]["metadata"].get("annotations") or {}


def test_a_success_restarts_what_it_names_once(desk):
    deployment(desk)
    desk.status("job", "a.ipynb", trigger("Deployment"))
    first = pods_of(desk)
    assert first["kubectl.kubernetes.io/restartedAt"] and "Triggered" in desk.events("job")
    generation = desk.server.system.get("deployments.apps", "team", "scorer")["metadata"]["generation"]
    began = desk.server.system.get(PLURAL, "team", "job")["status"]["startTime"]
    desk.work(
        "job", before={"phase": "ValidationRunning", "observedGeneration": 1, "startTime": began}
    )  # killed before the last word
    again = desk.server.system.get("deployments.apps", "team", "scorer")["metadata"]["generation"]
    assert (pods_of(desk), again) == (first, generation), "no second restart"


def test_a_failure_restarts_nothing(desk):
    deployment(desk)
    assert desk.status("job", "bad.ipynb", trigger("Deployment"))["phase"] == "Failed"
    assert pods_of(desk) == {}


def test_a_model_of_kserve_is_restarted_by_its_predictor(desk):
    spec = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}}
    desk.create(
        "inferenceservices.serving.kserve.io", "serving.kserve.io/v1beta1", "InferenceService", "scorer", spec=spec
    )
    desk.status("job", "a.ipynb", trigger("InferenceService", version="serving.kserve.io/v1beta1"))
    found = desk.server.system.get("inferenceservices.serving.kserve.io", "team", "scorer")["spec"]["predictor"]
    assert "kubectl.kubernetes.io/restartedAt" in found["annotations"] and "model" in found


@pytest.mark.parametrize("action", ["sync", "refresh"])
def test_an_application_is_compared_anew_once(desk, action):
    plural, version = "applications.argoproj.io", "argoproj.io/v1alpha1"
    desk.create(plural, version, "Application", "scorer", spec={})
    desk.status("job", "a.ipynb", trigger("Application", action, version=version))
    found = desk.server.system.get(plural, "team", "scorer")
    assert found["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "normal"
    del found["metadata"]["annotations"]["argocd.argoproj.io/refresh"]  # as Argo CD does it
    desk.server.system.update(plural, found)
    began = desk.server.system.get(PLURAL, "team", "job")["status"]["startTime"]
    desk.work("job", before={"phase": "ValidationRunning", "observedGeneration": 1, "startTime": began})
    assert (
        "argocd.argoproj.io/refresh" not in desk.server.system.get(plural, "team", "scorer")["metadata"]["annotations"]
    )


def test_a_trigger_that_fails_changes_no_verdict(desk):
    status = desk.status("job", "a.ipynb", trigger("Deployment", name="gone"))
    assert status["phase"] == "Succeeded" and "Deployment gone was not triggered" in desk.events("job")["TriggerFailed"]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (trigger("Deployment", namespace="other"), "things of its own namespace team only"),
        (trigger("Deployment", "delete"), "has the action delete, and Deployment has restart"),
        (trigger("Deployment", "sync"), "has the action sync"),
        (trigger("Secret", version="v1"), "is about Secret of v1"),
        (trigger("Deployment", version="extensions/v1beta1"), "Deployment of extensions/v1beta1"),
        (trigger("Deployment", name="../../other/deployments/x"), "which no object has"),
        (trigger("Deployment", name="a/scale"), "which no object has"),
        (trigger("Deployment", command="id"), "has command, which no trigger has"),
        ({"annotations": {triggers.ANNOTATION: "restart: everything"}}, "is no YAML list"),
        ({"annotations": {triggers.ANNOTATION: "[1, 2]"}}, "is no YAML list"),
        ({"annotations": {triggers.ANNOTATION: "!!python/object/apply:os.system [id]"}}, "is no YAML list"),
        ({"annotations": {triggers.ANNOTATION: json.dumps([{"kind": "Deployment"}] * 21)}}, "names 21 objects"),
    ],
)  # fmt: skip
def test_other_triggers_are_refused_before_anything_is_run(desk, metadata, words):
    deployment(desk, "other")
    desk.server.journal.clear()
    status = desk.status("job", "a.ipynb", metadata)
    desk.server.system.delete("deployments.apps", "other", "scorer")
    assert status["code"] == "invalid_input" and words in status["message"], status["message"]
    assert not desk.server.journal.entries("/jobs", verb="create")
    assert not [one for one in desk.server.journal.entries("/namespaces/other/") if one.verb == "patch"]


def test_no_trigger_is_pulled_unless_the_administrator_says_so(desk):
    desk.reach["triggers"] = False
    deployment(desk)
    status = desk.status("job", "a.ipynb", trigger("Deployment"))
    assert status["phase"] == "Failed" and "NOTEBOOK_OPERATOR_TRIGGERS" in status["message"] and pods_of(desk) == {}


def test_each_kind_of_workload_has_a_path_of_its_own():
    paths = {kind: one.resource.path("team", "x") for (_version, kind), one in triggers._KINDS.items()}
    assert paths["StatefulSet"] == "/apis/apps/v1/namespaces/team/statefulsets/x"
    assert paths["DaemonSet"] == "/apis/apps/v1/namespaces/team/daemonsets/x"


# --- rights


def test_the_rights_that_the_role_grants_suffice(desk, monkeypatch):
    """For models, triggers, waves and applications; none of them asks for more."""
    needs = [need for work in ("validator", "models", "triggers") for need in needs_of(work, "team")]
    grant(desk.server, "gitops", list(role_rules(needs)))
    token = desk.server.tokens.issue("gitops", 3600)
    deployment(desk)
    version = "serving.kserve.io/v1beta1"
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    desk.create(
        "inferenceservices.serving.kserve.io",
        version,
        "InferenceService",
        "scorer",
        status=status,
        spec={"predictor": {}},
    )
    desk.create("services", "v1", "Service", "scorer-predictor", spec={"selector": {"a": "b"}, "ports": [{"port": 80}]})
    entries = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scorer", "action": "restart"},
        {"apiVersion": version, "kind": "InferenceService", "name": "scorer", "action": "restart"},
    ]
    notes = {triggers.ANNOTATION: yaml.safe_dump(entries), triggers.WAVE: "3"}
    answer = Answer(200, b'{"ready": true}')
    monkeypatch.setattr(
        Server, "ask", lambda self, url, _body=None: self._way("scorer-predictor.team.svc", 80) and answer
    )
    with Cluster({**auth(desk.server, token), "namespace": "team"}) as cluster:
        monkeypatch.setattr(desk, "cluster", cluster)
        desk.server.journal.clear()
        found = desk.status(
            "job", "a.ipynb", {"annotations": notes, **SHOP}, modelValidation={"targetModels": ["scorer"]}
        )
        mine = Aggregates(cluster)
        mine._write(aggregate._Part("team", "shop"))
        desk.apply("another", "a.ipynb", SHOP)
        mine._write(aggregate._Part("team", "shop"))
    assert desk.server.system.get("configmaps", "team", "notebook-validation-shop")["data"]["total"] == "2"
    denied = [one.line for one in desk.server.journal.entries("/team/") if one.status == 403]
    assert found["phase"] == "Succeeded" and not denied, (found, denied)
    assert not {"TriggerFailed", "WaveNotTold"} & set(desk.events("job"))
