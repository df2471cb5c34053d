# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of real clients share: pods that run as anything on any cluster, and how a client is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

IMAGE = os.environ.get("CONTRACT_IMAGE", "registry.access.redhat.com/ubi9/ubi-minimal:latest")
RUNS = os.geteuid() == 0 or bool(os.environ.get("KUBECONFIG"))
# The arguments of a stand-in whose pods run their commands, where it may.
STAND_IN = {"pods": "process" if RUNS else "simulated"}
needs_real_pods = pytest.mark.skipif(not RUNS, reason="The stand-in needs root to run pods as processes.")

# It says hello, stays until it is told to end, and says goodbye.
GREETER = "trap 'echo goodbye; exit 0' TERM; echo hello; while :; do sleep 0.1; done"


def pod_spec(cluster, script: str, **more) -> dict:
    """The spec of a pod that every level of pod security allows."""
    allowed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    general = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if not cluster.openshift:  # there the user comes from the namespace
        general["runAsUser"] = 1000
    container = {"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", script], "securityContext": allowed}
    return {"securityContext": general, "terminationGracePeriodSeconds": 5, "containers": [container], **more}


def pod(cluster, name: str, script: str) -> dict:
    spec = pod_spec(cluster, script, restartPolicy="Never")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def job(cluster, name: str, script: str, **spec) -> dict:
    template = {"spec": pod_spec(cluster, script, restartPolicy="Never")}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {**spec, "template": template},
    }


def deployment(cluster, name: str, replicas: int = 1) -> dict:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(cluster, GREETER)}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def environment(kubeconfig: str, home: Path) -> dict:
    """Of a client's process: nothing that it caches or reads beside the kubeconfig comes from the user's own home."""
    return {**os.environ, "KUBECONFIG": kubeconfig, "HOME": str(home), "TMPDIR": str(home)}
