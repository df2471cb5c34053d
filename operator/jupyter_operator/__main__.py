# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m jupyter_operator``: kopf, with what the environment says."""

from __future__ import annotations

import os
import sys

import kopf
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from operator_common import logs

from . import main
from .settings import Settings, scope


def run() -> None:
    """Run until a signal ends it."""
    try:
        settings = Settings.of(os.environ)
        logs.configure(settings.log_format)
        main.operator()
    except (ValueError, EngineError) as error:
        sys.exit(str(error))
    health = f"http://{settings.health_address}:{settings.health_port}/healthz" if settings.health_port else None
    kopf.run(standalone=True, liveness_endpoint=health, **scope(settings))


run()
