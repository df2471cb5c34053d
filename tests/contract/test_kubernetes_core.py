# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of the collection kubernetes.core, played by ansible-playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import clients

STAND_IN = clients.STAND_IN
HERE = Path(__file__).parent
COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(HERE.parents[1] / "build" / "collections")
pytestmark = pytest.mark.skipif(
    not (Path(COLLECTIONS) / "ansible_collections" / "kubernetes" / "core").is_dir(),
    reason=f"There is no collection kubernetes.core in {COLLECTIONS}; `make setup` installs it.",
)


@clients.needs_real_pods
def test_the_modules_do_what_they_say(cluster, kubeconfig, namespace, make_map, tmp_path):
    given = {
        "place": namespace,
        "map": make_map("a", {"k": "v"}),
        "deployment": clients.deployment(cluster, "rolls"),
        "pod": clients.pod(cluster, "talks", "echo one; echo two"),
    }
    environment = clients.environment(kubeconfig, tmp_path) | {
        "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "K8S_AUTH_KUBECONFIG": kubeconfig,
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-e", json.dumps(given), HERE / "kubernetes_core.yml"],
        env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
