# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks site and site_dm, as whoever ran the operator of these names before runs them: with the same files of parameters."""

from __future__ import annotations

import configparser
import json
import sys

import yaml

from .conftest import ROOT
from .test_namespace import RBAC, Site, site  # noqa: F401 - the fixture

sys.path.insert(0, str(ROOT / "operator"))
from jupyter_operator.settings import Settings  # noqa: E402

CRD = "customresourcedefinitions.apiextensions.k8s.io"
NOTEBOOKS = "jupyternotebooks.squonk.it"
OWN, NAME, MANAGERS = "data-manager-jupyter-operator", "jupyter-operator", "data-manager-jupyter-operator"
DEPLOYMENTS = "deployments.apps"
KINDS = (
    "serviceaccounts", f"roles.{RBAC}", f"rolebindings.{RBAC}", f"clusterroles.{RBAC}", f"clusterrolebindings.{RBAC}", "configmaps",
    DEPLOYMENTS, CRD, "namespaces",
)  # fmt: skip
# What files of parameters of that time have, some of it read nowhere, then or now.
OLD = """---
jo_image_tag: "{{ lookup('env', 'IM_DEV_JUPYTER_O_TAG') | default('19.2.1', True) }}"
jo_dmapi_namespace: data-manager-api-production
jo_ingress_domain: data-manager.example.org
jo_ingress_tls_secret: data-manager-api-tls
jo_ingress_cert_issuer: letsencrypt-nginx-production
jo_namespaces: data-manager-api:data-manager-api-staging
jo_pod_node_selector_key: purpose
jo_pod_node_selector_value: application
jo_fallback_node_selector_key: node-role.kubernetes.io/worker
jo_apply_pod_priority_class: yes
jo_kubeconfig: "{{ lookup('env', 'KUBECONFIG') }}"
"""
FURTHER = {
    "jo_image": "registry.example.com:5000/mlops/notebook-operator", "jo_image_tag": "latest", "jo_watch": "team",
    "jo_ingress_tls_secret": "", "jo_ingress_cert_issuer": "", "jo_ingress_class": "traefik", "jo_exposure": "httproute",
    "jo_gateway": "infra/public", "jo_tls": "router", "jo_notebook_image": "quay.io/jupyter/base-notebook:1",
    "jo_pod_node_selector_key": "", "jo_pod_affinity": {"nodeAffinity": {}}, "jo_apply_pod_priority_class": "yes",
    "jo_pod_priority_class": "low", "jo_service_account_tokens": True, "jo_allowed_images": ["quay.io/jupyter/*"],
    "jo_allowed_service_accounts": "default, jane", "jo_allowed_domains": ["*.example.com"], "jo_allowed_users": ["1000-1999"],
    "jo_allowed_groups": ["100"], "jo_network_policy": False, "jo_network_policy_peers": [{"podSelector": {}}], "jo_cull_after": 3600,
    "jo_cull_interval": 30, "jo_cull_connected": True, "jo_server_url": "http://{name}.{namespace}:8888", "jo_workers": 4, "jo_log_format": "text",
    "jo_variables": {"HTTPS_PROXY": "http://proxy.example.com:3128"}, "jo_cpu_request": "50m", "jo_mem_request": "128Mi",
    "jo_cpu_limit": "", "jo_mem_limit": "512Mi", "jo_affinity": {}, "jo_tolerations": [{"key": "infra", "operator": "Exists"}],
    "jo_pull_secrets": ["puller"],
}  # fmt: skip


def prepare(on: Site) -> None:
    """Two Data Managers, of which one is told by the operator before what it may offer."""
    for name in ("data-manager-api-production", "data-manager-api-staging", "team"):
        on.server.system.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    metadata = {"name": "data-manager", "namespace": "data-manager-api-production"}
    on.server.system.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    metadata = {"name": NOTEBOOKS, "namespace": "data-manager-api-staging"}
    on.server.system.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})


def former(on: Site) -> None:
    """The operator before this one, in a cluster that once stored notebooks in a version that nobody serves any more."""
    names = {"plural": "jupyternotebooks", "kind": "JupyterNotebook"}
    version = {"name": "v1alpha3", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "squonk.it", "scope": "Namespaced", "names": names, "versions": [version]}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    on.server.system.create(CRD, {**kind, "metadata": {"name": NOTEBOOKS}, "spec": spec})
    labels = {"application": "jupyter-operator"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "jupyter-operator", "image": "registry.example.com/former:1"}]},
    }
    metadata = {"name": NAME, "namespace": OWN}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    on.server.system.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OWN}})
    on.server.system.create(
        DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )


def run(on: Site, playbook: str = "site", check: bool = False, **variables):
    (on.play.work / "parameters.yaml").write_text(OLD, encoding="utf-8")
    given = ["-e", "@parameters.yaml", "-e", json.dumps(variables), *(["--check"] if check else [])]
    return on.run(*given, playbook=f"mlops.notebooks.{playbook}")


def made(on: Site) -> dict[tuple, str]:
    """All that there is, but for what each namespace gets of the cluster, with the version of each object."""
    return {
        (plural.partition(".")[0], one["metadata"].get("namespace"), one["metadata"]["name"]): one["metadata"]["resourceVersion"]
        for plural in KINDS
        for one in on.server.system.list(plural, None)
        if one["metadata"]["name"] not in ("default", "kube-root-ca.crt")
    }  # fmt: skip


def container(on: Site) -> tuple[dict, dict, Settings]:
    """The pod, its container, and what the operator makes of its environment."""
    pod = on.server.system.find(DEPLOYMENTS, OWN, NAME)["spec"]["template"]["spec"]
    (found,) = pod["containers"]
    return pod, found, Settings.of({one["name"]: one["value"] for one in found["env"]})


def test_a_file_of_parameters_of_that_time_deploys_all_once_and_leaves_nothing(site):  # noqa: F811
    on = site(pods="simulated")
    find = on.server.system.find
    prepare(on)
    before = set(made(on))

    planned = run(on, check=True)
    assert planned.status == 0 and "Deployment jupyter-operator would be made" in planned.text, planned.text
    assert set(made(on)) == before and not on.server.journal.writes()
    first = run(on)
    assert first.status == 0 and first.changed, first.text
    pod, operator, settings = container(on)
    assert operator["image"] == "informaticsmatters/data-manager-jupyter-operator:19.2.1"
    assert operator["imagePullPolicy"] == "IfNotPresent" and operator["command"] == [
        "python3",
        "-m",
        "jupyter_operator",
    ]
    assert operator["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1000m", "memory": "256Mi"}
    }  # fmt: skip
    assert (settings.domain, settings.tls_secret, settings.cert_issuer) == (
        "data-manager.example.org",
        "data-manager-api-tls",
        "",
    )
    assert (settings.node_selector, settings.priority_class) == ({"purpose": "application"}, "im-application-low")
    assert settings.health_port and operator["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert "informaticsmatters.com/purpose-application" in str(pod["affinity"])
    annotations = find(CRD, None, NOTEBOOKS)["metadata"]["annotations"]
    assert annotations["data-manager.informaticsmatters.com/application-namespaces"] == (
        "data-manager-api:data-manager-api-staging"
    )
    assert annotations["data-manager.informaticsmatters.com/application-url-location"] == "jupyter.notebook.url"

    managed = run(on, "site_dm")
    assert managed.status == 0 and managed.changed, managed.text
    config = configparser.ConfigParser(delimiters=("=",))
    config.read_string(
        find("configmaps", "data-manager-api-production", "jupyternotebooks.squonk.it")["data"]["dm-app.config"]
    )
    assert dict(config["cost"]) == {"cost": "1.00", "unit": "PxGi", "period": "1 hour", "pro rata": "yes"}
    assert config["public image variants"]["quay.io/jupyter/r-notebook:r-4.4.3"] == "r v4"
    (rule,) = find(f"roles.{RBAC}", "data-manager-api-production", MANAGERS)["rules"]
    assert set(rule["verbs"]) == {"get", "list", "watch", "create", "delete"}
    there = made(on)
    on.server.journal.clear()
    again, managed = run(on), run(on, "site_dm")
    assert (again.status, again.changed, managed.status, managed.changed) == (0, 0, 0, 0), again.text + managed.text
    assert made(on) == there and not on.server.journal.writes()

    notebook = {
        "apiVersion": "squonk.it/v2",
        "kind": "JupyterNotebook",
        "metadata": {"name": "forecasts", "namespace": "team"},
    }
    on.server.system.create(NOTEBOOKS, notebook)
    refused = run(on, jo_state="absent")
    assert refused.status == 2 and "would go the notebooks team/forecasts: delete them" in refused.text
    assert made(on) == there
    gone = run(on, jo_state="absent", jo_remove_notebooks=True)
    assert gone.status == 0, gone.text
    assert set(made(on)) == before - {("configmaps", "data-manager-api-staging", NOTEBOOKS)}


def test_every_further_variable_acts_in_place_of_the_operator_before_and_what_holds_it_up_is_told(site):  # noqa: F811
    on = site(pods="simulated")
    prepare(on)
    former(on)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "puller", "namespace": OWN}}
    on.server.system.create("secrets", secret)
    on.server.pod_rules.add({"name": "*", "failure": "ImagePullBackOff"})
    on.kubeconfig = lambda _user: "/nowhere"  # what K8S_AUTH_KUBECONFIG says
    named = {"jo_kubeconfig": str(on.server.kubeconfig)}
    waited = run(on, **FURTHER, **named, jo_timeout=2)
    assert waited.status == 2 and "The operator was not ready after 2 s:" in waited.text, waited.text
    assert "ImagePullBackOff: Back-off pulling image" in waited.text
    versions = on.server.system.find(CRD, None, NOTEBOOKS)["spec"]["versions"]
    assert [(one["name"], one["served"]) for one in versions] == [("v2", True), ("v1alpha3", False)]
    pod, operator, settings = container(on)
    assert settings == Settings(
        namespaces=("team",), workers=4, health_port=8080, log_format="text", domain="data-manager.example.org", exposure="httproute",
        ingress_class="traefik", gateway="infra/public", tls="router", image="quay.io/jupyter/base-notebook:1",
        affinity={"nodeAffinity": {}}, priority_class="low", service_account_tokens=True, allowed_images=("quay.io/jupyter/*",),
        allowed_service_accounts=("default", "jane"), allowed_domains=("*.example.com",), allowed_users=((1000, 1999),),
        allowed_groups=((100, 100),), network_policy=False, network_policy_peers=({"podSelector": {}},), cull_after=3600,
        cull_interval=30, cull_connected=True, server_url="http://{name}.{namespace}:8888",
    )  # fmt: skip
    assert operator["imagePullPolicy"] == "Always" and operator["image"] == f"{FURTHER['jo_image']}:latest"
    assert {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"} in operator["env"]
    assert operator["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"memory": "512Mi"},
    }
    assert "affinity" not in pod and pod["tolerations"] == FURTHER["jo_tolerations"]
    assert pod["imagePullSecrets"] == [{"name": "puller"}]
    kept = {one[:3] for one in made(on) if one[2] == NAME}
    assert ("rolebindings", "team", NAME) in kept and ("clusterrolebindings", None, NAME) not in kept

    on.server.pod_rules.clear()
    wider = run(on, **{**FURTHER, **named, "jo_watch": []})
    assert wider.status == 0, wider.text
    kept = {one[:3] for one in made(on) if one[2] == NAME}
    assert ("rolebindings", "team", NAME) not in kept and ("clusterrolebindings", None, NAME) in kept


def test_what_cannot_be_is_refused_before_anything_is_written(site):  # noqa: F811
    on = site()
    prepare(on)
    untagged = run(on, jo_image_tag="SetMe", jo_cull_interval=0, jo_variables={"JUPYTER_OPERATOR_TLS": "none"})
    assert untagged.status == 2 and "Give jo_image_tag" in untagged.text, untagged.text
    assert "jo_cull_interval must be at least 1" in untagged.text and "in jo_variables is a setting" in untagged.text
    assert "There is no namespace nowhere" in run(on, jo_watch=["nowhere"]).text
    assert not on.server.journal.writes()
    lonely = run(on, "site_dm", jo_dmapi_namespace="team")
    assert lonely.status == 2 and "There is no service account data-manager in the namespace team" in lonely.text
    assert not on.server.journal.writes()


def test_the_example_has_variables_of_the_playbooks_only():
    given = yaml.safe_load((ROOT / "examples" / "jupyter-parameters.yaml").read_text(encoding="utf-8"))
    known = {
        f"jo_{name.removeprefix(f'{role}_')}"
        for role in ("jupyter_operator", "data_manager")
        for name in yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    }
    assert given and set(given) <= known
