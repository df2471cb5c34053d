# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in by a real directory, with its groups, its TLS, and what it is wrong with."""

from __future__ import annotations

import os
import subprocess

import pytest
from hub_support import ACCESS, PROXY, PYTHON, SLAPD, Directory, Hub, Person, person

pytestmark = pytest.mark.skipif(
    not (PYTHON.exists() and PROXY.exists() and SLAPD), reason="no JupyterHub or no slapd here"
)
GROUPS = "ou=groups,dc=example,dc=com"


def login(directory: Directory, **given) -> dict:
    return {
        "kind": "ldap", "server_address": "127.0.0.1", "server_port": directory.port, "tls_strategy": "insecure", "lookup_dn": True,
        "lookup_dn_search_user": "cn=admin,dc=example,dc=com", "user_search_base": "ou=people,dc=example,dc=com", "user_attribute": "cn",
        "allowed_groups": [f"cn=team,{GROUPS}"], "group_search_base": GROUPS, "auth_refresh_age": 1, **given,
    }  # fmt: skip


def hub_of(place, directory: Directory, **given) -> Hub:
    found = Hub(place, login=login(directory, **given))
    found.write("secrets/ldap-password", "admins-password\n")
    found.start()
    return found


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    found = Directory(
        tmp_path_factory.mktemp("directory") / "ldap", schemas=("core",)
    )  # memberUid is in nis, which is not there
    found.start()
    found.fill()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def hub(tmp_path_factory, directory):
    found = hub_of(tmp_path_factory.mktemp("hub") / "etc", directory, nested_groups=True)
    found.write(
        "access/access.json", {**ACCESS, "grants": [*ACCESS["grants"], {"profile": "choice", "groups": ["outer"]}]}
    )
    yield found
    found.stop()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("jane", "wrong"),
        ("jane", " "),
        ("nobody", "a-password"),
        ("ja*e", "janes-password"),
        ("otto", "ottos-password"),
    ],
    ids=["wrong password", "blank password", "unknown", "wildcard", "not in the group"],
)
def test_who_is_not_let_in(hub, name, password):
    found = Person(hub)
    answer = found.login(name, password)
    assert answer.status == 403
    assert "Invalid username or password" in answer.said
    assert not found.offered()


def test_groups_of_the_directory_grant_profiles(hub):
    jane, rose = Person(hub), Person(hub)
    assert jane.login("Jane", "janes-password").status == 200
    rose.login("rose", "roses-password")
    assert jane.offered() == ["small"]
    assert rose.offered() == ["small", "large", "choice"]


def test_password_of_the_looking_account_is_in_no_log(hub):
    text = hub.log.read_text(encoding="utf-8")
    assert "admins-password" not in text
    assert "janes-password" not in text


def test_group_that_is_left_grants_nothing_in_the_same_session(hub, directory):
    rose = Person(hub)
    rose.login("rose", "roses-password")
    group = f"cn=research,{GROUPS}"
    directory.change({"dn": group, "modify": {"member": ["MODIFY_REPLACE", [person("otto")]]}})
    try:
        answer = rose.ask("/hub/api/users/rose/server", body={"profile": "choice"}, method="POST")
        assert answer.status == 403
        assert "not granted to rose" in answer.text
    finally:
        directory.change({"dn": group, "modify": {"member": ["MODIFY_REPLACE", [person("rose")]]}})


def test_directory_that_goes_away_is_said_at_the_login(hub, directory):
    jane, rose = Person(hub), Person(hub)
    rose.login("rose", "roses-password")
    directory.stop()
    try:
        answer = jane.login("jane", "janes-password")
        assert answer.status == 503
        assert f"the directory 127.0.0.1:{directory.port} cannot be asked" in answer.said
        assert "small" in rose.offered()
    finally:
        directory.start()


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A directory with a certificate of an authority of its own."""
    place = tmp_path_factory.mktemp("certified")
    key, certificate = place / "key", place / "certificate"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run(
        [*command, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    os.chmod(key, 0o644)
    found = Directory(place / "ldap", tls=(certificate, key))
    found.start()
    found.fill()
    yield found, str(certificate)
    found.stop()


def answer_of(tmp_path, directory, **given):
    hub = hub_of(tmp_path / "etc", directory, **given)
    try:
        return Person(hub).login("jane", "janes-password")
    finally:
        hub.stop()


@pytest.mark.parametrize("strategy", ["before_bind", "on_connect"])
def test_tls_with_the_directorys_own_authority(tmp_path, certified, strategy):
    directory, authority = certified
    port = directory.tls_port if strategy == "on_connect" else directory.port
    answer = answer_of(
        tmp_path, directory, tls_strategy=strategy, server_port=port, tls_kwargs={"ca_certs_file": authority}
    )
    assert (answer.status, answer.url.endswith("/hub/spawn")) == (200, True)


def test_unknown_authority_is_said(tmp_path, certified):
    answer = answer_of(tmp_path, certified[0], tls_strategy="before_bind")
    assert answer.status == 503
    assert "tls_kwargs.ca_certs_file" in answer.said


def test_directory_without_tls_is_said(tmp_path, directory):
    answer = answer_of(tmp_path, directory, tls_strategy="before_bind")
    assert answer.status == 503
    assert "corrects tls_strategy" in answer.said
