# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets as people see them: in a real hub's page and API, and when an administrator deletes a user."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bucket_support import Cluster, settings  # noqa: E402
from hub_parts import needed  # noqa: E402
from hub_support import Hub, Person, until  # noqa: E402

needed("jupyterhub", "proxy")
SPAWNER = """
from local_servers import LocalServers
from notebook_hub import buckets
c.JupyterHub.spawner_class = buckets.deleting(LocalServers, {})
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    found.provisioner.failing = {"*unlucky": "no space left."}
    yield found
    found.stop()


@pytest.fixture(scope="module")
def hub(cluster, tmp_path_factory):
    """A hub whose users' buckets go with them."""
    given = settings(retain=False)
    found = Hub(tmp_path_factory.mktemp("hub"), buckets=given["buckets"], admin_users=["root"])
    found.write(".kube/config", Path(cluster.kubeconfig).read_text(encoding="utf-8"))
    found.write("jupyterhub_config.d/20-buckets.py", SPAWNER.format(given))
    found.start()
    yield found
    found.stop()


def test_a_user_without_a_bucket_reads_why_in_the_page_and_in_the_api(hub):
    unlucky = Person(hub)
    unlucky.login("unlucky")
    why = "Your bucket was not made, its claim hub-bucket-unlucky is Failed"
    assert why in unlucky.ask("/hub/spawn", {"profile": "small"}).said
    answer = unlucky.ask("/hub/api/users/unlucky/server", body={})
    assert answer.status == 500 and why in json.loads(answer.text)["message"]


def test_a_user_who_is_deleted_takes_the_bucket_along(hub, cluster):
    jane, root = Person(hub), Person(hub)
    jane.login("jane")
    root.login("root")
    jane.ask("/hub/api/users/jane/server", body={})
    until(lambda: jane.server("jane").get("ready"))
    (variables,) = [one["env"] for one in hub.pod("jane")["pod"]["spec"]["containers"]]
    keys = {"secretKeyRef": {"name": "hub-bucket-jane", "key": "AWS_SECRET_ACCESS_KEY"}}
    assert {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": keys} in variables
    assert root.ask("/hub/api/users/jane", method="DELETE").status == 204
    until(lambda: "hub-bucket-jane" not in [one["metadata"]["name"] for one in cluster.claims()])
    assert [one for one in cluster.provisioner.deleted if one.startswith("hub-jane-")]
