# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry says of an image: its digest and its configuration, asked from this machine.

Reads only, as the OCI distribution specification has it ("Pull") and docker's "Token Authentication Specification".
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import re
from urllib.parse import urlencode, urlsplit

from ...values.errors import EngineError
from .base import BaseImage, by_digest, configuration
from .logins import Login, find_login
from .name import Name
from .transport import Answer, NotTls, OutOfReach, Refused, Transport, host_of, is_loopback, origin

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_ACCEPT = {"Accept": ", ".join((*_INDEXES, *_MANIFESTS))}
_LIMIT = 4 * 1024 * 1024  # bytes: what registries take for a manifest
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # of uname -> of Go, where they differ
_CHALLENGE = re.compile(
    r'(?:^|,)\s*(bearer|basic)\s+((?:\w+=(?:"[^"]*"|[^\s",]*)(?:\s*,\s*(?=\w+=))?)*)', re.IGNORECASE
)
_CLIENT = "mlops.notebooks"
_REJECTED = "{} does not accept the login that was found for it"


def inspect(reference: str, *, auth: dict | None = None) -> BaseImage:
    """Return the image that a reference stands for now; of an index the digest is the index's own, which pods pull.

    auth: the content of a ``.dockerconfigjson``, beside the login files of this machine.
    Raises EngineError (``builder_image_unavailable``; ``network_unavailable`` where another try may help).
    """
    try:
        registry = _Registry(Name.of(reference), auth)
        digest, document = registry.manifest(registry.name.what)
        config = registry.config(document)
    except Refused as error:
        raise _unavailable(reference, error) from None
    return BaseImage(by_digest(registry.name.full, digest), digest, **configuration({"Config": config}))


def digest_of(reference: str, *, auth: dict | None = None) -> str | None:
    """Return the digest that a tag has now, None where the registry has no such tag, image or digest.

    auth and errors: as of ``inspect``.
    """
    try:
        registry = _Registry(Name.of(reference), auth)
        return registry.digest(registry.name.what)
    except Refused as error:
        raise _unavailable(reference, error) from None


def _unavailable(reference: str, error: Refused) -> EngineError:
    return EngineError(
        f"The image {reference} cannot be read from its registry ({error}): {error.advice}.", code=error.code
    )


class _Missing(Refused):
    """The registry has no such thing."""


class _Registry:
    """One repository of a registry, for some requests."""

    def __init__(self, name: Name, auth: dict | None):
        self.name = name
        self._auth = auth
        self._transport = Transport(plain=is_loopback(urlsplit(f"//{name.host}").hostname))
        host = "registry-1.docker.io" if name.host == "docker.io" else name.host
        self._base = f"https://{host}"
        self._authorization: str | None = None

    def digest(self, what: str) -> str | None:
        """Return the digest of a manifest as the registry says it, else of its content."""
        path = f"manifests/{what}"
        try:
            answer = self._read("HEAD", path, _ACCEPT)
            said = answer.headers.get("Docker-Content-Digest", "")
            # Some registries do not answer HEAD, or not in full.
            return said if answer.status == 200 and _DIGEST.fullmatch(said) else self.manifest(what)[0]
        except _Missing:
            return None

    def manifest(self, what: str) -> tuple[str, dict]:
        """Return digest and document of a manifest or index."""
        answer = self._read("GET", f"manifests/{what}", _ACCEPT)
        digest = "sha256:" + hashlib.sha256(answer.body).hexdigest()
        _verify(answer, what if _DIGEST.fullmatch(what) else answer.headers.get("Docker-Content-Digest", digest))
        return digest, _document(answer)

    def config(self, document: dict) -> dict:
        """Return the configuration of an image, of an index that for Linux on amd64 if there is one."""
        if isinstance(document.get("manifests"), list):
            document = self.manifest(_choose(document["manifests"]))[1]
        found = document.get("config")
        if not isinstance(found, dict) or found.get("mediaType") not in _CONFIGS:
            raise _wrong("it is not a container image of a format that is in use")
        answer = self._read("GET", f"blobs/{_digest_in(found)}", {})
        _verify(answer, found["digest"])
        return _document(answer).get("config") or {}

    def _read(self, method: str, path: str, headers: dict) -> Answer:
        """Send a request below the repository, once more with a login where the registry wants one."""
        path = f"/v2/{self.name.repository}/{path}"
        answer = self._send(method, path, headers)
        # Another host that answered after a redirect is told no login.
        if answer.status == 401 and origin(answer.url) == origin(self._base):
            self._authorization = self._authorize(answer.headers.get("WWW-Authenticate", ""))
            answer = self._send(method, path, headers)
            if answer.status == 401 and self._authorization.startswith("Basic"):
                raise _denied(_REJECTED.format(self.name.host))
        return _accepted(answer, method)

    def _send(self, method: str, path: str, headers: dict) -> Answer:
        if self._authorization:
            headers = {**headers, "Authorization": self._authorization}
        try:
            return self._transport.send(method, self._base + path, headers, _LIMIT)
        except NotTls:
            if not self._transport.plain:
                raise
        self._base = self._base.replace("https://", "http://", 1)
        return self._transport.send(method, self._base + path, headers, _LIMIT)

    def _authorize(self, challenge: str) -> str:
        """Return the header that answers a challenge. Raises Refused where there is no login, or the realm takes it not."""
        login = find_login(self.name.host, self.name.repository, self._auth)
        wanted = {scheme.lower(): _parameters(rest) for scheme, rest in _CHALLENGE.findall(challenge)}
        if "bearer" in wanted:
            return f"Bearer {self._token(wanted['bearer'], login)}"
        if "basic" not in wanted or login is None or not login.user:
            raise _denied(f"{self.name.host} wants a login, and none was found that serves")
        return _basic(login)

    def _token(self, asked: dict[str, str], login: Login | None) -> str:
        """Fetch a token for this repository from the realm, as the user or, without a login, as nobody."""
        realm = asked.get("realm", "")
        query = {"scope": asked.get("scope") or f"repository:{self.name.repository}:pull"}
        if asked.get("service"):
            query["service"] = asked["service"]
        if login and login.identity_token:
            form = {**query, "grant_type": "refresh_token", "refresh_token": login.identity_token, "client_id": _CLIENT}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._transport.send("POST", realm, headers, _LIMIT, urlencode(form))
        else:
            headers = {"Authorization": _basic(login)} if login else {}
            url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
            answer = self._transport.send("GET", url, headers, _LIMIT)
        if 400 <= answer.status < 429:  # a 404 of the realm, too, says nothing of the image
            raise _denied((_REJECTED if login else "{} gives no token without a login").format(self.name.host))
        document = _document(_accepted(answer, "GET"))
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str):
            raise _wrong(f"{host_of(realm)} gave no token")
        return token


def _accepted(answer: Answer, method: str) -> Answer:
    """Return an answer that can be used. Raises Refused for any other."""
    host, status = host_of(answer.url), answer.status
    if status == 200 or (method == "HEAD" and status not in (401, 403, 404, 429) and status < 500):
        return answer
    if status == 404:
        raise _Missing("the registry has no such image or tag", "correct the name")
    if status in (401, 403):
        raise _denied(f"{host} has no such image, or this login may not read it")
    if status == 429:
        raise Refused(f"{host} has had too many requests from here", "try later, or log in to it on this machine")
    if status >= 500:
        raise OutOfReach(f"{host} has an error of its own, HTTP {status}", "try later")
    raise _wrong(f"{host} does not take the request, HTTP {status}")


def _wrong(why: str) -> Refused:
    return Refused(why, "correct the name, or push the image anew")


def _denied(why: str) -> Refused:
    return Refused(why, "log in to it on this machine (podman login, docker login), or correct the name")


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _parameters(text: str) -> dict[str, str]:
    return {
        name.lower(): quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s",]*))', text)
    }


def _verify(answer: Answer, digest: str) -> None:
    kind, _colon, wanted = digest.partition(":")
    if kind != "sha256" or hashlib.sha256(answer.body).hexdigest() != wanted:
        raise _wrong(f"what came is not what has the digest {digest[:80]}")


def _digest_in(descriptor: dict) -> str:
    """Return the digest of a descriptor; what goes into an address must be one."""
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _wrong("it names a part of it by no sha256 digest")
    return digest


def _document(answer: Answer) -> dict:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _wrong(f"what answers at {host_of(answer.url)} is not a registry")
    return found


def _choose(entries: list[dict]) -> str:
    """Return the digest of the image to read: for Linux on amd64, else on this machine's architecture, else on any."""
    here = _ARCHITECTURES.get(platform.machine(), platform.machine())
    order = ("amd64", here)
    found = []
    for entry in entries:
        on = (entry.get("platform") if isinstance(entry, dict) else None) or {}
        if on.get("os") == "linux":
            found.append(
                (order.index(on.get("architecture")) if on.get("architecture") in order else len(order), entry)
            )
    if not found:
        raise _wrong("it has no image for Linux")
    return _digest_in(min(found, key=lambda pair: pair[0])[1])
