# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are read from a real registry, with and without login and TLS."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image import logins
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.name import Name
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.registry import (
    digest_of,
    inspect,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.apiserver.pki import Authority  # noqa: E402
from tests.registry import PASSWORD, USER, registry  # noqa: E402
from tests.registry.servers import front, proxy  # noqa: E402

CONFIG = {"User": "1001", "Env": ["HOME=/work", "ARGS=a=b"], "Labels": {"maker": "us"}}
UNAVAILABLE, NETWORK = "builder_image_unavailable", "network_unavailable"


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A user who has no login, no proxy and no CA of an own."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    return tmp_path


@pytest.fixture(scope="module")
def site():
    with registry() as running:
        yield running


@pytest.fixture(scope="module")
def closed():
    with registry(auth="basic") as running:
        running.push("team/base", "1", CONFIG)
        yield running


@pytest.fixture
def bearer():
    with registry(auth="bearer") as running:
        running.push("team/base", "1", CONFIG)
        running.push("public/base", "1", CONFIG)
        yield running


@pytest.fixture
def altered(site, tmp_path, monkeypatch):
    """`with altered(change) as host`: the registry behind a server that changes its answers."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    certificate = authority.server()
    return lambda change: front(site.host, change, certificate)


def refused(reference: str, auth: dict | None = None, code: str = UNAVAILABLE, read=inspect) -> str:
    with pytest.raises(EngineError) as caught:
        read(reference, auth=auth)
    assert caught.value.code == code
    assert reference in caught.value.message
    assert PASSWORD not in caught.value.message
    return caught.value.message


def write(path: Path, content: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def helper(home: Path, monkeypatch, script: str) -> None:
    """Put `docker-credential-ours` on PATH."""
    program = home / "docker-credential-ours"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(home), prepend=os.pathsep)


# What an image is


def test_a_tag_becomes_a_digest_and_the_configuration_is_read(site):
    digest = site.push("team/base", "1.0", CONFIG)
    found = inspect(f"{site.host}/team/base:1.0")
    assert (found.reference, found.digest) == (f"{site.host}/team/base@{digest}", digest)
    assert (found.user, found.env, found.labels) == ("1001", {"HOME": "/work", "ARGS": "a=b"}, {"maker": "us"})
    assert digest_of(f"{site.host}/team/base:1.0") == digest


def test_a_digest_is_read_as_such_whatever_tag_stands_beside_it(site):
    old = site.push("team/digest", "1", CONFIG)
    site.push("team/digest", "1", {"User": "new"})
    for reference in (f"{site.host}/team/digest@{old}", f"{site.host}/team/digest:1@{old}"):
        assert inspect(reference).user == "1001"
        assert inspect(reference).reference == f"{site.host}/team/digest@{old}"
        assert digest_of(reference) == old


def test_a_tag_that_moves_is_another_image(site):
    reference = f"{site.host}/team/moved"
    old = site.push("team/moved", "latest", {"User": "old"})
    assert digest_of(reference) == old
    new = site.push("team/moved", "latest", {"User": "new"})
    assert old != new == digest_of(reference)
    assert inspect(reference).user == "new"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_an_index_is_named_by_its_own_digest_and_read_for_amd64(site, monkeypatch, machine):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    configs = {"linux/arm64": {"User": "arm"}, "linux/amd64": {"User": "amd"}}
    digest = site.push_index("team/index", "1", configs)
    found = inspect(f"{site.host}/team/index:1")
    assert (found.digest, found.user) == (digest, "amd")
    assert digest_of(f"{site.host}/team/index:1") == digest


@pytest.mark.parametrize(("machine", "user"), [("aarch64", "arm"), ("riscv64", "ibm")])
def test_an_index_without_amd64_is_read_for_this_machine_else_for_the_first_linux(site, monkeypatch, machine, user):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    kinds = {"windows/amd64": "win", "unknown/unknown": "attestation", "linux/s390x": "ibm", "linux/arm64": "arm"}
    site.push_index("team/rare", "1", {kind: {"User": name} for kind, name in kinds.items()})
    assert inspect(f"{site.host}/team/rare:1").user == user


def test_an_index_without_linux_is_told(site):
    site.push_index("team/windows", "1", {"windows/amd64": {}})
    assert "no image for Linux" in refused(f"{site.host}/team/windows:1")


def test_images_in_the_format_of_docker_are_read(site):
    docker = "application/vnd.docker"
    config = site.blob("team/docker", json.dumps({"config": CONFIG}).encode(), f"{docker}.container.image.v1+json")
    kind = f"{docker}.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []}
    digest = site.put("team/docker", "1", kind, manifest)
    index = f"{docker}.distribution.manifest.list.v2+json"
    entry = {"mediaType": kind, "digest": digest, "size": len(json.dumps(manifest))}
    entry["platform"] = {"os": "linux", "architecture": "amd64"}
    listed = site.put("team/docker", "2", index, {"schemaVersion": 2, "mediaType": index, "manifests": [entry]})
    for tag, expected in (("1", digest), ("2", listed)):
        found = inspect(f"{site.host}/team/docker:{tag}")
        assert (found.digest, found.user) == (expected, "1001")


def test_what_is_no_image_is_told(site):
    config = site.blob("team/chart", b"{}", "application/vnd.cncf.helm.config.v1+json")
    kind = "application/vnd.oci.image.manifest.v1+json"
    site.put("team/chart", "1", kind, {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
    assert "not a container image" in refused(f"{site.host}/team/chart:1")


@pytest.mark.parametrize("name", ["team/base:none", "none:1", "team/base@sha256:" + "0" * 64])
def test_what_is_missing_has_no_digest_and_cannot_be_inspected(site, name):
    site.push("team/base", "1.0", CONFIG)
    assert digest_of(f"{site.host}/{name}") is None
    message = refused(f"{site.host}/{name}")
    assert "no such image or tag" in message
    assert message.endswith("correct the name.")


@pytest.mark.parametrize(
    ("reference", "host", "repository", "what"),
    [
        ("python", "docker.io", "library/python", "latest"),
        ("python:3.12", "docker.io", "library/python", "3.12"),
        ("jupyter/base", "docker.io", "jupyter/base", "latest"),
        ("docker.io/python:3", "docker.io", "library/python", "3"),
        ("index.docker.io/a/b:3", "docker.io", "a/b", "3"),
        ("localhost/base", "localhost", "base", "latest"),
        ("localhost:5000/base:1", "localhost:5000", "base", "1"),
        ("quay.io/a/b/c:v1@sha256:0", "quay.io", "a/b/c", "sha256:0"),
    ],
)
def test_names_are_completed_as_docker_does(reference, host, repository, what):
    assert Name.of(reference) == Name(host, repository, what)


# Logins


def test_a_registry_is_read_with_the_login_that_is_given(closed):
    reference = f"{closed.host}/team/base:1"
    assert inspect(reference, auth=closed.login()).user == "1001"
    assert digest_of(reference, auth=closed.login()) == inspect(reference, auth=closed.login()).digest
    assert digest_of(f"{closed.host}/team/base:none", auth=closed.login()) is None


@pytest.mark.parametrize("read", [inspect, digest_of])
def test_without_a_login_or_with_a_wrong_one_the_reader_is_told_to_log_in(closed, read):
    reference = f"{closed.host}/team/base:1"
    assert "wants a login" in refused(reference, read=read)
    message = refused(reference, closed.login(password="wrong-secret"), read=read)
    assert "does not accept the login" in message
    assert "podman login" in message
    assert "wrong-secret" not in message


@pytest.mark.parametrize(
    ("variable", "value", "path"),
    [
        ("REGISTRY_AUTH_FILE", "{home}/own.json", "own.json"),
        ("XDG_RUNTIME_DIR", "{home}/run", "run/containers/auth.json"),
        ("XDG_CONFIG_HOME", "{home}/settings", "settings/containers/auth.json"),
        ("UNUSED", "", ".config/containers/auth.json"),
        ("UNUSED", "", ".docker/config.json"),
        ("DOCKER_CONFIG", "{home}/docker", "docker/config.json"),
    ],
)
def test_logins_are_found_where_podman_and_docker_leave_them(closed, home, monkeypatch, variable, value, path):
    monkeypatch.setenv(variable, value.format(home=home))
    write(home / path, closed.login())
    assert inspect(f"{closed.host}/team/base:1").user == "1001"


def test_without_a_runtime_directory_logins_of_podman_are_below_run(monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert logins._files()[0] == Path(f"/run/containers/{os.getuid()}/auth.json")


def test_the_first_place_with_a_login_decides(closed, home, monkeypatch):
    reference, wrong = f"{closed.host}/team/base:1", closed.login(password="wrong")
    write(home / ".docker/config.json", closed.login())
    assert inspect(reference).user == "1001"
    write(home / ".config/containers/auth.json", wrong)
    assert "does not accept" in refused(reference)
    write(home / "runtime/containers/auth.json", closed.login())
    assert inspect(reference).user == "1001"
    assert "does not accept" in refused(reference, wrong)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(home / "empty.json", {})))
    assert "wants a login" in refused(reference)


@pytest.mark.parametrize("key", ["{0}/team", "{0}/team/base", "https://{0}", "https://{0}/v1/", "{0}/v2/"])
def test_keys_may_be_paths_and_urls(closed, key):
    assert inspect(f"{closed.host}/team/base:1", auth=closed.login(key.format(closed.host))).user == "1001"


def test_the_longest_key_wins_and_another_path_is_none(closed):
    reference = f"{closed.host}/team/base:1"
    auths = closed.login(password="wrong")["auths"] | closed.login(f"{closed.host}/team")["auths"]
    assert inspect(reference, auth={"auths": auths}).user == "1001"
    assert "wants a login" in refused(reference, closed.login(f"{closed.host}/te"))


def test_user_and_password_may_stand_apart(closed):
    entry = {"username": USER, "password": PASSWORD}
    assert inspect(f"{closed.host}/team/base:1", auth={"auths": {closed.host: entry}}).user == "1001"


@pytest.mark.parametrize("text", ["{not json", "[]"])
def test_a_login_file_that_is_broken_is_named(closed, home, text):
    path = write(home / ".docker/config.json", {})
    path.write_text(text)
    with pytest.raises(EngineError, match=r"config\.json is no JSON object"):
        inspect(f"{closed.host}/team/base:1")


@pytest.mark.parametrize("kind", ["credHelpers", "credsStore"])
def test_credential_helpers_are_asked_by_stdin(closed, home, monkeypatch, kind):
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper(home, monkeypatch, f"[ \"$1 $(cat)\" = 'get {closed.host}' ] && echo '{answer}'")
    empty = {"auths": {closed.host: {}}}
    write(home / ".docker/config.json", {**empty, kind: {closed.host: "ours"} if kind == "credHelpers" else "ours"})
    assert inspect(f"{closed.host}/team/base:1").user == "1001"
    helper(home, monkeypatch, "echo credentials not found in native keychain; exit 1")
    assert "wants a login" in refused(f"{closed.host}/team/base:1")


def test_a_helper_may_have_an_identity_token(bearer, home, monkeypatch):
    answer = json.dumps({"Username": "<token>", "Secret": bearer.tokens.refresh})
    helper(home, monkeypatch, f"echo '{answer}'")
    write(home / ".docker/config.json", {"credsStore": "ours"})
    assert inspect(f"{bearer.host}/team/base:1").user == "1001"


def test_docker_hub_has_its_old_name_in_logins(home, monkeypatch):
    old = "https://index.docker.io/v1/"
    for key in (old, "docker.io", "docker.io/library"):
        found = logins.find_login("docker.io", "library/python", {"auths": {key: {"username": "a", "password": "b"}}})
        assert (found.user, found.password) == ("a", "b")
    helper(home, monkeypatch, f"""[ "$(cat)" = {old} ] && echo '{{"Username": "c", "Secret": "d"}}'""")
    assert logins.find_login("docker.io", "library/python", {"credsStore": "ours"}).user == "c"


def test_a_redirected_blob_is_fetched_without_the_login():
    with registry(auth="basic", redirect=True) as running:
        running.push("team/base", "1", CONFIG)
        assert inspect(f"{running.host}/team/base:1", auth=running.login()).user == "1001"
        (headers,) = running.storage.requests
        assert "Authorization" not in headers


# Tokens


def test_anybody_gets_a_token_for_what_is_public(bearer):
    assert inspect(f"{bearer.host}/public/base:1").user == "1001"
    ((method, asked, authorization),) = bearer.tokens.requests
    assert (method, authorization) == ("GET", None)
    assert asked == {"scope": "repository:public/base:pull", "service": "registry-of-the-test"}


def test_a_login_is_exchanged_for_a_token(bearer):
    reference = f"{bearer.host}/team/base:1"
    assert "no such image, or this login may not" in refused(reference)
    assert digest_of(reference, auth=bearer.login()) == inspect(reference, auth=bearer.login()).digest
    assert "does not accept the login" in refused(reference, bearer.login(password="wrong"))


def test_an_identity_token_is_exchanged_for_a_token(bearer):
    reference = f"{bearer.host}/team/base:1"
    identity = {"auth": "", "identitytoken": bearer.tokens.refresh}
    assert inspect(reference, auth={"auths": {bearer.host: identity}}).user == "1001"
    assert [method for method, _asked, _authorization in bearer.tokens.requests] == ["POST"]
    wrong = {"auths": {bearer.host: {**identity, "identitytoken": "wrong-identity"}}}
    assert "wrong-identity" not in refused(reference, wrong)


def test_an_identity_token_follows_no_redirect(bearer, site):
    bearer.tokens.first.append((307, {"Location": bearer.tokens.realm}))
    refused(f"{bearer.host}/team/base:1", {"auths": {bearer.host: {"identitytoken": bearer.tokens.refresh}}})
    assert len(bearer.tokens.requests) == 1


def test_a_token_service_that_knows_nothing_does_not_make_an_image_missing(bearer):
    bearer.tokens.first.append((404, {}))
    refused(f"{bearer.host}/public/base:1", read=digest_of)


def test_a_server_that_is_busy_is_asked_again_within_reason(bearer, monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    bearer.tokens.first += [(429, {"Retry-After": "2"}), (503, {"Retry-After": "86400"}), (502, {})]
    assert inspect(f"{bearer.host}/public/base:1").user == "1001"
    assert pauses[:2] == [2, 15]
    bearer.tokens.first += [(503, {})] * 4
    assert "HTTP 503" in refused(f"{bearer.host}/public/base:1", code=NETWORK)
    bearer.tokens.first += [(429, {})] * 4
    assert "too many requests" in refused(f"{bearer.host}/public/base:1")


# Other servers


def test_a_registry_that_does_not_answer_head_is_asked_for_the_manifest(site, altered):
    digest = site.push("team/front", "1", CONFIG)

    def no_head(method, path, asked, status, headers, body):
        return (405, {}, b"") if method == "HEAD" else (status, headers, body)

    def no_digest(method, path, asked, status, headers, body):
        return status, {name: value for name, value in headers.items() if name != "Docker-Content-Digest"}, body

    for change in (no_head, no_digest):
        with altered(change) as host:
            assert digest_of(f"{host}/team/front:1") == digest
            assert digest_of(f"{host}/team/front:none") is None
            assert inspect(f"{host}/team/front:1").digest == digest


@pytest.mark.parametrize("part", ["/manifests/1", "/manifests/sha256:", "/blobs/"])
def test_content_that_is_not_what_its_digest_says_is_not_taken(site, altered, part):
    digest = site.push_index("team/front", "1", {"linux/amd64": CONFIG})

    def change(method, path, asked, status, headers, body):
        return status, headers, body + b" " if part in path else body

    with altered(change) as host:
        assert "has the digest" in refused(f"{host}/team/front:1")
        if part == "/manifests/sha256:":
            assert "has the digest" in refused(f"{host}/team/front@{digest}")


def test_a_registry_cannot_give_another_image_for_a_digest(site, altered):
    digest, other = site.push("team/front", "1", CONFIG), site.push("team/front", "2", {"User": "other"})
    there = f"http://{site.host}/v2/team/front/manifests/{other}"

    def change(method, path, asked, status, headers, body):
        answer = urllib3.request(method, there, headers={"Accept": asked["Accept"]})
        return 200, {"Docker-Content-Digest": other}, answer.data

    with altered(change) as host:
        assert "has the digest" in refused(f"{host}/team/front@{digest}")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((200, {}, b"<html>"), UNAVAILABLE, "not a registry"),
        ((200, {}, b" " * (4 * 1024 * 1024 + 1)), UNAVAILABLE, "longer than"),
        ((200, {}, b'{"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}'), UNAVAILABLE, "no sha256"),
        ((400, {}, b""), UNAVAILABLE, "HTTP 400"),
        ((302, {"Location": "/again"}, b""), UNAVAILABLE, "too many redirects"),
        ((302, {"Location": "http://registry.example.com/x"}, b""), UNAVAILABLE, "without TLS"),
        ((401, {"WWW-Authenticate": 'Bearer realm="http://registry.example.com/t"'}, b""), UNAVAILABLE, "without TLS"),
        ((401, {"WWW-Authenticate": "Negotiate"}, b""), UNAVAILABLE, "wants a login"),
        ((501, {}, b""), NETWORK, "HTTP 501"),
    ],
)
def test_an_answer_that_is_of_no_use_is_told(site, altered, answer, code, words):
    with altered(lambda *_found: answer) as host:
        assert words in refused(f"{host}/team/front:1", code=code)


def test_only_the_registry_itself_is_told_the_login(site, altered):
    asked = []

    def elsewhere(method, path, headers, status, found, body):
        asked.append(headers)
        return 401, {"WWW-Authenticate": "Basic realm=x"}, b""

    with altered(elsewhere) as other, altered(lambda *_found: (307, {"Location": f"https://{other}/v2/"}, b"")) as host:
        login = {"auths": {name: {"username": USER, "password": PASSWORD} for name in (host, other)}}
        refused(f"{host}/team/base:1", login)
    assert len(asked) == 1
    assert "Authorization" not in asked[0]


def test_no_other_registry_leads_to_a_server_without_tls_on_this_machine(site, altered, monkeypatch):
    site.push("team/base", "1.0", CONFIG)
    answer = (307, {"Location": f"http://{site.host}/v2/team/base/manifests/1.0"}, b"")
    with altered(lambda *_found: answer) as host, proxy(host, []) as server:
        monkeypatch.setenv("HTTPS_PROXY", server)
        assert "without TLS" in refused("kubernetes.default.svc:5000/team/base:1.0")


# The network


def test_a_certificate_is_trusted_by_the_ca_that_the_environment_names(monkeypatch, tmp_path):
    with registry(tls=True, auth="basic") as running:
        digest = running.push("team/base", "1", CONFIG)
        reference = f"{running.host}/team/base:1"
        message = refused(reference, running.login())
        assert "certificate" in message
        assert "SSL_CERT_FILE" in message
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            with monkeypatch.context() as patch:
                patch.setenv(variable, str(running.ca_file))
                assert inspect(reference, auth=running.login()).digest == digest
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.crt"))
        with pytest.raises(EngineError, match=r"REQUESTS_CA_BUNDLE names .*none\.crt"):
            inspect(reference, auth=running.login())


def test_a_registry_that_is_not_there_is_a_failure_of_the_network():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        for read in (inspect, digest_of):
            assert f"{host} cannot be reached" in refused(f"{host}/team/base:1", code=NETWORK, read=read)


def test_other_hosts_are_reached_by_the_proxy_of_the_environment(monkeypatch):
    with registry(tls=True) as running:
        digest, seen = running.push("team/base", "1", CONFIG), []
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))
        host = "kubernetes.default.svc:5000"
        with proxy(running.host, seen) as server:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:{quote('p@ss')}@{server}")
            assert inspect(f"{host}/team/base:1").digest == digest
            assert set(seen) == {(host, "Basic dXNlcjpwQHNz")}
            # This machine itself is never asked for by the proxy.
            del seen[:]
            assert digest_of(f"{running.host}/team/base:1") == digest
            assert seen == []
            # docker.io is another host than its name says; the certificate is not its own.
            refused("python:3.12")
            assert seen[0][0] == "registry-1.docker.io:443"
            monkeypatch.setenv("NO_PROXY", ".default.svc")
            assert "cannot be" in refused(f"{host}/team/base:1", code=NETWORK)
        monkeypatch.delenv("NO_PROXY")
        message = refused(f"{host}/team/base:1", code=NETWORK)
        assert "the proxy does not connect" in message
        assert "p@ss" not in message
