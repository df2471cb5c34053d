# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hub with the real KubeSpawner in the stand-in for OpenShift, where one process answers for the servers of all pods."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bucket_support
from bucket_support import BUCKET_RIGHTS, RIGHTS
from hub_support import Hub, free_port, until

from tests.apiserver.actors import buckets
from tests.apiserver.server import ApiServer

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
LAYER = """
c.JupyterHub.hub_bind_url = {bind!r}
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 60}}  # answers wait for what becomes of a start
c.KubeSpawner.pod_connect_ip = "127.0.0.1"  # pods of the stand-in have no network
"""


class ClusterHub:
    """The cluster, the hub with no rights but the role's, and the process that answers for pods."""

    def __init__(self, place: Path, **settings):
        self.server = ApiServer("openshift", pods="simulated").start()
        try:
            self._fill()
            port = free_port()
            self.hub = Hub(place, **{"spawn": {"port": port, "image": "lab:1"}, **settings})
            self.hub.write("jupyterhub_config.d/10-tests.py", LAYER.format(bind=self.hub.hub_connect_url))
            kubeconfig = self.server.write_kubeconfig("hub", self.server.tokens.issue("hub", 3600))
            self.hub.write(".kube/config", Path(kubeconfig).read_text(encoding="utf-8"))
            given = {**os.environ, "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}/"}
            self._pods = subprocess.Popen([sys.executable, str(Path(__file__).with_name("light_server.py"))], env=given)
        except BaseException:
            self.server.stop()
            raise

    def _fill(self) -> None:
        create = self.server.system.create
        metadata = {"name": "team", "labels": RESTRICTED}
        create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        until(lambda: self.server.system.find("serviceaccounts", "team", "default"))
        self.server.pod_rules.add({"name": "hub-nb-*", "seconds": 86400})  # by itself such a server does not end
        buckets.install(self.server)
        bucket_support.grant(self.server, "hub", RIGHTS + BUCKET_RIGHTS)

    def asked(self) -> list:
        """The hub's requests since the journal was cleared."""
        return [entry for entry in self.server.journal.entries() if entry.user == "hub"]

    def names(self, plural: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.server.system.list(plural, "team")]

    def stop(self) -> None:
        self.hub.stop()
        self._pods.terminate()
        self._pods.wait(10)
        self.server.stop()
