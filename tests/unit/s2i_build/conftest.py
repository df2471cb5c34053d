# SPDX-License-Identifier: GPL-3.0-or-later
"""An OpenShift with BuildConfigs, and builds brought about on it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.buildlog import BuildLog
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.inputs import Wanted
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.s2i import Task, bring_about
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import entry

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit" / "cluster"), str(Path(__file__).parent)]
from cluster_support import auth, grant, http, namespace  # noqa: E402
from image_support import BASE, PLAIN  # noqa: E402

from tests.apiserver.server import ApiServer  # noqa: E402

BUILD = "build.openshift.io/v1"
PATH = f"/apis/{BUILD}/namespaces/team"
WANTED = ("env", "build_args", "no_cache", "commit")
STEPS = {"git": {"type": "Git", "git": {"uri": "https://git.example.com/team/nb.git", "ref": "main"}}}


@dataclass
class Site:
    """A server with the namespace `team`; `shown` are the lines of the console."""

    server: ApiServer
    shown: list[str] = field(default_factory=list)

    def config(self, name: str = "nb", strategy: dict | None = None, source: dict | None = None, **more) -> None:
        self.stream(name)
        spec = {
            "source": source or STEPS["git"],
            "strategy": strategy or {"type": "Docker", "dockerStrategy": {}},
            "output": {"to": {"kind": "ImageStreamTag", "name": f"{name}:latest"}},
            **more,
        }
        self.call(
            "POST", f"{PATH}/buildconfigs", kind="BuildConfig", apiVersion=BUILD, metadata={"name": name}, spec=spec
        )

    def stream(self, name: str) -> None:
        path = "/apis/image.openshift.io/v1/namespaces/team/imagestreams"
        self.call("POST", path, kind="ImageStream", apiVersion="image.openshift.io/v1", metadata={"name": name})

    def call(self, method: str, path: str, **body) -> dict:
        return http(self.server, method, path, body or None)

    def rule(self, **rule) -> None:
        self.server.pod_rules.add({"name": "nb-*-build", **rule})

    def build(self, name: str) -> dict:
        return self.server.system.get("builds.build.openshift.io", "team", name)

    def names(self) -> list[str]:
        return sorted(one["metadata"]["name"] for one in self.server.system.list("builds.build.openshift.io", "team"))

    def until(self, name: str, *phases: str) -> None:
        """Wait, by the server's own journal of the store, until a build is in one of the phases."""
        from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
        from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.goals import (
            PENDING,
            REACHED,
            Goal,
        )
        from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.wait import wait
        from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.builds import BUILDS

        goal = Goal(lambda found: REACHED if found["status"].get("phase") in phases else PENDING)
        with Cluster(auth(self.server)) as cluster:
            assert not wait(cluster, BUILDS, [name], goal, Deadline.after(20), namespace="team").pending

    def run(
        self, state: str = "built", name: str | None = "nb", token: str | None = None, log=None, report=None, **options
    ):
        wanted = Wanted(**{key: options.pop(key) for key in WANTED if key in options})
        options = {"timeout": 30, "patience": 0.3, "delay": 0.01, "retries": 0, **options}
        task = Task(
            state, name, namespace="team", wanted=wanted, retryable=lambda code: entry(code).retryable, **options
        )
        show = report or (lambda event: self.shown.append(event["text"]))
        with Cluster(auth(self.server, token)) as cluster:
            return bring_about(cluster, task, BuildLog(log and str(log), show, clean=clean))

    def requests(self) -> list[str]:
        return [entry.line for entry in self.server.journal.entries()]

    def user(self, rules: list[dict]) -> str:
        grant(self.server, "jane", rules)
        return self.server.tokens.issue("jane")


@pytest.fixture
def site():
    with ApiServer(profile="openshift") as running:
        namespace(running)
        yield Site(running)


@pytest.fixture
def openshift(site, tmp_path):
    """The same, with a registry that has an image to build upon."""
    site.server.external_images[BASE] = PLAIN.copy()
    site.cache_dir = str(tmp_path)
    return site
