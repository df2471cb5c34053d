# SPDX-License-Identifier: GPL-3.0-or-later
"""A server for each test, and our way to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
from cluster_support import auth, namespace  # noqa: E402

from tests.apiserver import fixtures  # noqa: E402

apiserver = fixtures.apiserver


@pytest.fixture
def server(apiserver):
    running = apiserver(profile="openshift", pods="none")
    namespace(running)
    running.journal.clear()
    return running


@pytest.fixture
def cluster(server):
    with Cluster(auth(server)) as connected:
        yield connected


@pytest.fixture
def soon() -> Deadline:
    """Far enough away that only a hanging test meets it."""
    return Deadline.after(120)
