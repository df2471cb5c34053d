# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers of a real hub get: volumes under the names of before, places, users and variables; and how many there can be."""

from __future__ import annotations

import concurrent.futures
import json

import pytest
from hub_parts import needed
from hub_support import Hub, until
from people_support import People, refused, start

needed("jupyterhub", "proxy")
PROFILES = [
    {"name": "plain", "image": "lab:1", "default": True, "server_timeout": 0},
    {"name": "gpu", "image": "lab:1", "node_selector": {"gpu": "yes"}, "tolerations": [{"key": "gpu", "operator": "Exists"}],
     "environment": {"PRECISION": 16, "REGION": "north"}},
]  # fmt: skip
KEY = {"valueFrom": {"secretKeyRef": {"name": "licence", "key": "key"}}}
SETTINGS = {
    "profiles": PROFILES,
    "storage": {
        "name_scheme": "escape",
        "name_template": "{username}-claim",
        "access_modes": ["ReadWriteMany"],
        "extra_volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-of-{username}"}}],
        "extra_mounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    },
    "placement": {"node_selector": {"zone": "a"}, "tolerations": [{"key": "users", "operator": "Exists"}]},
    "spawn": {
        "uid": 1234, "gid": 4321, "fs_gid": 100, "priority_class": "people", "active_servers": 2, "concurrent_starts": 1,
        "environment": {"LICENCE": KEY, "REGION": "south", "JSON": '{{"of": "{username}"}}'},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    found = Hub(tmp_path_factory.mktemp("hub") / "etc", **SETTINGS)
    found.write("access/access.json", {"open": [one["name"] for one in PROFILES]})
    found.start()
    yield found
    found.stop()


@pytest.fixture
def people(hub):
    found = People(hub)
    yield found
    (hub.pods / "hold").unlink(missing_ok=True)
    found.leave()


def variables(found: dict) -> dict:
    return {
        one["name"]: one.get("value") or one.get("valueFrom") for one in found["pod"]["spec"]["containers"][0]["env"]
    }


def test_volume_has_the_name_that_kubespawner_6_gave_it(people):
    # A sign that is neither letter nor digit is a dash and its code.
    found = start(people("a.b"), "a.b")
    assert found["claim"]["metadata"]["name"] == "a-2eb-claim"
    assert found["pod"]["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "a-2eb-claim"}
    assert found["claim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert start(people("a-b"), "a-b")["claim"]["metadata"]["name"] == "a-2db-claim"


@pytest.mark.parametrize("name", [".a", "o" + "." * 90], ids=["begins with a dash", "too long"])
def test_volume_without_a_possible_name_is_refused_in_words(people, name):
    status, sentence = refused(people(name), name)
    assert status == 500
    assert sentence.startswith("Your volume would be named ") and "name_scheme safe" in sentence


def test_further_volumes_are_there_once(people):
    jane = people("jane")
    start(jane, "jane", profile="gpu")
    jane.stop_server("jane")
    spec = start(jane, "jane")["pod"]["spec"]
    assert [one["name"] for one in spec["volumes"]] == ["home", "data"]
    assert spec["volumes"][1]["persistentVolumeClaim"]["claimName"] == "data-of-jane"
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": "home", "mountPath": "/home/jovyan"}, {"name": "data", "mountPath": "/data", "readOnly": True},
    ]  # fmt: skip


def test_users_groups_and_priority(people):
    spec = start(people("jane"), "jane")["pod"]["spec"]
    assert spec["priorityClassName"] == "people"
    assert spec["securityContext"]["fsGroup"] == 100
    context = spec["containers"][0]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (1234, 4321)


def test_profile_adds_to_the_place_of_all(people):
    jane = people("jane")
    spec = start(jane, "jane", profile="gpu")["pod"]["spec"]
    assert spec["nodeSelector"] == {"zone": "a", "gpu": "yes"}
    assert [one["key"] for one in spec["tolerations"]] == ["users", "gpu"]
    jane.stop_server("jane")
    spec = start(jane, "jane")["pod"]["spec"]
    assert spec["nodeSelector"] == {"zone": "a"}
    assert [one["key"] for one in spec["tolerations"]] == ["users"]


def test_variables_are_those_of_the_profile_before_those_of_all(people):
    given = variables(start(people("jane"), "jane", profile="gpu"))
    assert (given["LICENCE"], given["PRECISION"], given["REGION"]) == (KEY["valueFrom"], "16", "north")
    assert json.loads(given["JSON"]) == {"of": "jane"}


def test_no_more_servers_than_there_may_be(people):
    start(people("jane"), "jane")
    start(people("rose"), "rose")
    otto = people("otto")
    assert refused(otto, "otto") == (429, "Active user limit exceeded. Try again in a few minutes.")
    assert "Active user limit exceeded" in otto.ask("/hub/spawn", {"profile": "plain"}).said


def test_no_more_starts_at_once_than_there_may_be(hub, people):
    jane, rose = people("jane"), people("rose")
    (hub.pods / "hold").touch()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(start, jane, "jane")
        try:
            until(lambda: rose.ask("/hub/api/users/rose") and (hub.pods / "jane.json").exists())
            status, sentence = refused(rose, "rose")
        finally:
            (hub.pods / "hold").unlink()
        slow.result()
    assert status == 429 and sentence.startswith("Too many users trying to log in right now. Try again in")
    start(rose, "rose")


def test_server_is_stopped_at_its_age_though_it_is_never_idle(hub, people):
    jane = people("jane")
    start(jane, "jane")
    hub.write(
        "settings/hub.json", {**json.loads((hub.place / "settings/hub.json").read_text()), "culling": {"max_age": 1}}
    )
    hub.cull()
    until(lambda: not jane.server("jane"))
