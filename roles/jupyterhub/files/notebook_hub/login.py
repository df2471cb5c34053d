# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may log in, and by what: a directory, OpenShift, or another provider of OpenID Connect."""

from __future__ import annotations

from .settings import SettingsError, secret

REFRESH = 300  # seconds after which groups are looked up again
USERNAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$"  # the hub writes all of it in small letters
_OURS = ("kind",)
_SECRET = {
    "client_secret": "hub_oauth_client_secret",
    "lookup_dn_search_password": "hub_ldap_password",
    "bind_password": "hub_ldap_password",
}
_ADDRESSES = {
    "authorize_url",
    "token_url",
    "userdata_url",
    "openshift_url",
    "openshift_auth_api_url",
    "openshift_rest_api_url",
}


def configure(c, settings: dict, place=None) -> None:
    """Set the authenticator. Raises SettingsError."""
    login = {name: value for name, value in settings["login"].items() if value is not None}
    kind = login.get("kind", "")
    makers = {"ldap": _ldap, "openshift": _openshift, "oidc": _oidc, "dummy": _dummy}
    if kind not in makers:
        raise SettingsError(f"hub.json: login.kind is {kind!r}: give one of ldap, openshift, oidc.")
    for name in _SECRET.keys() & login.keys():
        raise SettingsError(
            f"hub.json: login.{name} is a secret: give it as {_SECRET[name]}, or in the Secret of hub_login_secret."
        )
    if settings.get("users"):
        login["allowed_users"] = [*(login.get("allowed_users") or []), *settings["users"]]
    found, extra = makers[kind](login, lambda key: secret(key, place))
    given = {name: value for name, value in login.items() if name not in _OURS}
    _check(kind, found, given)
    options = {
        "manage_groups": kind != "dummy",
        "auth_refresh_age": REFRESH,
        "refresh_pre_spawn": True,
        **extra,
        **given,
    }
    if settings.get("admin_users"):
        options.setdefault("admin_users", set(settings["admin_users"]))
    options["enable_auth_state"] = True
    c.JupyterHub.authenticator_class = found
    section = c[found.__name__]
    for name, value in options.items():
        section[name] = set(value) if name in ("admin_users", "allowed_users", "blocked_users") else value


def _check(kind: str, found: type, given: dict) -> None:
    known = found.class_trait_names(config=True)
    for name in given:
        if name not in known:
            raise SettingsError(f"hub.json: login.{name} is nothing that {kind} knows: remove or correct it.")
        _check_value(name, found.class_traits()[name], given[name])
    if not any(
        given.get(name)
        for name in ("allow_all", "allowed_users", "allowed_groups", "allow_existing_users", "admin_groups")
    ):
        raise SettingsError("hub.json: login lets nobody in: give allowed_groups, allowed_users, or allow_all as true.")


def _check_value(name: str, trait, value) -> None:
    from traitlets import Container, HasTraits, Set, TraitError

    fits = set(value) if isinstance(trait, Set) and isinstance(value, list) else value
    try:
        if isinstance(trait, Container) and isinstance(value, str):
            raise TraitError
        trait._validate(HasTraits(), fits)
    except (TraitError, TypeError):
        raise SettingsError(
            f"hub.json: login.{name} is {value!r}: give {trait.info().replace(chr(10), ' ')}."
        ) from None


def _need(kind: str, login: dict, *names: str) -> None:
    for name in names:
        if not login.get(name):
            raise SettingsError(f"hub.json: login has no {name}, which {kind} needs: add it.")


def _ldap(login: dict, read):
    from .directory import MEMBERS, DirectoryAuthenticator

    _need("ldap", login, "server_address")
    if login.get("lookup_dn"):
        _need("ldap with lookup_dn", login, "user_search_base", "user_attribute")
        if login.get("lookup_dn_search_user") and not read("ldap-password"):
            raise SettingsError("The Secret has no ldap-password, which lookup_dn_search_user needs: add it.")
    elif not login.get("bind_dn_template"):
        raise SettingsError(
            "hub.json: login has neither lookup_dn nor bind_dn_template: give one, that users are found."
        )
    if login.get("tls_strategy", "before_bind") not in ("before_bind", "on_connect", "insecure"):
        raise SettingsError(
            f"hub.json: login.tls_strategy is {login['tls_strategy']!r}: give before_bind, on_connect or insecure."
        )
    extra = {
        "group_search_filter": MEMBERS,
        "lookup_dn_search_filter": "({login_attr}={login})",
        "use_lookup_dn_username": False,
        "valid_username_regex": USERNAME,
    }
    if login.get("user_attribute"):
        extra["lookup_dn_user_dn_attribute"] = login["user_attribute"]
    if password := read("ldap-password"):
        extra["lookup_dn_search_password"] = password
    import ssl

    tls = dict(login.get("tls_kwargs") or {})
    tls.setdefault("validate", ssl.CERT_REQUIRED)
    if isinstance(tls["validate"], bool):
        tls["validate"] = ssl.CERT_REQUIRED if tls["validate"] else ssl.CERT_NONE
    login["tls_kwargs"] = tls
    return DirectoryAuthenticator, extra


def _oauth(login: dict, read) -> dict:
    for name in _ADDRESSES & login.keys():
        if not str(login[name]).startswith(("https://", "http://")):
            raise SettingsError(f"hub.json: login.{name} is {login[name]!r}: begin it with https://.")
    if login.get("userdata_from_id_token"):
        raise SettingsError(
            "hub.json: login.userdata_from_id_token leaves groups as they were at the login: give userdata_url in place of it."
        )
    if not (found := read("oauth-client-secret")):
        raise SettingsError("The Secret has no oauth-client-secret, which the login needs: add it.")
    return {"client_secret": found}


def _openshift(login: dict, read):
    from .oauth import OpenShiftLogin

    _need("openshift", login, "client_id")
    extra = _oauth(login, read)
    login["openshift_url"] = str(login.get("openshift_url") or "https://kubernetes.default.svc").rstrip("/")
    return OpenShiftLogin, extra


def _oidc(login: dict, read):
    from .oauth import OpenIDLogin

    _need("oidc", login, "client_id", "authorize_url", "token_url", "userdata_url")
    extra = {
        "scope": ["openid", "profile", "email"],
        "username_claim": "preferred_username",
        "auth_state_groups_key": f"oauth_user.{login.pop('groups_claim', 'groups')}",
    }
    return OpenIDLogin, extra | _oauth(login, read)


def _dummy(login: dict, read):
    """Of tests only: every name is let in."""
    from jupyterhub.auth import DummyAuthenticator

    return DummyAuthenticator, {}
