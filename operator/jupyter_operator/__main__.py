# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m jupyter_operator``: kopf, with what the environment says."""

from __future__ import annotations

import logging
import os
import sys

import kopf
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

from . import main
from .settings import Settings, scope


def run() -> None:
    """Run until a signal ends it."""
    kopf.configure()
    # A line for each change that is seen helps nobody, nor one for each connection that is not kept.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    try:
        settings = Settings.of(os.environ)
        main.operator()
    except (ValueError, EngineError) as error:
        sys.exit(str(error))
    health = f"http://{settings.health_address}:{settings.health_port}/healthz" if settings.health_port else None
    kopf.run(standalone=True, liveness_endpoint=health, **scope(settings))


run()
