# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the hub's environment: what `notebook_hub.buckets` does for KubeSpawners, as lines of JSON say.

All requests go on at once in one loop, as in a hub. Each answer has the pod that the server would be, or the error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace

from jupyterhub.objects import Hub
from kubespawner import KubeSpawner
from kubespawner.clients import shared_client
from tornado import web

FILES = Path(__file__).resolve().parents[2] / "roles" / "jupyterhub" / "files"
sys.path.insert(0, str(FILES))
from notebook_hub import buckets  # noqa: E402

spawners: dict[str, KubeSpawner] = {}


class User(SimpleNamespace):
    """As much of a user as KubeSpawner looks at."""

    @property
    def escaped_name(self) -> str:
        return self.name


def spawner_of(name: str, server: str, settings: dict) -> KubeSpawner:
    """The spawner of a user's server, the same one each time."""
    key = f"{name}/{server}"
    if key not in spawners:
        user = User(name=name, url=f"/user/{name}/", id=1, settings={}, groups=[])
        record = SimpleNamespace(name=server, server=None)
        made = buckets.deleting(KubeSpawner, settings)
        spawners[key] = made(_mock=True, user=user, hub=Hub(), orm_spawner=record, namespace="team", image="lab:1")
        spawners[key].environment = {"KEPT": "yes"}
    return spawners[key]


async def pod(spawner: KubeSpawner) -> dict:
    manifest = await spawner.get_pod_manifest()
    return shared_client("CoreV1Api").api_client.sanitize_for_serialization(manifest)


async def answer(asked: dict) -> None:
    spawner = spawner_of(asked["user"], asked.get("server", ""), asked["settings"])
    found: dict = {"id": asked["id"]}
    try:
        if asked["do"] == "delete":
            await spawner.delete_forever()
        else:
            await buckets.prepare(spawner, asked["settings"])
            found["pod"] = await pod(spawner)
    except web.HTTPError as error:
        found |= {"status": error.status_code, "said": error.log_message, "told": error.jupyterhub_message}
    print(json.dumps(found), flush=True)


async def main() -> None:
    logging.basicConfig(level=logging.DEBUG)  # to standard error, where the tests look for keys
    reader = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            tasks.create_task(answer(json.loads(line)))


asyncio.run(main())
