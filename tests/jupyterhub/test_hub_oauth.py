# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins by OpenShift and by OpenID Connect, against a real hub and a stand-in for the provider."""

from __future__ import annotations

import base64
import urllib.error
import urllib.parse
import urllib.request

import pytest
from fake_provider import SECRET, TOKEN, WELL_KNOWN, FakeProvider, authority
from hub_parts import needed
from hub_support import Hub, Person, until

needed("jupyterhub", "proxy")
USERINFO = {"openshift": "/apis/user.openshift.io/v1/users/~", "oidc": "/userinfo"}
NAMED = {"openshift": "OpenShift", "oidc": "The company"}
CLUSTER = """
import sys
from pathlib import Path
from notebook_hub.oauth import OpenShiftLogin
OpenShiftLogin.authorities = (Path({!r}),)
sys.modules["pycurl"] = None
"""


@pytest.fixture(scope="module", params=["openshift", "oidc"])
def site(request, tmp_path_factory):
    place, kind = tmp_path_factory.mktemp(request.param), request.param
    provider = FakeProvider(place)
    login = {"kind": kind, "client_id": "hub", "allowed_groups": ["team"], "auth_refresh_age": 1}
    if kind == "openshift":
        login["openshift_url"] = f"{provider.api_url}/"
    else:
        login |= {"authorize_url": f"{provider.url}/oauth/authorize", "token_url": f"{provider.url}/oauth/token"}
        login |= {"userdata_url": f"{provider.url}/userinfo", "groups_claim": "realm_access.roles"}
        login["login_service"] = NAMED[kind]
    hub = Hub(place / "hub", login=login)
    hub.write("secrets/oauth-client-secret", SECRET)
    if kind == "openshift":  # and as in an image without pycurl
        hub.write("jupyterhub_config.d/20-cluster.py", CLUSTER.format(str(provider.of_api[0])))
    hub.authority = str(provider.of_url[0])
    hub.environment["SSL_CERT_FILE"] = hub.authority  # as of hub_ca_config_map
    provider.fails[WELL_KNOWN] = 503  # the hub starts without its provider
    hub.start()
    yield hub, provider, kind
    hub.stop()
    provider.stop()


@pytest.fixture
def on(site):
    site[1].reset()
    return site


def told(hub: Hub, path: str = "/hub/oauth_login") -> tuple[int, str]:
    answer = Person(hub).ask(path)
    return answer.status, answer.said


def test_provider_that_is_down_is_told_at_the_login(site):
    hub, provider, kind = site
    provider.fails = {WELL_KNOWN if kind == "openshift" else "/oauth/token": 503}
    status, said = told(hub)
    assert (status, f"{NAMED[kind]} cannot be asked (HTTP 503): try again later" in said) == (503, True), said


@pytest.mark.parametrize("answer", [b"<html>", [], {}, {"issuer": 1}], ids=str)
def test_api_that_does_not_name_its_oauth_server_is_told(site, answer):
    hub, provider, kind = site
    if kind != "openshift":
        pytest.skip("only OpenShift is asked where its OAuth server is")
    provider.reset()
    provider.answers = {WELL_KNOWN: answer}
    status, said = told(hub)
    assert (status, f"OpenShift cannot be asked ({provider.api_url}{WELL_KNOWN} answers" in said) == (503, True), said


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


def test_group_that_is_left_grants_nothing_at_the_next_start(on):
    hub, provider, _kind = on
    provider.user, provider.groups = "rosa", ["team", "research"]
    person = Person(hub)
    assert person.ask("/hub/oauth_login").status == 200
    provider.groups = ["team"]
    answer = person.ask("/hub/api/users/rosa/server", body={"profile": "large"}, method="POST")
    assert (answer.status, "not granted to rosa" in answer.text) == (403, True), answer.text


def test_session_outlives_strange_answers_and_ends_with_its_token(on):
    hub, provider, kind = on
    provider.user = "olga"
    person = Person(hub)
    assert person.ask("/hub/oauth_login").status == 200
    for strange in ({}, [], b"<html>"):
        provider.answers = {USERINFO[kind]: strange}
        before = hub.log.read_text(encoding="utf-8").count("The groups of olga stay")
        until(lambda b=before: _stays(person, hub, b))
    provider.reset()
    provider.fails = {USERINFO[kind]: 401}
    until(lambda: "/hub/login" in person.ask("/hub/home").url)


def _stays(person: Person, hub: Hub, before: int) -> bool:
    assert person.offered() == ["small"]
    return hub.log.read_text(encoding="utf-8").count("The groups of olga stay") > before


def test_who_is_in_no_allowed_group_is_refused(on):
    hub, provider, _kind = on
    provider.groups = ["others"]
    status, said = told(hub)
    assert (status, "you are not currently authorized to use this hub" in said) == (403, True), said


def test_one_group_may_be_a_text_and_is_no_list_of_letters(on):
    hub, provider, kind = on
    provider.groups, provider.user = "team", "tess"
    assert told(hub)[0] == 200
    provider.groups = "research"
    assert told(hub)[0] == 403


@pytest.mark.parametrize(("status", "words"), [(500, "HTTP 500): try again later"), (0, "")], ids=["fails", "hangs up"])
def test_provider_that_fails_is_told(on, status, words):
    hub, provider, kind = on
    for path in ("/oauth/token", USERINFO[kind]):
        provider.fails = {path: status}
        found, said = told(hub)
        assert (found, f"{NAMED[kind]} cannot be asked ({words}" in said) == (503, True), said


def test_wrong_secret_is_told(on):
    hub, provider, kind = on
    provider.secret = "another"
    status, said = told(hub)
    assert (status, f"{NAMED[kind]} refuses the hub (invalid_client)" in said) == (502, True), said
    assert "hub_oauth_client_secret" in said


def test_user_info_that_is_refused_is_told(on):
    hub, provider, kind = on
    provider.fails = {USERINFO[kind]: 403}
    status, said = told(hub)
    assert (status, f"{NAMED[kind]} does not tell the hub who you are (HTTP 403)" in said) == (502, True), said


@pytest.mark.parametrize("answer", [{}, [], b"<html>", {"metadata": {}}, {"preferred_username": 7}], ids=str)
def test_user_info_without_a_name_is_told(on, answer):
    hub, provider, kind = on
    provider.answers = {USERINFO[kind]: answer}
    status, said = told(hub)
    assert status in (502, 503) and f"Nobody can log in at the moment, {NAMED[kind]}" in said, said
    if isinstance(answer, dict):
        claim = {"openshift": "metadata.name", "oidc": "preferred_username"}[kind]
        assert (status, f"does not tell the hub who you are (there is no {claim})" in said) == (502, True), said


@pytest.mark.parametrize("answer", [{}, [], b"<html>", {"error": "odd"}], ids=str)
def test_answer_without_a_token_is_told(on, answer):
    hub, provider, kind = on
    provider.answers = {"/oauth/token": answer}
    status, said = told(hub)
    assert (status, f"{NAMED[kind]} cannot be asked ({provider.url}/oauth/token answers" in said) == (503, True), said


def test_certificate_that_nobody_knows_is_told(on, tmp_path):
    hub, provider, kind = on
    person, other = Person(hub), authority(tmp_path, "other")
    query = urllib.parse.urlencode({"code": "a-code", "state": _begin(person)})
    provider.present(other, other)
    answer = person.ask(f"/hub/oauth_callback?{query}")
    assert (answer.status, "gives its authority in hub_ca_config_map" in answer.said) == (503, True), answer.said
    assert f"{NAMED[kind]} cannot be asked (its certificate is not trusted: " in answer.said


def test_refusal_is_told(on):
    hub, provider, kind = on
    provider.denies = True
    status, said = told(hub)
    assert (status, f"{NAMED[kind]} has refused the login (access_denied)" in said) == (400, True), said


@pytest.mark.parametrize("state", [None, "b", "MQ==", "é", "e30="], ids=str)
def test_strange_state_is_told(on, state):
    hub, _provider, _kind = on
    query = urllib.parse.urlencode({"code": "a-code"} | ({} if state is None else {"state": state}))
    assert "log in again" in told(hub, f"/hub/oauth_callback?{query}")[1]
    person = Person(hub)
    _begin(person)
    answer = person.ask(f"/hub/oauth_callback?{query}")
    assert (answer.status, "log in again" in answer.said) == (400, True), answer.said


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def _begin(person: Person) -> str:
    """Begin a login without ending it, and return its state."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(person.cookies), _Stay)
    with pytest.raises(urllib.error.HTTPError) as sent:
        opener.open(f"{person.hub.url}/hub/oauth_login")
    return urllib.parse.parse_qs(urllib.parse.urlparse(sent.value.headers["Location"]).query)["state"][0]


def test_code_that_was_used_is_told(on):
    person = Person(on[0])
    query = urllib.parse.urlencode({"code": "an-old-code", "state": _begin(person)})
    answer = person.ask(f"/hub/oauth_callback?{query}")
    assert (answer.status, "log in again" in answer.said) == (400, True), answer.said


def test_the_secret_and_the_token_are_in_no_log(on):
    text = on[0].log.read_text(encoding="utf-8")
    for word in (SECRET, TOKEN, base64.b64encode(f"hub:{SECRET}".encode()).decode()):
        assert word not in text
