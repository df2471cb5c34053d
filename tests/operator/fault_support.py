# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments of the operator's work at which it can be killed, and requests that fail as a test says."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import socket
import threading
from collections.abc import Callable

from tests.apiserver.errors import ApiError


class Moment:
    """The first request that matches is held, before it is done or before it is answered, until somebody lets go.

    What is held before it is done is never done: whoever asked for it is dead by then. told: what its body has to say.
    """

    def __init__(self, server, method: str, path: str, *, done: bool = False, told: Callable | None = None):
        self._router, self._answer = server.router, server.router.answer
        self._method, self._path, self._done, self._told = method, re.compile(path), done, told
        self._lock, self._taken = threading.Lock(), False
        self._come, self._over = threading.Event(), threading.Event()
        server.router.answer = self

    def __call__(self, request):
        if not self._takes(request):
            return self._answer(request)
        answer = self._answer(request) if self._done else None
        self._come.set()
        self._over.wait(120)
        if answer is None:
            raise ApiError(503, "ServiceUnavailable", "nobody waits for this any more")
        return answer

    def _takes(self, request) -> bool:
        if request.method != self._method or not self._path.search(request.path):
            return False
        with self._lock:
            if self._taken:
                return False
            self._taken = not self._told or self._told(json.loads(request.body))
            return self._taken

    def wait(self) -> None:
        """Wait until it has come."""
        assert self._come.wait(30), "It did not come to that."

    def let_go(self) -> None:
        self._router.answer = self._answer
        self._over.set()


def phase(name: str) -> Callable[[dict], bool]:
    """Whether a patch of a status says this phase."""
    return lambda patch: any(isinstance(one.get("value"), dict) and one["value"].get("phase") == name for one in patch)


class DeafServer:
    """A server that takes a connection and says nothing, as a repository that cannot be reached in time."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def wait(self) -> None:
        """Wait until somebody asks."""
        self._socket.settimeout(30)
        self._taken = self._socket.accept()[0]

    def let_go(self) -> None:
        self._socket.close()
        self._taken.close()


class Killer:
    """Deletes pods of images with this in their names when their notebooks run, as somebody with kubectl would, so many of them."""

    def __init__(self, server, image: str, count: int):
        self._server, self._image, self._count = server, image, count
        self._found, self._done = queue.Queue(), set()
        server.store.subscribe(self._look)
        threading.Thread(target=self._work, daemon=True).start()

    def _look(self, _event, resource, found) -> None:
        if resource.plural != "pods" or self._image not in found["spec"]["containers"][0]["image"]:
            return
        name = found["metadata"]["name"]
        runs = any("running" in one["state"] for one in found.get("status", {}).get("initContainerStatuses", ()))
        if runs and name not in self._done and len(self._done) < self._count:
            self._done.add(name)
            self._found.put(name)

    def _work(self) -> None:
        while True:
            with contextlib.suppress(ApiError):  # it is gone already, with its Job
                self._server.system.delete("pods", "team", self._found.get())
