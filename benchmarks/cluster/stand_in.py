# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server of the tests in a process of its own, and the way to steer it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import urllib3

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "ansible_collections.mlops.notebooks.plugins.module_utils._engine"
SPACE = "/api/v1/namespaces"


def part(name: str):
    return import_module(f"{ENGINE}.{name}")


class StandIn:
    """A running server: its address, and requests of its administrator."""

    def __init__(self, told: dict):
        self.url, self.token, self.ca_file, self.kubeconfig = (
            told[name] for name in ("url", "token", "ca_file", "kubeconfig")
        )
        self._pool = urllib3.PoolManager(ca_certs=self.ca_file, retries=False)

    def ask(self, method: str, path: str, body=None, content_type: str = "application/json"):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        answer = self._pool.request(method, self.url + path, body=json.dumps(body), headers=headers)
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.data[:300]}")
        return json.loads(answer.data)

    def journal(self, match: str = "") -> list[dict]:
        return self.ask("GET", f"/_control/journal?match={match}")["entries"]

    def forget(self) -> None:
        self.ask("DELETE", "/_control/journal")

    def cluster(self):
        auth = {"host": self.url, "api_key": self.token, "ca_cert": self.ca_file}
        return part("cluster.client").Cluster(auth)


@contextlib.contextmanager
def running(profile: str = "kubernetes", *options: str):
    """Start the server; stop it at the end."""
    command = [sys.executable, "-m", "tests.apiserver", "--profile", profile, "--pods", "none", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            server = StandIn(json.loads(process.stdout.readline()))
            server.ask("POST", SPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
            yield server
        finally:
            process.terminate()
