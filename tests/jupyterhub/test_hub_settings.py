# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that cannot be meant end the hub at its start with one sentence; what is right ends in its configuration."""

from __future__ import annotations

import json
import subprocess

import pytest
from hub_parts import needed
from hub_support import PYTHON, Hub

needed("jupyterhub")
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
OIDC = {
    "kind": "oidc", "client_id": "me", "authorize_url": "https://a", "token_url": "https://b", "userdata_url": "https://c", "allow_all": True,
}  # fmt: skip
OF_PROFILE = {"name": "a", "image": "a"}
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
    "secret": ({"login": {**LDAP, "client_secret": "word"}}, {}, "login.client_secret is a secret: give it as hub_oauth_client_secret"),
    "password": ({"login": {**LDAP, "lookup_dn_search_password": "word"}}, {}, "login.lookup_dn_search_password is a secret: give it as"),
    "address": ({"login": {**OIDC, "token_url": "sso.example.com/token"}}, {}, "login.token_url is 'sso.example.com/token': begin it with https://"),
    "id token": ({"login": {**OIDC, "userdata_from_id_token": True}}, {}, "login.userdata_from_id_token leaves groups as they were"),
    "no secret": ({"login": OIDC}, {}, "The Secret has no oauth-client-secret, which the login needs"),
    "set": ({"login": {**OIDC, "allowed_groups": "team"}}, {"oauth-client-secret": "a"}, "login.allowed_groups is 'team': give a set"),
    "type": ({"login": {**LDAP, "allowed_groups": "cn=a"}}, {}, "login.allowed_groups is 'cn=a': give a list"),
    "number": ({"login": {**LDAP, "server_port": "ldap"}}, {}, "login.server_port is 'ldap': give an int"),
    "token": ({"spawn": {"environment": {"JUPYTERHUB_API_TOKEN": "mine"}}}, {}, "spawn.environment: JUPYTERHUB_API_TOKEN is set by the hub"),
    "bucket": (
        {"buckets": {"enabled": True}, "profiles": [{**OF_PROFILE, "environment": {"BUCKET_NAME": "mine"}}]}, {},
        "profile a: environment: BUCKET_NAME is set by the hub",
    ),
    "timeout": (
        {"profiles": [{**OF_PROFILE, "environment": {"JUPYTERNB_KERNEL_TIMEOUT": 1}}]}, {}, "JUPYTERNB_KERNEL_TIMEOUT is set by the hub",
    ),
    "modules": (
        {"storage": {"user_modules": True}, "spawn": {"environment": {"PYTHONPATH": "/opt"}}}, {}, "PYTHONPATH is set by the hub: leave it out",
    ),
    "variable": ({"spawn": {"environment": {"my-name": "x"}}}, {}, "spawn.environment: 'my-name' is no name of a variable"),
    "value": ({"spawn": {"environment": {"LAB": True}}}, {}, "LAB is True: give a text, or a mapping with valueFrom"),
    "braces": ({"spawn": {"environment": {"JSON": '{"a": 1}'}}}, {}, "JSON has braces that name nothing: write {{ and }}"),
    "one volume": ({"storage": {"name_template": "claim"}}, {}, "storage.name_template is 'claim': name the volume of each user"),
    "placeholder": ({"storage": {"name_template": "claim-{username}-{team}"}}, {}, "storage.name_template is 'claim-{username}-{team}'"),
    "relative": ({"storage": {"mount_path": "home"}}, {}, "storage.mount_path is 'home': begin it with a slash"),
    "access mode": ({"storage": {"access_modes": ["ReadWrite"]}}, {}, "storage.access_modes is 'ReadWrite': give one of ReadWriteOnce"),
    "volume": ({"storage": {"extra_volumes": [{"name": "home"}]}}, {}, "extra_volumes has {'name': 'home'}: give each a name of its own"),
    "mount": ({"storage": {"extra_mounts": [{"name": "data", "mountPath": "/d"}]}}, {}, "give each the name of a volume, and a mountPath"),
    "place taken": ({"storage": {"extra_mounts": [{"name": "home", "mountPath": "/home/jovyan"}]}}, {}, "and a mountPath of its own"),
    "root": ({"spawn": {"uid": 0}}, {}, "spawn.uid is 0: servers do not run as root"),
    "buckets": ({"buckets": {"enabled": "yes"}}, {}, "buckets: enabled is 'yes': give true or false"),
    "of buckets": ({"buckets": {"bucket_class": "x"}}, {}, "hub.json: buckets: nobody reads bucket_class"),
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
        {"login": {**OIDC, "groups_claim": "roles"}}, {"oauth-client-secret": "a-word"}, "",
    ),
    "own store": ({"spawn": {"environment": {"AWS_ACCESS_KEY_ID": "x"}}, "public_url": "https://hub.example.com/lab/"}, {}, ""),
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
    openshift = read["openshift"]["config"]["OpenShiftLogin"]
    assert (openshift["client_secret"], openshift["manage_groups"], openshift["enable_auth_state"]) == (
        "a-word",
        True,
        True,
    )
    assert read["oidc"]["config"]["OpenIDLogin"]["auth_state_groups_key"] == "oauth_user.roles"


def test_servers(read):
    moved = read["migrated"]["config"]["KubeSpawner"]
    assert (moved["slug_scheme"], moved["pvc_name_template"], moved["delete_pvc"]) == (
        "escape",
        "jupyter-pvc-{username}",
        True,
    )
    assert read["own store"]["config"]["KubeSpawner"]["environment"] == {"AWS_ACCESS_KEY_ID": "x"}
    placed = read["placed"]["config"]["KubeSpawner"]
    assert (placed["node_selector"], placed["cpu_limit"], placed["fs_gid"]) == ({"for": "us"}, 2, 100)


def test_address_that_the_world_knows(read):
    assert read["own store"]["config"]["JupyterHub"]["public_url"] == "https://hub.example.com/lab/"


def test_culler_and_its_token(read):
    assert [one["name"] for one in read["url"]["config"]["JupyterHub"]["services"]] == ["culler"]
