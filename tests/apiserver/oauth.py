# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenShift's OAuth server, as far as a login by user name and password goes (implicit and code flow)."""

from __future__ import annotations

import base64
import secrets
from urllib.parse import parse_qsl, quote

from . import errors
from .auth import User
from .http import Request, Response

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="openshift"'}
_LIFETIME = 86400
_SCOPES = ("check-access", "full", "info", "list-projects", "list-scoped-projects")


def answer(server, request: Request) -> Response:
    if server.profile != "openshift":
        raise errors.no_route()
    request.verb = request.method.lower()
    if request.path == "/.well-known/oauth-authorization-server":
        return _metadata(server)
    if request.path == "/oauth/authorize":
        return _authorize(server, request)
    if request.path == "/oauth/token" and request.method == "POST":
        return _token(server, request)
    if request.path == "/oauth/token/implicit":
        return Response(200, b"", "text/html")
    raise errors.no_route()


def _metadata(server) -> Response:
    found = {
        "issuer": server.url,
        "authorization_endpoint": f"{server.url}/oauth/authorize",
        "token_endpoint": f"{server.url}/oauth/token",
        "scopes_supported": [f"user:{scope}" for scope in _SCOPES],
        "response_types_supported": ["code", "token"],
        "grant_types_supported": ["authorization_code", "implicit"],
        "code_challenge_methods_supported": ["plain", "S256"],
    }
    return Response.json(200, found)


def _basic(server, request: Request) -> User | None:
    scheme, _unused, text = (request.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _unused, password = base64.b64decode(text).decode().partition(":")
    except ValueError:
        return None
    return server.users.check(name, password)


def _authorize(server, request: Request) -> Response:
    user = _basic(server, request)
    if user is None:
        if not request.headers.get("X-Csrf-Token") and not request.headers.get("Authorization"):
            why = "A non-empty X-CSRF-Token header is required to receive basic-auth challenges"
            return Response(401, b"", "text/plain", {"Warning": f'199 Origin "{why}"'})
        return Response(401, b"", "text/plain", _CHALLENGE)
    request.user = user
    query = request.query
    back = query.get("redirect_uri") or f"{server.url}/oauth/token/implicit"
    state = f"&state={quote(query['state'])}" if query.get("state") else ""
    if query.get("response_type") == "token":
        text = server.tokens.issue(user, _LIFETIME)
        where = f"{back}#access_token={quote(text)}&expires_in={_LIFETIME}&scope=user%3Afull&token_type=Bearer{state}"
    else:
        where = f"{back}?code={quote(_code(server, user))}{state}"
    return Response(302, b"", "text/plain", {"Location": where})


def _code(server, user: User) -> str:
    """Good for one exchange."""
    code = "sha256~" + secrets.token_urlsafe(24)
    server.codes[code] = user
    return code


def _token(server, request: Request) -> Response:
    form = {**dict(parse_qsl(request.body.decode())), **request.query}
    by_code = form.get("grant_type", "authorization_code") == "authorization_code"
    user = server.codes.pop(form.get("code", ""), None) if by_code else None
    if user is None:
        why = "The client is not authorized to request a token using this method."
        return Response.json(400, {"error": "unauthorized_client", "error_description": why})
    request.user = user
    answer = {"access_token": server.tokens.issue(user, _LIFETIME), "expires_in": _LIFETIME}
    return Response.json(200, {**answer, "scope": "user:full", "token_type": "Bearer"})
