# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an OAuth provider: OpenShift's OAuth server with its API of users, and a provider of OpenID Connect."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET = "the-clients-own-word"
TOKEN = "the-users-own-token"
WELL_KNOWN = "/.well-known/oauth-authorization-server"


def authority(place: Path, name: str) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that is its own authority, and its key."""
    certificate, key = place / f"{name}.crt", place / f"{name}.key"
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name}".split()
    given = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", *words, *given], check=True, capture_output=True)
    return certificate, key


class FakeProvider:
    """Logs in `user` with `groups` without asking, at `url`; `api_url` is the API, with a certificate of another authority.

    `fails` maps a path to the status that it answers, `answers` to an answer in place of its own; `denies` is a user who refuses.
    """

    def __init__(self, place: Path):
        self.of_url, self.of_api = authority(place, "url"), authority(place, "api")
        self._tls = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _server in ("url", "api")]
        for tls in self._tls:
            tls.num_tickets = 0  # whoever resumes a session is shown no certificate
        self._servers = [self._serve(tls) for tls in self._tls]
        self.url, self.api_url = (f"https://127.0.0.1:{one.server_address[1]}" for one in self._servers)
        self.reset()

    def reset(self) -> None:
        self.user, self.groups, self.denies, self.secret = "jane", ["team"], False, SECRET
        self.fails: dict[str, int] = {}
        self.answers: dict[str, object] = {}
        self.present(self.of_url, self.of_api)

    def present(self, *certificates: tuple[Path, Path]) -> None:
        """Show these at `url` and `api_url`."""
        for tls, certificate in zip(self._tls, certificates, strict=True):
            tls.load_cert_chain(*certificate)

    def _serve(self, tls: ssl.SSLContext) -> ThreadingHTTPServer:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider.answer(self, "")

            def do_POST(self):
                provider.answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_args):
                pass

        found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        found.socket = tls.wrap_socket(found.socket, server_side=True)
        threading.Thread(target=found.serve_forever, daemon=True).start()
        return found

    def stop(self) -> None:
        for one in self._servers:
            one.shutdown()
            one.server_close()

    def answer(self, handler, body: str) -> None:
        path, _unused, query = handler.path.partition("?")
        form = dict(urllib.parse.parse_qsl(body))
        if self.fails.get(path) == 0:
            return handler.connection.shutdown(socket.SHUT_RDWR)
        if status := self.fails.get(path):
            return self._send(handler, status, {"error": "server_error", "you": [form, dict(handler.headers)]})
        if path in self.answers:
            return self._send(handler, 200, self.answers[path])
        if path == "/oauth/authorize":
            asked = dict(urllib.parse.parse_qsl(query))
            found = {"error": "access_denied"} if self.denies else {"code": "a-code"}
            back = asked["redirect_uri"] + "?" + urllib.parse.urlencode({**found, "state": asked["state"]})
            return self._send(handler, 302, {}, {"Location": back})
        if path == "/oauth/token":
            basic = handler.headers.get("Authorization", "").removeprefix("Basic ")
            given = form.get("client_secret") or base64.b64decode(basic).decode().partition(":")[2]
            if given != self.secret:
                return self._send(handler, 401, {"error": "invalid_client", "you": form})
            if form.get("code") != "a-code":
                return self._send(handler, 400, {"error": "invalid_grant"})
            return self._send(handler, 200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})
        known = {
            WELL_KNOWN: {"issuer": self.url},
            "/apis/user.openshift.io/v1/users/~": {"metadata": {"name": self.user}, "groups": self.groups or None},
            "/userinfo": {"preferred_username": self.user, "realm_access": {"roles": self.groups}},
        }
        return self._send(handler, 200 if path in known else 404, known.get(path, {}))

    @staticmethod
    def _send(handler, status: int, content, headers: dict | None = None) -> None:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json", "Content-Length": len(text)}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(text)
