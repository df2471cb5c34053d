# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kustomize base is accepted by a server, and the bundle has what the lifecycle manager asks for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml
from operator_support import ROOT

from tests.apiserver.server import ApiServer

OPERATOR = ROOT / "operator"


def loaded(name: str) -> dict:
    return yaml.safe_load((OPERATOR / name).read_text(encoding="utf-8"))


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_kubectl_applies_the_base_and_the_server_takes_all_of_it(tmp_path):
    with ApiServer(profile="kubernetes", pods="none") as server:
        command = [
            "kubectl",
            "--kubeconfig",
            str(server.kubeconfig),
            "apply",
            "--server-side",
            "-k",
            str(OPERATOR / "kustomize"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.system.find(
            "customresourcedefinitions.apiextensions.k8s.io", None, "notebookvalidationjobs.mlops.mlops.dev"
        )
        assert server.system.find("deployments.apps", "notebook-operator-system", "notebook-operator")


def test_the_bundle_has_what_the_lifecycle_manager_asks_for():
    """Source: operator-registry, docs/design/operator-bundle.md; API of operators.coreos.com/v1alpha1."""
    version = loaded("bundle/manifests/notebook-operator.clusterserviceversion.yaml")
    spec, notes = version["spec"], version["metadata"]["annotations"]
    assert re.fullmatch(r"notebook-operator\.v\d+\.\d+\.\d+", version["metadata"]["name"])
    assert version["metadata"]["name"].endswith(spec["version"]) and spec["displayName"] and spec["description"]
    modes = {one["type"]: one["supported"] for one in spec["installModes"]}
    assert (
        set(modes) == {"OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"} and modes["OwnNamespace"]
    )
    (owned,) = spec["customresourcedefinitions"]["owned"]
    definition = loaded("crds/notebookvalidationjobs.yaml")
    assert owned["name"] == definition["metadata"]["name"] and owned["kind"] == definition["spec"]["names"]["kind"]
    assert owned["version"] in [one["name"] for one in definition["spec"]["versions"] if one["served"]]
    assert {one["kind"] for one in json.loads(notes["alm-examples"])} == {owned["kind"]}
    (deployment,) = spec["install"]["spec"]["deployments"]
    (permission,) = spec["install"]["spec"]["permissions"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == permission["serviceAccountName"]
    assert [one["image"] for one in spec["relatedImages"]] == [container["image"]] == [notes["containerImage"]]
    fields = [one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"] if "valueFrom" in one]
    assert fields == ["metadata.annotations['olm.targetNamespaces']"]
    granted = {
        (group, resource): rule["verbs"]
        for rule in permission["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert not any("*" in (*names, *verbs) for names, verbs in granted.items()) and ("", "secrets") not in granted
    labels = dict(re.findall(r"^LABEL (\S+)=(\S+)$", (OPERATOR / "bundle/Containerfile").read_text(), re.MULTILINE))
    assert labels == loaded("bundle/metadata/annotations.yaml")["annotations"]
