# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to a verdict by the two commands of a user: the playbook, and kubectl; and through an upgrade."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins import module_utils
from operator_support import PLURAL, ROOT, URL, Team, conditions, image
from pod_run_support import PATH

COLLECTION = Path(next(iter(module_utils.__path__))).resolve().parents[1]
OPERATOR = "registry.example.com/mlops/notebook-operator@sha256:" + "0" * 64
OWN = "notebook-operator-system"
PLACE = "/opt/notebook-operator"


@pytest.fixture
def cluster(site, commit):
    """A cluster whose nodes have the operator's image: this collection, where operator/Containerfile puts it."""
    seen, settings = site.server.images["*"], site.directory / "gitconfig"
    settings.write_text(f'[safe]\n\tdirectory = *\n[url "{site.directory / "source"}"]\n\tinsteadOf = {URL}\n')
    bind = {
        **image()["bind"],
        str(site.directory / "source"): str(site.directory / "source"),
        "/etc/gitconfig": str(settings),
        f"{PLACE}/ansible_collections/mlops/notebooks": str(COLLECTION),
        **{f"{PLACE}/{name}": str(ROOT / "operator" / name) for name in ("notebook_operator", "operator_common")},
    }
    # All pods have the ports of the host, and no two of them the same one.
    command = ["env", "-u", "NOTEBOOK_OPERATOR_PROBE_PORT", f"{sys.prefix}/bin/python", "-m", "notebook_operator"]
    env = {"PYTHONPATH": PLACE, "PATH": f"{sys.prefix}/bin:{PATH}", "PYTHONDONTWRITEBYTECODE": "1"}
    site.server.images.clear()
    site.server.images |= {
        f"{OPERATOR.partition('@')[0]}*": {"bind": bind, "env": env, "user": 1001, "command": command},
        "*": seen,
    }
    yield site
    site.server.images.clear()
    site.server.images["*"] = seen


def play(cluster, **variables) -> str:
    given = {"operator_image": OPERATOR, "operator_watch": ["team"], **variables}
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "mlops.notebooks.operator",
        "-e",
        json.dumps(given),
    ]
    environment = {
        **os.environ,
        "K8S_AUTH_KUBECONFIG": str(cluster.server.kubeconfig),
        "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(ROOT / "build" / "collections"),
        "HOME": str(cluster.directory),
    }
    done = subprocess.run(command, cwd=cluster.directory, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kubectl(cluster, *words: str, text: str = "") -> str:
    command = ["kubectl", "--kubeconfig", str(cluster.server.kubeconfig), *words]
    environment = {**os.environ, "HOME": str(cluster.directory)}
    done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def waited(cluster, name: str, status: str = "True") -> None:
    """Wait for a verdict as a user does; what the operator says is in the report of a test that fails."""
    try:
        condition = f"--for=condition=ValidationComplete={status}"
        kubectl(cluster, "wait", condition, "--timeout=40s", "-n", "team", f"nvj/{name}")
    except AssertionError as error:
        pods = cluster.server.system.list("pods", OWN)
        logs = [kubectl(cluster, "logs", "-n", OWN, one["metadata"]["name"]) for one in pods]
        raise AssertionError("\n".join([str(error), *logs])) from None


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_a_playbook_deploys_it_and_kubectl_has_a_notebook_validated(cluster, commit):
    find, team = cluster.server.system.find, Team(cluster.server, cluster.directory / "source")
    play(cluster)
    job = team.job("sales", "good.ipynb", commit, parameters={"rate": 7})
    kubectl(cluster, "apply", "-f", "-", text=yaml.safe_dump(job))
    waited(cluster, "sales")
    account = f"system:serviceaccount:{OWN}:notebook-operator"
    asked = [one for one in cluster.server.journal.entries() if one.user == account]
    assert asked and {one.status for one in asked} <= {200, 201, 404, 409}, [one for one in asked if one.status == 403]

    before, made = find(PLURAL, "team", "sales"), team.made()
    # Another image, and what an older role has left.
    old = find("deployments.apps", OWN, "notebook-operator")
    old["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "NOTEBOOK_OPERATOR_NAMESPACES", "value": "team"}
    ]
    cluster.server.system.update("deployments.apps", old)
    play(cluster, operator_image=OPERATOR.replace("sha256:00", "sha256:11"), operator_jobs=7)
    (container,) = find("deployments.apps", OWN, "notebook-operator")["spec"]["template"]["spec"]["containers"]
    assert {"name": "NOTEBOOK_OPERATOR_JOBS", "value": "7"} in container["env"] and "sha256:11" in container["image"]
    kubectl(cluster, "apply", "-f", "-", text=yaml.safe_dump(team.job("raises", "raises.ipynb", commit)))
    waited(cluster, "raises", "False")
    assert find(PLURAL, "team", "raises")["status"]["code"] == "notebook_execution_failed"
    after = find(PLURAL, "team", "sales")
    assert (
        after == before
        and conditions(after)["ValidationComplete"]["status"] == "True"
        and len(team.made()) == len(made) + 1
    )

    play(cluster, operator_state="absent", operator_remove_jobs=True)
    team.emptied("jobs.batch")
    assert find("customresourcedefinitions.apiextensions.k8s.io", None, PLURAL) is None
    assert find("namespaces", None, OWN) is None and not cluster.server.system.list(
        "roles.rbac.authorization.k8s.io", "team"
    )
