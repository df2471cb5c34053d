# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hub on a real PostgreSQL: its password counts, it goes on after a restart, and the next hub knows who is logged in."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse

import postgres_support
import pytest
from hub_parts import PYTHON, needed
from hub_support import Hub, Person, until
from people_support import start

needed("jupyterhub", "proxy", "postgresql")
ROLE, PASSWORD = "hubs", "a/b@c %d"  # what an address has to be quoted for


@pytest.fixture(scope="module")
def postgres():
    with postgres_support.made() as found:
        found.start()
        found.query(f"create role {ROLE} login superuser password '{PASSWORD}'")
        yield found


@pytest.fixture(scope="module")
def hub(postgres, tmp_path_factory):
    parts = {"kind": "postgresql", "host": "127.0.0.1", "port": postgres.port, "name": "postgres", "user": ROLE}
    found = Hub(tmp_path_factory.mktemp("hub") / "etc", database=parts)
    yield found
    found.stop()


def prepared(hub: Hub) -> subprocess.CompletedProcess:
    given = {**os.environ, "PYTHONPATH": str(hub.place), "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"}
    code = "import prepare_database, sys; sys.exit(prepare_database.main(1))"
    command = [str(PYTHON), "-c", code]
    return subprocess.run(command, cwd=hub.place, env=given, capture_output=True, text=True, check=False)


def test_the_hub_and_its_users_outlast_the_database_and_the_hub(hub, postgres):
    hub.write("secrets/database-password", "wrong")
    refused = prepared(hub)
    assert refused.returncode == 1 and "password authentication failed" in refused.stdout, refused
    assert PASSWORD not in refused.stdout + refused.stderr

    hub.write("secrets/database-password", PASSWORD)
    done = prepared(hub)
    assert done.returncode == 0, done
    process = hub.start()
    jane = Person(hub)
    jane.login("jane")
    start(jane, "jane")
    assert postgres.query("select name from users") == "jane\n"

    postgres.stop()
    postgres.start()
    answer = jane.ask("/hub/home")
    assert (answer.status, answer.url) == (200, f"{hub.url}/hub/home"), answer.text
    assert jane.server("jane")["ready"] and "Here is a server." in jane.ask("/user/jane/").text

    # The next hub has the address of its database in one piece.
    settings = json.loads((hub.place / "settings" / "hub.json").read_text(encoding="utf-8"))
    hub.write("settings/hub.json", {**settings, "database": {"kind": "postgresql"}})
    (hub.place / "secrets" / "database-password").unlink()
    quoted = urllib.parse.quote(PASSWORD, safe="")
    hub.write("secrets/database-url", f"postgresql+psycopg2://{ROLE}:{quoted}@127.0.0.1:{postgres.port}/postgres")
    process.terminate()
    process.wait(30)
    hub.run_hub()
    until(lambda: jane.ask("/hub/api/").status == 200)
    answer = jane.ask("/hub/home")
    assert (answer.status, answer.url) == (200, f"{hub.url}/hub/home") and "jane" in answer.said, answer.text
    assert PASSWORD not in hub.log.read_text(encoding="utf-8") and quoted not in hub.log.read_text(encoding="utf-8")
