# SPDX-License-Identifier: GPL-3.0-or-later
"""Model servers over HTTP, each as truthful as the validation can tell: what they answer and what they refuse.

The model of all of them sums each row. What is sent in another form than that of the protocol is refused with 400, as the real
ones do, so that a test that passes shows that the request had it.
"""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "sums"
WORDS = "Once upon a time"


class Refused(Exception):
    """The answer is this status with these words."""

    def __init__(self, status: int, words: str):
        super().__init__(words)
        self.status = status


def sums(rows: object) -> list:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refused(400, f"rows of numbers are expected, not {rows!r}")
    return [sum(row) for row in rows]


def named(name: str) -> None:
    if name != MODEL:
        raise Refused(404, f"Model with name {name} does not exist.")


class Server:
    """A server on a free port. state: ``ready``, or ``loading`` while it answers 503 to anything.

    loads_in: answers that it takes until it is ready. token: bearer token that it demands. routes: by method and the beginning
    of the path. seen: what was asked, as ``METHOD path``; bodies, tokens and hosts likewise.
    """

    routes: dict[tuple[str, str], str] = {}

    def __init__(self, certificate: tuple[str, str] | None = None):
        self.loads_in, self.token, self.wrong = 0, None, 0
        self.fixed: dict[str, tuple[int, dict, bytes]] = {}
        self.seen: list[str] = []
        self.bodies: list[object] = []
        self.tokens: list[str | None] = []
        self.hosts: list[str | None] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: str, body: bytes, token: str | None) -> tuple[int, dict, bytes]:
        with self._lock:
            self.seen.append(f"{method} {path}")
            self.tokens.append(token)
            if self.loads_in > 0:
                self.loads_in -= 1
                return 503, {}, b"model is loading"
        if self.token and token != f"Bearer {self.token}":
            return 401, {}, f"the token {token} is not mine".encode()
        if path in self.fixed:
            return self.fixed[path]
        for (verb, begins), function in self.routes.items():
            if verb == method and path.startswith(begins):
                try:
                    given = json.loads(body) if body else None
                    self.bodies.append(given)
                    found = getattr(self, function)(path.removeprefix(begins), given)
                except Refused as error:
                    return error.status, {}, json.dumps({"error": str(error)}).encode()
                return 200, {}, found if isinstance(found, bytes) else json.dumps(found).encode()
        return 404, {}, b"no such route"

    def predict(self, rows: object) -> list:
        return [value + self.wrong for value in sums(rows)]

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                server.hosts.append(self.headers.get("Host"))
                status, headers, body = server.answer(
                    self.command, self.path, self.rfile.read(length), self.headers.get("Authorization")
                )
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_arguments):
                pass

        return Handler


class KServeV1(Server):
    routes = {("GET", "/v1/models/"): "ready", ("POST", "/v1/models/"): "infer"}

    def ready(self, name, _body):
        named(name)
        return {"name": name, "ready": True}

    def infer(self, rest, body):
        name, _colon, verb = rest.partition(":")
        named(name)
        if verb != "predict" or not isinstance(body, dict) or "instances" not in body:
            raise Refused(400, 'Expected key "instances" in request body')
        return {"predictions": self.predict(body["instances"])}


class TensorFlowServing(KServeV1):
    def ready(self, name, _body):
        named(name)
        status = {"error_code": "OK", "error_message": ""}
        return {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": status}]}


class OpenInference(Server):
    """KServe's protocol of version 2: flat tensors with a shape and a datatype."""

    routes = {
        ("GET", "/v2/health/ready"): "well",
        ("GET", "/v2/models/"): "ready",
        ("POST", "/v2/models/"): "infer",
    }

    def well(self, _rest, _body):
        return {"ready": True}

    def ready(self, rest, _body):
        name, _slash, verb = rest.partition("/")
        named(name)
        if verb != "ready":
            raise Refused(404, "unknown")
        return {"name": name, "ready": True}

    def infer(self, rest, body):
        name, _slash, verb = rest.partition("/")
        named(name)
        try:
            tensor = body["inputs"][0]
            (rows, columns), flat = tensor["shape"], tensor["data"]
        except (KeyError, TypeError, ValueError, IndexError):
            raise Refused(400, "inputs with name, shape, datatype and data are expected") from None
        kinds = {"INT64": int, "FP64": (int, float)}
        fits = rows * columns == len(flat) and all(isinstance(one, kinds[tensor["datatype"]]) for one in flat)
        if verb != "infer" or not fits:
            raise Refused(400, "the data does not fit the shape")
        found = self.predict([flat[at : at + columns] for at in range(0, len(flat), columns)])
        output = {"name": "output-0", "shape": [rows, 1], "datatype": tensor["datatype"], "data": found}
        return {"model_name": name, "outputs": [output]}


class Triton(OpenInference):
    """As Triton answers: the state is in the status alone, and one that is not ready is a 400."""

    def well(self, _rest, _body):
        return b""

    def ready(self, rest, _body):
        if rest != f"{MODEL}/ready":
            raise Refused(400, "not ready")
        return b""


class OpenAI(Server):
    routes = {
        ("GET", "/health"): "well",
        ("GET", "/v1/models"): "models",
        ("POST", "/v1/completions"): "complete",
        ("POST", "/v1/chat/completions"): "chat",
    }

    def well(self, _rest, _body):
        return b""

    def models(self, _rest, _body):
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "vllm"}]}

    def complete(self, _rest, body):
        named(body.get("model"))
        if not isinstance(body.get("prompt"), str):
            raise Refused(400, "prompt is missing")
        return {"object": "text_completion", "choices": [{"index": 0, "text": WORDS, "finish_reason": "stop"}]}

    def chat(self, _rest, body):
        named(body.get("model"))
        if [sorted(message) for message in body.get("messages") or ()] != [["content", "role"]]:
            raise Refused(400, "messages are missing")
        message = {"role": "assistant", "content": WORDS}
        return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


class TorchServe(Server):
    routes = {("GET", "/ping"): "well", ("POST", "/predictions/"): "infer"}
    status = "Healthy"

    def well(self, _rest, _body):
        return {"status": self.status}

    def infer(self, name, body):
        named(name)
        return self.predict(body)


class RayServe(Server):
    routes = {("GET", "/-/healthz"): "well", ("POST", f"/{MODEL}"): "infer"}

    def well(self, _rest, _body):
        return b"success"

    def infer(self, _rest, body):
        return self.predict(body)


class Seldon(Server):
    routes = {("GET", "/ready"): "well", ("POST", "/api/v1.0/predictions"): "infer"}

    def well(self, _rest, _body):
        return b""

    def infer(self, _rest, body):
        if not isinstance(body, dict) or "ndarray" not in body.get("data", {}):
            raise Refused(400, "data is missing")
        return {"data": {"names": ["t:0"], "ndarray": self.predict(body["data"]["ndarray"])}, "meta": {}}


class BentoML(Server):
    routes = {("GET", "/healthz"): "well", ("POST", "/sum"): "infer"}

    def well(self, _rest, _body):
        return b"\n"

    def infer(self, _rest, body):
        return self.predict((body or {}).get("rows"))


class Own(Server):
    """A server of somebody's own."""

    routes = {("GET", "/alive"): "well", ("POST", "/score"): "infer"}

    def well(self, _rest, _body):
        return b"yes"

    def infer(self, _rest, body):
        return {"result": [{"score": value} for value in self.predict(body["table"])]}
