# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP server in a thread of its own: it answers GET on a few paths, one request for each connection.

What asks may be anybody in the cluster: a connection has a few seconds in all, and there are so many of them at once.
"""

from __future__ import annotations

import asyncio
import http
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LOG = logging.getLogger(__name__)
_SECONDS = 10.0  # for a connection, with the handshake and the answer
_CONNECTIONS = 64  # at once, of one port
_HEAD = 16 * 1024  # bytes of a request
_FILES = ("tls.crt", "tls.key")  # as a Secret of the type kubernetes.io/tls has them


@dataclass(frozen=True)
class Answer:
    """What is answered. body: by default the words of the status, which say nothing of why."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        """Return the bytes of the answer."""
        phrase = http.HTTPStatus(self.status).phrase
        body = self.body or f"{phrase}\n".encode()
        headers = {"Content-Type": "text/plain; charset=utf-8", **self.headers}
        headers |= {"Content-Length": str(len(body)), "Connection": "close"}
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


# Takes the headers of the request, by their names in small letters.
Page = Callable[[Mapping[str, str]], Awaitable[Answer]]


class Server:
    """Listens on as many ports as it is told."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="server", daemon=True).start()

    def listen(self, address: str, port: int, pages: Mapping[str, Page], certificates: Certificates | None = None):
        """Serve pages by their paths. address: empty for all of this host. Raises OSError where that cannot be."""
        taken = _socket(address, port)
        asyncio.run_coroutine_threadsafe(self._listen(taken, pages, certificates), self._loop).result()

    async def _listen(self, taken: socket.socket, pages: Mapping[str, Page], certificates: Certificates | None) -> None:
        tls = {"ssl": certificates.context, "ssl_handshake_timeout": _SECONDS} if certificates else {}
        await asyncio.start_server(_Port(pages).serve, sock=taken, limit=_HEAD, **tls)


class _Port:
    def __init__(self, pages: Mapping[str, Page]):
        self._pages = pages
        self._open: dict[asyncio.Task, None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        task = asyncio.current_task()
        self._open[task] = None
        if len(self._open) > _CONNECTIONS:
            next(iter(self._open)).cancel()  # who came first had its time; who comes now may be the kubelet
        try:
            await asyncio.wait_for(self._exchange(reader, writer), _SECONDS)
        except (
            OSError,
            asyncio.CancelledError,
            asyncio.TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ):
            pass  # nobody is there to be told
        finally:
            del self._open[task]
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _colon, value in (one.partition(":") for one in lines)}
        writer.write((await self._answer(line, headers)).raw())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def _answer(self, line: str, headers: Mapping[str, str]) -> Answer:
        method, _space, rest = line.partition(" ")
        target, _space, protocol = rest.partition(" ")
        page = self._pages.get(target.partition("?")[0])
        if not protocol.startswith("HTTP/1."):
            return Answer(400)
        if method != "GET":
            return Answer(405, headers={"Allow": "GET"})
        if page is None:
            return Answer(404)
        try:
            return await page(headers)
        except Exception:
            _LOG.exception("The page %s failed.", target.partition("?")[0])
            return Answer(500)


class Certificates:
    """A directory with tls.crt and tls.key; those that take their place are served from the next connection on."""

    def __init__(self, directory: Path):
        """Raises OSError where they cannot be used."""
        self._paths = [directory / name for name in _FILES]
        self._seen = self._stamps()
        self.context = self._current = self._load()
        self.context.sni_callback = self._choose

    def _stamps(self) -> list[tuple]:
        return [(found.st_ino, found.st_mtime_ns, found.st_size) for found in (path.stat() for path in self._paths)]

    def _load(self) -> ssl.SSLContext:
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        found.minimum_version = ssl.TLSVersion.TLSv1_2
        found.load_cert_chain(*self._paths)
        return found

    def _choose(self, connection, _name: str | None, _context: ssl.SSLContext) -> None:
        """Is called for each handshake, whether or not it names a server."""
        try:
            stamps = self._stamps()
            if stamps != self._seen:
                self._current, self._seen = self._load(), stamps
        except OSError as error:  # also of ssl; the old ones are better than none
            _LOG.warning("The certificates in %s cannot be used: %s", self._paths[0].parent, error)
        connection.context = self._current


def _socket(address: str, port: int) -> socket.socket:
    if address:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family)
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError):  # a host without IPv6
        return socket.create_server(("", port))
