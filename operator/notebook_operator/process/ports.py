# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of the operator: metrics for who may read them, and the probes of the kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from prometheus_client import CONTENT_TYPE_LATEST

from ..settings import Monitoring
from .access import PATH, Access
from .metrics import observe
from .server import Answer, Certificates, Page, Server

_LOOPBACK = "127.0.0.1"
_WATCHER = "watcher for "  # as kopf names its tasks
_PATIENCE = 5.0  # seconds that kopf's event loop may be busy


class Health:
    """Whether the process lives, and whether it does what it is there for: works on jobs, or stands by."""

    def __init__(self):
        self._loop: asyncio.AbstractEventLoop | None = None
        self._standing_by = False

    def begins(self, loop: asyncio.AbstractEventLoop) -> None:
        """Kopf's event loop runs, and is about to watch the jobs."""
        self._loop, self._standing_by = loop, False

    def stands_by(self) -> None:
        """Another process works; this one is there to take over."""
        self._standing_by = True

    def ends(self) -> None:
        """Nothing more is done."""
        self._loop, self._standing_by = None, False

    async def livez(self, _headers: Mapping[str, str]) -> Answer:
        """Answer whether the event loop is alive; whether the cluster answers does not count. A watch that ends, ends the process."""
        return Answer(200 if self._loop is None or await self._watches() is not None else 503)

    async def readyz(self, _headers: Mapping[str, str]) -> Answer:
        """Answer whether jobs are watched, or the process stands by."""
        return Answer(200 if self._standing_by or await self._watches() else 503)

    async def _watches(self) -> int | None:
        """Return how many watches kopf has, None where its event loop does not say so in time."""
        loop = self._loop
        if loop is None:
            return None
        said = asyncio.run_coroutine_threadsafe(_watchers(), loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(said), _PATIENCE)
        except asyncio.TimeoutError:
            return None


async def _watchers() -> int:
    return sum(task.get_name().startswith(_WATCHER) for task in asyncio.all_tasks())


health = Health()


def serve(settings: Monitoring, cluster: Cluster) -> None:
    """Open the ports that the settings name. Raises ValueError, with a sentence, where one cannot be opened."""
    server = Server()
    if settings.probe_port:
        pages = {"/livez": health.livez, "/readyz": health.readyz}
        _listen(server, settings.address, settings.probe_port, pages)
    if settings.metrics_port:
        found = _certificates(settings.certificates) if settings.certificates else None
        access = Access(cluster) if settings.metrics_auth == "kubernetes" else None
        address = settings.address if found else _LOOPBACK  # a token is not sent in the clear
        _listen(server, address, settings.metrics_port, {PATH: _metrics(access)}, found)


def _metrics(access: Access | None) -> Page:
    async def page(headers: Mapping[str, str]) -> Answer:
        if access:
            status = await asyncio.to_thread(access.check, headers.get("authorization", ""))
            if status != 200:
                return Answer(status, headers={"WWW-Authenticate": "Bearer"} if status == 401 else {})
        return Answer(body=observe.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return page


def _certificates(directory: str) -> Certificates:
    try:
        return Certificates(Path(directory))
    except OSError as error:
        raise ValueError(
            f"NOTEBOOK_OPERATOR_METRICS_CERTIFICATES is {directory}, where tls.crt and tls.key cannot be used"
            f" ({error.strerror or type(error).__name__}): mount a Secret of the type kubernetes.io/tls there."
        ) from None


def _listen(server: Server, address: str, port: int, pages: Mapping[str, Page], found: Certificates | None = None):
    try:
        server.listen(address, port, pages, found)
    except OSError as error:
        raise ValueError(
            f"The port {port} cannot be opened ({error.strerror or type(error).__name__}): give another one."
        ) from None
