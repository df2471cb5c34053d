# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket for each user: claims, what servers are told, and what is said where there is no bucket."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bucket_support import BUCKET_RIGHTS, Cluster  # noqa: E402
from hub_parts import needed  # noqa: E402

from tests.apiserver.actors.environment import environment_of  # noqa: E402

needed("jupyterhub")
LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    found = Cluster(tmp_path_factory.mktemp("buckets"))
    yield found
    found.stop()


@pytest.fixture
def cluster(whole):
    """The cluster, its provisioner as it is by default; claims of other tests may be there."""
    yield whole
    steers = whole.provisioner
    steers.failing, steers.warned, steers.silent, steers.late = {}, {}, (), ()
    steers.go.clear()
    whole.server.faults.clear()


@pytest.fixture(autouse=True)
def quiet(request):
    """The journal tells of one test."""
    if "cluster" in request.fixturenames:
        request.getfixturevalue("cluster").server.journal.clear()


def claim_of(cluster, user: str) -> dict:
    return next(one for one in cluster.claims() if one["metadata"]["annotations"]["hub.jupyter.org/username"] == user)


def container(answer: dict) -> dict:
    assert "said" not in answer, answer
    return answer["pod"]["spec"]["containers"][0]


def seen(cluster, answer: dict) -> dict[str, str]:
    """The variables that the server's processes have."""
    pod = {"metadata": {"name": "server", "namespace": "team", "uid": "1"}, "spec": answer["pod"]["spec"]}
    return environment_of(cluster.server, pod, container(answer), "10.0.0.9")


def test_a_server_has_keys_and_address_of_a_bucket_of_its_user(cluster):
    found = seen(cluster, cluster.worker.prepare("jane"))
    bucket = claim_of(cluster, "jane")["spec"]["bucketName"]
    assert found["BUCKET_NAME"] == found["AWS_S3_BUCKET"] == bucket
    for name in ("S3_ENDPOINT_URL", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3"):
        assert found[name] == "https://s3.storage.svc:443"
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == (f"key-of-{bucket}", f"secret-of-{bucket}")
    assert found["AWS_DEFAULT_REGION"] == "us-east-1" and found["KEPT"] == "yes"


def test_no_key_is_in_the_pod_nor_in_the_log(cluster):
    answer = cluster.worker.prepare("quiet")
    keys = [seen(cluster, answer)[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    assert not [key for key in keys if key in json.dumps(answer) or key in cluster.worker.log()]


def test_a_second_start_takes_one_request_and_the_same_bucket(cluster):
    first = cluster.worker.prepare("again")
    cluster.server.journal.clear()
    second = cluster.worker.prepare("again", "named")
    assert cluster.asked() == ["get"]
    assert seen(cluster, first)["BUCKET_NAME"] == seen(cluster, second)["BUCKET_NAME"]


def test_names_differ_where_users_do_and_are_labels(cluster):
    users = ["a.b", "a-b", "A.B", "Jean.Luc", "jean-luc", "x" * 200, "x" * 201, "ünï@ex.io", "-", "7"]
    for user in users:
        container(cluster.worker.prepare(user))
    names = [claim_of(cluster, user)["metadata"]["name"] for user in users]
    assert len(set(names)) == len(users) and all(LABEL.match(name) for name in names), names
    buckets = [claim_of(cluster, user)["spec"]["bucketName"] for user in users]
    assert len(set(buckets)) == len(users) and all(LABEL.match(name) for name in buckets), buckets


def test_class_quota_and_labels_are_those_of_the_settings(cluster):
    cluster.worker.prepare("quota", max_size="10G", max_objects=1000)
    found = claim_of(cluster, "quota")
    assert found["spec"]["storageClassName"] == "buckets"
    assert found["spec"]["additionalConfig"] == {"maxSize": "10G", "maxObjects": "1000"}
    labels = {"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/instance": "hub"}
    labels |= {"app.kubernetes.io/managed-by": "mlops.notebooks", "app.kubernetes.io/component": "bucket"}
    assert labels.items() <= found["metadata"]["labels"].items()


def test_another_quota_reaches_a_bucket_that_is_there(cluster):
    cluster.worker.prepare("grown", max_size="1G", max_objects=5)
    cluster.server.journal.clear()
    cluster.worker.prepare("grown", max_size="2G")
    assert claim_of(cluster, "grown")["spec"]["additionalConfig"] == {"maxSize": "2G"}
    assert cluster.asked() == ["get", "patch"]


def test_what_the_settings_name_reaches_the_server(cluster):
    given = {"endpoint_url": "http://$(BUCKET_HOST)", "region": "eu-1", "shared": ["public", "models"]}
    found = seen(cluster, cluster.worker.prepare("other", **given))
    assert found["S3_ENDPOINT_URL"] == "http://s3.storage.svc" and found["AWS_DEFAULT_REGION"] == "eu-1"
    assert json.loads(found["SHARED_BUCKETS"]) == ["public", "models"]


@pytest.mark.parametrize("key", [None, "service-ca.crt"])
def test_certificates_are_mounted_where_the_variable_says(cluster, key):
    given = {"ca_config_map": "trust"} | ({"ca_key": key} if key else {})
    cluster.worker.prepare("trusting", **given)
    answer = cluster.worker.prepare("trusting", **given)  # a spawner starts many servers
    mounts = [one for one in container(answer)["volumeMounts"] if one["name"] == "bucket-ca"]
    (volume,) = [one for one in answer["pod"]["spec"]["volumes"] if one["name"] == "bucket-ca"]
    name = key or "ca-bundle.crt"
    assert volume["configMap"] == {"name": "trust", "items": [{"key": name, "path": name}]}
    assert [f"{one['mountPath']}/{name}" for one in mounts] == [seen(cluster, answer)["AWS_CA_BUNDLE"]]


def test_without_buckets_nothing_is_asked_for(cluster):
    found = seen(cluster, cluster.worker.prepare("none", enabled=False))
    assert "AWS_ACCESS_KEY_ID" not in found and not cluster.asked()


def test_others_start_while_one_waits_for_a_bucket_that_comes_late(cluster):
    cluster.provisioner.late = ("*late*",)
    wait = cluster.worker.begin("late")
    cluster.server.journal.wait_for("objectbucketclaims.*watch", verb="watch")
    assert seen(cluster, cluster.worker.prepare("early"))["BUCKET_NAME"]
    cluster.provisioner.go.set()
    assert seen(cluster, wait())["BUCKET_NAME"] == claim_of(cluster, "late")["spec"]["bucketName"]
    assert cluster.asked().count("get") == 2  # one each, and none repeated


@pytest.mark.parametrize("kind", ["gone", "drop-watch"])
def test_a_watch_that_breaks_is_taken_up_again(cluster, kind):
    cluster.provisioner.late = ("*broken*",)
    cluster.server.faults.add(kind, "objectbucketclaims", watch=True)
    wait = cluster.worker.begin(f"broken-{kind}")
    cluster.server.journal.wait_for("objectbucketclaims", count=2, verb="watch")
    cluster.provisioner.go.set()
    assert seen(cluster, wait())["BUCKET_NAME"]


def test_a_cluster_that_is_busy_is_asked_again(cluster):
    cluster.server.faults.add("status", "objectbucketclaims", status=503)
    assert seen(cluster, cluster.worker.prepare("busy"))["BUCKET_NAME"]


WRONG = {
    "silent": (503, "Your bucket is not ready, after 0.5 s its claim hub-bucket-silent is still Pending: start the server again later."),
    "warned": (503, "Your bucket is not ready, after 0.5 s its claim hub-bucket-warned is still Pending (no space left): start the server again later."),
    "failing": (500, "Your bucket was not made, its claim hub-bucket-failing is Failed: an administrator finds out why from the claim's events."),
}  # fmt: skip


@pytest.mark.parametrize("user", WRONG)
def test_whoever_gets_no_bucket_is_told_why(cluster, user):
    given = {"silent": ("*silent",), "warned": {"*warned": "no space left."}, "failing": {"*failing": "no space left."}}
    setattr(cluster.provisioner, user, given[user])
    wait = 30 if user == "failing" else 0.5  # a failure is told at once
    answer = cluster.worker.prepare(user, wait=wait)
    assert (answer["status"], answer["said"]) == WRONG[user] and answer["told"] == answer["said"]
    assert f"No bucket for {user}: {answer['said']}" in cluster.worker.log()


def test_a_cluster_that_does_not_answer_is_said_to(cluster):
    cluster.server.faults.add("drop", "objectbucketclaims", count=0)
    answer = cluster.worker.prepare("nobody", wait=0.3)
    assert (answer["status"], answer["said"]) == (
        503, "Your bucket is not to be had, the cluster did not answer for 0.3 s: start the server again later.",
    )  # fmt: skip


def test_a_refusal_is_told_with_the_clusters_own_words(cluster):
    cluster.server.faults.add("status", "objectbucketclaims", method="POST", status=403)
    answer = cluster.worker.prepare("refused")
    assert (
        answer["status"] == 403
        and "refuses the claim hub-bucket-refused of your bucket (forbidden by a fault)" in answer["said"]
    )


def test_a_cluster_without_claims_is_said_to_have_none(cluster):
    cluster.server.faults.add("status", "objectbucketclaims", count=2, status=404)
    answer = cluster.worker.prepare("nowhere")
    assert answer["status"] == 500 and "it has no ObjectBucketClaims" in answer["said"]


def test_a_claim_of_somebody_else_is_not_taken(cluster):
    cluster.worker.prepare("first")
    place = ("objectbucketclaims.objectbucket.io", "team", "hub-bucket-first")
    cluster.server.system.patch(*place, {"metadata": {"annotations": {"hub.jupyter.org/username": "second"}}})
    answer = cluster.worker.prepare("first")
    assert answer["status"] == 409 and "hub-bucket-first is not that of first" in answer["said"]


def test_a_claim_that_is_being_removed_is_not_taken(cluster):
    cluster.worker.prepare("going")
    cluster.provisioner.classes, classes = (), cluster.provisioner.classes
    cluster.server.system.delete("objectbucketclaims.objectbucket.io", "team", "hub-bucket-going")
    answer = cluster.worker.prepare("going")
    cluster.provisioner.classes = classes
    assert answer["status"] == 409 and "is being removed" in answer["said"]


def test_a_user_who_is_deleted_leaves_a_bucket_unless_told_otherwise(cluster):
    for user, given in {"kept": {}, "kept-too": {"retain": True}, "deleted": {"retain": False}}.items():
        cluster.worker.prepare(user, **given)
        cluster.worker.delete(user, **given)
    left = {one["metadata"]["name"] for one in cluster.claims() if not one["metadata"].get("deletionTimestamp")}
    assert {"hub-bucket-kept", "hub-bucket-kept-too"} <= left and "hub-bucket-deleted" not in left


def test_a_named_server_that_is_deleted_leaves_its_users_bucket(cluster):
    cluster.worker.prepare("owner", "second", retain=False)
    cluster.worker.delete("owner", "second", retain=False)
    assert not claim_of(cluster, "owner")["metadata"].get("deletionTimestamp") and "delete" not in cluster.asked()


def test_deleting_a_user_who_never_had_a_bucket_is_no_error(cluster):
    assert "said" not in cluster.worker.delete("never", retain=False)


def test_the_hub_uses_each_right_that_its_role_has(cluster):
    """Among them is none to read Secrets or ConfigMaps, and whatever lacks one was refused above."""
    cluster.provisioner.late = ("*rights*",)
    wait = cluster.worker.begin("rights", retain=False)
    cluster.server.journal.wait_for("objectbucketclaims", verb="watch")
    cluster.provisioner.go.set()
    wait()
    cluster.worker.prepare("rights", max_size="1G", retain=False)
    cluster.worker.delete("rights", retain=False)
    granted = [(rule["apiGroups"], rule["resources"], set(rule["verbs"])) for rule in BUCKET_RIGHTS]
    assert granted == [(["objectbucket.io"], ["objectbucketclaims"], set(cluster.asked()))]
