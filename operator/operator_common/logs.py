# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: lines for people, or one JSON object a line; no secret in it, and nothing endless."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import kopf
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, shorten

_TEXT = "[%(asctime)s] %(name)s [%(levelname)-8.8s] %(message)s"
_MESSAGE = 8000  # characters
_FIELDS = ("namespace", "name", "uid", "generation")
_ABOUT: ContextVar[dict] = ContextVar("about", default={})  # noqa: B039  is never changed


def configure(style: str) -> None:
    """Have all loggers, kopf's own among them, write in this style to stderr: ``text`` or ``json``."""
    kopf.configure()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter(_TEXT))
    # A line for each change that is seen helps nobody, nor one for each connection that is not kept.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@contextmanager
def about(metadata: Mapping) -> Iterator[None]:
    """Have what this thread logs meanwhile name an object."""
    token = _ABOUT.set(_named(metadata))
    try:
        yield
    finally:
        _ABOUT.reset(token)


def fields(metadata: Mapping, reason: str) -> dict:
    """Return what a log call takes as ``extra``: the object that it is about, and why."""
    return {"job": {**_named(metadata), "reason": reason}}


def _named(metadata: Mapping) -> dict:
    return {name: metadata[name] for name in _FIELDS if metadata.get(name) is not None}


class TextFormatter(logging.Formatter):
    """A line for people; further lines of a message are indented, so that none looks like a message of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return shorten(clean(super().format(record)), _MESSAGE).replace("\n", "\n    ")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        told = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _shown(record.getMessage()),
            **_ABOUT.get(),
            **_named(getattr(record, "k8s_ref", None) or {}),
            **getattr(record, "job", {}),
        }
        if record.exc_info:
            told["exception"] = _shown(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


def _shown(text: str) -> str:
    return shorten(clean(text), _MESSAGE)
