# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in by a real directory, with its groups, its TLS, and what it is wrong with."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from hub_parts import PYTHON, needed
from hub_support import ACCESS, Directory, Hub, Person, person

needed("jupyterhub", "proxy", "slapd")
LOGIN = """
import asyncio, json, pathlib, sys
from tornado import web
from traitlets.config import Config
import notebook_hub.configuration as module, notebook_hub.settings as settings
for place in sys.argv[1:]:
    module.PLACE = settings.PLACE = pathlib.Path(place)
    c = Config()
    module.configure(c)
    try:
        jane = {"username": "jane", "password": "janes-password"}
        found = asyncio.run(c.JupyterHub.authenticator_class(config=c).get_authenticated_user(None, jane))
        print(json.dumps({"name": found["name"], "groups": found["groups"]}))
    except web.HTTPError as error:
        print(json.dumps({"status": error.status_code, "said": error.log_message}))
"""
GROUPS = "ou=groups,dc=example,dc=com"


def login(directory: Directory, **given) -> dict:
    return {
        "kind": "ldap", "server_address": "127.0.0.1", "server_port": directory.port, "tls_strategy": "insecure", "lookup_dn": True,
        "lookup_dn_search_user": "cn=admin,dc=example,dc=com", "user_search_base": "ou=people,dc=example,dc=com", "user_attribute": "cn",
        "allowed_groups": [f"cn=team,{GROUPS}"], "group_search_base": GROUPS, "auth_refresh_age": 1, **given,
    }  # fmt: skip


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
    found = Hub(tmp_path_factory.mktemp("hub") / "etc", login=login(directory, nested_groups=True))
    found.write("secrets/ldap-password", "admins-password\n")
    found.write(
        "access/access.json", {**ACCESS, "grants": [*ACCESS["grants"], {"profile": "choice", "groups": ["outer"]}]}
    )
    found.start()
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
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split()
    given = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", *words, *given], check=True, capture_output=True)
    os.chmod(key, 0o644)
    found = Directory(place / "ldap", tls=(certificate, key))
    found.start()
    found.fill()
    yield found, str(certificate)
    found.stop()


@pytest.fixture(scope="module")
def answers(tmp_path_factory, directory, certified):
    """What one process says of jane's login, with a hub's configuration for each case."""
    (secured, authority), place = certified, tmp_path_factory.mktemp("logins")
    known = {"tls_kwargs": {"ca_certs_file": authority}}
    cases = {
        "before_bind": login(secured, tls_strategy="before_bind", **known),
        "on_connect": login(secured, tls_strategy="on_connect", server_port=secured.tls_port, **known),
        "unknown authority": login(secured, tls_strategy="before_bind"),
        "no TLS": login(directory, tls_strategy="before_bind"),
    }
    for name, given in cases.items():
        Hub(place / name, login=given).write("secrets/ldap-password", "admins-password\n")
    places = [str(place / name) for name in cases]
    done = subprocess.run(
        [str(PYTHON), "-c", LOGIN, *places], text=True, capture_output=True, cwd=places[0], check=True,
        env={"PYTHONPATH": places[0], "HOME": places[0]},
    )  # fmt: skip
    return dict(zip(cases, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("strategy", ["before_bind", "on_connect"])
def test_tls_with_the_directorys_own_authority(answers, strategy):
    assert answers[strategy] == {"name": "jane", "groups": ["team"]}


def test_unknown_authority_is_said(answers):
    assert answers["unknown authority"]["status"] == 503
    assert "tls_kwargs.ca_certs_file" in answers["unknown authority"]["said"]


def test_directory_without_tls_is_said(answers):
    assert answers["no TLS"]["status"] == 503
    assert "corrects tls_strategy" in answers["no TLS"]["said"]
