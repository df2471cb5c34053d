# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies of OpenShift keep the promises of the interface."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.environments import (
    DockerStrategy,
    S2iStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import Context, GitSource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from cluster_support import auth

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "environment"))
from conformance import check_strategy  # noqa: E402


@pytest.mark.parametrize(
    ("strategy", "git", "names"),
    [
        (S2iStrategy(), None, ("alpha==1.0", "alpha==2.0", "nosuchthing")),
        (DockerStrategy(), None, ("alpha==1.0", "alpha==2.0", "nosuchthing")),
        (DockerStrategy(), GitSource("https://git.example.com/nb.git", "c" * 40), ("./one", "./two", "./three")),
    ],
    ids=["s2i", "docker", "docker-git"],
)
def test_a_strategy_keeps_its_promises(site, tmp_path, strategy, git, names):
    needs, other, broken = (Resolution(f"{line}.ipynb", "declared", (line,)) for line in names)
    with Cluster(auth(site.server)) as cluster:
        context = Context(
            str(tmp_path), base="registry.example.com/nb:1", timeout=30, cluster=cluster, namespace="team", git=git
        )
        key = strategy.plan(context, broken).key
        # The build that is interrupted goes on until it is cancelled.
        interrupted = f"notebook-environment-{strategy.plan(context, other).key}-1-build"
        site.server.pod_rules.add({"name": interrupted, "seconds": 60})
        site.server.pod_rules.add({"name": f"notebook-environment-{key}-*", "exit_code": 1})
        check_strategy(strategy, context, needs=needs, other=other, broken=broken)
