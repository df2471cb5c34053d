# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of a notebook: texts, rules, objects, addresses, settings. The resources and values that are in use stand here too."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "operator")]
from jupyter_operator import state, status  # noqa: E402
from jupyter_operator.children import Plan  # noqa: E402
from jupyter_operator.question import question  # noqa: E402
from jupyter_operator.refusal import Refusal  # noqa: E402
from jupyter_operator.rules import permitted  # noqa: E402
from jupyter_operator.settings import Settings  # noqa: E402
from jupyter_operator.words import Image, amount, label  # noqa: E402

HOST = {"domain": "hub.example.com"}
EDGE = {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}


def notebook(name: str = "nb", notes: dict | None = None, **spec) -> dict:
    metadata = {"name": name, "namespace": "team", "uid": "u", "generation": 1, "annotations": notes or {}}
    return {
        "apiVersion": "squonk.it/v2",
        "kind": "JupyterNotebook",
        "metadata": metadata,
        "spec": {"imDataManager": spec},
    }


def asked(notes: dict | None = None, settings: dict | None = None, ranges: dict | None = None, **spec):
    made = Settings(**{**HOST, **(settings or {})})
    return permitted(question(notebook(notes=notes, **spec), made), made, ranges)


def children(
    settings: dict | None = None, exposure: str = "ingress", openshift: bool = False, **spec
) -> dict[str, dict]:
    plan = Plan(Settings(**{**HOST, **(settings or {})}), exposure, openshift, "operators")
    made = permitted(question(notebook(**spec), plan.settings), plan.settings, {} if openshift else None)
    return {resource.kind: manifest for resource, manifest in plan.manifests(made, notebook(**spec), "token-of-it")}


def container(**given) -> dict:
    return children(**given)["Deployment"]["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest", "policy"),
    [
        ("jupyter/minimal-notebook", "jupyter/minimal-notebook", None, False, "Always"),
        ("reg:5000/a/b", "reg:5000/a/b", None, False, "Always"),
        ("reg.example.com:5000/a/b:latest", "reg.example.com:5000/a/b", "latest", False, "Always"),
        ("quay.io/jupyter/scipy-notebook:stable", "quay.io/jupyter/scipy-notebook", "stable", False, "Always"),
        (
            "jupyter/minimal-notebook:notebook-6.3.0",
            "jupyter/minimal-notebook",
            "notebook-6.3.0",
            False,
            "IfNotPresent",
        ),
        ("reg:5000/a@sha256:" + "0" * 64, "reg:5000/a", None, True, "IfNotPresent"),
        ("reg:5000/a:latest@sha256:" + "0" * 64, "reg:5000/a", "latest", True, "IfNotPresent"),
    ],
)
def test_images_are_read_with_ports_and_digests(text, name, tag, digest, policy):
    found = Image.of(text)
    assert (found.name, found.tag, bool(found.digest), found.pull_policy) == (name, tag, digest, policy)


@pytest.mark.parametrize("text", ["", "a b", "http://a/b", "a:", "a@", "a:b:c", "a@sha256:1", "-a", "a/../b", "a\n"])
def test_what_is_no_image_is_none(text):
    assert Image.of(text) is None


def test_labels_and_quantities_are_read():
    assert label("a.example.com/b=c-1") == ("a.example.com/b", "c-1") and label("a=") == ("a", "")
    assert [label(text) for text in ("a", "=b", "a=b=c", "a=b c", "A_/b=c", "a/b/c=d")] == [None] * 6
    assert [amount(text) for text in ("250m", "1.5Gi", "2k", "1e3", "4")] == [amount("0.25"), 3 * 2**29, 2000, 1000, 4]
    assert [amount(text) for text in ("", "1g", "-1", "1 Gi", "Gi")] == [None] * 5


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"image": "a b"}, "image is 'a b': write registry/path"),
        ({"labels": ["a=b=c"]}, "labels is 'a=b=c': write key=value; a value has up to 63 letters, digits, '-', '_' and '.', and no further '='"),
        ({"labels": ["deployment=other"]}, "the operator sets this label itself"),
        ({"notebook": {"interface": "desktop"}}, "choose one of lab, classic"),
        ({"resources": {"limits": {"memory": "much"}}}, "resources.limits.memory is 'much'"),
        ({"resources": {"requests": {"cpu": "2"}}}, "ask for no more than the limit, which is 1"),
        ({"ingressProxyBodySize": "1m; x"}, "ingressProxyBodySize is '1m; x'"),
        ({"ingressDomain": "a/b"}, "give a host such as"),
        ({"ingressClass": "A"}, "ingressClass is 'A'"),
        ({"ingressTlsSecret": "a b"}, "ingressTlsSecret is 'a b'"),
        ({"serviceAccountName": "a b"}, "serviceAccountName is 'a b'"),
        ({"project": {"id": "p"}}, "name the claim that holds the project"),
        ({"project": {"claimName": "c", "id": "../other"}}, "project.id is '../other'"),
        ({"project": {"claimName": "c", "id": "/abs"}}, "project.id is '/abs'"),
        ({"securityContext": {"runAsUser": 0}}, "The user 0 is root"),
        ({"securityContext": {"runAsGroup": -1}}, "give a number from 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_a_sentence(spec, words):
    with pytest.raises(Refusal) as refused:
        asked(**spec)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("settings", "spec", "words"),
    [
        ({"allowed_images": ("quay.io/jupyter/*",)}, {"image": "evil/x:1"}, "The image evil/x:1 is not allowed here: JUPYTER_OPERATOR_ALLOWED_IMAGES has quay"),
        ({"allowed_service_accounts": ("default",)}, {"serviceAccountName": "admin"}, "The service account admin is not allowed"),
        ({"allowed_domains": ("*.example.com",)}, {"ingressDomain": "bank.test"}, "The domain bank.test is not allowed"),
        ({"allowed_users": ((1000, 1999),)}, {"securityContext": {"runAsUser": 999}}, "ALLOWED_USERS has 1000-1999"),
        ({"allowed_groups": ((100, 100),)}, {"securityContext": {"fsGroup": 0}}, "The group of files 0 is not allowed here: JUPYTER_OPERATOR_ALLOWED_G"),
        ({"domain": ""}, {}, "No host is named"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused(settings, spec, words):
    with pytest.raises(Refusal, match="") as refused:
        asked(settings=settings, **spec)
    assert words in refused.value.message


def test_names_that_no_service_can_have_are_refused():
    for name in ("1st", "a.b", "a" * 64):
        with pytest.raises(Refusal, match="cannot be that of a Service"):
            question(notebook(name), Settings(**HOST))


def test_the_pod_of_a_data_manager_is_as_it_was():
    """A resource as Data Managers make it."""
    found = children(
        taskId="task-1", image="jupyter/scipy-notebook:x", serviceAccountName="jupyter",
        resources={"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
        securityContext={"runAsUser": 1001, "runAsGroup": 102, "fsGroup": 103},
        notebook={"interface": "classic"}, project={"claimName": "project-claim", "id": "project-1"},
        labels=["data-manager.informaticsmatters.com/instance=nb", "squonk.it/instance-id=i-1", "squonk.it/owner=jane"],
        settings={"node_selector": {"informaticsmatters.com/purpose-worker": "yes"}, "priority_class": "im-application-low"},
    )  # fmt: skip
    deployment = found["Deployment"]
    template, spec = deployment["spec"]["template"], deployment["spec"]["template"]["spec"]
    assert (
        deployment["spec"]["selector"] == {"matchLabels": {"deployment": "nb"}}
        and deployment["metadata"]["name"] == "nb"
    )
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert {
        "deployment": "nb", "app": "nb", "squonk.it/owner": "jane", "data-manager.informaticsmatters.com/instance": "nb"
    }.items() <= template["metadata"]["labels"].items()  # fmt: skip
    assert (spec["serviceAccountName"], spec["nodeSelector"], spec["priorityClassName"]) == (
        "jupyter", {"informaticsmatters.com/purpose-worker": "yes"}, "im-application-low"
    )  # fmt: skip
    ids = {name: spec["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")}
    assert ids == {"runAsUser": 1001, "runAsGroup": 102, "fsGroup": 103}
    (one,) = spec["containers"]
    assert {entry["name"]: entry["value"] for entry in one["env"]} == {
        "HOME": "/home/jovyan/.nb", "DM_PROJECT_ID": "project-1", "DM_INSTANCE_ID": "i-1", "DM_INSTANCE_OWNER": "jane"
    }  # fmt: skip
    assert one["name"] == "notebook" and one["ports"][0]["containerPort"] == 8888
    assert one["resources"] == {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    assert one["volumeMounts"][-1] == {"name": "project", "mountPath": "/home/jovyan", "subPath": "project-1"}
    assert not [mount for mount in one["volumeMounts"] if mount["mountPath"].startswith("/usr/local")]
    assert {one[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {
        "/nb/api"
    }
    assert found["Service"]["spec"]["selector"] == {"deployment": "nb"}
    assert deployment["metadata"]["annotations"]["data-manager.informaticsmatters.com/task-id"] == "task-1"


def test_a_notebook_that_says_nothing_has_the_defaults_it_always_had():
    one = container()
    assert one["image"] == "jupyter/minimal-notebook:notebook-6.3.0" and one["imagePullPolicy"] == "IfNotPresent"
    assert one["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "10m", "memory": "256Mi"}}
    assert {entry["name"]: entry["value"] for entry in one["env"]} == {
        "HOME": "/home/jovyan/.nb", "JUPYTER_ENABLE_LAB": "true", "DM_INSTANCE_OWNER": "Unknown"
    }  # fmt: skip
    spec = children()["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"] | {"runAsUser": 1000, "runAsGroup": 100, "fsGroup": 100} == spec["securityContext"]
    assert spec["volumes"][-1] == {"name": "project", "emptyDir": {}}
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    on_openshift = children(openshift=True)["Deployment"]["spec"]["template"]["spec"]["securityContext"]
    assert on_openshift == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_settings_come_to_the_pod():
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    spec = children({"affinity": affinity, "service_account_tokens": True})["Deployment"]["spec"]["template"]["spec"]
    assert spec["affinity"] == affinity and spec["automountServiceAccountToken"] is True
    small = container(resources={"limits": {"memory": "128Mi", "storage": "2Gi"}, "requests": {"storage": "1Gi"}})
    assert small["resources"]["requests"] == {"cpu": "10m", "memory": "128Mi", "ephemeral-storage": "1Gi"}


@pytest.mark.parametrize(
    ("exposure", "settings", "spec", "scheme", "tls", "issuer"),
    [
        ("ingress", {}, {}, "http", None, None),
        ("ingress", {"tls_secret": "dm-tls"}, {}, "https", {"hosts": ["hub.example.com"], "secretName": "dm-tls"}, None),
        ("ingress", {"cert_issuer": "le"}, {}, "https", {"hosts": ["hub.example.com"], "secretName": "jupyter-hub-example-com-tls"}, "le"),
        ("ingress", {"cert_issuer": "le"}, {"ingressTlsSecret": "mine"}, "https", {"hosts": ["hub.example.com"], "secretName": "mine"}, None),
        ("ingress", {"tls": "router", "cert_issuer": "le"}, {}, "https", {"hosts": ["hub.example.com"]}, None),
        ("ingress", {"tls": "none", "tls_secret": "dm-tls"}, {}, "http", None, None),
        ("route", {}, {}, "https", EDGE, None),
        ("route", {}, {"ingressTlsSecret": "mine"}, "https", {**EDGE, "externalCertificate": {"name": "mine"}}, None),
        ("route", {"tls": "none"}, {}, "http", None, None),
        ("httproute", {"gateway": "infra/public"}, {}, "https", None, None),
        ("httproute", {"gateway": "infra/public", "tls": "none"}, {}, "http", None, None),
    ],
)  # fmt: skip
def test_each_way_in_has_its_tls_and_address(exposure, settings, spec, scheme, tls, issuer):
    kind = {"ingress": "Ingress", "route": "Route", "httproute": "HTTPRoute"}[exposure]
    found = children(settings, exposure, **spec)[kind]
    given = found["spec"].get("tls")
    assert (given[0] if isinstance(given, list) else given) == tls
    assert found["metadata"]["annotations"].get("cert-manager.io/cluster-issuer") == issuer
    plan = Plan(Settings(**HOST, **settings), exposure, False, "operators")
    assert plan.way(asked(settings=settings, **spec)).url("T") == f"{scheme}://hub.example.com/nb?token=T"


def test_the_way_in_is_that_of_the_notebook():
    found = children(ingressClass="traefik", ingressDomain="other.example.com", ingressProxyBodySize="2g")["Ingress"]
    assert found["spec"]["ingressClassName"] == "traefik" and found["spec"]["rules"][0]["host"] == "other.example.com"
    assert found["metadata"]["annotations"] == {"nginx.ingress.kubernetes.io/proxy-body-size": "2g"}
    with pytest.raises(Refusal, match="the listeners of a Gateway have the certificates"):
        children({"gateway": "infra/public"}, "httproute", ingressTlsSecret="mine")


def test_no_server_reaches_another_one_and_the_operator_reaches_all():
    (rule,) = children()["NetworkPolicy"]["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8888}]
    others, ours = rule["from"]
    assert (
        others["namespaceSelector"]["matchExpressions"][0] | {"operator": "NotIn", "values": ["team"]}
        == (others["namespaceSelector"]["matchExpressions"][0])
    )
    assert ours["podSelector"]["matchLabels"] == {"app.kubernetes.io/component": "jupyter-operator"}
    router = children(openshift=True)["NetworkPolicy"]["spec"]["ingress"][0]["from"][0]
    assert router == {"namespaceSelector": {"matchLabels": {"policy-group.network.openshift.io/ingress": ""}}}
    mine = {"ipBlock": {"cidr": "192.0.2.0/24"}}
    assert children({"network_policy_peers": (mine,)})["NetworkPolicy"]["spec"]["ingress"][0]["from"][0] == mine
    assert "NetworkPolicy" not in children({"network_policy": False})


def test_annotations_stop_and_cull():
    def noted(**notes):
        return asked({f"notebooks.mlops.dev/{name.replace('_', '-')}": value for name, value in notes.items()})

    assert [noted(stopped=text).stopped for text in ("false", "No", "")] == [None] * 3
    assert noted(stopped="weekend").stopped == "weekend"
    assert [noted(cull_after=text).cull_after for text in ("90", "90m", "8h", "2d", "never")] == [
        90,
        5400,
        28800,
        172800,
        0,
    ]
    with pytest.raises(Refusal, match="write seconds, a span such as 90m"):
        noted(cull_after="soon")


def test_no_message_has_the_token():
    told = status.refused(Refusal("X", "It says T0ken-of-it."))
    assert "T0ken" not in json.dumps(status.fresh({}, 1, told, "T0ken-of-it"))


def test_a_pod_that_backs_off_still_says_why():
    def pod(reason: str, message: str) -> dict:
        waiting = {"name": "notebook", "state": {"waiting": {"reason": reason, "message": message}}}
        spec = {"containers": [{"name": "notebook"}]}
        return {"metadata": {"uid": "u"}, "spec": spec, "status": {"phase": "Pending", "containerStatuses": [waiting]}}

    first = state.of_pod(pod("ErrImagePull", "no such tag"))
    assert state.of_pod(pod("ImagePullBackOff", 'Back-off pulling image "x"'), first) == first


def test_what_keeps_pods_from_being_made_is_said():
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
    assert state.refusal_of({"status": {"conditions": [failure]}}) == "exceeded quota: small"
    said = state.of_all([], "exceeded quota: small")
    assert (said.ready, said.reason, said.failed) == (False, "PodRefused", True) and "exceeded quota" in said.message
