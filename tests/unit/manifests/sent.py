# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one strategy on the stand-in, and keeps the manifests that it sent."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.apply import APPLIED
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from cluster_support import auth
from pod_support import BASE, DIGEST

REVIEWS = ("ImageStreamImport", "SelfSubjectReview", "BuildRequest")


class Recorder(Cluster):
    """A Cluster that keeps each object it writes."""

    def __init__(self, options: dict):
        super().__init__(options)
        self.written: list[dict] = []

    def send(self, method, path, query=None, body=None, *arguments, **options):
        if method in ("POST", "PATCH") and isinstance(body, dict) and body.get("kind") not in (None, *REVIEWS):
            self.written.append(body)
        return super().send(method, path, query, body, *arguments, **options)


def manifests(server, cache_dir: str, strategy, requirements: tuple[str, ...], **options) -> list[dict]:
    """Return what a strategy writes to make one environment; the content key stands as KEY, uids as UID."""
    server.pod_rules.add({"name": "*", "containers": {name: {"message": DIGEST} for name in ("push", "step-push")}})
    need = Resolution("a.ipynb", "declared", requirements, imports={"alpha": "alpha"})
    with Recorder(auth(server)) as cluster:
        (made,) = make(
            [need], strategy=strategy.name, strategies=[strategy], cluster=cluster, namespace="team", cache_dir=cache_dir,
            **{"base": BASE, "timeout": 600, **options},
        )  # fmt: skip
    assert made.build.phase == "Complete", made.build.message
    return [_neutral(one, made.key) for one in cluster.written]


def _neutral(item, key: str):
    if isinstance(item, dict):
        told = {name: _neutral(value, key) for name, value in item.items() if name != APPLIED}
        return {**told, "uid": "UID"} if "uid" in told else told
    if isinstance(item, list):
        return [_neutral(value, key) for value in item]
    return item.replace(key, "KEY") if isinstance(item, str) else item
