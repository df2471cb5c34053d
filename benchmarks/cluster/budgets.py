# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a question costs: ours, and the nearest that kubernetes.core offers, counted by the server."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from stand_in import ROOT, part, running

BAR = 3  # requests for the default parts
APPLIED = 20


def module(server, name: str, arguments: str) -> int:
    """Requests of one call of a module by the command line, with no cache of an earlier one."""
    server.forget()
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            "K8S_AUTH_KUBECONFIG": server.kubeconfig,
            "TMPDIR": scratch,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        }
        command = [str(ROOT / ".venv" / "bin" / "ansible"), "localhost", "-m", name, "-a", arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return len(server.journal())


def applied(server) -> tuple[int, int]:
    """Requests and writes of applying unchanged objects."""
    apply, cluster = part("cluster.apply").apply, server.cluster()
    manifests = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c{number}", "namespace": "team"},
            "data": {"a": "1"},
        }
        for number in range(APPLIED)
    ]
    for manifest in manifests:
        apply(cluster, manifest)
    server.forget()
    for manifest in manifests:
        apply(cluster, manifest)
    entries = server.journal()
    return len(entries), sum(entry["method"] != "GET" for entry in entries)


def main() -> int:
    with running("openshift") as server:
        default = module(server, "mlops.notebooks.platform_info", "")
        rows = {
            "platform_info, default parts": default,
            "platform_info, all parts": module(
                server,
                "mlops.notebooks.platform_info",
                '{"gather": ["version", "builders", "capabilities", "serving", "pod_security", "registry", "permissions"]}',
            ),
            "k8s_cluster_info": module(server, "kubernetes.core.k8s_cluster_info", ""),
            "k8s_info, one kind that is served": module(
                server, "kubernetes.core.k8s_info", "kind=BuildConfig api_version=build.openshift.io/v1"
            ),
            "k8s_info, one kind that is not": module(
                server, "kubernetes.core.k8s_info", "kind=Pipeline api_version=tekton.dev/v1"
            ),
        }
        for name, count in rows.items():
            print(f"{name:<40}{count:>4}")
        requests, writes = applied(server)
        print(f"{f'{APPLIED} unchanged objects applied':<40}{requests:>4}, of which {writes} writes")
        good = default <= BAR and not writes
        print(f"bar: at most {BAR} by default, no write: {'met' if good else 'MISSED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
