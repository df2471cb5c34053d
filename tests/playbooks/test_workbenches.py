# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook jupyterhub beside OpenShift AI: workbenches, the backup of users, and what a purge takes and leaves."""

from __future__ import annotations

import pytest

from tests.apiserver.actors import buckets

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


@pytest.fixture
def on(site):  # noqa: F811
    """A cluster with the workbenches' API, buckets, and what workbenches need."""
    found = site("kubernetes", pods="simulated")
    found.provisioner = buckets.install(found.server)
    define(found, "kubeflow.org", "notebooks", "Notebook")
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


@pytest.mark.timeout(900)  # five plays
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
    assert (
        STOPPED in there["here"]["metadata"]["annotations"] and STOPPED not in there["jane"]["metadata"]["annotations"]
    )
    culler = on.server.system.get("configmaps", CONTROLLER, CULLER)["data"]
    assert culler == {"ENABLE_CULLING": "true", "CULL_IDLE_TIME": "60", "IDLENESS_CHECK_PERIOD": "1"}
    backup = on.server.system.get("cronjobs.batch", OWN, f"{NAME}-backup")["spec"]
    assert backup["schedule"] == "0 3 * * *"
    assert backup["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"] == f"{NAME}-backup"
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
    less = run(on, **HUB, workbenches=[running])
    assert less.status == 0, less.text
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
