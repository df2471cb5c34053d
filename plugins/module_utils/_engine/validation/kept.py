# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as a ConfigMap, for whoever validates the same work from another machine."""

from __future__ import annotations

import base64
import gzip
import json
import time

from ..cluster.objects import labels
from ..values.verdict import Verdict

COMPONENT = "verdict"
STATUS = "notebooks.mlops.dev/status"
NOTEBOOK, CODE, CATEGORY, CAUSE, DECIDED, DURATION = (
    f"notebooks.mlops.dev/{name}" for name in ("notebook", "code", "category", "cause", "decided", "duration")
)
LARGEST_EXECUTED = 64 * 1024  # bytes packed: so that a hundred verdicts can be read by one request
_LARGEST = 700 * 1024  # bytes packed; an object of Kubernetes may have 1 MiB with base64 and all else
_CLOCK = "%Y-%m-%dT%H:%M:%SZ"


def short(key: str) -> str:
    """Return the part of a work key that names objects and fits into a label."""
    return key[:32]


def name_of(key: str) -> str:
    """Return the name of the ConfigMap with the verdict on the work of this key."""
    return f"notebook-verdict-{short(key)}"


def pack(key: str, namespace: str, verdict: Verdict, executed: bytes | None) -> dict | None:
    """Return the manifest that keeps a verdict, None where it is larger than an object of Kubernetes can be.

    executed: the executed notebook, kept where it is small.
    """
    data = {"verdict": json.dumps(verdict.as_dict()).encode(), "executed": executed}
    packed = {name: gzip.compress(text, mtime=0) for name, text in data.items() if text is not None}
    if len(packed["verdict"]) > _LARGEST:
        return None
    if len(packed.get("executed", b"")) > LARGEST_EXECUTED:
        del packed["executed"]
    told = {NOTEBOOK: verdict.notebook, CODE: verdict.code, CATEGORY: verdict.category, CAUSE: verdict.cause}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name_of(key),
            "namespace": namespace,
            "labels": {**labels(COMPONENT, short(key)), STATUS: verdict.status},
            "annotations": {
                **{name: value for name, value in told.items() if value},
                DURATION: f"{verdict.duration:.3f}",
                DECIDED: time.strftime(_CLOCK, time.gmtime()),
            },
        },
        "binaryData": {name: base64.b64encode(data).decode() for name, data in packed.items()},
    }


def unpack(found: dict) -> tuple[Verdict, bytes | None]:
    """Return the verdict that a ConfigMap keeps, and the executed notebook where it does.

    Raises ValueError, OSError, TypeError or KeyError where it is not one that ``pack`` made.
    """
    texts = {name: gzip.decompress(base64.b64decode(data)) for name, data in found["binaryData"].items()}
    return Verdict.from_dict(json.loads(texts["verdict"])), texts.get("executed")


def is_older(found: dict, days: int) -> bool:
    """Return whether a verdict fell longer ago than this; one that does not say when has fallen too long ago."""
    return fell_before(found, time.time() - days * 86400)


def fell_before(found: dict, moment: float) -> bool:
    """Return whether a verdict fell before this moment, in seconds since 1970."""
    told = (found["metadata"].get("annotations") or {}).get(DECIDED, "")
    return told < time.strftime(_CLOCK, time.gmtime(moment))


def duration(found: dict) -> float | None:
    """Return the seconds that the run of a kept verdict took."""
    try:
        return float(found["metadata"]["annotations"][DURATION])
    except (KeyError, TypeError, ValueError):
        return None
