# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an OAuth provider: OpenShift's OAuth server with its API of users, and a provider of OpenID Connect."""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "the-clients-own-word"


class FakeProvider:
    """Logs in `user` with `groups` without asking; `fails` maps a path to the status that it answers, `denies` is a user who refuses."""

    def __init__(self):
        self.user, self.groups, self.fails, self.denies, self.secret = "rose", [], {}, False, SECRET
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider.answer(self, "")

            def do_POST(self):
                provider.answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler, body: str) -> None:
        path, _unused, query = handler.path.partition("?")
        if status := self.fails.get(path):
            return self._send(handler, status, {"error": "of the test"})
        if path == "/oauth/authorize":
            asked = dict(urllib.parse.parse_qsl(query))
            found = {"error": "access_denied"} if self.denies else {"code": "a-code"}
            back = asked["redirect_uri"] + "?" + urllib.parse.urlencode({**found, "state": asked["state"]})
            return self._send(handler, 302, {}, {"Location": back})
        if path == "/oauth/token":
            form = dict(urllib.parse.parse_qsl(body))
            basic = handler.headers.get("Authorization", "").removeprefix("Basic ")
            given = form.get("client_secret") or base64.b64decode(basic).decode().partition(":")[2]
            if given != self.secret:
                return self._send(handler, 401, {"error": "invalid_client"})
            return self._send(handler, 200, {"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600})
        known = {
            "/.well-known/oauth-authorization-server": {"issuer": self.url},
            "/apis/user.openshift.io/v1/users/~": {"metadata": {"name": self.user}, "groups": self.groups},
            "/userinfo": {"preferred_username": self.user, "groups": self.groups},
        }
        return self._send(handler, 200 if path in known else 404, known.get(path, {}))

    @staticmethod
    def _send(handler, status: int, content: dict, headers: dict | None = None) -> None:
        text = json.dumps(content).encode()
        handler.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json", "Content-Length": len(text)}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(text)
