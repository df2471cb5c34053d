# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m notebook_operator``: kopf, with what the environment says, as soon as this process is the one that works."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading

import kopf
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from operator_common import logs

from . import main
from .git.scratch import Scratch
from .process.lease import Election
from .process.metrics import ObservedCluster
from .process.ports import health, serve
from .settings import Leading, Monitoring, Settings

_LOG = logging.getLogger(__name__)
_LAST_WRITES = 3.0  # seconds that requests under way may take when the process ends


def run() -> None:
    """Run until a signal ends it."""
    try:
        monitoring = Monitoring.of(os.environ)
        logs.configure(monitoring.log_format)
        settings, leading = Settings.of(os.environ), Leading.of(os.environ)
        own = main.jobs().namespace
        serve(monitoring, ObservedCluster({}))  # who may read is asked by one that stands by, too
    except (ValueError, EngineError) as error:
        sys.exit(str(error))
    for number in (signal.SIGTERM, signal.SIGINT):  # until kopf takes them over
        signal.signal(number, _asked_to_end)
    scratch, election = Scratch(), None
    if leading.lease:
        election = Election(Cluster({}), leading.lease, leading.seconds)
        health.stands_by()
        if not election.wait(main.ending):
            _end(0, scratch)
        main.gate().holds = election.holds
        health.ends()
        election.keep(_lost)
    everywhere = "*" in settings.namespaces
    where = {"clusterwide": True} if everywhere else {"namespaces": settings.namespaces or (own,)}
    status = 0
    try:
        # A loop of our own: kopf's would wait for threads that need not end.
        # And a name: kopf's is made of the user's, and in a pod the user may have none.
        kopf.run(loop=asyncio.new_event_loop(), standalone=True, identity="notebook-operator", **where)
    except Exception:
        _LOG.exception("The operator cannot go on.")
        status = 1
    main.gate().close(_LAST_WRITES)
    if election:
        election.release()
    _end(status, scratch)


def _asked_to_end(_number: int, _frame) -> None:
    threading.Thread(target=main.ending.set).start()  # the thread that is interrupted may hold its lock


def _lost() -> None:
    """Another process may lead soon: whatever is under way here is that one's."""
    _LOG.critical("This process leads no more, and ends.")
    logging.shutdown()
    os._exit(1)


def _end(status: int, scratch: Scratch) -> None:
    """End at once: threads that wait for pods have nothing to tidy up, since the next process takes these over."""
    scratch.remove()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


run()
