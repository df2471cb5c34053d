# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator of JupyterNotebooks as a process of its own, and a namespace in which people apply notebooks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "tests" / "unit" / "cluster")]
from cluster_support import auth, namespace  # noqa: E402

from tests.apiserver.errors import ApiError  # noqa: E402
from tests.apiserver.server import ApiServer  # noqa: E402

__all__ = [
    "ApiServer",
    "Bench",
    "Operator",
    "Team",
    "account",
    "auth",
    "cluster_of",
    "conditions",
    "define",
    "free_port",
    "namespace",
    "rules",
]
PLURAL = "jupyternotebooks.squonk.it"
RBAC = "rbac.authorization.k8s.io"


def define(server) -> None:
    """Bring the definition of JupyterNotebook into the cluster."""
    for one in yaml.safe_load_all((ROOT / "operator" / "crds" / "jupyternotebooks.yaml").read_text(encoding="utf-8")):
        if one:
            server.system.create("customresourcedefinitions.apiextensions.k8s.io", one)


def rules() -> list[dict]:
    """The rights of the operator as its role gives them, one resource each."""
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions_data import WORK

    return [
        {"apiGroups": [group], "resources": [resource], "verbs": verbs.split()}
        for group, resource, verbs in WORK["jupyter"]
    ]


def account(server, granted: list[dict] | None = None) -> str:
    """The kubeconfig of an account that may do what the documentation says, in all namespaces, and nothing else."""
    name = {"name": "jupyter-operator"}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": name, "rules": granted or rules()}
    binding = {
        "apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": name,
        "subjects": [{"kind": "User", "name": "operator", "apiGroup": RBAC}],
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "jupyter-operator"},
    }  # fmt: skip
    server.system.create(f"clusterroles.{RBAC}", role)
    server.system.create(f"clusterrolebindings.{RBAC}", binding)
    return server.write_kubeconfig("operator", server.tokens.issue("operator", 3600))


@dataclass
class Operator:
    """A process; start and kill as often as wanted. settings: without their prefix."""

    server: ApiServer
    directory: Path
    kubeconfig: str
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    @property
    def log(self) -> Path:
        return self.directory / "operator.log"

    def start(self) -> None:
        environment = {**os.environ, "KUBECONFIG": self.kubeconfig, "HOME": str(self.directory)}
        given = {"DOMAIN": "hub.example.com", **self.settings}
        environment |= {f"JUPYTER_OPERATOR_{name}": value for name, value in given.items()}
        trees = [one for one in sys.path if one and (Path(one) / "ansible_collections").is_dir()]
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "operator"), *trees, environment.get("PYTHONPATH", "")])
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "jupyter_operator"]
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def memory(self) -> float:
        """What it holds, in MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def kill(self) -> None:
        """As the kernel does it: nothing is tidied up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As a cluster does it, in good order."""
        self.process.terminate()
        try:
            assert self.process.wait(30) == 0, self.log.read_text(encoding="utf-8")[-3000:]
        finally:
            self.process.kill()
            self.process.wait()


def conditions(found: dict) -> dict[str, dict]:
    return {one["type"]: one for one in (found.get("status") or {}).get("conditions") or ()}


@dataclass
class Team:
    """The people of one namespace: what they apply, and what they wait for."""

    server: ApiServer
    namespace: str = "team"

    def notebook(self, name: str, notes: dict | None = None, **spec) -> dict:
        """A notebook as a Data Manager makes it."""
        metadata = {"name": name, "namespace": self.namespace, "annotations": notes or {}}
        return {
            "apiVersion": "squonk.it/v2",
            "kind": "JupyterNotebook",
            "metadata": metadata,
            "spec": {"imDataManager": spec},
        }

    def create(self, name: str, notes: dict | None = None, **spec) -> dict:
        return self.server.system.create(PLURAL, self.notebook(name, notes, **spec))

    def change(self, name: str, **spec) -> dict:
        return self.server.system.patch(PLURAL, self.namespace, name, {"spec": {"imDataManager": spec}})

    def note(self, name: str, **notes: str | None) -> dict:
        found = {f"notebooks.mlops.dev/{key.replace('_', '-')}": value for key, value in notes.items()}
        return self.server.system.patch(PLURAL, self.namespace, name, {"metadata": {"annotations": found}})

    def delete(self, plural: str, name: str) -> None:
        self.server.system.delete(plural, self.namespace, name)

    def find(self, plural: str, name: str) -> dict | None:
        return self.server.system.find(plural, self.namespace, name)

    def list(self, plural: str) -> list[dict]:
        return self.server.system.list(plural, self.namespace)

    def until(self, plural: str, condition, seconds: float = 60) -> dict:
        """The first object of the namespace that the condition holds for, from now on or already."""
        done, box = threading.Event(), []

        def look(event, resource, found):
            of_it = resource.plural == plural.partition(".")[0] and found["metadata"].get("namespace") == self.namespace
            if of_it and event != "DELETED" and not box and condition(found):
                box.append(found)
                done.set()

        forget = self.server.store.subscribe(look)
        try:
            for found in self.list(plural):
                if condition(found):
                    return found
            assert done.wait(seconds), f"It did not come to that within {seconds} s: {self.list(plural)[:2]}"
            return box[0]
        finally:
            forget()

    def gone(self, plural: str, name: str, seconds: float = 60) -> None:
        """Wait until an object is there no more."""
        done = threading.Event()

        def look(_event, _resource, _found):
            if self.find(plural, name) is None:
                done.set()

        forget = self.server.store.subscribe(look)
        try:
            assert self.find(plural, name) is None or done.wait(seconds), f"{plural} {name} is still there."
        finally:
            forget()

    def told(self, name: str, kind: str, reason: str, seconds: float = 60) -> dict:
        """The notebook as soon as a condition of its newest generation has the reason."""

        def holds(found: dict) -> bool:
            one = conditions(found).get(kind, {})
            fresh = one.get("observedGeneration") == found["metadata"]["generation"]
            return found["metadata"]["name"] == name and fresh and one["reason"] == reason

        return self.until(PLURAL, holds, seconds)

    def ready(self, name: str) -> dict:
        return self.told(name, "Ready", "Answers")

    def remove(self, name: str) -> None:
        """Delete a notebook, and wait until nothing is left of it."""
        self.delete(PLURAL, name)
        for plural in (
            "deployments.apps",
            "services",
            "ingresses.networking.k8s.io",
            "networkpolicies.networking.k8s.io",
        ):
            self.gone(plural, name)
        for plural in ("secrets", "configmaps"):
            self.gone(plural, f"jupyter-{name}")

    def event(self, name: str, reason: str) -> dict:
        """The event about a notebook that has this reason."""
        return self.until("events", lambda found: (found["involvedObject"]["name"], found["reason"]) == (name, reason))

    def drop_if_there(self, plural: str, name: str) -> None:
        try:
            self.delete(plural, name)
        except ApiError as error:
            if error.code != 404:
                raise


class Bench:
    """The operator in this process, which sees each notebook as kopf would show it."""

    def __init__(self, server: ApiServer, cluster=None, **settings):
        from jupyter_operator.main import Operator as Here
        from jupyter_operator.settings import Settings

        self.server, self.team = server, Team(server)
        self.cluster = cluster or cluster_of(server)
        self.settings = Settings(**{"domain": "hub.example.com", "cull_interval": 1, **settings})
        here = Here(self.cluster, self.settings)
        self.notebooks, self.plan = here.notebooks, here.plan
        here.culling.start()
        self._events: SimpleQueue = SimpleQueue()
        self._forget = server.store.subscribe(lambda *event: self._events.put(event))
        for found in server.system.list(PLURAL, "team"):
            self.notebooks.see(found)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while event := self._events.get():
            kind, resource, found = event
            if resource.plural == PLURAL.partition(".")[0]:
                gone = kind == "DELETED" or found["metadata"].get("deletionTimestamp")
                (self.notebooks.forget if gone else self.notebooks.see)(found)

    def close(self) -> None:
        self._forget()
        self._events.put(None)
        self.cluster.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cluster_of(server):
    """A way to the server as its administrator."""
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster

    return Cluster(auth(server))
