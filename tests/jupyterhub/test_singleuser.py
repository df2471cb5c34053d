# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers of users, started by a real hub: they end kernels, terminals and themselves as their profiles say."""

from __future__ import annotations

import concurrent.futures
import json
import re
import urllib.request

import pytest
from hub_parts import needed
from hub_support import WAIT, Hub, Person, until

needed("jupyterhub", "proxy")
# Without JupyterLab, which takes longer to start than all the rest.
APPLICATION = {"JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp", "JUPYTER_PREFER_ENV_PATH": "0"}
EXTENSIONS = dict.fromkeys(("jupyterlab", "jupyter_lsp", "notebook_shim"), False)
FULL = {"image": "lab:1", "environment": {"TEST_FULL_SERVER": "1"}}
PROFILES = [
    {"name": "brief", "kernel_timeout": 2, "shutdown_timeout": 1, **FULL},
    {"name": "lasting", "kernel_timeout": 0, **FULL},
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    place = tmp_path_factory.mktemp("hub")
    (place / "volume").mkdir()
    (place / "volume" / "note.txt").write_text("Of my own.", encoding="utf-8")
    found = Hub(
        place / "etc",
        profiles=PROFILES,
        storage={"mount_path": str(place / "volume")},
        spawn={"environment": APPLICATION},
        culling={"kernel_after": 1, "server_shutdown_after": 1},
    )
    settings = json.loads((found.place / "settings" / "hub.json").read_text(encoding="utf-8"))
    found.write("settings/hub.json", {**settings, "public_url": f"{found.url}/"})
    found.write("jupyterhub_config.d/20-often.py", "c.KubeSpawner.poll_interval = 1\n")
    found.write("pods/.jupyter/jupyter_server_config.json", {"ServerApp": {"jpserver_extensions": EXTENSIONS}})
    found.write("access/access.json", {"open": [one["name"] for one in PROFILES]})
    found.start()
    yield found
    found.stop()


class User:
    """Somebody whose program speaks to the user's server through the hub's proxy, by a token."""

    def __init__(self, hub: Hub, profile: str):
        self.name, self.person = f"user-of-{profile}", Person(hub)
        self.person.login(self.name)
        made = self.person.ask(f"/hub/api/users/{self.name}/tokens", body={"note": "program"})
        self._token, self._url = json.loads(made.text)["token"], f"{hub.url}/user/{self.name}/api"
        answer = self.person.ask(f"/hub/api/users/{self.name}/server", body={"profile": profile}, method="POST")
        assert answer.status in (201, 202), answer.text
        self.person.ask(f"/hub/api/users/{self.name}/server/progress")  # ends when it is ready
        self.there = [self.api("/kernels", {})["id"], self.api("/terminals", {})["name"]]

    def api(self, path: str, body: dict | None = None):
        """What the server answers; that somebody asks does not count as use."""
        url, data = f"{self._url}{path}?no_track_activity=1", None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Authorization": f"token {self._token}"})
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return json.load(answer)

    def left(self) -> list[str]:
        """The kernels and terminals that there are still."""
        return [one["id"] for one in self.api("/kernels")] + [one["name"] for one in self.api("/terminals")]


@pytest.fixture(scope="module")
def users(hub):
    names = [one["name"] for one in PROFILES]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = dict(zip(names, pool.map(lambda name: User(hub, name), names), strict=True))
    yield found
    found["lasting"].person.stop_server(found["lasting"].name)


def test_server_shows_its_user_what_is_in_the_volume_and_nobody_else(users):
    note = f"/user/{users['lasting'].name}/files/note.txt"
    assert users["lasting"].person.ask(note).text == "Of my own."
    answer = users["brief"].person.ask(note)
    assert answer.status == 403 and "Of my own." not in answer.text


def test_kernels_and_terminals_that_nobody_uses_are_ended_as_the_profile_says(users):
    until(lambda: users["brief"].left() == [])
    assert users["lasting"].left() == users["lasting"].there


def test_server_without_kernels_ends_itself_and_the_hub_takes_note(hub, users):
    (hub.pods / "look").touch()
    until(lambda: not users["brief"].person.server(users["brief"].name))
    assert users["lasting"].person.server(users["lasting"].name)["ready"]
    # A pod is not started again by the kubelet where its server has ended well.
    assert hub.pod(users["brief"].name)["pod"]["spec"]["restartPolicy"] == "OnFailure"
    assert re.search("user-of-brief server stopped, with exit code: 0", hub.log.read_text(encoding="utf-8"))


def test_server_knows_all_that_it_is_told(hub, users):
    assert not re.findall(r"(?i).*(?:not recognized|unrecognized).*", hub.log.read_text(encoding="utf-8"))
