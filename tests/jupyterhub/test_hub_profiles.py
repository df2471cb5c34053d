# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may start what, seen by people of a real hub behind a real proxy."""

from __future__ import annotations

import json

import pytest
from hub_support import ACCESS, PROXY, PYTHON, Hub, Person, until

from tests.apiserver.admission.podsecurity import violations

pytestmark = pytest.mark.skipif(not (PYTHON.exists() and PROXY.exists()), reason="no JupyterHub here")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    found = Hub(
        tmp_path_factory.mktemp("hub") / "etc",
        storage={"size": "20Gi", "class": "fast", "user_modules": True},
        culling={"kernel_after": 3600, "server_after": 0, "server_interval": 1},
    )
    found.start()
    yield found
    found.stop()


@pytest.fixture
def people(hub):
    there = []

    def make(name: str) -> Person:
        person = Person(hub)
        person.login(name)
        there.append((name, person))
        return person

    yield make
    hub.write("access/access.json", ACCESS)
    (hub.place / "access" / "tcuser_profile_mappings").unlink(missing_ok=True)
    for name, person in there:
        if person.server(name):
            person.stop_server(name)


def start(person: Person, name: str, **options) -> dict:
    """Start a server by the API and return what KubeSpawner would have sent."""
    answer = person.ask(f"/hub/api/users/{name}/server", body=options, method="POST")
    assert answer.status in (201, 202), answer.text
    until(lambda: person.server(name).get("ready"))
    return person.hub.pod(name)


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
    answer = jane.ask("/hub/api/users/jane/server", body={"profile": "large"}, method="POST")
    assert answer.status == 403
    assert "The profile large is not granted to jane" in json.loads(answer.text)["message"]
    page = jane.ask("/hub/spawn", {"profile": "large"})
    assert page.status == 403
    assert "The profile large is not granted to jane: choose of small" in page.said


def test_change_of_access_counts_at_the_next_start(hub, people):
    jane = people("jane")
    hub.write("access/tcuser_profile_mappings", "# of the team\nno profile\njane : large # for a week\n")
    assert jane.offered() == ["small", "large"]
    start(jane, "jane", profile="large")
    jane.stop_server("jane")
    hub.write("access/tcuser_profile_mappings", "")
    answer = jane.ask("/hub/api/users/jane/server", body={"profile": "large"}, method="POST")
    assert answer.status == 403


def test_unreadable_access_is_said_and_not_guessed(hub, people):
    jane = people("jane")
    hub.write("access/access.json", {"open": "small"})
    answer = jane.ask("/hub/api/users/jane/server", body={}, method="POST")
    assert answer.status == 503
    assert "access.json: open is 'small': give a list" in json.loads(answer.text)["message"]


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
    answer = otto.ask("/hub/api/users/otto/server", body={"profile": "choice", "image": "evil:1"}, method="POST")
    assert answer.status == 403
    assert "has no image evil:1" in json.loads(answer.text)["message"]


def test_volume_of_a_user(people):
    found = start(people("jane"), "jane", profile="small")
    claim, pod = found["claim"], found["pod"]
    assert claim["metadata"]["name"] == "hub-pvc-jane"
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert (claim["spec"]["storageClassName"], claim["spec"]["accessModes"]) == ("fast", ["ReadWriteOnce"])
    assert pod["spec"]["volumes"] == [{"name": "home", "persistentVolumeClaim": {"claimName": "hub-pvc-jane"}}]
    assert pod["spec"]["containers"][0]["volumeMounts"] == [{"name": "home", "mountPath": "/home/jovyan"}]


def test_pod_passes_the_level_restricted(people):
    assert violations("restricted", start(people("rose"), "rose", profile="large")["pod"]["spec"]) == ""


def test_idle_servers_are_stopped_by_the_limit_of_their_profile(hub, people):
    rose, jane = people("rose"), people("jane")
    start(rose, "rose", profile="large")
    start(jane, "jane", profile="small")
    hub.cull()
    until(lambda: not rose.server("rose"))
    assert jane.server("jane")["ready"]
