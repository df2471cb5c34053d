# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that makes buckets, and the part of the hub that asks for them, in a process with the rights of the role."""

from __future__ import annotations

import functools
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import yaml
from hub_parts import PYTHON, ROOT

sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests" / "unit" / "cluster")) if path not in sys.path]
from cluster_support import grant, namespace  # noqa: E402

from tests.apiserver.actors import buckets  # noqa: E402
from tests.apiserver.server import ApiServer  # noqa: E402

VARS = yaml.safe_load((ROOT / "roles" / "jupyterhub" / "vars" / "main.yml").read_text(encoding="utf-8"))
RIGHTS, BUCKET_RIGHTS = VARS["jupyterhub__rights"], VARS["jupyterhub__bucket_rights"]
SECONDS = 30  # for one answer


def settings(**given) -> dict:
    """hub.json, as far as buckets are concerned."""
    return {"name": "hub", "namespace": "team", "buckets": {"enabled": True, "storage_class": "buckets", **given}}


class Worker:
    """The hub's part. Requests are answered in any order."""

    def __init__(self, kubeconfig, log: Path):
        self._log, self._ids = log, itertools.count()
        self._answers: dict[int, queue.SimpleQueue] = {}
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [str(PYTHON), str(Path(__file__).with_name("bucket_worker.py"))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment,
            )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout:
            found = json.loads(line)
            self._answers[found["id"]].put(found)

    def begin(self, user: str, server: str = "", do: str = "prepare", **given):
        """Ask, and return what waits for the answer."""
        number, answer = next(self._ids), queue.SimpleQueue()
        self._answers[number] = answer
        asked = {"id": number, "do": do, "user": user, "server": server, "settings": settings(**given)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return lambda: answer.get(timeout=SECONDS)

    def prepare(self, user: str, server: str = "", **given) -> dict:
        return self.begin(user, server, **given)()

    def delete(self, user: str, server: str = "", **given) -> dict:
        """What a hub does when a user, or a named server of one, is deleted."""
        return self.begin(user, server, "delete", **given)()

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait(SECONDS)


class Cluster:
    """A namespace in a cluster with a provisioner."""

    def __init__(self, directory: Path):
        self.server = ApiServer(profile="kubernetes", pods="none").start()
        namespace(self.server)
        self.provisioner = buckets.install(self.server)
        grant(self.server, "hub", RIGHTS + BUCKET_RIGHTS)
        self.kubeconfig = self.server.write_kubeconfig("hub", self.server.tokens.issue("hub", 3600))
        self._log = directory / "hub.log"

    @functools.cached_property
    def worker(self) -> Worker:
        return Worker(self.kubeconfig, self._log)

    def claims(self) -> list[dict]:
        return self.server.system.list(buckets.PLURAL, "team")

    def asked(self, verb: str | None = None) -> list[str]:
        """The requests about claims since the journal was cleared."""
        found = self.server.journal.entries("objectbucketclaims", verb)
        return [entry.verb for entry in found if entry.user == "hub"]

    def stop(self) -> None:
        if "worker" in vars(self):
            self.worker.stop()
        self.server.stop()
