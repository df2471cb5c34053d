# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes on which images are made by Jobs, TaskRuns and BuildRuns."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import entry

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / "unit" / name) for name in ("cluster", "environment"))]
from cluster_support import auth, grant, namespace  # noqa: E402

from tests.apiserver.server import ApiServer  # noqa: E402

__all__ = ["ApiServer", "BASE", "DIGEST", "REPOSITORY", "Site", "namespace", "need", "retryable"]
BASE = "registry.example.com/jupyter/minimal-notebook@sha256:" + "a" * 64
REPOSITORY = "registry.example.com/team/notebooks"
DIGEST = "sha256:" + "d" * 64


def need(*lines, notebook="a.ipynb", **more):
    return Resolution(notebook, "declared", tuple(lines), **more)


@dataclass
class Site:
    """A server with the namespace `team`; `shown` are the lines of the console."""

    server: ApiServer
    cache_dir: str
    shown: list[str] = field(default_factory=list)

    def bring(self, strategy, *needs, token=None, **options):
        """Make environments with one strategy, as the module does."""
        strategy.delay, strategy.patience = 0.01, 0.3
        events = options.pop("progress", lambda event: self.shown.append(event["text"]))
        options = {"base": BASE, "repository": REPOSITORY, "timeout": 30, **options}
        with Cluster(auth(self.server, token)) as cluster:
            return make(
                needs or (need("alpha"),), strategy=strategy.name, cluster=cluster, namespace="team",
                cache_dir=self.cache_dir, strategies=[strategy], progress=events, **options,
            )  # fmt: skip

    def list(self, plural: str) -> list[dict]:
        return self.server.system.list(plural, "team")

    def requests(self) -> list[str]:
        return [one.line for one in self.server.journal.entries()]

    def user(self, rules: list[dict]) -> str:
        grant(self.server, "jane", rules)
        return self.server.tokens.issue("jane")


def retryable(code: str) -> bool:
    return entry(code).retryable
