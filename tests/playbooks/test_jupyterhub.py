# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook jupyterhub: what it deploys, with every variable; that it does so once; what it refuses; and what a removal leaves."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import yaml

from tests.schemas import complaints

from .conftest import ROOT
from .policies import reaches
from .test_namespace import RBAC, Site, site  # noqa: F401 - the fixture

sys.path.insert(0, str(ROOT / "roles" / "jupyterhub" / "files"))
from notebook_hub.settings import read  # noqa: E402

OWN, NAME = "team-hub", "hub"
KINDS = (
    "serviceaccounts", f"roles.{RBAC}", f"rolebindings.{RBAC}", "services", "configmaps", "secrets", "deployments.apps",
    "poddisruptionbudgets.policy", "networkpolicies.networking.k8s.io", "ingresses.networking.k8s.io",
)  # fmt: skip
CORE = {
    "namespaces": "Namespace", "secrets": "Secret", "configmaps": "ConfigMap", "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
}  # fmt: skip
GENERATED = {"cookie-secret", "crypt-key", "proxy-token", "culler-token", "database-password"}
USER = {
    "app.kubernetes.io/name": "jupyterhub",
    "app.kubernetes.io/instance": NAME,
    "app.kubernetes.io/component": "singleuser-server",
}
DIGEST = "registry.example.com/mlops/{}@sha256:" + "d" * 64
KEY = {"tls.crt": "Yw==", "tls.key": "aw=="}
RESOURCES = {"requests": {"memory": "2Gi"}}
EGRESS = [{"ports": [{"port": 443, "protocol": "TCP"}]}]
PEER = [{"namespaceSelector": {"matchLabels": {"name": "somewhere"}}}]
FULL = {
    "image": DIGEST.format("hub"), "proxy_image": DIGEST.format("proxy"), "database_image": DIGEST.format("postgresql"),
    "pull_secrets": ["puller"], "component_resources": {"hub": RESOURCES}, "component_node_selector": {"kubernetes.io/os": "linux"},
    "component_tolerations": [{"key": "infra", "operator": "Exists"}], "security_context": {"hub": {"runAsUser": 2000}},
    "exposure": "ingress", "host": "hub.example.com", "base_url": "/lab/", "tls": "passthrough", "tls_secret": "certificate",
    "ingress_class": "traefik", "exposure_annotations": {"example.com/passthrough": "yes"}, "admin_users": ["jane"],
    "login": {"kind": "ldap", "server_address": "ldap.example.com"}, "ldap_password": "hunter2-hunter2",
    "profiles": [
        {"name": "cpu", "image": "registry.example.com/cpu:1", "default": True},
        {"name": "gpu", "images": ["cuda"], "gpu": {"resource": "nvidia.com/gpu", "count": 1}, "kernel_timeout": 600},
    ],
    "images": [{"name": "cuda", "display_name": "CUDA", "image": "registry.example.com/cuda:1"}],
    "access": {"open": ["cpu"], "grants": [{"profile": "gpu", "groups": ["research"]}]}, "profile_mappings": "jane:gpu\n",
    "extra_config": {"90-site.py": "c.JupyterHub.shutdown_on_logout = True\n"}, "config_maps": ["theirs"],
    "ca_config_map": "company-ca", "database_size": "20Gi", "database_storage_class": "fast", "database_wait": 77,
    "proxy_from": PEER, "egress": {"users": EGRESS}, "max_unavailable": {"hub": 0, "users": 0},
}  # fmt: skip


def run(on: Site, *arguments: str, **variables):
    given = {"namespace": OWN, "name": NAME, **variables}
    return on.run(*arguments, playbook="mlops.notebooks.jupyterhub", **{f"hub_{name}": given[name] for name in given})


def made(on: Site) -> dict[tuple, str]:
    """What there is of the hub, with the version of each object."""
    return {
        (plural.partition(".")[0], one["metadata"]["name"]): one["metadata"]["resourceVersion"]
        for plural in KINDS
        for one in on.server.system.list(plural, OWN)
        if (one["metadata"].get("labels") or {}).get("app.kubernetes.io/instance") == NAME
    }  # fmt: skip


def secret(on: Site, name: str = NAME) -> dict[str, str]:
    data = on.server.system.get("secrets", OWN, name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def pod(on: Site, suffix: str = "") -> dict:
    """The template of a Deployment's pods."""
    return on.server.system.get("deployments.apps", OWN, NAME + suffix)["spec"]["template"]


def paths(template: dict) -> dict[str, str]:
    """Where a pod finds what: path -> name of the ConfigMap or Secret."""
    (volume,) = [one for one in template["spec"]["volumes"] if one["name"] == "etc"]
    sources = [source.get("configMap") or source["secret"] for source in volume["projected"]["sources"]]
    return {item["path"]: source["name"] for source in sources for item in source["items"]}


def accepted(on: Site, place: Path) -> None:
    """What the role writes is what the hub's own package takes, which says so where it does not."""
    (place / "settings").mkdir(parents=True, exist_ok=True)
    for name, text in on.server.system.get("configmaps", OWN, f"{NAME}-settings")["data"].items():
        (place / "settings" / name).write_text(text, encoding="utf-8")
    read(place)


def settings(on: Site, name: str, kind: str = "settings") -> dict:
    return json.loads(on.server.system.get("configmaps", OWN, f"{NAME}-{kind}")["data"][f"{name}.json"])


def named(plural: str, name: str, namespace: str = OWN, **more) -> dict:
    place = {} if plural == "namespaces" else {"namespace": namespace}
    metadata = {"name": name, **place, "labels": more.pop("labels", {})}
    return {"apiVersion": "v1", "kind": CORE[plural], "metadata": metadata, **more}


def stored_by_a_user(on: Site) -> None:
    """A running server of a user, and the volume that belongs to her."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    on.server.system.create(
        "persistentvolumeclaims", named("persistentvolumeclaims", "claim-jane", labels=USER, spec=claim)
    )
    container = {
        "name": "notebook", "image": "registry.example.com/cpu:1",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    spec = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    on.server.system.create("pods", named("pods", "jupyter-jane", labels=USER, spec=spec))


def define(on: Site, group: str, plural: str, kind: str, version: str = "v1") -> None:
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": version, "served": True, "storage": True, "schema": schema}]
    on.server.system.create(
        "customresourcedefinitions.apiextensions.k8s.io",
        {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
        },
    )  # fmt: skip


def test_all_of_it_is_deployed_once_keeps_its_secrets_and_leaves_what_users_have_stored(site):  # noqa: F811
    on = site("openshift", pods="simulated")
    find = on.server.system.find
    wanted = {
        "login": {"kind": "openshift"}, "resources": {"mem_limit": "8G"}, "storage": {"size": "20Gi"},
        "placement": {"node_selector": {"a": "b"}},
    }  # fmt: skip
    planned = run(on, "--check", **wanted)
    assert planned.status == 0 and "Deployment hub would be made" in planned.text, planned.text
    assert not on.server.journal.writes()
    first = run(on, **wanted)
    assert first.status == 0 and first.changed, first.text
    before, kept = made(on), secret(on)
    assert set(kept) == GENERATED and len(set(kept.values())) == len(GENERATED)
    assert all(len(bytes.fromhex(value)) == 32 for value in kept.values())
    pods = on.server.system.list("pods", OWN)
    assert {one["metadata"]["annotations"]["openshift.io/scc"] for one in pods} == {"restricted-v2"} and len(pods) == 4
    assert find("namespaces", None, OWN)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    route = find("routes.route.openshift.io", OWN, NAME)["spec"]
    assert route["tls"]["termination"] == "edge" and route["to"]["name"] == f"{NAME}-proxy"
    accepted(on, on.play.work / "first")
    hub = settings(on, "hub")
    assert hub["login"]["client_id"] == f"system:serviceaccount:{OWN}:{NAME}-login"
    assert (hub["resources"], hub["storage"], hub["placement"]) == tuple(
        wanted[one] for one in ("resources", "storage", "placement")
    )
    assert paths(pod(on))["secrets/oauth-client-secret"] == f"{NAME}-login"
    assert settings(on, "access", "access") == {"open": ["standard"], "grants": []}
    component = "app.kubernetes.io/component"
    labels = {one: {**USER, component: one} for one in ("hub", "proxy", "culler", "database", "singleuser-server")}
    policies = on.server.system.list("networkpolicies.networking.k8s.io", OWN)
    allowed = {
        (source, target, port)
        for source, mine in labels.items()
        for target, theirs in labels.items()
        for port in (5432, 8001, 8081, 8888)
        if reaches(policies, mine, theirs, port)
    }
    assert allowed == {
        ("hub", "database", 5432), ("hub", "proxy", 8001), *(("hub", "singleuser-server", port) for port in (5432, 8001, 8081, 8888)),
        *(("proxy", "singleuser-server", port) for port in (5432, 8001, 8081, 8888)),
        *((source, "hub", 8081) for source in ("proxy", "culler", "singleuser-server")),
    }  # fmt: skip

    again = run(on, **wanted)
    assert again.status == 0 and again.changed == 0 and not on.server.journal.writes(), again.text

    lost = find("secrets", OWN, NAME)
    del lost["data"]["cookie-secret"]
    on.server.system.update("secrets", lost)
    marks = {one: pod(on, one)["metadata"]["annotations"] for one in ("", "-proxy", "-culler", "-db")}
    # OpenShift answers the annotation of the Service by a Secret.
    on.server.system.create("secrets", named("secrets", f"{NAME}-proxy-tls", data=KEY))
    mended = run(on, **wanted, tls="reencrypt", access={"grants": [{"profile": "standard", "users": ["jane"]}]})
    assert mended.status == 0 and mended.changed == 1, mended.text
    serving = find("services", OWN, f"{NAME}-proxy")["metadata"]["annotations"]
    assert serving["service.beta.openshift.io/serving-cert-secret-name"] == f"{NAME}-proxy-tls"
    assert find("routes.route.openshift.io", OWN, NAME)["spec"]["tls"]["termination"] == "reencrypt"
    assert secret(on) == {**kept, "cookie-secret": secret(on)["cookie-secret"]} and secret(on) != kept
    assert {one for one in marks if pod(on, one)["metadata"]["annotations"] != marks[one]} == {"", "-proxy"}
    assert settings(on, "access", "access")["open"] == []
    assert not [value for value in secret(on).values() if value in first.text + mended.text]

    stored_by_a_user(on)
    gone = run(on, state="absent")
    assert gone.status == 0 and f"The namespace {OWN} stays" in gone.text, gone.text
    assert not set(made(on)) and before and not on.server.system.list("pods", OWN)
    assert {one["metadata"]["name"] for one in on.server.system.list("persistentvolumeclaims", OWN)} == {
        "claim-jane",
        f"{NAME}-db",
    }


def test_every_further_variable_acts_and_what_holds_it_up_is_told(site):  # noqa: F811
    on = site("kubernetes", pods="simulated")
    find, create = on.server.system.find, on.server.system.create
    create("namespaces", named("namespaces", OWN, labels={"pod-security.kubernetes.io/enforce": "restricted"}))
    for name, data in (
        ("puller", {}),
        ("certificate", KEY),
        ("login", {"oauth-client-secret": "cw=="}),
        ("elsewhere", {"database-url": "dQ=="}),
    ):
        create("secrets", named("secrets", name, data=data))
    create("configmaps", named("configmaps", "theirs", data={"50-theirs.py": "", "notes.txt": ""}))
    create("configmaps", named("configmaps", "company-ca", data={"ca-bundle.crt": "certificates"}))
    define(on, "gateway.networking.k8s.io", "httproutes", "HTTPRoute")
    define(on, "monitoring.coreos.com", "servicemonitors", "ServiceMonitor")
    define(on, "objectbucket.io", "objectbucketclaims", "ObjectBucketClaim", "v1alpha1")

    on.server.pod_rules.add({"name": f"{NAME}-culler-*", "failure": "ImagePullBackOff"})
    waited = run(on, **FULL, timeout=2)
    assert waited.status == 2 and "The hub was not ready after 2 s:" in waited.text, waited.text
    assert "ImagePullBackOff: Back-off pulling image" in waited.text and FULL["ldap_password"] not in waited.text
    for suffix, image in (("", "image"), ("-proxy", "proxy_image"), ("-db", "database_image")):
        spec = pod(on, suffix)["spec"]
        assert spec["containers"][0]["image"] == FULL[image] and spec["imagePullSecrets"] == [{"name": "puller"}]
        assert (
            spec["nodeSelector"] == FULL["component_node_selector"]
            and spec["tolerations"] == FULL["component_tolerations"]
        )
    hub, proxy = pod(on)["spec"], pod(on, "-proxy")["spec"]
    assert hub["containers"][0]["resources"] == RESOURCES and hub["securityContext"]["runAsUser"] == 2000
    assert hub["initContainers"][0]["command"][-1] == "77"
    assert hub["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/lab/hub/health"
    assert {"name": "SSL_CERT_FILE", "value": "/etc/jupyterhub/ca/ca-bundle.crt"} in hub["containers"][0]["env"]
    found = paths(pod(on))
    assert {path: name for path, name in found.items() if path.startswith("jupyterhub_config.d")} == {
        "jupyterhub_config.d/90-site.py": f"{NAME}-extra", "jupyterhub_config.d/50-theirs.py": "theirs"
    }  # fmt: skip
    assert found["ca/ca-bundle.crt"] == "company-ca" and found["secrets/ldap-password"] == NAME
    assert secret(on)["ldap-password"] == FULL["ldap_password"]
    assert (
        "--port=8443" in proxy["containers"][0]["args"] and proxy["volumes"][0]["secret"]["secretName"] == "certificate"
    )
    assert proxy["containers"][0]["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    ingress = find("ingresses.networking.k8s.io", OWN, NAME)
    assert ingress["metadata"]["annotations"]["example.com/passthrough"] == "yes"
    assert ingress["spec"]["ingressClassName"] == "traefik" and ingress["spec"]["tls"][0]["hosts"] == [
        "hub.example.com"
    ]
    assert ingress["spec"]["rules"][0]["http"]["paths"][0]["path"] == "/lab/"
    assert settings(on, "hub")["admin_users"] == ["jane"]
    assert settings(on, "hub")["public_url"] == "https://hub.example.com/lab/"
    cpu, gpu = settings(on, "profiles")["profiles"]
    assert cpu == FULL["profiles"][0]
    assert gpu["images"] == FULL["images"] and gpu["kernel_timeout"] == 600
    assert settings(on, "access", "access") == FULL["access"]
    assert find("configmaps", OWN, f"{NAME}-access")["data"]["tcuser_profile_mappings"] == "jane:gpu\n"
    accepted(on, on.play.work / "full")
    claim = find("persistentvolumeclaims", OWN, f"{NAME}-db")["spec"]
    assert claim["storageClassName"] == "fast" and claim["resources"]["requests"]["storage"] == "20Gi"
    policies = "networkpolicies.networking.k8s.io"
    assert find(policies, OWN, f"{NAME}-proxy")["spec"]["ingress"][0]["from"] == PEER
    assert find(policies, OWN, f"{NAME}-users")["spec"]["egress"][2:] == EGRESS
    budgets = {
        one["metadata"]["name"]: one["spec"]["maxUnavailable"]
        for one in on.server.system.list("poddisruptionbudgets.policy", OWN)
    }
    assert budgets == {f"{NAME}-hub": 0, f"{NAME}-users": 0}

    on.server.pod_rules.clear()
    less = {
        "host": "hub.example.com", "gateway": "infra/public/https", "login": {"kind": "oidc"}, "login_secret": "login",
        "database_secret": "elsewhere", "network_policy": False, "metrics": True, "buckets": {"enabled": True}, "max_unavailable": {},
        "culling": {"server_after": 60}, "spawn": {"start_timeout": 99}, "storage": {"retain": False},
    }  # fmt: skip
    other = run(on, **less)
    assert other.status == 0, other.text
    accepted(on, on.play.work / "less")
    rights = {role: find(f"roles.{RBAC}", OWN, role)["rules"][-1]["verbs"] for role in (NAME, f"{NAME}-buckets")}
    assert "delete" in rights[NAME] and "delete" not in rights[f"{NAME}-buckets"]  # only volumes end with their users
    left = {kind: {name for found, name in made(on) if found == kind} for kind, _name in made(on)}
    assert left["deployments"] == {NAME, f"{NAME}-proxy", f"{NAME}-culler"} and f"{NAME}-buckets" in left["roles"]
    assert (
        not {"networkpolicies", "poddisruptionbudgets", "ingresses"} & set(left)
        and f"{NAME}-extra" not in left["configmaps"]
    )
    assert find("persistentvolumeclaims", OWN, f"{NAME}-db")
    found = paths(pod(on))
    assert found["secrets/database-url"] == "elsewhere" and found["secrets/oauth-client-secret"] == "login"
    assert "secrets/database-password" not in found and set(secret(on)) == GENERATED - {"database-password"} | {
        "metrics-token"
    }
    route = find("httproutes.gateway.networking.k8s.io", OWN, NAME)["spec"]
    assert route["parentRefs"] == [{"namespace": "infra", "name": "public", "sectionName": "https"}]
    monitors = on.server.system.list("servicemonitors.monitoring.coreos.com", OWN)
    assert len(monitors) == 2 and not [
        said for one in monitors for said in complaints({**one, "metadata": {"name": NAME}})
    ]
    assert settings(on, "hub")["buckets"] == less["buckets"] and settings(on, "hub")["culling"] == less["culling"]
    assert settings(on, "hub")["spawn"] == {"service_account": f"{NAME}-user", "start_timeout": 99}


def test_what_cannot_be_is_refused_before_anything_is_written(site):  # noqa: F811
    on = site("kubernetes")
    wrong = run(
        on, image="registry.example.com/hub", tls="reencrypt", base_url="lab", login={"kind": "openshift", "client_secret": "word"}, metrics=True, timeout=0,
        image_namespaces=["images"], buckets={"enabled": True}, access={"open": ["gone"]}, extra_config={"site": ""},
        profile_mappings="# all\njane\n\na:standard\n@ all:standard",
    )  # fmt: skip
    assert wrong.status == 2, wrong.text
    for words in (
        "The cluster is no OpenShift", "hub_login has a secret", "Give hub_host, the host that the ingress is for", "depends on its controller",
        "the proxy has a certificate: give hub_tls_secret", "lab is no path", "There is no profile gone that is granted",
        "site in hub_extra_config", "jane in hub_profile_mappings is neither", "hub_image has neither a tag nor a digest",
        "The cluster has no Prometheus Operator",
        "The cluster has no object bucket claims", "The cluster has no image streams", "hub_timeout must be at least 1",
    ):  # fmt: skip
        assert words in wrong.text, words
    lacking = run(
        on,
        host="a.example.com",
        login={"kind": "ldap"},
        login_secret="gone",
        config_maps=["lost"],
        profiles=[{"name": "a", "images": ["none"]}],
    )
    assert lacking.status == 2, lacking.text
    for words in (
        f"There is no Secret gone in the namespace {OWN}",
        "There is no ConfigMap lost",
        "There is no image none for the profile a",
    ):
        assert words in lacking.text, words
    assert not on.server.journal.writes()


def test_the_example_has_variables_of_the_playbook_only():
    given = yaml.safe_load((ROOT / "examples" / "jupyterhub.yml").read_text(encoding="utf-8"))
    options = yaml.safe_load((ROOT / "roles" / "jupyterhub" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert given and set(given) <= {f"hub_{name.removeprefix('jupyterhub_')}" for name in options}
