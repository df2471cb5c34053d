# SPDX-License-Identifier: GPL-3.0-or-later
"""The transport: TLS, HTTP/1.1 with keep-alive and chunked answers, one thread a connection."""

from __future__ import annotations

import select
import socket
import socketserver
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

from . import errors
from .auth import ANONYMOUS, User
from .faults import STREAMS
from .untraced import untraced
from .values import encode, is_true
from .watch import Watch

MAXIMUM_BODY = 100 * 1024 * 1024


@dataclass
class Request:
    method: str
    path: str
    raw_query: str
    query: dict[str, str]
    headers: object
    body: bytes
    certificate: dict | None = None
    user: User = ANONYMOUS
    verb: str = ""
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def target(self) -> str:
        return f"{self.path}?{self.raw_query}" if self.raw_query else self.path

    @property
    def is_watch(self) -> bool:
        return self.method == "GET" and is_true(self.query, "watch")


@dataclass
class Response:
    """`body` is bytes, or an iterable of chunks for an answer without an end known beforehand."""

    code: int
    body: bytes | Iterable[bytes]
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, code: int, value, **headers: str) -> Response:
        return cls(code, encode(value), headers=headers)


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, app, context: ssl.SSLContext):
        self.app, self._context = app, context
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        super().__init__(("127.0.0.1", 0), Handler)

    def finish_request(self, request, client_address) -> None:
        untraced()
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(60)
        wrapped = self._context.wrap_socket(request, server_side=True)
        wrapped.settimeout(None)
        with self._guard:
            self._open.add(wrapped)
        try:
            if not self.stopping.is_set():
                self.RequestHandlerClass(wrapped, client_address, self)
        finally:
            with self._guard:
                self._open.discard(wrapped)
            wrapped.close()

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):  # lost connections are no news
            traceback.print_exc(file=sys.stderr)

    def start(self) -> None:
        # The interval is how long stopping takes, and each test stops a server.
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), name="listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        if self._thread is not None:  # else there is nobody to be waited for
            self.shutdown()
        self.server_close()
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _suffering(chunks: Iterable[bytes], fault) -> Iterable[bytes]:
    """The stream, as far as a fault lets it come."""
    if fault is None or fault.kind not in STREAMS:
        yield from chunks
        return
    left = fault.bytes
    for chunk in chunks:
        if fault.kind != "end-stream" and len(chunk) > left:
            yield chunk[:left]
            if fault.kind == "end-within":
                return
            raise ConnectionAbortedError("a fault")
        yield chunk
        left -= len(chunk)
        if left <= 0:
            return


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_arguments) -> None:
        """The journal is the log."""

    def handle_expect_100(self) -> bool:
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def serve(self) -> None:
        parts = urlsplit(self.path)
        query: dict[str, str] = {}
        for key, value in parse_qsl(parts.query, keep_blank_values=True):
            query.setdefault(key, value)
        request = Request(self.command, parts.path, parts.query, query, self.headers, self._body())
        certificate = self.connection.getpeercert() if hasattr(self.connection, "getpeercert") else None
        request.certificate = certificate or None
        fault = None
        if not request.path.startswith("/_control/"):
            fault = self.server.app.faults.take(request.method, request.target, request.is_watch)
        if fault and fault.kind == "slow":
            self.server.stopping.wait(fault.seconds)
        if fault and fault.kind == "drop":
            self._note(request, 0)
            raise ConnectionAbortedError("a fault")
        response = self._answer(request, fault)
        dropped = fault is not None and fault.kind == "drop-after-write"
        self._note(request, 0 if dropped else response.code)
        if dropped:
            raise ConnectionAbortedError("a fault")
        self._send(request, response, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve  # noqa: N815

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            self.close_connection = True

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def _answer(self, request: Request, fault) -> Response:
        try:
            if fault and fault.kind == "status":
                request.verb = request.verb or request.method.lower()
                raise fault.error()
            response = self.server.app.router.answer(request)
            if fault and isinstance(response.body, Watch):
                response.body.gone = fault.kind == "gone"
                response.body.events_left = fault.events if fault.kind == "drop-watch" else None
            return response
        except errors.ApiError as problem:
            return Response.json(problem.code, problem.status(), **problem.headers)
        except Exception as problem:  # a bug of the stand-in must not look like a lost connection
            traceback.print_exc(file=sys.stderr)
            return Response.json(500, errors.internal(f"{type(problem).__name__}: {problem}").status())

    def _note(self, request: Request, status: int) -> None:
        if not request.path.startswith("/_control/"):
            self.server.app.journal.add(
                method=request.method, path=request.path, query=request.raw_query, user=request.user.name, status=status, verb=request.verb,
                dry_run=request.dry_run, user_agent=self.headers.get("User-Agent", ""),
            )  # fmt: skip

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(min(length, MAXIMUM_BODY)) if length else b""

    def _send(self, request: Request, response: Response, fault) -> None:
        self.send_response_only(response.code)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", response.content_type)
        self.send_header("Audit-Id", f"{time.monotonic_ns():x}")
        self.send_header("Cache-Control", "no-cache, private")
        for name, value in response.headers.items():
            self.send_header(name, value)
        for warning in dict.fromkeys(request.warnings):
            quoted = warning.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
            self.send_header("Warning", f'299 - "{quoted}"')
        if isinstance(response.body, bytes):
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            truncated = fault is not None and fault.kind == "truncate"
            if self.command != "HEAD":
                self.wfile.write(response.body[: len(response.body) // 2] if truncated else response.body)
            self.wfile.flush()
            if truncated:
                raise ConnectionAbortedError("a fault")
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            self._stream(_suffering(response.body, fault))

    def _stream(self, chunks: Iterable[bytes]) -> None:
        """Whatever happens, an answer that has begun can only be cut."""
        iterator = iter(chunks)
        try:
            for chunk in iterator:
                if not chunk:
                    if self._lost():
                        raise ConnectionAbortedError("the client is gone")
                    continue
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.wfile.flush()
            if not self.server.stopping.is_set():
                self.wfile.write(b"0\r\n\r\n")
                self.wfile.flush()
        finally:
            if hasattr(iterator, "close"):
                iterator.close()

    def _lost(self) -> bool:
        """A client has nothing to say during an answer: what can be read is the end of the connection."""
        return self.server.stopping.is_set() or bool(select.select([self.connection], [], [], 0)[0])
