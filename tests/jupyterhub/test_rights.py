# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of the hub's account: KubeSpawner gets along with them, lacks something without each, and the guide tells them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml
from hub_parts import PYTHON, ROOT, needed

from tests.apiserver.server import ApiServer

RBAC = "rbac.authorization.k8s.io"
ROW = re.compile(r"^\| `([a-z0-9./-]*)` \| `([a-z./-]+)` \| ([a-z ]+) \|", re.MULTILINE)
VARS = yaml.safe_load((ROOT / "roles" / "jupyterhub" / "vars" / "main.yml").read_text(encoding="utf-8"))
RIGHTS, BUCKETS, BACKUP = (VARS[f"jupyterhub__{kind}rights"] for kind in ("", "bucket_", "backup_"))


def allowed(rules: list[dict]) -> set[tuple[str, str, str]]:
    """Group, resource, verb of each right."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_rights_of_the_guide_are_those_of_the_role():
    page = (ROOT / "docs" / "jupyterhub.md").read_text(encoding="utf-8")
    told = {
        ("" if group == "v1" else group, resource, verb)
        for group, resource, verbs in ROW.findall(page)
        for verb in verbs.split()
    }
    assert told == allowed(RIGHTS) | allowed(BUCKETS) | allowed(BACKUP)
    # tests/jupyterhub/test_userlists.py uses both of its verbs, of the one object that it may touch.
    assert [rule["resourceNames"] for rule in BACKUP] == [["{{ jupyterhub_name }}-users"]]


def test_kubespawner_uses_each_right_and_needs_no_other():
    needed("jupyterhub")
    user = "system:serviceaccount:mine:hub"
    with ApiServer("kubernetes", pods="simulated") as server:
        create = server.system.create
        server.pod_rules.add({"name": "jupyter-*", "seconds": 600})  # by itself such a server does not end
        create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}})
        place = {"name": "hub", "namespace": "mine"}
        create(f"roles.{RBAC}", {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": place, "rules": RIGHTS})
        subjects = [{"kind": "ServiceAccount", **place}]
        bound = {"apiGroup": RBAC, "kind": "Role", "name": "hub"}
        binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": place, "roleRef": bound}
        create(f"rolebindings.{RBAC}", {**binding, "subjects": subjects})
        kubeconfig = server.write_kubeconfig(user, server.tokens.issue(user, 3600))
        command = [str(PYTHON), str(Path(__file__).with_name("spawn_once.py")), "mine"]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=80, check=False)
        assert done.returncode == 0, done.stderr
        asked = [entry for entry in server.journal.entries() if entry.user == user]
        assert not [entry.line for entry in asked if entry.status == 403]
        used = {("", entry.path.split("/")[5], entry.verb) for entry in asked if "/namespaces/" in entry.path}
        assert used == allowed(RIGHTS)
        assert not server.system.list("pods", "mine") and not server.system.list("persistentvolumeclaims", "mine")
