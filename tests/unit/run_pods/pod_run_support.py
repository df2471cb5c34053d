# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebooks run in pods of the stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import nbformat
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.goals import absent
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import JOBS, PODS, SECRETS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.wait import wait
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.launcher import Target, run_all
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.options import PodOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.options import perform
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import RunRequest
from ansible_collections.mlops.notebooks.plugins.module_utils._validation import ARGUMENT_SPEC

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit" / "cluster")]
from cluster_support import auth, grant, namespace  # noqa: E402

from tests.apiserver.actors.process import PATH, unavailable  # noqa: E402
from tests.apiserver.server import ApiServer  # noqa: E402

__all__ = ["ApiServer", "Site", "auth", "grant", "image", "namespace", "repository", "unavailable"]
IMAGE = "registry.example.com/team/notebooks@sha256:" + "e" * 64


def image() -> dict:
    """Return an image that holds the environment of the tests."""
    places = {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)}
    return {"bind": {place: place for place in places}, "env": {"PATH": f"{sys.prefix}/bin:{PATH}"}, "user": 1000}


def repository(directory: Path) -> str:
    """Make a directory a git repository; return the commit of all that is in it."""
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words], cwd=directory, check=True
        )
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=directory, check=True, capture_output=True, text=True)
    return told.stdout.strip()


@dataclass
class Site:
    server: ApiServer
    directory: Path

    def notebook(self, name: str, *cells: str) -> str:
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.directory / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(made, path)
        return name

    def run(
        self, *notebooks: str, image: str = IMAGE, workers: int = 4, secrets=None, token=None, options=None, **fields
    ):
        """Run notebooks; return their results by notebook."""
        found = {}
        requests = [
            (
                image,
                RunRequest(
                    id=f"{number:064x}", python="python3", source=str(self.directory / "source"), notebook=name,
                    output=str(self.directory / "out" / str(number)), **{"timeout": 120, **fields},
                ),
            )
            for number, name in enumerate(notebooks)
        ]  # fmt: skip
        options = PodOptions(**{"patience": 0.3, **(options or {})})
        with Cluster(auth(self.server, token)) as cluster:
            target = Target(cluster, "team", options, secrets=secrets or {})
            run_all(
                requests, target, workers=workers, on_result=lambda result: found.setdefault(result.notebook, result)
            )
        return found

    def validate(
        self, *notebooks: str, cache: str = "cache", check: bool = False, token=None, listener=None, root: str = "",
        made: dict | None = None, **options,
    ):  # fmt: skip
        """Call the module for notebooks in the image, with a cache directory of a machine; return its result and its events.

        root: directory of the source that they are in. made: the environment that they have instead of the image.
        """
        environment = {"kind": "image", "reference": IMAGE, "digest": "sha256:0", "key": "k", "cached": True}
        environment |= {"strategy": "prebuilt", "python": "python3"}
        built = {"key": "k", "notebooks": list(notebooks), "requirements": [], "environment": environment}
        given = {
            "path": str(self.directory / "source" / root), "namespace": "team", "retries": 0,
            "environments": [{**built, "build": {"name": "k", "phase": "Cached"}, **(made or {}), "notebooks": list(notebooks)}],
            "cache_dir": str(self.directory / cache), **options,
        }  # fmt: skip
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(given)
        assert not checked.error_messages
        module, events = SimpleNamespace(params=checked.validated_parameters, check_mode=check), []
        with Cluster(auth(self.server, token)) as cluster:
            result = perform(module, listener or events.append, cluster)
        return {**result, "by_name": {one["notebook"]: one for one in result["verdicts"]}, "events": events}

    def executed(self, result) -> dict:
        return json.loads(Path(result.executed).read_text(encoding="utf-8"))

    def emptied(self) -> bool:
        """Wait until nothing of ours is there; return whether that came."""
        with Cluster(auth(self.server)) as cluster:
            for kind in (JOBS, PODS, SECRETS):
                names = [one["metadata"]["name"] for one in cluster.items(kind.path("team"))]
                if names and wait(cluster, kind, names, absent(), Deadline.after(30), namespace="team").pending:
                    return False
        return True
