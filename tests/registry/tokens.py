# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the token service of a registry: signs what the real registry then verifies.

It follows docker's "Token Authentication Specification" and "OAuth2 Token Authentication", as far as a pull needs.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from .servers import Handler, serving

SERVICE, ISSUER = "registry-of-the-test", "tokens-of-the-test"


class Tokens:
    """realm: its address. requests: (method, parameters, Authorization) of each. first: answers that go before all others.

    login: the only (user, password). refresh: the only identity token. Without either, `public/...` may be pulled.
    """

    refresh = "identity-of-the-test"

    def __init__(self, certificate: tuple[Path, Path], login: tuple[str, str]):
        chain, key = certificate
        found = x509.load_pem_x509_certificate(chain.read_bytes())
        self._chain = base64.b64encode(found.public_bytes(serialization.Encoding.DER)).decode()
        self._key = serialization.load_pem_private_key(key.read_bytes(), None)
        self._login = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        self.realm = ""
        self.requests: list[tuple[str, dict, str | None]] = []
        self.first: list[tuple[int, dict]] = []

    @contextlib.contextmanager
    def serving(self):
        """Serve; then `realm` is set."""
        tokens = self

        class Service(Handler):
            def do_GET(self):
                self._reply(urlsplit(self.path).query)

            def do_POST(self):
                self._reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def _reply(self, text):
                asked = {name: values[0] for name, values in parse_qs(text).items()}
                authorization = self.headers.get("Authorization")
                tokens.requests.append((self.command, asked, authorization))
                if tokens.first:
                    self.answer(*tokens.first.pop(0))
                elif (
                    authorization not in (None, tokens._login)
                    or asked.get("refresh_token", tokens.refresh) != tokens.refresh
                ):
                    self.answer(401, {})
                else:
                    known = bool(authorization or asked.get("refresh_token"))
                    name = "access_token" if self.command == "POST" else "token"
                    body = json.dumps({name: tokens.signed(asked.get("scope", ""), known)}).encode()
                    self.answer(200, {"Content-Type": "application/json"}, body)

        with serving(Service) as host:
            self.realm = f"http://{host}/token"
            yield self

    def signed(self, scope: str, known: bool) -> str:
        """Return a token for that of a scope which is granted."""
        kind, _colon, rest = scope.partition(":")
        name, _colon, actions = rest.rpartition(":")
        granted = actions.split(",") if known else ["pull"] if name.startswith("public/") else []
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": "", "aud": SERVICE, "iat": now, "nbf": now - 60, "exp": now + 600, "jti": "1",
            "access": [{"type": kind, "name": name, "actions": granted}] if granted else [],
        }  # fmt: skip
        head = {"typ": "JWT", "alg": "ES256", "x5c": [self._chain]}
        text = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
