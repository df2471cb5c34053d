# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server, as whom: options, kubeconfig, the pod's account, and what is said where they cannot be used."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins.module_utils import _kubernetes
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster import connection
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError

TOKEN = "a-token-that-is-long-enough-to-be-masked"


def kubeconfig(name: str = "dev", namespace: str | None = "team", current: str | None = None, **user) -> dict:
    context = {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name if current is None else current,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.com:6443"}}],
        "users": [{"name": name, "user": user or {"token": TOKEN}}],
        "contexts": [{"name": name, "context": context}],
    }


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user with no cluster at all."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in _kubernetes.AUTH_SPEC:
        monkeypatch.delenv(f"K8S_AUTH_{name.upper()}", raising=False)
    return tmp_path


@pytest.fixture
def write(tmp_path):
    def write(content, name="config"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return write


def bearer(found) -> str:
    """What the client sends; it calls the hook first."""
    if found.configuration.refresh_api_key_hook:
        found.configuration.refresh_api_key_hook(found.configuration)
    (token,) = found.configuration.api_key.values()
    return token


def test_without_anything_there_is_no_cluster():
    assert not connection.is_configured({"host": "", "kubeconfig": None})


def test_the_users_kubeconfig_is_found(write):
    write(kubeconfig(), ".kube/config")
    assert connection.is_configured({})
    found = connection.connect({})
    assert found.configuration.host == "https://dev.example.com:6443"
    assert found.namespace == "team"
    assert bearer(found) == f"Bearer {TOKEN}"


def test_kubeconfig_in_the_environment_may_name_several_files(write, monkeypatch):
    one = write(kubeconfig("one"))
    two = write(kubeconfig("two", current=""), "second")
    monkeypatch.setenv("KUBECONFIG", f"/nowhere/at-all:{one}:{two}")
    assert connection.connect({}).configuration.host == "https://one.example.com:6443"
    assert connection.connect({"context": "two"}).configuration.host == "https://two.example.com:6443"


def test_a_kubeconfig_may_be_given_as_a_dict():
    found = connection.connect({"kubeconfig": kubeconfig(namespace=None)})
    assert (found.configuration.host, found.namespace) == ("https://dev.example.com:6443", "default")


def test_options_override_what_the_kubeconfig_says(write):
    auth = {"kubeconfig": write(kubeconfig()), "host": "https://other.example.com/", "api_key": "another-long-token"}
    found = connection.connect({**auth, "validate_certs": False})
    assert found.configuration.host == "https://other.example.com"
    assert bearer(found) == "Bearer another-long-token"
    assert found.configuration.verify_ssl is False


def test_a_host_and_a_token_need_no_kubeconfig(write):
    write("not: [a kubeconfig", ".kube/config")
    found = connection.connect({"host": "https://awx.example.com", "api_key": TOKEN})
    assert bearer(found) == f"Bearer {TOKEN}"


@pytest.fixture
def account(tmp_path, monkeypatch):
    """The service account that a pod is given."""
    from kubernetes.config import incluster_config

    folder = tmp_path / "account"
    folder.mkdir()
    for name, text in {"token": TOKEN, "ca.crt": "a certificate", "namespace": "of-the-pod\n"}.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(connection, "_ACCOUNT", str(folder))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return folder


def test_in_a_pod_its_account_is_used(account):
    assert connection.is_configured({})
    found = connection.connect({})
    assert (found.configuration.host, found.namespace) == ("https://10.0.0.1:443", "of-the-pod")
    assert bearer(found).lower() == f"bearer {TOKEN}"
    assert found.configuration.ssl_ca_cert == str(account / "ca.crt")


def test_in_a_pod_a_token_that_is_given_goes_before_that_of_its_account(account):
    assert bearer(connection.connect({"api_key": "another-long-token"})) == "Bearer another-long-token"


def test_a_kubeconfig_that_is_named_goes_before_the_pods_account(account, write):
    found = connection.connect({"kubeconfig": write(kubeconfig())})
    assert found.configuration.host == "https://dev.example.com:6443"


def test_impersonation_repeats_the_header_for_each_group():
    auth = {"host": "https://h", "api_key": TOKEN, "impersonate_user": "eve", "impersonate_groups": ["a", "b"]}
    headers = connection.connect(auth).headers
    assert headers == (("Impersonate-User", "eve"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (kubeconfig(current=""), ["has no current context", "it has: dev"]),
        (kubeconfig(current="gone"), ["has no context 'gone'", "it has: dev"]),
        ("a: [b", ["is not YAML", "line"]),
        ("- a\n- b", ["is not a kubeconfig"]),
        ({**kubeconfig(), "clusters": []}, ["cannot be used"]),
        ("", ["has no current context", "it has: none"]),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_told_in_one_sentence(content, words, write):
    path = write(content)
    with pytest.raises(ClusterError) as caught:
        connection.connect({"kubeconfig": path})
    message = caught.value.message
    assert caught.value.code == "cluster_config"
    assert [word for word in [path, *words] if word not in message] == []
    assert TOKEN not in message and "\n" not in message and len(message) < 600


def test_a_kubeconfig_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ClusterError) as caught:
        connection.connect({"kubeconfig": str(tmp_path / "none")})
    assert "There is no kubeconfig at" in caught.value.message


def test_a_context_that_is_not_there_is_told(write):
    write(kubeconfig(), ".kube/config")
    with pytest.raises(ClusterError) as caught:
        connection.connect({"context": "prod"})
    assert "'prod'" in caught.value.message and "it has: dev" in caught.value.message


@pytest.mark.parametrize("option", ["ca_cert", "client_cert", "client_key"])
def test_a_file_that_cannot_be_read_is_told_by_its_option(option, tmp_path):
    with pytest.raises(ClusterError) as caught:
        connection.connect({"host": "https://h", "api_key": TOKEN, option: str(tmp_path / "none")})
    assert option in caught.value.message


def test_proxy_and_its_headers_reach_the_client():
    auth = {"host": "https://h", "api_key": TOKEN, "proxy": "http://proxy:3128", "no_proxy": ".local"}
    found = connection.connect({**auth, "proxy_headers": {"proxy_basic_auth": "user:secret"}}).configuration
    assert (found.proxy, found.no_proxy) == ("http://proxy:3128", ".local")
    assert found.proxy_headers["proxy-authorization"].startswith("Basic ")


def test_the_environment_of_awx_is_read(monkeypatch, tmp_path):
    ca = tmp_path / "ca"
    ca.write_text("a certificate")
    values = {"HOST": "https://awx", "API_KEY": TOKEN, "VERIFY_SSL": "False", "SSL_CA_CERT": str(ca)}
    for name, value in values.items():
        monkeypatch.setenv(f"K8S_AUTH_{name}", value)
    auth = _kubernetes.auth_options({"host": None, "api_key": None})
    assert auth == {"host": "https://awx", "api_key": TOKEN, "validate_certs": False, "ca_cert": str(ca)}


def test_arguments_go_before_the_environment(monkeypatch):
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "from-the-environment")
    monkeypatch.setenv("K8S_AUTH_IMPERSONATE_GROUPS", "a,b")
    monkeypatch.setenv("K8S_AUTH_PROXY_HEADERS_USER_AGENT", "us/1.0")
    auth = _kubernetes.auth_options({"context": "from-the-argument"})
    assert auth["context"] == "from-the-argument"
    assert auth["impersonate_groups"] == ["a", "b"]
    assert auth["proxy_headers"] == {"user_agent": "us/1.0"}


def test_every_secret_of_the_options_is_known_to_be_one():
    auth = {
        "api_key": "key-1",
        "password": "word-2",
        "proxy": "http://user:word-3@proxy:1",
        "proxy_headers": {"proxy_basic_auth": "user:word-4", "user_agent": "us/1.0"},
        "kubeconfig": kubeconfig(**{"client-key-data": "key-5", "auth-provider": {"config": {"id-token": "key-6"}}}),
    }
    assert _kubernetes.secrets(auth) == {"key-1", "word-2", "word-3", "user:word-4", "key-5", "key-6"}
