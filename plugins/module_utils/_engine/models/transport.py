# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to one model server: time-outs, retries within a deadline, bounded answers, no way to other hosts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ..cluster.deadline import Deadline, pause

CONNECT_TIMEOUT = 5.0  # seconds
READ_TIMEOUT = 30.0  # seconds without a byte
LARGEST = 4 << 20  # bytes of an answer
_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}


class NoAnswer(Exception):
    """No answer that can be used came. Its text ends a sentence that begins with the URL."""


@dataclass(frozen=True)
class Answer:
    """An answer to a request. after: seconds that the server asked to wait, or None."""

    status: int
    body: bytes
    after: float | None = None

    def json(self) -> object:
        """Return the JSON value. Raises ValueError where it is none."""
        return json.loads(self.body)


class Server:
    """Requests to one server.

    token: sent with each request, None for none. ca_file: PEM file of authorities, None for those of the system.
    stop: set by whoever is not interested any more. way: tells the address to connect to for a host and a port, and may raise
    whatever ends the request; None where the system is to look names up.
    """

    def __init__(
        self, token: str | None, ca_file: str | None, verify: bool, deadline: Deadline, stop: threading.Event,
        way: Callable[[str, int], str] | None = None,
    ):  # fmt: skip
        import urllib3

        self._headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        options = {"ca_certs": ca_file} if ca_file else {}
        if not verify:  # the user has said so; a line for each request helps nobody
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            options["cert_reqs"] = "CERT_NONE"
        self._pool = urllib3.PoolManager(retries=False, **options)
        self._deadline = deadline
        self._stop = stop
        self._way = way

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_exception) -> None:
        self._pool.clear()

    def ask(self, url: str, body: object = None) -> Answer:
        """GET a URL, or POST a JSON body to it.

        Connections that fail and answers 429 and 503 are tried again until the deadline: models take time to load.
        Raises NoAnswer.
        """
        failures = 0
        while True:
            failures += 1
            answer = trouble = None
            try:
                answer = self._follow(url, body)
            except _Passing as error:
                trouble = error
            wait = pause(failures, answer.after if answer else None)
            again = trouble is not None or answer.status in (429, 503)
            if not again or wait >= self._deadline.left() or self._stop.wait(wait):
                if trouble:
                    raise NoAnswer(str(trouble))
                return answer

    def _follow(self, url: str, body: object) -> Answer:
        for _unused in range(_REDIRECTS + 1):
            answer, place = self._send(url, body)
            if not place:
                return answer
            target = urljoin(url, place)
            if not _same_host(url, target):
                raise NoAnswer(f"redirects to {_origin(target)}, which is not asked: give its URL")
            if body is not None and answer.status not in (307, 308):
                raise NoAnswer("redirects a prediction so that its data would be lost: give the URL it leads to")
            url = target
        raise NoAnswer("redirects again and again")

    def _send(self, url: str, body: object) -> tuple[Answer, str | None]:
        import urllib3
        from urllib3.exceptions import HTTPError

        left = max(0.05, self._deadline.left())
        headers, data = dict(self._headers), None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        try:
            pool, url = self._connected(url, headers)
            response = pool.request(
                "GET" if body is None else "POST", url, body=data, headers=headers, redirect=False, preload_content=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, left), read=min(READ_TIMEOUT, left)),
            )  # fmt: skip
            try:
                answer = Answer(response.status, self._read(response), _seconds(response.headers.get("Retry-After")))
                place = response.headers.get("Location") if 300 <= response.status < 400 else None
            finally:
                response.close()
        except (HTTPError, OSError) as error:
            raise _what(error) from None
        return answer, place

    def _connected(self, url: str, headers: dict[str, str]):
        """Return who sends requests to a URL, and what of it to ask for; a name is looked up once, and what was found is asked."""
        if self._way is None:
            return self._pool, url
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        address = self._way(parts.hostname, port)
        headers["Host"] = parts.netloc.rpartition("@")[2]
        names = {"server_hostname": parts.hostname}
        pool = self._pool.connection_from_host(
            address, port, parts.scheme, pool_kwargs=names if parts.scheme == "https" else None
        )
        return pool, f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"

    def _read(self, response) -> bytes:
        read = getattr(response, "read1", response.read)  # read1 returns what is there, so that a slow answer ends too
        parts, size = [], 0
        while part := read(1 << 14):
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                raise NoAnswer(f"answers more than {LARGEST >> 20} MiB")
            if self._deadline.passed():
                raise NoAnswer("does not end its answer in time")
        return b"".join(parts)


class _Passing(Exception):
    """What may be over at the next try."""


def _what(error: Exception) -> Exception:
    """Return what an exception of the HTTP library means. It never quotes what was sent."""
    text = str(error)
    if any(word in text for word in ("SSL", "CERTIFICATE", "doesn't match")):
        return NoAnswer("has a certificate that is not trusted: give ca_file, or correct the host name in the URL")
    for words, meaning in (
        ("refused", "refuses the connection"),
        ("NameResolution", "has a host name that is not known here"),
        ("resolve", "has a host name that is not known here"),
        ("service not known", "has a host name that is not known here"),  # urllib3 1
        ("onnect timeout", "does not take the connection in time"),
        ("ConnectTimeout", "does not take the connection in time"),
        ("Read timed out", "does not answer in time"),
    ):
        if words in text:
            return _Passing(meaning)
    return _Passing("breaks the connection off")


def _same_host(url: str, target: str) -> bool:
    old, new = urlsplit(url), urlsplit(target)
    upgrade = (old.scheme, new.scheme) == ("http", "https")
    ports = [part.port or _PORTS.get(part.scheme) for part in (old, new)]
    return old.hostname == new.hostname and (upgrade or (old.scheme == new.scheme and ports[0] == ports[1]))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
