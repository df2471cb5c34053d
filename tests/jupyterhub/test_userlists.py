# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup of users: a real hub, the program with the rights of the role, and a hub that takes its file back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests" / "unit" / "cluster")) if path not in sys.path]
from cluster_support import grant, namespace  # noqa: E402
from hub_parts import needed  # noqa: E402
from hub_support import FILES, PYTHON, Hub, Person  # noqa: E402

from tests.apiserver.server import ApiServer  # noqa: E402

needed("jupyterhub", "proxy")
VARS = yaml.safe_load((ROOT / "roles" / "jupyterhub" / "vars" / "main.yml").read_text(encoding="utf-8"))
NAME, TOKEN = "hub-users", "0e" * 32
RIGHTS = [{**rule, "resourceNames": [NAME]} for rule in VARS["jupyterhub__backup_rights"]]
ADMINS, USERS = ["boss"], ["boss", "Zoë@example.com".lower(), *(f"user-{number}" for number in range(8)), "no"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub whose pages have three users, and that lets in whom it was told of."""
    found = Hub(tmp_path_factory.mktemp("hub") / "etc", login={"kind": "dummy"}, admin_users=ADMINS, users=USERS)
    found.write("secrets/backup-token", TOKEN)
    found.write(
        "jupyterhub_config.d/20-pages.py", "c.JupyterHub.api_page_max_limit = c.JupyterHub.api_page_default_limit = 3\n"
    )
    found.start()
    yield found
    found.stop()


class Cluster:
    """A cluster with the ConfigMap that the role makes."""

    def __init__(self, server: ApiServer):
        self.server, self.token = server, TOKEN
        namespace(server)
        metadata = {"name": NAME, "namespace": "team"}
        server.system.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        grant(server, "backup", RIGHTS)
        self.kubeconfig = server.write_kubeconfig("backup", server.tokens.issue("backup", 3600))

    def back_up(self, hub: Hub, **environment: str) -> subprocess.CompletedProcess:
        self.server.journal.clear()
        given = {
            **os.environ, "PYTHONPATH": str(FILES), "PYTHONDONTWRITEBYTECODE": "1", "KUBECONFIG": str(self.kubeconfig),
            "JUPYTERHUB_API_URL": f"{hub.url}/hub/api", "JUPYTERHUB_API_TOKEN": TOKEN, **environment,
        }  # fmt: skip
        command = [str(PYTHON), "-m", "notebook_hub.userlists", "team", NAME]
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=80, check=False)

    def asked(self) -> list[str]:
        assert not [entry.line for entry in self.server.journal.entries() if entry.status == 403]
        return [entry.verb for entry in self.server.journal.entries() if entry.user == "backup"]

    def kept(self) -> dict:
        data = self.server.system.get("configmaps", "team", NAME).get("data") or {}
        return yaml.safe_load(data.get("users.yml", "{}"))


@pytest.fixture(scope="module")
def cluster():
    with ApiServer(profile="kubernetes", pods="none") as server:
        yield Cluster(server)


def test_all_pages_are_kept_as_variables_and_written_on_change_only(hub, cluster):
    first = cluster.back_up(hub)
    assert (first.returncode, first.stdout) == (0, "11 users: written.\n"), first.stderr
    assert cluster.asked() == ["get", "patch"]
    assert cluster.kept() == {"hub_admin_users": ADMINS, "hub_users": sorted(USERS)}
    again = cluster.back_up(hub)
    assert (again.returncode, again.stdout) == (0, "11 users: nothing has changed.\n") and cluster.asked() == ["get"]

    boss = Person(hub)
    boss.login("boss")
    assert boss.ask("/hub/api/users/newcomer", body={"admin": True}, method="POST").status == 201
    assert cluster.back_up(hub).returncode == 0 and cluster.asked() == ["get", "patch"]
    assert cluster.kept() == {"hub_admin_users": ["boss", "newcomer"], "hub_users": sorted([*USERS, "newcomer"])}


def test_hub_lets_in_whom_the_file_names_and_nobody_else(hub):
    assert json.loads(welcome(hub, "user-3").text)["admin"] is False
    assert json.loads(welcome(hub, "boss").text)["admin"] is True
    assert Person(hub).login("stranger").status == 403


def welcome(hub: Hub, name: str):
    person = Person(hub)
    person.login(name)
    return person.ask("/hub/api/user")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api"}, "The hub at http://127.0.0.1:1/hub/api does not answer"),
        ({"JUPYTERHUB_API_TOKEN": "wrong"}, "The hub does not name its users (HTTP Error 403: Forbidden)"),
        ({"KUBECONFIG": "no-cluster"}, "The cluster does not answer"),
        ({"KUBECONFIG": "no-rights"}, f"The ConfigMap {NAME} was not written (Forbidden)"),
    ],
)
def test_what_keeps_it_from_the_lists_is_one_sentence_and_changes_nothing(hub, cluster, environment, words):
    before = cluster.kept()
    if where := environment.get("KUBECONFIG"):
        others = {
            "no-cluster": hub.place / ".kube" / "config",
            "no-rights": cluster.server.write_kubeconfig("jane", cluster.server.tokens.issue("jane", 3600)),
        }
        environment = {"KUBECONFIG": str(others[where])}
    done = cluster.back_up(hub, **environment)
    assert done.returncode == 1 and done.stderr.startswith(words), done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.endswith(".\n") and TOKEN not in done.stderr
    assert cluster.kept() == before and not cluster.server.journal.writes()
