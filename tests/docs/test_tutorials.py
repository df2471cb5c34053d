# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorials, command by command in one shell, against a cluster whose pods are processes."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]
from pages import ROOT, blocks  # noqa: E402

from tests.apiserver.actors.process import PATH, unavailable  # noqa: E402
from tests.apiserver.server import ApiServer  # noqa: E402

IMAGE = "registry.example.com/team/notebooks@sha256:" + "e" * 64
BUILDER = "registry.access.redhat.com/ubi9/python-312:latest"
LABELS = {"io.openshift.s2i.scripts-url": "image:///usr/libexec/s2i"}


@pytest.mark.parametrize("profile", ["kubernetes", "openshift"])
def test_a_tutorial_runs_as_it_stands(profile, scratch):
    if reason := unavailable() or (None if shutil.which("kubectl") else "kubectl is not installed"):
        pytest.skip(reason)
    page = ROOT / "docs" / f"tutorial-{profile}.md"
    script = "".join(block.text for block in blocks(page) if block.value("cluster") == profile)
    places = {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)}
    held = {"bind": {place: place for place in places}, "env": {"PATH": f"{sys.prefix}/bin:{PATH}"}, "user": 1000}
    with ApiServer(profile=profile, pods="process", images={"*": held}) as server:
        config = {"User": "1001", "Labels": LABELS}
        server.external_images[BUILDER] = {"digest": "sha256:" + "b" * 64, "config": config}
        scratch.env.update(KUBECONFIG=str(server.kubeconfig), IMAGE=IMAGE)
        done = scratch.run("bash", "-euxo", "pipefail", "-c", script)
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        assert "DEPRECAT" not in done.stderr
        report = (scratch.path / "build" / "tutorial" / "junit.xml").read_text()
        assert 'tests="1"' in report and 'failures="0"' in report
        assert not [one for one in server.system.list("namespaces") if one["metadata"]["name"] == "ml-checks"]
