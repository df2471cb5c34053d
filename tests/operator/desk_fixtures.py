# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster with what Argo CD and model servers bring, and an operator whose administrator allows what the tests need."""

from __future__ import annotations

import pytest
from desk_support import DEFINITIONS, Desk
from model_support import KINDS, isvc, servers
from operator_support import PLURAL, ApiServer, define, namespace

_OTHERS = ("applications.argoproj.io", "deployments.apps", "services", "configmaps", "events")


@pytest.fixture(scope="module")
def server():
    with ApiServer(profile="kubernetes") as found:
        for name in ("team", "shared", "other"):
            namespace(found, name)
        define(found)
        found.pod_rules.add({"name": "notebook-run-*", "results": {"bad*": "cell_error", "*": "completed"}})
        yield found


@pytest.fixture
def desk(server, tmp_path, monkeypatch):
    """An operator that may ask servers on this machine, since those of the tests are here."""
    found = Desk(server, tmp_path, monkeypatch, model_hosts=("127.0.0.1",), triggers=True)
    for row in KINDS.values():
        if not server.system.find(DEFINITIONS, None, f"{row[2]}.{row[0]}"):
            found.define(*row)
    server.journal.clear()
    yield found
    for plural in (PLURAL, *(f"{row[2]}.{row[0]}" for row in KINDS.values()), *_OTHERS):
        for one in server.system.list(plural, None):
            where = one["metadata"]["namespace"]
            if where in ("team", "shared", "other") and one["metadata"]["name"] != "kube-root-ca.crt":
                server.system.delete(plural, where, one["metadata"]["name"])
    found.cluster.close()


@pytest.fixture
def serve():
    """`serve(servers.Triton)` starts a model server."""
    running = []

    def start(kind: type, **more) -> servers.Server:
        running.append(kind(**more))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def fraud(desk, serve):
    """A model of KServe that sums rows, and its server."""
    found = serve(servers.KServeV1)
    isvc(desk, found.url)
    return found
