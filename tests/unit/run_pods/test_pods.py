# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of the pods of notebooks: added to what the collection says, and as the API takes it."""

from __future__ import annotations

import os

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod import bundle
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import namespace
from pod_run_support import ApiServer, Site

from tests.schemas import complaints

LIMITS = {"limits": {"memory": "2Gi", "example.com/gpu": "1"}}
TOLERATION = {"key": "gpu", "operator": "Exists"}
TERM = {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}
AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}}}
VOLUME = {"name": "data", "emptyDir": {}}
MOUNT = {"name": "data", "mountPath": "/data"}
SOURCE = {"configMapRef": {"name": "settings", "optional": True}}


def jobs_of(server) -> list[dict]:
    """Return the Jobs as they are made from now on, also those that are gone again."""
    made = []
    server.store.subscribe(
        lambda event, resource, one: made.append(one) if resource.plural == "jobs" and event == "ADDED" else None
    )
    server.pod_rules.add({"name": "*", "containers": {"notebook": {"exit_code": 3}}})
    return made


def job_of(site, name: str, **options) -> dict:
    """Return the Job that a call for one notebook makes."""
    made = jobs_of(site.server)
    site.run(name, options=options)
    return made[0]


@pytest.mark.parametrize(
    ("option", "value", "where"),
    [
        ("resources", LIMITS, lambda pod: pod["initContainers"][0]["resources"]["limits"]),
        ("service_account", "default", lambda pod: pod["serviceAccountName"]),
        ("node_selector", {"disk": "ssd"}, lambda pod: pod["nodeSelector"]),
        ("tolerations", (TOLERATION,), lambda pod: tuple(pod["tolerations"])),
        ("affinity", AFFINITY, lambda pod: pod["affinity"]),
        ("priority_class", "high", lambda pod: pod["priorityClassName"]),
        ("runtime_class", "gvisor", lambda pod: pod["runtimeClassName"]),
        ("image_pull_secrets", ("puller",), lambda pod: tuple(one["name"] for one in pod["imagePullSecrets"])),
        ("env_from", (SOURCE,), lambda pod: tuple(pod["initContainers"][0]["envFrom"])),
        ("volumes", (VOLUME,), lambda pod: tuple(one for one in pod["volumes"] if one["name"] == "data")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_option_is_that_of_the_pod(simulated, option, value, where):
    job = job_of(simulated, simulated.notebook("a.ipynb", "1"), **{option: value})
    wanted = value["limits"] if option == "resources" else value
    assert where(job["spec"]["template"]["spec"]) == wanted


def test_a_mount_is_added_to_the_notebook_and_not_to_what_delivers(simulated):
    job = job_of(simulated, simulated.notebook("a.ipynb", "1"), volumes=(VOLUME,), volume_mounts=(MOUNT,))
    (notebook,), (delivery,) = (job["spec"]["template"]["spec"][name] for name in ("initContainers", "containers"))
    places = [one["mountPath"] for one in notebook["volumeMounts"]]
    assert "/data" in places and {"/work", "/results", "/program"} < set(places), "ours are still there"
    assert "/data" not in [one["mountPath"] for one in delivery["volumeMounts"]]


def test_labels_and_annotations_are_added_and_replace_none_of_ours(simulated):
    mine = {"team": "a", "app.kubernetes.io/managed-by": "somebody"}
    job = job_of(simulated, simulated.notebook("a.ipynb", "1"), labels=mine, annotations={"inject": "yes"})
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"]["team"] == "a" and metadata["annotations"]["inject"] == "yes"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "mlops.notebooks"


def test_the_job_has_only_fields_that_the_api_has(simulated):
    options = {
        "resources": LIMITS, "tolerations": (TOLERATION,), "affinity": AFFINITY, "priority_class": "high",
        "runtime_class": "gvisor", "image_pull_secrets": ("puller",), "env_from": (SOURCE,), "volumes": (VOLUME,),
        "volume_mounts": (MOUNT,), "queue": None,
    }  # fmt: skip
    job = job_of(simulated, simulated.notebook("a.ipynb", "1"), **options)
    sent = {name: job[name] for name in ("apiVersion", "kind", "spec")}
    assert complaints({**sent, "metadata": {"name": job["metadata"]["name"]}}) == []


@pytest.mark.parametrize(("profile", "user"), [("openshift", None), ("kubernetes", 1000990000)])
def test_a_user_is_named_only_where_the_cluster_gives_none(tmp_path, profile, user):
    with ApiServer(profile=profile) as server:
        namespace(server)
        site, made = Site(server, tmp_path), jobs_of(server)
        site.validate(site.notebook("a.ipynb", "1"))
    assert made[0]["spec"]["template"]["spec"]["securityContext"].get("runAsUser") == user


def test_a_queue_of_kueue_decides_when_a_job_begins(simulated):
    name = simulated.notebook("a.ipynb", "1")
    simulated.server.faults.add("status", "/pods[?].*watch=true", status=400)
    with pytest.raises(EngineError):
        simulated.run(name, options={"queue": "team", "on_cancel": "leave"})
    (job,) = simulated.server.system.list("jobs.batch", "team")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team" and job["spec"]["suspend"] is True


def test_a_source_has_the_same_bytes_for_the_same_content_and_leaves_out_what_is_excluded(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "below").mkdir(parents=True)
        (tmp_path / name / "below" / "data.csv").write_text("1,2")
        (tmp_path / name / "report.html").write_text(name)
        os.utime(tmp_path / name / "below" / "data.csv", (1, len(name)))
    packed = [bundle.pack(str(tmp_path / name), ("report.html",)) for name in ("one", "two")]
    assert packed[0] == packed[1]
    assert bundle.pack(str(tmp_path / "one")) != packed[0]


def test_a_source_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "PART", 100)
    (tmp_path / "noise").write_bytes(os.urandom(5000))
    with pytest.raises(EngineError, match="leave out with exclude"):
        bundle.pack(str(tmp_path))
