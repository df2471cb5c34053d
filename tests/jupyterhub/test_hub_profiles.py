# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may start what, seen by people of a real hub behind a real proxy."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request

import pytest
from hub_parts import needed
from hub_support import ACCESS, WAIT, Hub, until
from people_support import People, refused, start

from tests.apiserver.admission.podsecurity import violations

METRICS = "0e" * 32
needed("jupyterhub", "proxy")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    found = Hub(
        tmp_path_factory.mktemp("hub") / "etc",
        storage={"size": "20Gi", "class": "fast", "user_modules": True},
        culling={"kernel_after": 3600, "server_after": 0, "server_interval": 1},
        admin_users=["ann"],
    )
    settings = json.loads((found.place / "settings" / "hub.json").read_text(encoding="utf-8"))
    found.write("settings/hub.json", {**settings, "public_url": f"{found.url}/"})
    found.write("secrets/metrics-token", METRICS)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def people(hub):
    found = People(hub)
    yield found
    hub.write("access/access.json", ACCESS)
    (hub.place / "access" / "tcuser_profile_mappings").unlink(missing_ok=True)
    found.leave()


def test_form_offers_what_is_granted_and_no_more(people):
    assert people("jane").offered() == ["small"]
    assert people("rose").offered() == ["small", "large"]


def test_server_without_a_choice_is_the_default(people):
    mary = people("mary")
    found = start(mary, "mary")
    assert found["pod"]["spec"]["containers"][0]["image"] == "lab:1"
    assert mary.server("mary")["user_options"] == {"profile": "small"}
    assert "Here is a server" in mary.ask("/user/mary/").text


def test_refusal_says_why_in_the_api_and_in_the_page(people):
    jane = people("jane")
    status, sentence = refused(jane, "jane", profile="large")
    assert status == 403 and "The profile large is not granted to jane" in sentence
    page = jane.ask("/hub/spawn", {"profile": "large"})
    assert page.status == 403
    assert "The profile large is not granted to jane: choose of small" in page.said


def test_choice_that_was_refused_is_none_of_a_start_without_one(people):
    jane = people("jane")
    refused(jane, "jane", profile="large")
    start(jane, "jane")
    assert jane.server("jane")["user_options"] == {"profile": "small"}


def test_start_without_a_choice_is_the_default_and_not_the_last_one(people):
    rose = people("rose")
    start(rose, "rose", profile="large")
    rose.stop_server("rose")
    start(rose, "rose")
    assert rose.server("rose")["user_options"] == {"profile": "small"}


def test_who_may_not_have_the_default_starts_what_is_granted_first(hub, people):
    hub.write("access/access.json", {"open": ["choice", "large"]})
    jane = people("jane")
    start(jane, "jane")
    assert jane.server("jane")["user_options"] == {"profile": "large"}


def test_what_nobody_knows_is_no_option_of_a_start(hub, people):
    hub.write("access/access.json", {"open": ["choice"]})
    status, sentence = refused(people("otto"), "otto", **{"profile": "choice", "image--unlisted-choice": "evil:1"})
    assert (status, sentence.partition(":")[0]) == (400, "Nobody knows image--unlisted-choice")


def test_hub_that_starts_anew_knows_what_runs(hub, people):
    start(people("jane"), "jane")
    with sqlite3.connect(hub.place / "hub.sqlite") as database:
        query = "select user_options from spawners join users on users.id = user_id where users.name = 'jane'"
        ((options,),) = database.execute(query).fetchall()
    assert json.loads(options) == {"profile": "small"}


def test_lines_grant_to_groups_and_to_users_in_any_case(hub, people):
    ann, otto, jane = people("ann"), people("otto"), people("jane")
    ann.ask("/hub/api/groups/physics", body={}, method="POST")
    assert ann.ask("/hub/api/groups/physics/users", body={"users": ["otto"]}, method="POST").status == 200
    hub.write("access/tcuser_profile_mappings", "@physics: large\nJane: choice\n")
    assert otto.offered() == ["small", "large"]
    assert jane.offered() == ["small", "choice"]


def test_lines_that_grant_nothing_are_told_in_the_log(hub, people):
    hub.write("access/tcuser_profile_mappings", "# of the team\nno profile\njane: huge\n@: small\n")
    assert people("jane").offered() == ["small"]
    log = hub.log.read_text(encoding="utf-8")
    for line in (
        "line 2: it is neither user:profile nor @group:profile",
        "line 3: there is no profile huge",
        "line 4: it is neither",
    ):
        assert f"Not granted: tcuser_profile_mappings, {line}" in log


def test_change_of_access_counts_at_the_next_start(hub, people):
    jane = people("jane")
    hub.write("access/tcuser_profile_mappings", "# of the team\njane : large # for a week\n")
    assert jane.offered() == ["small", "large"]
    start(jane, "jane", profile="large")
    jane.stop_server("jane")
    hub.write("access/tcuser_profile_mappings", "")
    assert refused(jane, "jane", profile="large")[0] == 403


def test_unreadable_access_is_said_and_not_guessed(hub, people):
    jane = people("jane")
    hub.write("access/access.json", {"open": "small"})
    status, sentence = refused(jane, "jane")
    assert status == 503 and "access.json: open is 'small': give a list" in sentence


def test_nothing_granted_is_said(hub, people):
    hub.write("access/access.json", {})
    answer = people("jane").ask("/hub/spawn")
    assert answer.status == 403
    assert "No profile is granted to jane" in answer.said


def test_profile_gives_image_resources_and_variables(people):
    container = start(people("rose"), "rose", profile="large")["pod"]["spec"]["containers"][0]
    assert container["image"] == "lab:2"
    assert container["resources"]["limits"] == {"memory": 64 * 2**30, "nvidia.com/gpu": "1"}
    given = {one["name"]: one.get("value") for one in container["env"]}
    assert (given["SIZE"], given["JUPYTERNB_KERNEL_TIMEOUT"]) == ("L", "60")
    assert given["PYTHONPATH"] == "/home/jovyan/site-packages"
    assert "--MappingKernelManager.cull_idle_timeout=60" in container["args"]


def test_next_start_has_nothing_of_the_profile_before(people):
    rose = people("rose")
    start(rose, "rose", profile="large")
    rose.stop_server("rose")
    container = start(rose, "rose", profile="small")["pod"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"memory": 2 * 2**30}
    assert "SIZE" not in {one["name"] for one in container["env"]}
    assert "--MappingKernelManager.cull_idle_timeout=3600" in container["args"]


def test_image_is_one_of_those_offered(hub, people):
    hub.write("access/access.json", {"open": ["choice"]})
    otto = people("otto")
    assert start(otto, "otto", profile="choice", image="b")["pod"]["spec"]["containers"][0]["image"] == "reg:5000/b:1"
    otto.stop_server("otto")
    for image in ("evil:1", ["evil:1"]):
        status, sentence = refused(otto, "otto", profile="choice", image=image)
        assert status == 403 and f"has no image {image}" in sentence


def test_volume_of_a_user(people):
    found = start(people("jane"), "jane", profile="small")
    claim, pod = found["claim"], found["pod"]
    assert claim["metadata"]["name"] == "hub-pvc-jane"
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert (claim["spec"]["storageClassName"], claim["spec"]["accessModes"]) == ("fast", ["ReadWriteOnce"])
    assert pod["spec"]["volumes"] == [{"name": "home", "persistentVolumeClaim": {"claimName": "hub-pvc-jane"}}]
    assert pod["spec"]["containers"][0]["volumeMounts"] == [{"name": "home", "mountPath": "/home/jovyan"}]


def test_users_whose_names_differ_in_one_sign_have_volumes_of_their_own(people):
    plain = start(people("a-b"), "a-b")["claim"]["metadata"]["name"]
    pointed = start(people("a.b"), "a.b")["claim"]["metadata"]["name"]
    assert plain == "hub-pvc-a-b"
    assert pointed == "hub-pvc-a-b---2e7336dc"


def test_pod_passes_the_level_restricted(people):
    assert violations("restricted", start(people("rose"), "rose", profile="large")["pod"]["spec"]) == ""


def test_idle_servers_are_stopped_by_the_limit_of_their_profile(hub, people):
    rose, jane = people("rose"), people("jane")
    start(rose, "rose", profile="large")
    start(jane, "jane", profile="small")
    hub.cull()
    until(lambda: not rose.server("rose"))
    assert jane.server("jane")["ready"]


def test_api_tells_the_address_that_the_world_knows(hub, people):
    jane = people("jane")
    start(jane, "jane")
    assert jane.server("jane")["full_url"] == f"{hub.url}/user/jane/"


def test_metrics_are_told_to_their_token_only(hub):
    def ask(path: str, **headers: str) -> int:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(hub.url + path, headers=headers), timeout=WAIT
            ) as answer:
                return answer.status if b"jupyterhub_running_servers" in answer.read() else 0
        except urllib.error.HTTPError as error:
            return error.code

    token = {"Authorization": f"token {METRICS}"}
    assert ask("/hub/metrics", **token) == 200
    assert ask("/hub/metrics") == 403
    assert ask("/hub/api/users", **token) == 403
