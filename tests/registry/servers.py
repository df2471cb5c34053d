# SPDX-License-Identifier: GPL-3.0-or-later
"""Small HTTP servers beside a registry: each runs in a thread, on 127.0.0.1 at a port that the system chooses."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import urllib3


@contextlib.contextmanager
def serving(handler, certificate: tuple[Path, Path] | None = None):
    """Serve and yield host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Handler(BaseHTTPRequestHandler):
    """Says nothing on stderr; `answer` sends all of an answer."""

    def log_message(self, *_arguments):
        """Keep quiet."""

    def answer(self, status: int, headers: dict, body: bytes = b"") -> None:
        """Send an answer; to HEAD without the body."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Storage:
    """The file server that blobs are redirected to. requests: headers of each GET."""

    def __init__(self, directory: Path):
        self.requests: list[dict] = []
        self._directory = directory
        self.url = ""

    @contextlib.contextmanager
    def serving(self):
        """Serve; then `url` is set."""
        storage = self

        class Files(SimpleHTTPRequestHandler):
            def log_message(self, *_arguments):
                """Keep quiet."""

            def do_GET(self):
                storage.requests.append(dict(self.headers))
                super().do_GET()

        with serving(functools.partial(Files, directory=str(self._directory))) as host:
            self.url = f"http://{host}"
            yield self


@contextlib.contextmanager
def front(target: str, alter, certificate: tuple[Path, Path]):
    """Serve over TLS what the registry at `target` (HTTP) serves, and yield host and port.

    alter: called with method, path, request headers, status, headers and body; returns the last three as they shall be.
    """

    class Front(Handler):
        def do_GET(self):
            found = urllib3.request(
                self.command, f"http://{target}{self.path}", headers=dict(self.headers), retries=False
            )
            drop = ("content-length", "date")
            headers = {name: value for name, value in found.headers.items() if name.lower() not in drop}
            self.answer(*alter(self.command, self.path, dict(self.headers), found.status, headers, found.data))

        do_HEAD = do_GET  # noqa: N815 (the name is http.server's)

    with serving(Front, certificate) as host:
        yield host


@contextlib.contextmanager
def proxy(target: str, seen: list):
    """A proxy that tunnels to `target`, whatever host it is asked for; seen gets (host, Proxy-Authorization)."""

    class Proxy(Handler):
        def do_CONNECT(self):
            seen.append((self.path, self.headers.get("Proxy-Authorization")))
            host, _colon, port = target.partition(":")
            with socket.create_connection((host, int(port))) as there:
                self.send_response(200)
                self.end_headers()
                _pump(self.connection, there)
            self.close_connection = True

    with serving(Proxy) as host:
        yield host


def _pump(here: socket.socket, there: socket.socket) -> None:
    other = {here: there, there: here}
    while True:
        for one in select.select(list(other), [], [], 10)[0]:
            data = one.recv(65536)
            if not data:
                return
            other[one].sendall(data)
