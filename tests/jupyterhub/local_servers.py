# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the hub: what KubeSpawner would send to a cluster is written down, and the server is a process of this machine."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

import hub_support
from kubespawner import KubeSpawner
from kubespawner.clients import shared_client

HERE = Path(__file__).parent
FULL = "TEST_FULL_SERVER"  # a variable of a profile whose servers are real ones; those of others only answer


class LocalServers(KubeSpawner):
    """The pod's environment and arguments, without the pod; no start goes on while there is a file `hold`."""

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
        while Path(self.directory, "hold").exists():
            await asyncio.sleep(0.05)
        self.port = hub_support.free_port()
        given = {name: value for name, value in self.get_env().items() if isinstance(value, str)}
        given |= {
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.port}{self.server.base_url}",
            "HOME": self.directory,
        }
        given["PATH"] = os.environ["PATH"]
        program = HERE / ("full_server.py" if given.get(FULL) else "light_server.py")
        _command, *arguments = found["pod"]["spec"]["containers"][0]["args"]
        root = ["--allow-root"] if os.geteuid() == 0 else []
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(program), *arguments, *root, env=given, cwd=self.directory, preexec_fn=_end_with_hub
        )
        return f"http://127.0.0.1:{self.port}"

    async def progress(self):
        yield {"progress": 50, "message": "It starts."}

    async def poll(self):
        return self.process.returncode if self.process else 0

    async def stop(self, now=False):
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def delete_forever(self):
        pass


def _end_with_hub() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: no test leaves a server behind


def configure(c, pods: str, port: int) -> None:
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port}"
    c.JupyterHub.spawner_class = LocalServers
    LocalServers.directory = pods
