# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the servers of notebooks, as far as they tell of their use."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Activity:
    """What answers in the place of all servers: `said[name]` is what one says of its use."""

    def __init__(self):
        self.said: dict[str, dict] = {}
        self.asked: list[tuple[str, str]] = []  # path and authorisation
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers.get("Authorization", "")))
                path = self.path.partition("?")[0].split("/")
                told = outer.said.get(path[1], {})
                body = json.dumps(told.get("kernels", []) if path[-1] == "kernels" else told.get("status")).encode()
                self.send_response(200 if told else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Activity:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self._server.shutdown()
        self._server.server_close()
