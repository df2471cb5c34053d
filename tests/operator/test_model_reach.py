# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody leads the operator where it must not go: neither a job, nor the status of a model, nor the answer of its server."""

from __future__ import annotations

import json
import socket

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.resource import Failed
from model_support import PREDICTION, isvc, looked, runs, servers

from notebook_operator.hosts import Forbidden, Hosts  # isort: skip
from notebook_operator.serving.way import Way  # isort: skip

pytest_plugins = ("desk_fixtures",)
BAD_URLS = [
    "http://{host}:{port}",  # an address
    "http://localhost:{port}",
    "http://169.254.169.254/latest/meta-data",
    "http://[fe80::1]:{port}",
    "http://[::ffff:127.0.0.1]:{port}",
    "http://2130706433:{port}",
    "http://0x7f000001:{port}",
    "http://kubernetes.default.svc",
    "http://sums.shared.svc",
    "http://sums.team.svc.evil.example.com",
    "http://sums.team.svc@evil.example.com",
    "http://evil.example.com/sums.team.svc",
    "http://evil.example.com#sums.team.svc",
    "http://evil.example.com\\@sums.team.svc:{port}",
    "file:///etc/passwd",
    "gopher://sums.team.svc:70/",
    "http://metadata.google.internal",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_urls_that_lead_out_of_the_namespace_are_refused(url):
    assert Way(None, ()).refusal(url.format(host="10.0.0.1", port=80), "team")
    assert Way(None, ("*.example.org",)).refusal(url.format(host="10.0.0.1", port=80), "team")


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "127.0.0.1", "evil.example.com", "sums.shared.svc", "sums.team.svc.evil.example.com", "a b"]
)
def test_hosts_that_lead_out_of_the_namespace_are_not_connected_to(monkeypatch, host):
    """Whatever was asked of the URL: a redirect may have named another one."""
    monkeypatch.setattr(Hosts, "address", lambda *_arguments: "10.0.0.1")
    with pytest.raises(Failed) as refused:
        Way(None, ("*.example.org",)).address(host, 80, "team")
    assert refused.value.code == "model_forbidden"


@pytest.mark.parametrize("url", [BAD_URLS[0], BAD_URLS[2], BAD_URLS[8], BAD_URLS[13], BAD_URLS[14]])
def test_what_the_status_of_a_model_says_is_not_believed(desk, serve, url):
    server = serve(servers.KServeV1)
    desk.reach["model_hosts"] = ()
    isvc(desk, url.format(host="127.0.0.1", port=server.url.rpartition(":")[2]))
    found = looked(desk, timeout="1s", targetModels=[servers.MODEL])
    assert found["code"] in ("model_forbidden", "model_unreachable") and not server.seen, found
    assert not runs(desk)


@pytest.mark.parametrize("url", [BAD_URLS[0], BAD_URLS[2], BAD_URLS[10], BAD_URLS[13]])
def test_endpoints_of_a_job_are_not_believed_either(desk, serve, url):
    server = serve(servers.Own)
    desk.reach["model_hosts"] = ()
    endpoint = url.format(host="127.0.0.1", port=server.url.rpartition(":")[2])
    custom = {"healthCheckEndpoint": endpoint.rstrip("/") + "/alive"}
    found = looked(desk, platform="custom", customPlatform=custom, targetModels=[servers.MODEL])
    assert found["phase"] == "Failed" and not server.seen, found
    assert (
        "NOTEBOOK_OPERATOR_MODEL_HOSTS" in found["message"]
        or "correct it" in found["message"]
        or "leave them out" in found["message"]
    )


def test_no_user_of_a_url_is_told(desk):
    isvc(desk, "http://jane:hunter2x@sums.team.svc")
    found = looked(desk, targetModels=[servers.MODEL])
    assert found["code"] == "model_forbidden" and "hunter2x" not in json.dumps(found)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254",
                "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.1"]
)  # fmt: skip
def test_no_name_leads_inward(monkeypatch, address):
    """Not even one that the administrator's globs allow, since others may say where it leads."""
    answers = [("10.1.2.3", 80), (address, 80)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_m: [(None, None, None, None, one) for one in answers])
    with pytest.raises(Forbidden, match="no job may have the operator ask"):
        Hosts(("*",)).address("models.example.com", 80)
    assert Hosts((address.lower(),)).match(address)


def test_addresses_that_lead_outward_are_asked(monkeypatch):
    for address in ("10.1.2.3", "192.168.7.7", "203.0.113.7", "2001:db8::7", "fd12::7"):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, one=address, **_m: [(None, None, None, None, (one, 80))])
        assert Hosts(("*.example.com",)).address("a.example.com", 80) == address


def test_a_name_that_changes_its_address_is_asked_where_it_was_checked(desk, serve, monkeypatch):
    """DNS rebinding: the second answer is not heard, since nobody asks twice."""
    server = serve(servers.KServeV1)
    port = int(server.url.rpartition(":")[2])
    real, asked = socket.getaddrinfo, []

    def rebinding(host, *arguments, **more):
        if host != "models.example.com":
            return real(host, *arguments, **more)
        asked.append(host)
        return real("127.0.0.1" if len(asked) % 2 else "127.0.0.2", *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    desk.reach["model_hosts"] = ("models.example.com", "127.0.0.1")  # and 127.0.0.2 is refused
    isvc(desk, f"http://models.example.com:{port}")
    found = looked(desk, targetModels=[servers.MODEL])
    assert found["phase"] == "Succeeded" and len(asked) == 1, found
    assert server.hosts == [f"models.example.com:{port}"]


def test_no_redirect_leads_elsewhere(desk, serve):
    inner, outer = serve(servers.KServeV1), serve(servers.KServeV1)
    outer.fixed[f"/v1/models/{servers.MODEL}"] = (302, {"Location": f"{inner.url}/v1/models/{servers.MODEL}"}, b"")
    isvc(desk, outer.url)
    found = looked(desk, targetModels=[servers.MODEL])
    assert found["code"] == "model_unreachable" and "redirects to" in found["cause"] and not inner.seen


def test_answers_are_bounded_and_cleaned(desk, fraud):
    fraud.fixed[f"/v1/models/{servers.MODEL}:predict"] = (500, {}, b"\x1b[31mpassword=hunter2x " + b"x" * 100_000)
    found = looked(desk, targetModels=[servers.MODEL], predictionValidation=PREDICTION)
    text = json.dumps(found)
    assert found["code"] == "model_prediction_failed" and "hunter2x" not in text and "\\u001b" not in text
    assert len(json.dumps(found["modelValidationResult"])) < 8000
    fraud.fixed[f"/v1/models/{servers.MODEL}:predict"] = (200, {}, b"x" * (5 << 20))
    assert "more than 4 MiB" in looked(desk, targetModels=[servers.MODEL], predictionValidation=PREDICTION)["cause"]


@pytest.mark.parametrize(
    ("spec", "hosts", "words"),
    [
        ({"type": "ExternalName", "externalName": "metadata.google.internal"}, (), "leads to metadata.google.internal"),
        ({"type": "ExternalName", "externalName": "10.0.0.7"}, ("*.example.com",), "leads to 10.0.0.7"),
        ({"ports": [{"port": 80}]}, (), "has no selector"),
        (None, (), "There is no Service front"),
    ],
)
def test_a_service_that_leads_out_of_the_namespace_is_not_asked(desk, spec, hosts, words):
    if spec:
        desk.create("services", "v1", "Service", "front", spec=spec)
    try:
        with pytest.raises(Failed, match=words):
            Way(desk.cluster, hosts).address("front.team.svc", 80, "team")
    finally:
        if spec:
            desk.server.system.delete("services", "team", "front")


def test_a_service_is_asked_at_the_address_that_the_cluster_tells(desk, monkeypatch):
    monkeypatch.setattr(Hosts, "address", lambda *_arguments: pytest.fail("a name was looked up"))
    desk.create("services", "v1", "Service", "front", spec={"selector": {"a": "b"}, "ports": [{"port": 80}]})
    found = desk.server.system.get("services", "team", "front")["spec"]["clusterIP"]
    for host in ("front.team.svc", "front.team.svc.cluster.local", "front.team", "FRONT.team.svc."):
        assert Way(desk.cluster, ()).address(host, 80, "team") == found
    desk.server.system.delete("services", "team", "front")


def test_a_gateway_that_the_administrator_names_may_be_led_to(desk, monkeypatch):
    gateway = "knative-local-gateway.istio-system.svc.cluster.local"
    desk.create("services", "v1", "Service", "front", spec={"type": "ExternalName", "externalName": gateway})
    monkeypatch.setattr(Hosts, "address", lambda _self, host, _port: {gateway: "10.96.3.3"}[host])
    assert Way(desk.cluster, (gateway,)).address("front.team.svc", 80, "team") == "10.96.3.3"
    desk.server.system.delete("services", "team", "front")
