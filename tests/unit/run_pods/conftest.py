# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters whose pods are processes, and clusters whose pods only say that they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pod_run_support import ApiServer, Site, image, namespace, unavailable  # noqa: E402


@pytest.fixture(scope="session")
def machine():
    """Skip where pods cannot be processes."""
    if reason := unavailable():
        pytest.skip(reason)


@pytest.fixture
def real(machine, tmp_path):
    with ApiServer(profile="kubernetes", pods="process", images={"*": image()}) as server:
        namespace(server)
        yield Site(server, tmp_path)


@pytest.fixture
def simulated(tmp_path):
    with ApiServer(profile="kubernetes") as server:
        namespace(server)
        yield Site(server, tmp_path)
