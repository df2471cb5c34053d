# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import BaseImage

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pod_support import BASE, ApiServer, Site, namespace  # noqa: E402


@pytest.fixture
def site(tmp_path, monkeypatch):
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods import strategy

    # What a registry says is tested with a registry.
    monkeypatch.setattr(strategy, "inspect", lambda reference: BaseImage(BASE, "sha256:" + "a" * 64, user="1000"))
    monkeypatch.setattr(strategy, "digest_of", lambda reference: reference.partition("@")[2])
    with ApiServer(profile="kubernetes") as running:
        namespace(running)
        yield Site(running, str(tmp_path))
