# SPDX-License-Identifier: GPL-3.0-or-later
"""One job after the other, in the thread of the test: no kopf, no queue, and pods that only say that they ran."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop
from operator_support import PLURAL, ROOT, URL, Site, Team, repository

sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests" / "unit" / "s2i_build")]
from cluster_support import auth  # noqa: E402
from notebook_operator.settings import Reach, Settings  # noqa: E402
from notebook_operator.work.reconcile import reconcile  # noqa: E402

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


def git_from(directory: Path, monkeypatch) -> None:
    """Have git fetch the repository of the team from a directory."""
    config = [("safe.directory", "*"), (f"url.{directory}.insteadOf", URL)]
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(config)))
    for number, (name, value) in enumerate(config):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)


class Desk:
    """A team and an operator that does what it is told. reach: what its administrator allows."""

    def __init__(self, server, directory: Path, monkeypatch, **reach):
        self.server, self.reach = server, reach
        source = directory / "source"
        source.mkdir(parents=True, exist_ok=True)
        git_from(source, monkeypatch)
        self.team = Team(server, source)
        Site(server, directory).notebook("a.ipynb", "1")
        Site(server, directory).notebook("bad.ipynb", "1/0")
        self.commit = repository(source)
        self.cluster = Cluster(auth(server))

    def apply(self, name: str, notebook: str = "a.ipynb", metadata: dict | None = None, **spec) -> dict:
        job = self.team.job(name, notebook, self.commit, **spec)
        job["metadata"] |= metadata or {}
        return self.server.system.create(PLURAL, job)

    def work(self, name: str, stop: Stop | None = None, before: dict | None = None) -> dict:
        """Bring the job to its verdict; its status. before: the status that a process before this one left."""
        found = self.server.system.get(PLURAL, "team", name)
        found |= {"status": before} if before else {}
        reconcile(self.cluster, Settings(reach=Reach(**self.reach)), copy.deepcopy(found), stop or Stop())
        return self.server.system.get(PLURAL, "team", name)["status"]

    def status(self, name: str, notebook: str = "a.ipynb", metadata: dict | None = None, **spec) -> dict:
        self.apply(name, notebook, metadata, **spec)
        return self.work(name)

    def create(
        self, plural: str, api_version: str, kind: str, name: str, namespace: str | None = "team", **more
    ) -> dict:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
        return self.server.system.create(
            plural, {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}
        )

    def define(self, group: str, kind: str, plural: str, version: str) -> None:
        """Teach the cluster a kind whose fields nobody checks."""
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        versions = [{"name": version, "served": True, "storage": True, "schema": schema}]
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": versions}
        api = "apiextensions.k8s.io/v1"
        self.create(DEFINITIONS, api, "CustomResourceDefinition", f"{plural}.{group}", None, spec=spec)

    def events(self, name: str) -> dict[str, str]:
        """The messages of the events about a job, by reason."""
        found = self.server.system.list("events", "team")
        return {one["reason"]: one["message"] for one in found if one["involvedObject"]["name"] == name}
