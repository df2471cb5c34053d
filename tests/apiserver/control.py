# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test steers, for tests in another process: /_control/*, with the administrator's token only."""

from __future__ import annotations

import json
from dataclasses import asdict

from . import errors
from .http import Request, Response


def answer(server, request: Request) -> Response:
    if request.headers.get("Authorization") != f"Bearer {server.token}":
        raise errors.unauthorized()
    name = request.path.removeprefix("/_control/").strip("/")
    handler = _HANDLERS.get(name)
    if handler is None:
        raise errors.no_route()
    try:
        body = json.loads(request.body) if request.body.strip() else {}
        return Response.json(200, handler(server, request.method, request.query, body))
    except (KeyError, TypeError, ValueError) as problem:
        raise errors.bad_request(
            f"/_control/{name} does not take this: {type(problem).__name__}: {problem}"
        ) from problem


def _faults(server, method: str, _query: dict, body: dict):
    if method == "POST":
        return asdict(server.faults.add(**body))
    if method == "DELETE":
        server.faults.clear()
    return [asdict(fault) for fault in server.faults.all()]


def _journal(server, method: str, query: dict, _body: dict):
    if method == "DELETE":
        server.journal.clear()
    entries = server.journal.entries(query.get("match", ""), query.get("verb"))
    return {
        "count": len(entries),
        "writes": len(server.journal.writes()),
        "entries": [asdict(entry) for entry in entries],
    }


def _clock(server, method: str, _query: dict, body: dict):
    if method == "POST":
        if not hasattr(server.clock, "advance"):
            raise ValueError("the server runs on the real clock; start it with --clock manual")
        server.clock.advance(float(body["advance"]))
    return {"now": server.clock.now().isoformat()}


def _tokens(server, method: str, _query: dict, body: dict):
    if method == "POST" and "expire" in body:
        server.tokens.expire(body["expire"])
    elif method == "POST":
        user = body["user"]
        known = server.users.user(user) if user in server.users.accounts else user
        return {"token": server.tokens.issue(known, body.get("seconds"))}
    elif method == "DELETE":
        server.tokens.revoke(body["token"])
    return {}


def _users(server, method: str, _query: dict, body: dict):
    if method == "POST":
        return {"token": server.users.add(body["name"], body.get("groups", ()), body.get("password"))}
    return [{"name": name, "groups": list(account.groups)} for name, account in server.users.accounts.items()]


def _watches(server, method: str, _query: dict, _body: dict):
    if method == "DELETE":
        return {"cut": server.store.cut_watches()}
    return {"open": server.store.watch_count()}


def _compact(server, _method: str, _query: dict, _body: dict):
    return {"resourceVersion": str(server.store.compact())}


def _pods(server, method: str, _query: dict, body: dict):
    if method == "POST":
        server.pod_rules.add(body)
    elif method == "DELETE":
        server.pod_rules.clear()
    return server.pod_rules.all()


def _discovery(server, method: str, _query: dict, body: dict):
    if method == "POST":
        if "stale" in body:
            server.discovery.stale = set(body["stale"])
        server.discovery.aggregated = bool(body.get("aggregated", server.discovery.aggregated))
        server.rules_incomplete = bool(body.get("rulesIncomplete", server.rules_incomplete))
    return {
        "stale": sorted(server.discovery.stale),
        "aggregated": server.discovery.aggregated,
        "rulesIncomplete": server.rules_incomplete,
    }


def _certificate(server, _method: str, _query: dict, body: dict):
    certificate, key = server.authority.client(body["name"], tuple(body.get("groups", ())))
    return {"certificate": str(certificate), "key": str(key)}


_HANDLERS = {
    "certificates": _certificate,
    "clock": _clock,
    "compact": _compact,
    "discovery": _discovery,
    "faults": _faults,
    "journal": _journal,
    "pods": _pods,
    "tokens": _tokens,
    "users": _users,
    "watches": _watches,
}
