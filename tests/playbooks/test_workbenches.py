# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook jupyterhub beside OpenShift AI: workbenches, the backup of users, and what a purge takes and leaves."""

from __future__ import annotations

import pytest

from tests.apiserver.actors import buckets
from tests.apiserver.actors.actor import Actor, itself

from .policies import reaches
from .test_jupyterhub import NAME, OWN, USER, define, made, named, pod, run, secret, stored_by_a_user
from .test_namespace import site  # noqa: F401 - the fixture

NOTEBOOKS, CULLER = "notebooks.kubeflow.org", "notebook-controller-culler-config"
STOPPED = "kubeflow-resource-stopped"
PROJECT, CONTROLLER = "project-jane", "redhat-ods-applications"
HUB = {
    "host": "hub.example.com", "login": {"kind": "ldap"}, "network_policy": True, "backup": {"schedule": "0 3 * * *"},
    "users": ["jane"], "profiles": [
        {"name": "small", "image": "registry.example.com/lab:1", "environment": {"MODE": "fast"}, "shutdown_timeout": 900},
        {"name": "gpu", "images": ["cuda"], "gpu": {"resource": "nvidia.com/gpu", "count": 1}},
    ],
    "images": [{"name": "cuda", "image": "registry.example.com/cuda:1"}],
}  # fmt: skip
JANE = {"name": "jane", "profile": "small", "namespace": PROJECT, "user": "jane"}
BENCHES = [
    JANE,
    {"name": "here", "profile": "gpu", "image_stream": "cuda:1", "image_namespace": "images", "stopped": True},
]
CULLING = {"namespace": CONTROLLER, "idle_minutes": 60}
COMPONENT, PORTS = (
    "app.kubernetes.io/component",
    {"hub": 8081, "proxy": 8001, "database": 5432, "singleuser-server": 8888},
)


class Locking(Actor):
    """Stops each Notebook for a moment when it sees it first, as the controller of Open Data Hub does."""

    name = "notebook-controller"
    watches = {NOTEBOOKS: itself}

    def __init__(self, server, activity):
        super().__init__(server, activity)
        self._seen: set[str] = set()

    def reconcile(self, namespace: str, name: str) -> None:
        found = self.system.find(NOTEBOOKS, namespace, name)
        if found is None:
            return
        value = found["metadata"]["annotations"].get(STOPPED)
        if name not in self._seen and value is None:
            self._say(namespace, name, "odh-notebook-controller-lock")
            self.enqueue_later((namespace, name), 1)
        elif name in self._seen and value == "odh-notebook-controller-lock":
            self._say(namespace, name, None)
        self._seen.add(name)

    def _say(self, namespace: str, name: str, value: str | None) -> None:
        self.system.patch(NOTEBOOKS, namespace, name, {"metadata": {"annotations": {STOPPED: value}}})


@pytest.fixture
def on(site):  # noqa: F811
    """A cluster with the workbenches' API, buckets, and what workbenches need."""
    found = site("kubernetes", pods="simulated")
    found.provisioner = buckets.install(found.server)
    define(found, "kubeflow.org", "notebooks", "Notebook")
    found.server.add_actors(Locking)
    for name in (PROJECT, CONTROLLER):
        found.server.system.create("namespaces", named("namespaces", name))
    return found


def benches(on) -> dict[str, dict]:
    found = [one for space in (OWN, PROJECT) for one in on.server.system.list(NOTEBOOKS, space)]
    return {one["metadata"]["name"]: one for one in found}


def volumes(on) -> set[str]:
    found = [one for space in (OWN, PROJECT) for one in on.server.system.list("persistentvolumeclaims", space)]
    return {one["metadata"]["name"] for one in found}


def claim_of(user: str, labels: dict) -> dict:
    metadata = {"name": f"{NAME}-bucket-{user}", "namespace": OWN, "labels": labels}
    spec = {"generateBucketName": user, "storageClassName": "buckets"}
    return {"apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim", "metadata": metadata, "spec": spec}


def test_workbenches_and_backup_are_as_asked_for_and_a_purge_takes_what_is_the_hubs(on):
    wanted = {**HUB, "workbenches": BENCHES, "workbench_culling": CULLING}
    first = run(on, **wanted)
    assert first.status == 0, first.text
    there = benches(on)
    assert set(there) == {"jane", "here"} and {"jane-storage", "here-storage"} <= volumes(on)
    assert there["jane"]["metadata"]["annotations"]["opendatahub.io/username"] == "jane"
    container = there["jane"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example.com/lab:1" and {"name": "MODE", "value": "fast"} in container["env"]
    assert "shutdown_no_activity_timeout=900" in container["env"][0]["value"]
    assert there["here"]["metadata"]["annotations"][STOPPED] == "mlops.notebooks"
    culler = on.server.system.get("configmaps", CONTROLLER, CULLER)["data"]
    assert culler == {"ENABLE_CULLING": "true", "CULL_IDLE_TIME": "60", "IDLENESS_CHECK_PERIOD": "1"}
    backup = on.server.system.get("cronjobs.batch", OWN, f"{NAME}-backup")["spec"]
    assert backup["schedule"] == "0 3 * * *"
    template = backup["jobTemplate"]["spec"]["template"]
    assert template["spec"]["serviceAccountName"] == f"{NAME}-backup"
    # A pod of it is admitted at the level restricted, and reaches the hub and nothing else of it.
    on.server.system.create(
        "pods", named("pods", "backup", labels=template["metadata"]["labels"], spec=template["spec"])
    )
    policies = on.server.system.list("networkpolicies.networking.k8s.io", OWN)
    others = {one: {**USER, COMPONENT: one} for one in ("hub", "proxy", "database", "singleuser-server")}
    reached = {one for one in others if reaches(policies, template["metadata"]["labels"], others[one], PORTS[one])}
    assert reached == {"hub"}
    assert not reaches(policies, {**USER, COMPONENT: "database"}, others["hub"], 8081)
    assert len(secret(on)["backup-token"]) == 64 and "secrets/backup-token" in str(pod(on))

    # What the backup, a user at the dashboard and the controller's webhook write meanwhile is theirs.
    patch = on.server.system.patch
    patch("configmaps", OWN, f"{NAME}-users", {"data": {"users.yml": "hub_users: [jane]\n"}})
    patch(NOTEBOOKS, PROJECT, "jane", {"metadata": {"annotations": {STOPPED: "2026-11-26T00:00:00Z"}}})
    sidecar = [container, {"name": "kube-rbac-proxy", "image": "proxy:1"}]
    patch(NOTEBOOKS, PROJECT, "jane", {"spec": {"template": {"spec": {"containers": sidecar}}}})
    again = run(on, **wanted)
    assert again.status == 0 and again.changed == 0 and not on.server.journal.writes(), again.text
    assert STOPPED in benches(on)["jane"]["metadata"]["annotations"]

    running = {**JANE, "stopped": False}
    less = run(on, **{**HUB, "backup": {}}, workbenches=[running])
    assert less.status == 0, less.text
    assert {name for name in made(on) if "backup" in str(name)} == set() and "backup-token" not in str(pod(on))
    assert not on.server.system.list("cronjobs.batch", OWN)
    assert on.server.system.get("configmaps", OWN, f"{NAME}-users")["data"] == {"users.yml": "hub_users: [jane]\n"}
    assert set(benches(on)) == {"jane"} and STOPPED not in benches(on)["jane"]["metadata"]["annotations"]
    assert {"jane-storage", "here-storage"} <= volumes(on)
    assert not on.server.system.find("configmaps", CONTROLLER, CULLER)

    stored_by_a_user(on)
    for user, labels in {"jane": USER, "theirs": {"app.kubernetes.io/instance": "other"}}.items():
        on.server.system.create(buckets.PLURAL, claim_of(user, labels))
    before = volumes(on)
    gone = run(on, **HUB, state="absent")
    assert gone.status == 0 and not benches(on) and volumes(on) == before, gone.text
    assert set(made(on)) == {("configmaps", f"{NAME}-users")}
    assert len(on.server.system.list(buckets.PLURAL, OWN)) == 2 and on.server.system.find("namespaces", None, OWN)

    purged = run(on, **HUB, state="absent", purge=True)
    assert purged.status == 0, purged.text
    left = {one["metadata"]["name"] for one in on.server.system.list(buckets.PLURAL, OWN)}
    assert not made(on) and left == {f"{NAME}-bucket-theirs"} and on.server.system.find("namespaces", None, OWN)
    assert not before & {one["metadata"]["name"] for one in on.server.system.list("persistentvolumeclaims", OWN)}


def test_workbenches_that_cannot_be_are_refused_before_anything_is_written(site):  # noqa: F811
    on = site("kubernetes")
    wrong = [{**JANE, "profile": "gone"}, JANE, {**JANE, "name": "Jane"}]
    refused = run(on, **HUB, workbenches=wrong, workbench_culling={"idle_minutes": 1})
    assert refused.status == 2, refused.text
    for words in (
        "There is no profile gone for the workbench jane", f"hub_workbenches has {PROJECT}/jane twice",
        "Jane is no name of a workbench", "hub_workbench_culling has no namespace",
    ):  # fmt: skip
        assert words in refused.text, words
    lacking = run(on, **HUB, workbenches=[JANE, {"name": "plain", "profile": "gpu"}])
    assert lacking.status == 2, lacking.text
    for words in (
        "There is no namespace project-jane for workbenches", "The cluster has no Notebooks of kubeflow.org",
        "The workbench plain has no image",
    ):  # fmt: skip
        assert words in lacking.text, words
    assert not on.server.journal.writes()

    define(on, "kubeflow.org", "notebooks", "Notebook")
    on.server.system.create("namespaces", named("namespaces", PROJECT))
    metadata = {"name": "jane", "namespace": PROJECT}
    on.server.system.create(NOTEBOOKS, {"apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": metadata})
    theirs = run(on, **HUB, workbenches=[JANE])
    assert theirs.status == 2 and "The Notebook jane in the namespace project-jane is not of this hub" in theirs.text
    assert not on.server.journal.writes()
