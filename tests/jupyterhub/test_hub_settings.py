# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that cannot be meant end the hub at its start with one sentence; what is right ends in its configuration."""

from __future__ import annotations

import json
import subprocess

import pytest
from hub_support import PYTHON, Hub

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="no JupyterHub here")
READ = """
import json, sys
from traitlets.config import Config
from notebook_hub.configuration import configure
cases = json.load(sys.stdin)
import notebook_hub.configuration as module, pathlib, contextlib, io
import notebook_hub.settings as settings
for place in cases:
    module.PLACE = settings.PLACE = pathlib.Path(place)
    c = Config()
    try:
        configure(c)
        print(json.dumps({"config": json.loads(json.dumps(c, default=str))}))
    except SystemExit as end:
        print(json.dumps({"said": end.code}))
"""
LDAP = {
    "kind": "ldap",
    "server_address": "ldap",
    "lookup_dn": True,
    "user_search_base": "x",
    "user_attribute": "uid",
    "allow_all": True,
}
WRONG = {
    "unknown part": ({"nmae": 1}, {}, "hub.json: nobody reads nmae"),
    "no profiles": ({"profiles": []}, {}, "profiles.json has no profile"),
    "twice": ({"profiles": [{"name": "a", "image": "a"}] * 2}, {}, "two profiles a: rename one"),
    "no image": ({"profiles": [{"name": "a"}]}, {}, "profile a has neither image nor images"),
    "memory": ({"profiles": [{"name": "a", "image": "a", "mem_limit": "much"}]}, {}, "mem_limit is 'much': give a size such as 4G"),
    "negative": ({"culling": {"server_after": -1}}, {}, "culling: server_after is -1: give a whole number"),
    "scheme": ({"storage": {"name_scheme": "odd"}}, {}, "storage.name_scheme is 'odd': give one of safe, escape"),
    "no login": ({"login": {}}, {}, "login.kind is '': give one of ldap, openshift, oidc"),
    "nobody": ({"login": {**LDAP, "allow_all": False}}, {}, "login lets nobody in"),
    "option": ({"login": {**LDAP, "user_dn": True}}, {}, "login.user_dn is nothing that ldap knows"),
    "no password": ({"login": {**LDAP, "lookup_dn_search_user": "cn=hub"}}, {}, "The Secret has no ldap-password"),
    "strategy": ({"login": {**LDAP, "tls_strategy": "none"}}, {}, "login.tls_strategy is 'none'"),
    "no client": ({"login": {"kind": "oidc", "allow_all": True}}, {}, "login has no client_id, which oidc needs"),
    "no key": ({}, {"crypt-key": None}, "The Secret has no crypt-key"),
    "database": ({"database": {"kind": "postgresql"}}, {}, "database has no host"),
}  # fmt: skip


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """What one process says of all the cases, as starting it takes longest."""
    place, cases = tmp_path_factory.mktemp("settings"), {}
    for name, (given, secrets, _said) in {**WRONG, **RIGHT}.items():
        hub = Hub(place / name, **given)
        (hub.place / "jupyterhub_config.d" / "10-tests.py").write_text("c.Layers.order = 'first'", encoding="utf-8")
        (hub.place / "jupyterhub_config.d" / "20-own.py").write_text("c.Layers.order += ', second'", encoding="utf-8")
        for key, value in secrets.items():
            hub.write(f"secrets/{key}", value) if value else (hub.place / "secrets" / key).unlink()
        cases[name] = str(hub.place)
    first = next(iter(cases.values()))
    done = subprocess.run(
        [str(PYTHON), "-c", READ], input=json.dumps(list(cases.values())), text=True, capture_output=True, cwd=first,
        env={"PYTHONPATH": first, "HOME": first}, check=True,
    )  # fmt: skip
    return dict(zip(cases, map(json.loads, done.stdout.splitlines()), strict=True))


RIGHT = {
    "postgresql": ({"database": {"kind": "postgresql", "host": "db", "name": "hub", "user": "me"}}, {"database-password": "a/b@c"}, ""),
    "url": ({"database": {"kind": "postgresql"}}, {"database-url": "postgresql://elsewhere/hub"}, ""),
    "ldap": ({"login": {**LDAP, "lookup_dn_search_user": "cn=hub"}, "admin_users": ["ann"]}, {"ldap-password": "a-word"}, ""),
    "openshift": (
        {"login": {"kind": "openshift", "client_id": "me", "allowed_groups": ["a"]}}, {"oauth-client-secret": "a-word"}, "",
    ),
    "oidc": (
        {"login": {"kind": "oidc", "client_id": "me", "authorize_url": "a", "token_url": "b", "userdata_url": "c", "groups_claim": "roles",
                   "allow_all": True}}, {"oauth-client-secret": "a-word"}, "",
    ),
    "migrated": ({"storage": {"name_scheme": "escape", "name_template": "jupyter-pvc-{username}", "retain": False}}, {}, ""),
    "placed": ({"placement": {"node_selector": {"for": "us"}}, "resources": {"cpu_limit": 2}, "spawn": {"fs_gid": 100}}, {}, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(read, name):
    assert WRONG[name][2] in read[name]["said"]
    assert read[name]["said"].endswith(".")
    assert "\n" not in read[name]["said"]


def test_files_of_ones_own_are_read_last_in_order(read):
    assert read["url"]["config"]["Layers"]["order"] == "first, second"


def test_database_by_parts_or_by_address(read):
    assert read["postgresql"]["config"]["JupyterHub"]["db_url"] == "postgresql+psycopg2://me:a%2Fb%40c@db:5432/hub"
    assert read["url"]["config"]["JupyterHub"]["db_url"] == "postgresql://elsewhere/hub"


def test_logins(read):
    ldap = read["ldap"]["config"]["DirectoryAuthenticator"]
    assert (ldap["lookup_dn_search_password"], ldap["manage_groups"]) == ("a-word", True)
    openshift = read["openshift"]["config"]["OpenShiftOAuthenticator"]
    assert (openshift["client_secret"], openshift["manage_groups"], openshift["enable_auth_state"]) == (
        "a-word",
        True,
        True,
    )
    assert read["oidc"]["config"]["GenericOAuthenticator"]["auth_state_groups_key"] == "oauth_user.roles"


def test_servers(read):
    moved = read["migrated"]["config"]["KubeSpawner"]
    assert (moved["slug_scheme"], moved["pvc_name_template"], moved["delete_pvc"]) == (
        "escape",
        "jupyter-pvc-{username}",
        True,
    )
    placed = read["placed"]["config"]["KubeSpawner"]
    assert (placed["node_selector"], placed["cpu_limit"], placed["fs_gid"]) == ({"for": "us"}, 2, 100)


def test_culler_and_its_token(read):
    assert [one["name"] for one in read["url"]["config"]["JupyterHub"]["services"]] == ["culler"]
