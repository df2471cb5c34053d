# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that contract tests talk to: the one that KUBECONFIG names, else a stand-in for each module.

A module chooses its stand-in by `STAND_IN = {...}`, the arguments of ApiServer (`"clock": "manual"` for a ManualClock).
Tests in test_standin_*.py, and those that use `cluster.server`, are skipped on a real cluster.
"""

from __future__ import annotations

import base64
import http.client
import importlib.util
import json
import os
import ssl
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def load_apiserver():
    """The package tests/apiserver; by its file, for a package `tests` of someone else may hide ours."""
    if "apiserver" not in sys.modules:
        place = ROOT / "apiserver"
        spec = importlib.util.spec_from_file_location(
            "apiserver", place / "__init__.py", submodule_search_locations=[str(place)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["apiserver"] = module
        spec.loader.exec_module(module)
    from apiserver import clock, server

    return server, clock


class Cluster:
    """Plain HTTP, so that what is tested is the wire and not a client library."""

    def __init__(self, url: str, token: str | None, tls: ssl.SSLContext, server=None, openshift: bool = False):
        self.host, self.token, self.tls = url.removeprefix("https://").rstrip("/"), token, tls
        self.server, self.openshift = server, openshift

    def open(
        self, method: str, path: str, body=None, content_type="application/json", token=None, headers=None, timeout=60
    ):
        connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=timeout)
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
        sent = {
            "Content-Type": content_type,
            "Accept": "application/json",
            "User-Agent": "contract/1",
            **(headers or {}),
        }
        token = self.token if token is None else token
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection.request(method, path, data, sent)
        return connection, connection.getresponse()

    def call(self, method: str, path: str, body=None, content_type="application/json", token=None, headers=None):
        """(status, headers, parsed JSON or text); `token=""` sends none."""
        connection, answer = self.open(method, path, body, content_type, token, headers)
        try:
            text = answer.read().decode()
            is_json = "json" in (answer.getheader("Content-Type") or "") and text
            return answer.status, answer.headers, json.loads(text) if is_json else text
        finally:
            connection.close()

    def good(self, method: str, path: str, body=None, content_type="application/json", token=None):
        """The parsed answer of a call that must succeed."""
        status, _headers, found = self.call(method, path, body, content_type, token)
        assert status < 300, found
        return found

    def apply(self, path: str, body: dict, manager: str = "contract", force: bool = False):
        query = f"?fieldManager={manager}" + ("&force=true" if force else "")
        return self.call("PATCH", path + query, body, "application/apply-patch+yaml")

    def watch(self, path: str, token=None, timeout=150) -> Iterator[dict]:
        """The events of a watch; `path` with its query."""
        connection, answer = self.open("GET", path, token=token, timeout=timeout)
        try:
            for line in answer:
                if line.strip():
                    yield json.loads(line)
        finally:
            connection.close()

    def until(self, path: str, condition: Callable[[dict | None], bool], seconds: float = 120) -> dict | None:
        """The object at the path (None: none) as soon as the condition holds for it."""
        end = time.monotonic() + seconds
        collection, _slash, name = path.rpartition("/")
        only = f"fieldSelector=metadata.name%3D{name}"
        obj = None
        while time.monotonic() < end:
            found = self.good("GET", f"{collection}?{only}")
            obj = found["items"][0] if found["items"] else None
            if condition(obj):
                return obj
            left = max(1, int(end - time.monotonic()))
            version = found["metadata"]["resourceVersion"]
            for event in self.watch(f"{collection}?watch=true&{only}&resourceVersion={version}&timeoutSeconds={left}"):
                if event["type"] == "ERROR":
                    break
                obj = None if event["type"] == "DELETED" else event["object"]
                if condition(obj):
                    return obj
        raise AssertionError(f"{path} did not get there within {seconds} s; it is {json.dumps(obj)[:3000]}")


def _material(entry: dict, name: str) -> bytes | None:
    if entry.get(f"{name}-data"):
        return base64.b64decode(entry[f"{name}-data"])
    return Path(entry[name]).read_bytes() if entry.get(name) else None


def _real(path: str) -> Cluster:
    config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))

    def entry(kind: str, name: str) -> dict:
        return next(one[kind] for one in config[f"{kind}s"] if one["name"] == name)

    context = entry("context", config["current-context"])
    cluster, user = entry("cluster", context["cluster"]), entry("user", context["user"])
    authority = _material(cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = _material(user, "client-certificate"), _material(user, "client-key")
    if certificate and key:
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + key)
            file.flush()
            tls.load_cert_chain(file.name)
    found = Cluster(cluster["server"], user.get("token"), tls)
    groups = [group["name"] for group in found.good("GET", "/apis")["groups"]]
    found.openshift = "build.openshift.io" in groups
    return found


@pytest.fixture(scope="module")
def cluster(request):
    kubeconfig = os.environ.get("KUBECONFIG")
    if kubeconfig:
        if Path(request.module.__file__).name.startswith("test_standin_"):
            pytest.skip("it tests the stand-in's own controls")
        yield _real(kubeconfig)
        return
    server_module, clock_module = load_apiserver()
    settings = dict(getattr(request.module, "STAND_IN", {}))
    if settings.get("clock") == "manual":
        settings["clock"] = clock_module.ManualClock()
    with server_module.ApiServer(**settings) as server:
        tls = ssl.create_default_context(cafile=server.ca_file)
        yield Cluster(server.url, server.token, tls, server, server.profile == "openshift")


@pytest.fixture(scope="module")
def kubeconfig(cluster) -> str:
    """The path of a kubeconfig for clients."""
    return cluster.server.kubeconfig if cluster.server else str(Path(os.environ["KUBECONFIG"]).resolve())


@pytest.fixture
def namespace(cluster):
    """The name of a namespace of its own, removed afterwards."""
    name = "contract-" + uuid.uuid4().hex[:8]
    cluster.good("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def maps(namespace) -> str:
    """The path of the ConfigMaps in the namespace."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture
def make_map():
    """`make_map(name, data, **metadata)`: a ConfigMap to be sent."""

    def make(name: str, data: dict | None = None, **metadata) -> dict:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}

    return make


@pytest.fixture
def account(cluster, namespace):
    """`account(rules)`: the token of a new service account that may do just that in the namespace."""

    def make(rules: list[dict]) -> str:
        name = "sa-" + uuid.uuid4().hex[:6]
        base, rbac = f"/api/v1/namespaces/{namespace}", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        metadata = {"name": name}
        cluster.good(
            "POST", f"{base}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        )
        api = {"apiVersion": "rbac.authorization.k8s.io/v1"}
        cluster.good("POST", f"{rbac}/roles", {**api, "kind": "Role", "metadata": metadata, "rules": rules})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
        binding = {**api, "kind": "RoleBinding", "metadata": metadata, "roleRef": reference, "subjects": subjects}
        cluster.good("POST", f"{rbac}/rolebindings", binding)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        return cluster.good("POST", f"{base}/serviceaccounts/{name}/token", asked)["status"]["token"]

    return make
