# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a request is from: bearer tokens, service account tokens, client certificates, impersonation."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from . import errors
from .values import timestamp

ISSUER = "https://kubernetes.default.svc"
ANONYMOUS_GROUP, AUTHENTICATED_GROUP = "system:unauthenticated", "system:authenticated"


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def info(self) -> dict:
        """authentication.k8s.io UserInfo."""
        found = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        if self.extra:
            found["extra"] = {key: list(values) for key, values in self.extra}
        return {key: value for key, value in found.items() if value}


ANONYMOUS = User("system:anonymous", (ANONYMOUS_GROUP,))
SYSTEM = User("system:apiserver", ("system:masters", AUTHENTICATED_GROUP))


def user_named(name: str, groups: tuple[str, ...] = ()) -> User:
    """The user with the groups that the name implies."""
    parts = name.split(":")
    if name.startswith("system:serviceaccount:") and len(parts) == 4:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", *groups)
    return User(name, tuple(dict.fromkeys((*groups, AUTHENTICATED_GROUP))))


@dataclass
class Token:
    user: User
    expires: datetime | None = None
    audiences: tuple[str, ...] = (ISSUER,)
    bound: tuple[str, str, str, str] | None = None  # plural, namespace, name, uid of what it lives as long as


class Tokens:
    """Every token that the server accepts. Only this process knows them; nothing can be forged from outside."""

    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}

    def issue(self, user: User | str, seconds: float | None = None, text: str | None = None, **more) -> str:
        """A new token for the user; `seconds` limit its life."""
        user = user_named(user) if isinstance(user, str) else user
        expires = self._clock.now() + timedelta(seconds=seconds) if seconds is not None else None
        text = text or "sha256~" + secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[text] = Token(user, expires, **more)
        return text

    def expire(self, text: str) -> None:
        """From now on the token is answered with 401."""
        with self._lock:
            self._tokens[text].expires = self._clock.now()

    def revoke(self, text: str) -> None:
        with self._lock:
            self._tokens.pop(text, None)

    def find(self, text: str) -> Token | None:
        """The token, if it is still good."""
        token = self._tokens.get(text)
        if token is None or (token.expires is not None and token.expires <= self._clock.now()):
            return None
        return token

    def by_hash(self, name: str) -> str | None:
        """The text of the OAuth token whose API object has this name (sha256~ and the hash of the rest)."""
        return next((text for text in list(self._tokens) if oauth_name(text) == name), None)

    def of_user(self, user: str) -> list[str]:
        return [text for text, token in list(self._tokens.items()) if token.user.name == user]


def oauth_name(text: str) -> str:
    digest = hashlib.sha256(text.removeprefix("sha256~").encode()).digest()
    return "sha256~" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class Account:
    groups: tuple[str, ...] = ()
    password: str | None = None


@dataclass
class Users:
    """People, as an identity provider would know them."""

    tokens: Tokens
    accounts: dict[str, Account] = field(default_factory=dict)

    def add(self, name: str, groups: tuple[str, ...] | list[str] = (), password: str | None = None) -> str:
        """Make the user known; returns a token that does not expire."""
        self.accounts[name] = Account(tuple(groups), password)
        return self.tokens.issue(self.user(name))

    def user(self, name: str) -> User:
        account = self.accounts[name]
        return user_named(name, (*account.groups, "system:authenticated:oauth"))

    def check(self, name: str, password: str) -> User | None:
        account = self.accounts.get(name)
        good = account is not None and account.password is not None
        return self.user(name) if good and secrets.compare_digest(account.password, password) else None


def _segment(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def service_account_token(server, namespace: str, name: str, spec: dict) -> dict:
    """Answer a TokenRequest: its status, with the token and its expiry."""
    account = server.system.get("serviceaccounts", namespace, name)
    seconds = int(spec.get("expirationSeconds") or 3600)
    if seconds < 600:
        why, kind = "may not specify a duration less than 10 minutes", ("authentication.k8s.io", "TokenRequest", "")
        raise errors.bad_field(*kind, "invalid", "spec.expirationSeconds", seconds, why)
    user = user_named(f"system:serviceaccount:{namespace}:{name}")
    user = User(user.name, user.groups, account["metadata"]["uid"])
    audiences = tuple(spec.get("audiences") or (ISSUER,))
    bound = ("serviceaccounts", namespace, name, account["metadata"]["uid"])
    reference = spec.get("boundObjectRef") or {}
    if reference.get("kind") in ("Pod", "Secret"):
        plural = reference["kind"].lower() + "s"
        target = server.system.get(plural, namespace, reference["name"])
        bound = (plural, namespace, reference["name"], target["metadata"]["uid"])
    now = server.clock.now()
    start = int(now.timestamp())
    claims = {
        **{"iss": ISSUER, "sub": user.name, "aud": list(audiences), "jti": secrets.token_hex(8)},
        **{"iat": start, "nbf": start, "exp": start + seconds},
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": user.uid}},
    }
    text = ".".join((_segment({"alg": "RS256", "kid": "stand-in"}), _segment(claims), secrets.token_urlsafe(32)))
    server.tokens.issue(user, seconds, text, audiences=audiences, bound=bound)
    return {"token": text, "expirationTimestamp": timestamp(now + timedelta(seconds=seconds))}


def _alive(server, token: Token) -> bool:
    if token.bound is None:
        return True
    plural, namespace, name, uid = token.bound
    found = server.store.find(server.registry.named(plural), namespace, name)
    return found is not None and found.obj["metadata"]["uid"] == uid


def check_token(server, text: str, audiences: tuple[str, ...] = (ISSUER,)) -> User | None:
    """The user of a good token that is meant for one of the audiences."""
    token = server.tokens.find(text)
    if token is None or not _alive(server, token) or not set(audiences) & set(token.audiences):
        return None
    return token.user


def authenticate(server, headers, certificate: dict | None) -> User:
    """The user of the request, before impersonation; 401 for credentials that are not good (any more)."""
    scheme, _unused, text = (headers.get("Authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and text.strip():
        user = check_token(server, text.strip())
        if user is None:
            raise errors.unauthorized()
        return user
    if certificate:
        subject = [pair for part in certificate.get("subject", ()) for pair in part]
        names = [value for key, value in subject if key == "commonName"]
        if names:
            groups = tuple(value for key, value in subject if key == "organizationName")
            return User(names[0], (*groups, AUTHENTICATED_GROUP))
    return ANONYMOUS


def impersonate(server, user: User, headers) -> User:
    """The user that the Impersonate-* headers name, if `user` may impersonate it."""
    name = headers.get("Impersonate-User")
    groups = headers.get_all("Impersonate-Group") or []
    if not name:
        if groups or headers.get("Impersonate-Uid"):
            raise errors.internal("requested impersonation without impersonating a user")
        return user
    parts = name.split(":")
    if name.startswith("system:serviceaccount:") and len(parts) == 4:
        server.rbac.require(user, "impersonate", "", "serviceaccounts", parts[2], parts[3])
    else:
        server.rbac.require(user, "impersonate", "", "users", None, name)
    for group in groups:
        server.rbac.require(user, "impersonate", "", "groups", None, group)
    extra = {}
    for header in headers:
        if header.lower().startswith("impersonate-extra-"):
            key = header[len("impersonate-extra-") :].lower()
            for value in headers.get_all(header):
                server.rbac.require(user, "impersonate", "authentication.k8s.io", "userextras", None, value, key)
            extra[key] = tuple(headers.get_all(header))
    if name == ANONYMOUS.name:
        return ANONYMOUS
    implied = user_named(name, tuple(groups))
    return User(name, implied.groups, headers.get("Impersonate-Uid") or "", tuple(extra.items()))


def token_review(server, obj: dict) -> dict:
    spec = obj.get("spec") or {}
    audiences = tuple(spec.get("audiences") or (ISSUER,))
    user = check_token(server, spec.get("token", ""), audiences)
    if user is None:
        return {**obj, "status": {"user": {}, "error": "[invalid bearer token, token lookup failed]"}}
    return {**obj, "status": {"authenticated": True, "user": user.info(), "audiences": list(audiences)}}


def self_subject_review(user: User, obj: dict) -> dict:
    return {**obj, "status": {"userInfo": user.info()}}


def oauth_token_objects(server, user: str) -> list[dict]:
    """useroauthaccesstokens of one user, as oauth.openshift.io shows them."""
    names = [oauth_name(text) for text in server.tokens.of_user(user) if text.startswith("sha256~")]
    return [
        {
            "apiVersion": "oauth.openshift.io/v1",
            "kind": "UserOAuthAccessToken",
            "metadata": {"name": name},
            "userName": user,
            "userUID": "",
            "clientName": "openshift-challenging-client",
        }
        for name in names
    ]
