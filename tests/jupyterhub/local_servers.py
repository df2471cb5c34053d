# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the hub: what KubeSpawner would send to a cluster is written down, and the server is a process of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from kubespawner import KubeSpawner
from kubespawner.clients import shared_client

LIGHT = Path(__file__).with_name("light_server.py")


class LocalServers(KubeSpawner):
    """The pod's environment and arguments, without the pod."""

    directory = ""
    process = None

    async def _initialize_reflectors_and_clients(self):
        self.api = shared_client("CoreV1Api")

    async def start(self):
        await self.load_user_options()
        pod = await self.get_pod_manifest()
        plain = self.api.api_client.sanitize_for_serialization
        found = {"pod": plain(pod), "claim": plain(self.get_pvc_manifest())}
        Path(self.directory, f"{self.user.name}.json").write_text(json.dumps(found), encoding="utf-8")
        self.port = _free_port()
        given = {name: value for name, value in self.get_env().items() if isinstance(value, str)}
        given |= {
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.port}{self.server.base_url}",
            "HOME": self.directory,
        }
        given["PATH"] = os.environ["PATH"]
        program = (
            [sys.executable, "-m", "jupyterhub.singleuser"]
            if os.environ.get("FULL_SERVERS")
            else [sys.executable, str(LIGHT)]
        )
        root = os.geteuid() == 0
        self.process = await asyncio.create_subprocess_exec(
            *program, *self.get_args_of_pod(found), *(["--allow-root"] if root else []), env=given, cwd=self.directory
        )
        return f"http://127.0.0.1:{self.port}"

    def get_args_of_pod(self, found: dict) -> list[str]:
        arguments = found["pod"]["spec"]["containers"][0]["args"]
        return [one for one in arguments if not one.startswith(("--notebook-dir", "--ServerApp.root_dir"))]

    async def poll(self):
        return None if self.process and self.process.returncode is None else 0

    async def stop(self, now=False):
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def delete_forever(self):
        pass


def configure(c, pods: str, port: int) -> None:
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port}"
    c.JupyterHub.spawner_class = LocalServers
    LocalServers.directory = pods


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
