# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins by OpenShift and by OpenID Connect, against a real hub and a stand-in for the provider."""

from __future__ import annotations

import pytest
from fake_provider import SECRET, FakeProvider
from hub_parts import needed
from hub_support import Hub, Person, until

needed("jupyterhub", "proxy")
WELL_KNOWN = "/.well-known/oauth-authorization-server"
USERINFO = {"openshift": "/apis/user.openshift.io/v1/users/~", "oidc": "/userinfo"}


@pytest.fixture(scope="module", params=["openshift", "oidc"])
def site(request, tmp_path_factory):
    provider, place = FakeProvider(), tmp_path_factory.mktemp(request.param) / "hub"
    login = {"kind": request.param, "client_id": "hub", "allowed_groups": ["team"], "auth_refresh_age": 1}
    if request.param == "openshift":
        login["openshift_url"] = provider.url
    else:
        login |= {"authorize_url": f"{provider.url}/oauth/authorize", "token_url": f"{provider.url}/oauth/token"}
        login["userdata_url"] = f"{provider.url}/userinfo"
    hub = Hub(place, login=login)
    hub.write("secrets/oauth-client-secret", SECRET)
    provider.fails[WELL_KNOWN] = 503  # the hub starts without its provider
    hub.start()
    yield hub, provider, request.param
    hub.stop()
    provider.stop()


@pytest.fixture
def on(site):
    hub, provider, kind = site
    provider.user, provider.groups, provider.denies, provider.secret = "jane", ["team"], False, SECRET
    provider.fails.clear()
    return hub, provider, kind


def test_provider_that_is_down_is_told_at_the_login(site):
    hub, provider, kind = site
    provider.fails = {WELL_KNOWN if kind == "openshift" else "/oauth/token": 503}
    said = Person(hub).ask("/hub/oauth_login")
    assert (said.status, "cannot be asked (HTTP 503): try again later" in said.said) == (503, True), said.said


def test_groups_grant_profiles_until_they_are_left(on):
    hub, provider, kind = on
    provider.user, provider.groups = "otto", ["team", "research"]
    person = Person(hub)
    assert person.ask("/hub/oauth_login").status == 200
    assert person.offered() == ["small", "large"]
    provider.fails[USERINFO[kind]] = 503
    kept = "The groups of otto stay as they were"
    until(lambda: person.offered() == ["small", "large"] and kept in hub.log.read_text(encoding="utf-8"))
    provider.fails.clear()
    provider.groups = ["team"]
    until(lambda: person.offered() == ["small"])
    provider.groups = []
    until(lambda: "/hub/login" in person.ask("/hub/home").url)


def test_who_is_in_no_allowed_group_is_refused(on):
    hub, provider, _kind = on
    provider.groups = ["others"]
    assert Person(hub).ask("/hub/oauth_login").status == 403


def test_provider_that_fails_is_told(on):
    hub, provider, kind = on
    for path in ("/oauth/token", USERINFO[kind]):
        provider.fails = {path: 500}
        said = Person(hub).ask("/hub/oauth_login")
        assert (said.status, "cannot be asked (HTTP 500)" in said.said) == (503, True), said.said


def test_wrong_secret_is_told(on):
    hub, provider, _kind = on
    provider.secret = "another"
    said = Person(hub).ask("/hub/oauth_login")
    assert (said.status, "refuses the hub (401)" in said.said) == (502, True), said.said


def test_refusals_and_strange_states_are_told(on):
    hub, provider, _kind = on
    provider.denies = True
    said = Person(hub).ask("/hub/oauth_login")
    assert (said.status, "access_denied" in said.said) == (400, True)
    strange = Person(hub).ask("/hub/oauth_callback?code=a&state=b")
    assert (strange.status, "OAuth state missing" in strange.said) == (400, True)


def test_the_secret_is_in_no_log(on):
    assert SECRET not in on[0].log.read_text(encoding="utf-8")
