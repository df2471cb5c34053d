# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that are objects of a cluster: the platform, the object, and where it answers."""

from __future__ import annotations

import threading

import model_servers as servers
import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils import _models
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models import resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.check import check
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.spec import request_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import (
    needs_of,
    role_rules,
)

ROWS, SUMS = [[1, 2], [3, 4]], [3, 7]
KSERVE = ("serving.kserve.io", "InferenceService", "inferenceservices", "v1beta1")
SITES = {
    "kserve": KSERVE,
    "openshift-ai": KSERVE,
    "ray-serve": ("ray.io", "RayService", "rayservices", "v1"),
    "seldon": ("machinelearning.seldon.io", "SeldonDeployment", "seldondeployments", "v1"),
    "bentoml": ("serving.yatai.ai", "BentoDeployment", "bentodeployments", "v2alpha1"),
}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


class Site:
    """A server with the namespaces `team` and `theirs`."""

    def __init__(self, server):
        self.server = server
        for name in ("team", "theirs"):
            self.create("namespaces", "v1", "Namespace", name)

    def create(self, plural: str, api_version: str, kind: str, name: str, namespace: str | None = None, **more) -> dict:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}
        return self.server.system.create(plural, body)

    def define(self, group: str, kind: str, plural: str, version: str) -> None:
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        versions = [{"name": version, "served": True, "storage": True, "schema": schema}]
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": versions}
        definition = ("customresourcedefinitions.apiextensions.k8s.io", "apiextensions.k8s.io/v1")
        self.create(*definition, "CustomResourceDefinition", f"{plural}.{group}", spec=spec)

    def model(self, platform: str, status: dict, namespace: str = "team", name: str = servers.MODEL) -> None:
        group, kind, plural, version = SITES[platform]
        self.define(group, kind, plural, version)
        self.create(f"{plural}.{group}", f"{group}/{version}", kind, name, namespace, status=status)

    def deployment(self, image: str) -> None:
        labels = {"app": servers.MODEL}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "server", "image": image}]}}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        self.create("deployments.apps", "apps/v1", "Deployment", servers.MODEL, "team", spec=spec)

    def service(self, name: str, port: int, **selector: str) -> None:
        spec = {"ports": [{"port": port}], "selector": selector}
        self.create("services", "v1", "Service", name, "team", spec=spec)

    def grant(self, user: str, *rules: dict, **rule) -> None:
        rbac = "rbac.authorization.k8s.io"
        self.create(f"roles.{rbac}", f"{rbac}/v1", "Role", user, "team", rules=[*rules, *([rule] if rule else [])])
        self.create(
            f"rolebindings.{rbac}", f"{rbac}/v1", "RoleBinding", user, "team",
            subjects=[{"kind": "User", "name": user, "apiGroup": rbac}],
            roleRef={"kind": "Role", "name": user, "apiGroup": rbac},
        )  # fmt: skip

    def auth(self, user: str | None = None) -> dict:
        token = self.server.tokens.issue(user) if user else self.server.token
        return {"host": self.server.url, "ca_cert": self.server.ca_file, "api_key": token, "namespace": "team"}


@pytest.fixture
def site(apiserver):
    return Site(apiserver(profile="kubernetes", pods="none"))


@pytest.fixture
def busy_site(apiserver):
    """One where pods run, so that Deployments become available."""
    return Site(apiserver(profile="kubernetes", pods="simulated"))


def asked(platform: str = "kserve", **more) -> dict:
    return {"name": servers.MODEL, "platform": platform, "test_data": ROWS, "expected_output": SUMS, **more}


@pytest.mark.parametrize(
    ("platform", "kind", "status", "more"),
    [
        ("kserve", servers.KServeV1, {**READY, "url": "{url}"}, {}),
        ("kserve", servers.KServeV1, {**READY, "address": {"url": "{url}/"}}, {}),
        ("ray-serve", servers.RayServe, {"serviceStatus": "Running"}, {"url": "{url}"}),
        ("seldon", servers.Seldon, {"state": "Available", "address": {"url": "{url}/api/v1.0/predictions"}}, {}),
        (
            "bentoml",
            servers.BentoML,
            {"conditions": [{"type": "Available", "status": "True"}]},
            {"url": "{url}", "predict_path": "/sum", "test_data": {"rows": ROWS}},
        ),
    ],
)
def test_a_model_that_is_there_and_ready(platform, kind, status, more, site, serve, validate):
    server = serve(kind)
    status, more = (_with_url(value, server.url) for value in (status, more))
    site.model(platform, status)
    found = validate(asked(platform, **more), **site.auth())["models"][0]
    assert found["status"] == "succeeded", found
    assert {check["status"] for check in found["checks"].values()} == {"passed"}
    assert (found["namespace"], found["url"]) == ("team", server.url)


def _with_url(value: object, url: str) -> object:
    if isinstance(value, dict):
        return {name: _with_url(inner, url) for name, inner in value.items()}
    return value.replace("{url}", url) if isinstance(value, str) else value


def test_openshift_ai_needs_its_own_api_beside_that_of_kserve(site, serve, validate):
    server = serve(servers.OpenInference)
    site.model("openshift-ai", {**READY, "url": server.url})
    model = asked("openshift-ai", expected_output=[[3], [7]])
    missing = validate(model, **site.auth())["models"][0]
    assert missing["code"] == "model_platform_missing" and "datasciencecluster.opendatahub.io" in missing["cause"]
    site.define("datasciencecluster.opendatahub.io", "DataScienceCluster", "datascienceclusters", "v1")
    assert validate(model, **site.auth())["models"][0]["status"] == "succeeded"


@pytest.mark.parametrize("image", ["nvcr.io/nvidia/tritonserver:25.01-py3", "registry.example.com/own:1"])
def test_a_deployment_that_is_available(image, busy_site, serve, validate):
    server = serve(servers.Triton)
    busy_site.deployment(image)
    model = asked("triton", url=server.url, expected_output=[[3], [7]])
    found = validate(model, **busy_site.auth())["models"][0]
    assert found["status"] == "succeeded", found
    # An image that nobody knows by its name may be one all the same: the answers tell.
    assert found["checks"]["platform"]["status"] == ("passed" if "tritonserver" in image else "skipped")
    assert image in found["checks"]["platform"]["message"]


def test_the_service_of_a_deployment_tells_where_it_answers(busy_site, validate):
    busy_site.deployment("nvcr.io/nvidia/tritonserver:25.01-py3")
    busy_site.service("another", 80, app="another")
    busy_site.service("front", 8000, app=servers.MODEL)
    found = validate(asked("triton"), checks=["platform", "resource", "health"], timeout=2, **busy_site.auth())[
        "models"
    ][0]
    assert found["code"] == "model_unreachable" and found["url"] == "http://front.team.svc:8000"


def test_without_url_and_service_it_is_said_that_nothing_tells_it(site, validate):
    site.model("kserve", READY)
    found = validate(asked(), **site.auth())["models"][0]
    assert found["code"] == "model_unreachable" and "give url" in found["cause"] and found["url"] is None


def test_a_platform_that_is_not_installed(site, validate):
    found = validate(asked(), **site.auth())["models"][0]
    assert (found["code"], found["retryable"]) == ("model_platform_missing", False)
    assert "does not serve serving.kserve.io" in found["cause"]


def test_a_model_that_is_not_there(site, validate):
    site.model("kserve", READY, name="other")
    found = validate(asked(), **site.auth())["models"][0]
    assert found["code"] == "model_not_found" and "InferenceService team/sums" in found["cause"]
    assert found["checks"]["platform"]["status"] == "passed" and found["checks"]["health"]["status"] == "skipped"


def test_a_model_that_does_not_get_ready(site, validate):
    reason = {"type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "Out of GPUs."}
    site.model("kserve", {"conditions": [reason]})
    found = validate(asked(), timeout=0.5, **site.auth())["models"][0]
    assert (found["code"], found["retryable"]) == ("model_not_ready", True)
    assert found["cause"] == "The InferenceService team/sums is not ready after 0.5 s: RevisionFailed: Out of GPUs."


def test_a_model_that_gets_ready_is_waited_for(site, serve, validate):
    server, watched = serve(servers.KServeV1), threading.Event()
    site.model("kserve", {"conditions": [{"type": "Ready", "status": "Unknown"}]})

    def make_ready():
        while not site.server.journal.entries(verb="watch"):
            if watched.wait(0.02):
                return
        plural = f"{KSERVE[2]}.{KSERVE[0]}"
        found = site.server.system.get(plural, "team", servers.MODEL)
        site.server.system.update(plural, {**found, "status": {**READY, "url": server.url}})

    thread = threading.Thread(target=make_ready)
    thread.start()
    found = validate(asked(), timeout=30, **site.auth())["models"][0]
    watched.set()
    thread.join()
    assert found["status"] == "succeeded", found


def test_an_object_of_ones_own(site, serve, validate):
    server = serve(servers.Own)
    site.define("ml.example.com", "Scorer", "scorers", "v1")
    site.create("scorers.ml.example.com", "ml.example.com/v1", "Scorer", servers.MODEL, "team", status=READY)
    model = asked(
        "custom", url=server.url, group="ml.example.com", kind="Scorer", health_path="/alive", predict_path="/score",
        test_data={"table": ROWS}, select="result[].score",
    )  # fmt: skip
    found = validate(model, **site.auth())
    assert found["models"][0]["status"] == "succeeded", found
    assert found["environment"]["MODEL_VALIDATION_CUSTOM_API_GROUP"] == "ml.example.com"
    assert found["environment"]["MODEL_VALIDATION_CUSTOM_RESOURCE_TYPE"] == "Scorer"
    wrong = validate({**model, "version": "v2"}, **site.auth())["models"][0]
    assert wrong["code"] == "model_platform_missing" and "ml.example.com/v2" in wrong["cause"]


def test_an_account_that_may_not_read_models(site, validate):
    site.model("kserve", READY)
    found = validate(asked(), **site.auth("jane"))["models"][0]
    assert found["code"] == "model_forbidden" and "inferenceservices" in found["cause"]


def test_an_account_that_may_read_models_and_no_more(site, serve, validate):
    """What docs/models.md asks for is enough."""
    site.model("kserve", {**READY, "url": serve(servers.KServeV1).url})
    site.grant("jane", apiGroups=[KSERVE[0]], resources=[KSERVE[2]], verbs=["list", "watch"])
    assert validate(asked(), **site.auth("jane"))["models"][0]["status"] == "succeeded"


def test_another_namespace_is_refused_before_the_cluster_is_asked(site, serve, validate, refusal):
    site.model("kserve", {**READY, "url": serve(servers.KServeV1).url}, namespace="theirs")
    site.server.journal.clear()
    error = refusal(asked(name="theirs/sums"), **site.auth())
    assert error.code == "model_forbidden" and "another namespace than team" in error.message
    assert site.server.journal.entries() == []
    found = validate(asked(name="theirs/sums"), allowed_namespaces=["theirs"], **site.auth())
    assert found["failed_models"] == [] and found["models"][0]["namespace"] == "theirs"


def test_a_cluster_that_is_not_asked(site, serve, validate):
    server = serve(servers.KServeV1)
    site.server.journal.clear()
    found = validate(asked(url=server.url, resource=False), **site.auth())
    assert found["models"][0]["status"] == "succeeded" and site.server.journal.entries() == []


def test_a_cluster_that_does_not_answer_is_told_of_each_model(site, serve, validate):
    auth = {**site.auth(), "host": "https://127.0.0.1:9"}
    found = validate(asked(), asked(name="other"), timeout=0.5, **auth)
    assert [one["code"] for one in found["models"]] == ["model_unreachable"] * 2


def test_one_bad_model_does_not_keep_the_others_from_being_checked(site, serve, validate):
    site.model("kserve", {**READY, "url": serve(servers.KServeV1).url})
    found = validate(asked(name="absent"), asked(), **site.auth())
    assert [one["status"] for one in found["models"]] == ["failed", "succeeded"]
    assert found["failed_models"] == ["team/absent"]


def test_the_permissions_that_are_listed_for_models_are_enough(busy_site, serve, validate):
    busy_site.grant("jane", *role_rules(list(needs_of("models", "team"))))
    busy_site.model("kserve", {**READY, "url": serve(servers.KServeV1).url}, name="prices")
    busy_site.deployment("vllm/vllm-openai:v0.9.1")
    busy_site.service("door", 8000, app=servers.MODEL)
    prices = {"name": "prices", "served_name": servers.MODEL}
    deployed = {"name": servers.MODEL, "platform": "vllm"}
    found = validate(asked() | prices, deployed, timeout=5, **busy_site.auth("jane"))["models"]
    assert found[0]["status"] == "succeeded", found[0]
    assert found[1]["checks"]["resource"]["status"] == "passed", found[1]
    assert found[1]["url"] == "http://door.team.svc:8000"


# --- what the object and the server tell of the model


@pytest.mark.parametrize(
    ("metadata", "more", "version"),
    [
        ({"labels": {"app.kubernetes.io/version": "7"}}, {}, "7"),
        ({}, {"components": {"predictor": {"latestReadyRevision": "sums-predictor-00003"}}}, "sums-predictor-00003"),
        ({}, {"components": "of another kind"}, None),
    ],
)
def test_version_and_resources_are_told_as_far_as_the_object_has_them(site, serve, validate, metadata, more, version):
    server, amounts = (
        serve(servers.KServeV1),
        {"requests": {"cpu": 2, "memory": "4Gi"}, "limits": {"nvidia.com/gpu": 1}},
    )
    site.model("kserve", {**READY, "url": server.url, **more})
    plural = f"{KSERVE[2]}.{KSERVE[0]}"
    model = {"spec": {"predictor": {"model": {"resources": amounts}}}, "metadata": metadata}
    site.server.system.patch(plural, "team", servers.MODEL, model)
    found = validate(asked(), **site.auth())["models"][0]
    assert (found["version"], found["predicted"]) == (version, "[3, 7]")
    assert found["resources"] == {"cpu": "2", "memory": "4Gi", "gpu": "1"}


def test_what_tells_nothing_of_itself_has_no_resources(site, validate):
    site.model("kserve", READY)
    found = validate(asked(), **site.auth())["models"][0]
    assert (found["version"], found["resources"], found["predicted"]) == (None, {}, None)


# --- who asks at the word of others


class Way:
    """Names lead to this machine, and where an object says that it is elsewhere it is not believed."""

    def refusal(self, url, namespace):
        return f"is not for {namespace}" if "evil" in url else None

    def address(self, host, port, namespace):
        return "127.0.0.1"


@pytest.fixture
def look(site):
    """`look(model)`: the verdict on a model, asked by a way."""
    with Cluster(site.auth()) as cluster:

        def run(timeout: float = 5, **more):
            params = {
                "models": [asked(**more)],
                "allowed_namespaces": [],
                "timeout": timeout,
                "checks": ["resource", "health"],
                "phase": "before",
            }
            request = request_of(params, "team", cluster=True)
            return check(request, cluster, _models._KNOWN, way=Way(), outage=True)[0]

        run.cluster = cluster
        yield run


def test_a_name_is_asked_where_the_way_leads_and_by_its_name(site, serve, look):
    server = serve(servers.KServeV1)
    port = server.url.rpartition(":")[2]
    site.model(
        "kserve", {**READY, "url": "http://evil.example.com", "address": {"url": f"http://sums.team.svc:{port}"}}
    )
    found = look()
    assert (found.status, found.url) == ("succeeded", f"http://sums.team.svc:{port}"), found
    assert server.hosts == [f"sums.team.svc:{port}"]


def test_a_model_that_is_nowhere_else_is_forbidden(site, look):
    site.model("kserve", {**READY, "url": "http://evil.example.com", "address": "of another kind"})
    found = look()
    assert found.code == "model_forbidden" and found.cause == "http://evil.example.com is not for team."
    assert look(url="http://evil.example.com", resource=False, name="other").code == "model_forbidden"


@pytest.mark.parametrize(("name", "status"), [("127.0.0.1", "succeeded"), ("sums.team.svc", "failed")])
def test_a_certificate_is_that_of_the_name(site, serve, look, certificate, name, status):
    server = serve(servers.KServeV1, certificate=certificate)
    url = f"https://{name}:{server.url.rpartition(':')[2]}"
    found = look(url=url, resource=False, ca_file=certificate[0], timeout=1)
    assert found.status == status, found
    assert status == "succeeded" or "certificate" in found.cause


def test_an_outage_of_the_api_server_is_told_to_who_tries_again(site, look, monkeypatch):
    site.model("kserve", READY)

    def unwell(*_arguments, **_more):
        raise ClusterError("It does not answer.", "cluster_unavailable", status=503)

    monkeypatch.setattr(resource, "wait", unwell)
    with pytest.raises(ClusterError):
        look()


def test_what_was_installed_meanwhile_is_seen_after_asking_anew(site, look):
    assert look().code == "model_platform_missing"
    site.model("kserve", READY)
    look.cluster.rediscover()
    assert look(timeout=0.5).code != "model_platform_missing"
