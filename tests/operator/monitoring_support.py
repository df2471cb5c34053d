# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks for what the operator says of itself."""

from __future__ import annotations

import socket

import yaml
from cluster_support import http
from operator_support import ROOT, namespace

SECONDS = 10
READER = sorted((ROOT / "operator" / "monitoring").glob("reader-*.yaml"))
PROMETHEUS = "system:serviceaccount:notebook-operator-system:notebook-operator-metrics-reader"


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def get(connection, path: str, headers=None) -> tuple[int, str]:
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def reader(server, space: str = "notebook-operator-system") -> None:
    """What operator/monitoring has for Prometheus, and the right to ask who somebody is for the operator."""
    if not server.system.find("namespaces", None, space):
        namespace(server, space)
    for found in (yaml.safe_load(path.read_text()) for path in READER):
        if found["kind"] not in ("Secret", "ServiceAccount"):
            http(server, "POST", f"/apis/{found['apiVersion']}/{found['kind'].lower()}s", found)
    rbac = "rbac.authorization.k8s.io"
    binding = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "operator-reviews"}}
    binding["roleRef"] = {"apiGroup": rbac, "kind": "ClusterRole", "name": "system:auth-delegator"}
    binding["subjects"] = [{"kind": "User", "name": "operator", "apiGroup": rbac}]
    http(server, "POST", f"/apis/{rbac}/v1/clusterrolebindings", binding)
