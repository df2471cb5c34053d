# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook operator: what it deploys, with every variable; that it does so once; what it refuses; and that nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .conftest import ROOT
from .test_namespace import RBAC, Site, names, site  # noqa: F401 - the fixture

JOBS = "notebookvalidationjobs.mlops.mlops.dev"
DEFINITION = "customresourcedefinitions.apiextensions.k8s.io"
OWN, NAME = "notebook-operator-system", "notebook-operator"
IMAGE = "registry.example.com/mlops/notebook-operator:1"
KINDS = (
    "serviceaccounts", f"roles.{RBAC}", f"rolebindings.{RBAC}", f"clusterroles.{RBAC}", f"clusterrolebindings.{RBAC}", "services",
    "deployments.apps", "poddisruptionbudgets.policy", "networkpolicies.networking.k8s.io",
)  # fmt: skip
FULL = {
    "watch": "team, other",
    "credentials": ["git-read"],
    "builds": ["tekton"],
    "models": True,
    "model_namespaces": ["serving"],
    "model_hosts": ["models.example.com"],
    "git_hosts": ["*.example.com"],
    "triggers": True,
    "rules": [{"apiGroups": ["example.com"], "resources": ["models"], "verbs": ["list"]}],
    "jobs": 7,
    "jobs_per_namespace": 3,
    "builds_per_namespace": 2,
    "fetch_seconds": 30,
    "fetch_megabytes": 64,
    "verdict_days": 9,
    "lease_seconds": 20,
    "log_format": "text",
    "variables": {"HTTPS_PROXY": "http://proxy.example.com:3128"},
    "ca_config_map": "company-ca",
    "replicas": 3,
    "resources": {"requests": {"memory": "1Gi"}},
    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "node_selector": {"kubernetes.io/os": "linux"},
    "topology_spread": [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "priority_class": "system-cluster-critical",
    "pull_secrets": ["puller"],
    "min_available": 2,
    "metrics_certificate": "certificate",
    "metrics_from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
}  # fmt: skip
SETTINGS = {
    "NAMESPACES": "team,other", "JOBS": "7", "JOBS_PER_NAMESPACE": "3", "BUILDS_PER_NAMESPACE": "2", "FETCH_SECONDS": "30",
    "FETCH_MEGABYTES": "64", "VERDICT_DAYS": "9", "LEASE": NAME, "LEASE_SECONDS": "20", "LOG_FORMAT": "text",
    "MODEL_HOSTS": "models.example.com", "MODEL_NAMESPACES": "serving", "GIT_HOSTS": "*.example.com", "TRIGGERS": "on",
    "PROBE_PORT": "8081", "METRICS_PORT": "8443", "METRICS_CERTIFICATES": "/var/run/notebook-operator/tls",
}  # fmt: skip


def run(on: Site, *arguments: str, **variables):
    given = {f"operator_{name}": value for name, value in {"image": IMAGE, **variables}.items()}
    return on.run(*arguments, playbook="mlops.notebooks.operator", **{"namespace": OWN, **given})


def made(on: Site) -> dict[tuple, str]:
    """What there is of the operator, with the version of each object."""
    return {
        (plural.partition(".")[0], one["metadata"].get("namespace"), one["metadata"]["name"]): one["metadata"]["resourceVersion"]
        for plural in KINDS
        for one in on.server.system.list(plural, None)
        if (one["metadata"].get("labels") or {}).get("app.kubernetes.io/name") == NAME
    }  # fmt: skip


def prepare(on: Site) -> None:
    """The namespaces, and what the variables name."""
    for name in ("team", "other", "serving", OWN):
        on.server.system.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for kind, name in (("Secret", "puller"), ("Secret", "certificate"), ("ConfigMap", "company-ca")):
        found = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": OWN}}
        on.server.system.create(f"{kind.lower()}s", found)


def rules(on: Site, namespace: str, name: str = NAME) -> dict[str, list[str]]:
    """Resource -> verbs of a Role."""
    role = on.server.system.find(f"roles.{RBAC}", namespace, name)
    return {resource: rule["verbs"] for rule in (role or {}).get("rules", ()) for resource in rule["resources"]}


def test_all_of_it_is_deployed_once_changed_as_asked_for_and_gone_without_a_rest(site):  # noqa: F811
    on = site(pods="simulated")
    find = on.server.system.find
    prepare(on)
    first = run(on, **FULL)
    assert first.status == 0 and first.changed, first.text
    deployment = find("deployments.apps", OWN, NAME)
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    assert {name: env.get(f"NOTEBOOK_OPERATOR_{name}") for name in SETTINGS} == SETTINGS
    assert env["HTTPS_PROXY"] == FULL["variables"]["HTTPS_PROXY"] and env["GIT_SSL_CAINFO"].endswith("/ca-bundle.crt")
    assert (
        deployment["spec"]["replicas"] == 3
        and container["image"] == IMAGE
        and container["resources"] == FULL["resources"]
    )
    assert (pod["affinity"], pod["tolerations"], pod["nodeSelector"]) == (
        FULL["affinity"], FULL["tolerations"], FULL["node_selector"]
    )  # fmt: skip
    assert pod["priorityClassName"] == FULL["priority_class"] and names(pod["imagePullSecrets"]) == ["puller"]
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == "zone"
    security = container["securityContext"]
    assert (
        security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"] and "runAsUser" not in security
    )
    assert find("poddisruptionbudgets.policy", OWN, NAME)["spec"]["minAvailable"] == 2
    policy = find("networkpolicies.networking.k8s.io", OWN, NAME)["spec"]
    assert policy["egress"] == FULL["egress"] and policy["ingress"][0]["from"] == FULL["metrics_from"]
    for namespace in ("team", "other"):
        allowed = rules(on, namespace)
        assert (
            allowed["secrets"] == ["get"]
            and allowed["taskruns"]
            and allowed["inferenceservices"]
            and allowed["models"] == ["list"]
        )
        assert "patch" in allowed["applications"] and "delete" in allowed["notebookvalidationjobs"]
    (secrets,) = [one for one in find(f"roles.{RBAC}", "team", NAME)["rules"] if one["resources"] == ["secrets"]]
    assert secrets["resourceNames"] == ["git-read"]
    assert "inferenceservices" in rules(on, "serving", f"{NAME}-models") and "pods" not in rules(
        on, "serving", f"{NAME}-models"
    )
    assert "notebookvalidationjobs" not in rules(on, OWN) and "leases" in rules(on, OWN, f"{NAME}-election")
    before = made(on)

    on.server.journal.clear()
    again = run(on, **FULL)
    assert again.status == 0 and again.changed == 0 and made(on) == before, again.text
    assert not on.server.journal.writes()

    less = run(on, watch=["*"], min_available=0, network_policy=False)
    assert less.status == 0, less.text
    kept = {(kind, namespace, name) for kind, namespace, name in made(on)}
    assert kept == {
        ("serviceaccounts", OWN, NAME), ("deployments", OWN, NAME),
        ("roles", OWN, f"{NAME}-election"), ("rolebindings", OWN, f"{NAME}-election"),
        ("clusterroles", None, f"{NAME}:{OWN}"), ("clusterrolebindings", None, f"{NAME}:{OWN}"),
    }  # fmt: skip
    everywhere = find(f"clusterroles.{RBAC}", None, f"{NAME}:{OWN}")["rules"]
    assert not [one for one in everywhere if "secrets" in one["resources"]]

    job = {
        "apiVersion": "mlops.mlops.dev/v1alpha1", "kind": "NotebookValidationJob", "metadata": {"name": "sales", "namespace": "team"},
        "spec": {
            "notebook": {"git": {"url": "https://git.example.com/a.git", "ref": "main"}, "path": "a.ipynb"},
            "podConfig": {"containerImage": IMAGE},
        },
    }  # fmt: skip
    on.server.system.create(JOBS, job)
    refused = run(on, state="absent")
    assert refused.status == 2 and "would go the jobs team/sales: delete them" in refused.text and made(on), (
        refused.text
    )
    gone = run(on, state="absent", remove_jobs=True)
    assert gone.status == 0 and not made(on) and not find(DEFINITION, None, JOBS), gone.text
    assert find("namespaces", None, OWN)  # which was there before


def test_what_cannot_be_is_refused_before_anything_is_written(site):  # noqa: F811
    on = site()
    wrong = run(
        on,
        image="registry.example.com/operator",
        replicas=1,
        jobs=0,
        model_namespaces=["a"],
        variables={"NOTEBOOK_OPERATOR_JOBS": "1"},
    )
    assert wrong.status == 2, wrong.text
    for words in (
        "has neither a tag nor a digest",
        "operator_jobs must be at least 1",
        "needs operator_models",
        "NOTEBOOK_OPERATOR_JOBS in",
    ):
        assert words in wrong.text, words
    assert "There is no namespace nowhere" in run(on, watch=["nowhere"]).text
    assert "There is no Secret puller" in run(on, pull_secrets=["puller"]).text
    assert not on.server.journal.writes()


def test_what_kustomize_and_the_bundle_hold_is_what_the_role_deploys():
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(ROOT / "build" / "collections"),
    }
    command = [sys.executable, "scripts/operator_manifests.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_where_a_cluster_has_monitoring_it_has_what_watches_the_operator(play):
    made = play.work / "made.json"
    (play.work / "play.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.include_role: {name: mlops.notebooks.validator_operator, tasks_from: render}\n"
    )
    cluster = {"platform": "openshift", "capabilities": {"monitoring": {"available": True}}}
    given = {"validator_operator__platform": cluster, "validator_operator_render": str(made)}
    given |= {"validator_operator_image": IMAGE, "validator_operator_namespace": "ops"}

    def kinds(**more) -> set[str]:
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "play.yml",
            "-e",
            json.dumps({**given, **more}),
        ]
        subprocess.run(command, cwd=play.work, env=play.environment, check=True, capture_output=True)
        return {one["kind"] for one in json.loads(made.read_text())}

    watching = {"ServiceMonitor", "PrometheusRule", "ConfigMap"}
    assert watching | {"Service"} <= kinds() and NAME + "-system" not in made.read_text()
    assert not watching & kinds(validator_operator_monitoring=False)
    assert "Service" not in kinds(validator_operator_metrics=False)
