# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator as a process of its own, and a cluster that it works in."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests" / "unit" / "run_pods")]
from pod_run_support import IMAGE, ApiServer, Site, grant, image, namespace, repository, unavailable  # noqa: E402

from tests.apiserver.actors.validator import PLURAL, define  # noqa: E402

__all__ = [
    "account",
    "PLURAL",
    "ROOT",
    "ApiServer",
    "Operator",
    "Site",
    "Team",
    "define",
    "image",
    "namespace",
    "repository",
    "unavailable",
]
URL = "https://git.example.com/team/notebooks.git"


def account(server) -> str:
    """The kubeconfig of an account that may do what the role validator_operator allows in a namespace, with the Secrets of all
    credentials, and nothing else."""
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    grant(server, "operator", [*role_rules(list(needs_of("validator", "team"))), secrets])
    return server.write_kubeconfig("operator", server.tokens.issue("operator", 3600))


@dataclass
class Operator:
    """A process; start and kill as often as wanted. repositories: address -> directory that git fetches in its place.

    log: file for what it says, which otherwise is in the report of a test that fails.
    """

    server: ApiServer
    directory: Path
    repositories: dict[str, str]
    kubeconfig: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None
    log: Path | None = None

    def start(self) -> None:
        config = [("safe.directory", "*")]
        config += [(f"url.{place}.insteadOf", url) for url, place in self.repositories.items()]
        environment = {
            **os.environ,
            "KUBECONFIG": self.kubeconfig or self.server.kubeconfig,
            "HOME": str(self.directory),
        }
        environment |= {"TMPDIR": str(self.directory), "NOTEBOOK_OPERATOR_NAMESPACES": "team", **self.settings}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "operator"), environment["PYTHONPATH"]])
        environment["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (name, value) in enumerate(config):
            environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        command = [sys.executable, "-m", "notebook_operator"]
        with self.log.open("ab") if self.log else contextlib.nullcontext() as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.directory, stdin=subprocess.DEVNULL, stderr=log
            )

    def kill(self) -> None:
        """As the kernel does it: nothing is tidied up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As a cluster does it, in good order."""
        self.process.terminate()
        try:
            assert self.process.wait(30) == 0
        finally:
            self.process.kill()
            self.process.wait()


@dataclass
class Team:
    """The people of one namespace: what they apply, and what they wait for."""

    server: ApiServer
    source: Path

    def job(self, name: str, notebook: str, ref: str, **spec) -> dict:
        """A job as it is applied: the notebook of the repository at a commit, in the image of the tests."""
        wanted = {"notebook": {"git": {"url": URL, "ref": ref}, "path": notebook}, **spec}
        wanted["podConfig"] = {"containerImage": IMAGE, "patience": "5s", **spec.get("podConfig", {})}
        metadata = {"name": name, "namespace": "team"}
        return {
            "apiVersion": "mlops.mlops.dev/v1alpha1",
            "kind": "NotebookValidationJob",
            "metadata": metadata,
            "spec": wanted,
        }

    def apply(self, job: dict) -> dict:
        name = job["metadata"]["name"]
        if self.server.system.find(PLURAL, "team", name):
            return self.server.system.patch(PLURAL, "team", name, {"spec": job["spec"]})
        return self.server.system.create(PLURAL, job)

    def delete(self, name: str) -> None:
        self.server.system.delete(PLURAL, "team", name)

    def until(self, plural: str, condition, seconds: float = 120) -> dict:
        """The first object of the namespace that the condition holds for, from now on or already."""
        done, box = threading.Event(), []

        def look(event, resource, found):
            of_it = resource.plural == plural.partition(".")[0] and found["metadata"].get("namespace") == "team"
            if of_it and event != "DELETED" and not box and condition(found):
                box.append(found)
                done.set()

        forget = self.server.store.subscribe(look)
        try:
            for found in self.server.system.list(plural, "team"):
                if condition(found):
                    return found
            there = [one.get("status") for one in self.server.system.list(plural, "team")][:3]
            assert done.wait(seconds), f"It did not come to that within {seconds} s: {there}"
            return box[0]
        finally:
            forget()

    def ended(self, name: str, generation: int = 1) -> dict:
        """The status of a job with its verdict, as `kubectl wait` would see that."""

        def over(found: dict) -> bool:
            told = conditions(found).get("ValidationComplete", {})
            fresh = told.get("observedGeneration") == generation == found["metadata"]["generation"]
            return found["metadata"]["name"] == name and fresh and told["status"] in ("True", "False")

        return self.until(PLURAL, over)["status"]

    def pod_of(self, name: str) -> str:
        """The pod that runs the notebook of a job, as soon as it runs."""

        def runs(found: dict) -> bool:
            containers = (found.get("status") or {}).get("initContainerStatuses") or ()
            return any("running" in one["state"] for one in containers) and held(found, name)

        def held(pod: dict, job: str) -> bool:
            owner = pod["metadata"]["ownerReferences"][0]["name"]
            batch = self.server.system.find("jobs.batch", "team", owner)
            return bool(batch) and any(one["name"] == job for one in batch["metadata"].get("ownerReferences") or ())

        return self.until("pods", runs)["metadata"]["name"]

    def made(self) -> list[str]:
        """The Jobs that were ever made."""
        return [one.line for one in self.server.journal.entries(r"/jobs\b", verb="create") if one.status == 201]

    def taken_up(self, pod: str) -> None:
        """Wait until the Job of a pod is in the hands of another process than the one that made it."""
        job = pod.rpartition("-")[0].rpartition("-")[0]
        self.server.journal.wait_for(rf"/jobs/{job}\b", 2, verb="patch", timeout=30)

    def emptied(self, *plurals: str) -> None:
        """Wait until nothing is left of these kinds."""
        for plural in plurals:
            self._without(plural, lambda plural=plural: not self.server.system.list(plural, "team"))

    def going(self, name: str) -> None:
        """Wait until a pod is told to end, or is gone."""

        def ends() -> bool:
            found = self.server.system.find("pods", "team", name)
            return found is None or "deletionTimestamp" in found["metadata"]

        self._without("pods", ends)

    def _without(self, plural: str, condition) -> None:
        done = threading.Event()

        def look(event, _resource, _found):
            if event != "ADDED" and condition():
                done.set()

        forget = self.server.store.subscribe(look)
        try:
            assert condition() or done.wait(30), f"There still are {plural}."
        finally:
            forget()

    def event(self, name: str, reason: str) -> dict:
        """The event about a job that has this reason."""
        return self.until(
            "events", lambda found: (found["involvedObject"]["name"], found["reason"]) == (name, reason), 10
        )


def conditions(found: dict) -> dict[str, dict]:
    return {one["type"]: one for one in (found.get("status") or {}).get("conditions") or ()}
