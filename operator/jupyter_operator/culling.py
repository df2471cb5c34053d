# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that nobody uses are stopped: asked by their own API, and by the annotation with which people stop them."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError

from . import record
from .notebooks import Notebooks
from .seat import Seat
from .settings import Settings
from .status import IDLE

_AT_ONCE = 8
_SECONDS = 5.0  # that a server may take to answer
_BYTES = 1 << 20  # of an answer; it comes from a server that its user has in hand
_QUIET = {"no_track_activity": "1"}  # a question is no activity (Jupyter Server, APIHandler.update_api_activity)
_LOG = logging.getLogger(__name__)


class Culling:
    """Looks at all running servers once in an interval."""

    def __init__(self, cluster: Cluster, settings: Settings, notebooks: Notebooks):
        import urllib3

        self._cluster, self._settings, self._notebooks = cluster, settings, notebooks
        self._http = urllib3.PoolManager(num_pools=_AT_ONCE, retries=False, timeout=_SECONDS)
        self._over = threading.Event()

    def start(self) -> None:
        """Begin, in a thread that does not hold up the end of the process."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while not self._over.wait(self._settings.cull_interval):
                list(pool.map(self.look, [seat for seat in self._notebooks.running() if seat.asked.cull_after]))

    def look(self, seat: Seat) -> bool:
        """Stop a server that nobody uses; return whether that was done."""
        try:
            since = self._idle_since(seat)
            if since is None or datetime.now(timezone.utc) - since < timedelta(seconds=seat.asked.cull_after):
                return False
            return record.stop(self._cluster, seat.found, f"{IDLE}{since:%Y-%m-%dT%H:%M:%SZ}") is not None
        except ClusterError as error:
            _LOG.warning("%s was not stopped: %s", seat.found["metadata"]["name"], error.message)
        except Exception as error:  # whatever a server answers
            _LOG.info("%s does not say whether it is used: %s", seat.found["metadata"]["name"], type(error).__name__)
        return False

    def _idle_since(self, seat: Seat) -> datetime | None:
        """Return when the server was used last; None where it is in use."""
        told = self._ask(seat, "status")
        if told.get("connections") and not self._settings.cull_connected:
            return None
        # A cell that computes for hours says nothing meanwhile.
        if told.get("kernels") and any(one.get("execution_state") == "busy" for one in self._ask(seat, "kernels")):
            return None
        return _moment(told["last_activity"])

    def _ask(self, seat: Seat, what: str):
        asked = seat.asked
        address = self._settings.server_url.format(name=asked.name, namespace=asked.namespace)
        answer = self._http.request(
            "GET", f"{address}/{asked.name}/api/{what}", fields=_QUIET, preload_content=False, redirect=False,
            headers={"Authorization": f"token {seat.token}"},
        )  # fmt: skip
        try:
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            return json.loads(answer.read(_BYTES))
        finally:
            answer.release_conn()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
