# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster whose pods only say that they run, and one operator in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("kopf")
sys.path.insert(0, str(Path(__file__).resolve().parent))
from jupyter_activity import Activity  # noqa: E402
from jupyter_support import PLURAL, ApiServer, Operator, Team, account, define, free_port, namespace  # noqa: E402


@pytest.fixture(scope="session")
def server():
    """A cluster of Kubernetes with the definition."""
    with ApiServer(profile="kubernetes") as found:
        namespace(found)
        level = {"pod-security.kubernetes.io/enforce": "restricted"}
        found.system.patch("namespaces", None, "team", {"metadata": {"labels": level}})
        define(found)
        yield found


@pytest.fixture(scope="session")
def activity():
    """What servers say of their use, by name."""
    with Activity() as found:
        yield found


@pytest.fixture(scope="session")
def operator(server, activity, tmp_path_factory):
    """The operator as it is deployed, with the rights of the documentation."""
    given = {
        "SERVER_URL": activity.url,
        "CULL_INTERVAL": "1",
        "HEALTH_PORT": str(free_port()),
        "HEALTH_ADDRESS": "127.0.0.1",
        "LOG_FORMAT": "json",
    }
    given["ALLOWED_IMAGES"] = "jupyter/*,registry.example.com:5000/*"
    found = Operator(server, tmp_path_factory.mktemp("operator"), account(server), given)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def team(server, operator):
    """A namespace with no notebooks in it."""
    found = Team(server)
    yield found
    for one in found.list(PLURAL):
        found.remove(one["metadata"]["name"])
    server.pod_rules.clear()
