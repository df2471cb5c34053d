# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on many notebooks as one, and as a status that fits into an object."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import kept
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import shorten
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import entry

from ..told.status import OWN_TROUBLE, comparison_status, duration, result
from .running import Ran

_MIXED = "validation_failed"  # the code where notebooks failed for several reasons
_NAMED = 3  # notebooks in a message
_TEXT = 500  # characters
_ADVICE, _CELLS, _DIFFS = 3, 3, 5
# Bytes of all notebooks, and of those that are told in full; etcd takes objects of 1.5 MiB.
_MOST, _MOST_IN_FULL = 700_000, 500_000
_COUNT = 5000


def overall(verdicts: Sequence[Verdict], name: str) -> Verdict:
    """Return what is said of all of them: the code of the failed ones where that is one, and ``validation_failed`` else."""
    failed = _failed(verdicts)
    attempts = 1 + sum(max(0, one.attempts - 1) for one in verdicts)
    if not failed:
        return Verdict(name, "succeeded", attempts=attempts)
    codes = {one.code for one in failed}
    row = entry(codes.pop() if len(codes) == 1 else _MIXED)
    shown = [f"{one.notebook}: {shorten(one.cause or one.code or 'it failed', _TEXT // 2)}" for one in failed[:_NAMED]]
    rest = f" And {len(failed) - _NAMED} more." if len(failed) > _NAMED else ""
    told = f"{len(failed)} of {len(verdicts)} notebooks failed. {' '.join(shown)}{rest}"
    return Verdict(
        name, "failed", code=row.code, category=row.category, cause=told, advice=row.advice,
        retryable=all(one.retryable for one in failed), attempts=attempts,
    )  # fmt: skip


def passed(verdicts: Sequence[Verdict]) -> str:
    """Return the sentence on notebooks of which none failed."""
    return f"All {len(verdicts)} notebooks passed."


def trouble(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the first verdict that says nothing of its notebook."""
    return next((one for one in _failed(verdicts) if one.category in OWN_TROUBLE), None)


def status(ran: Ran, strategy: str, directory: str) -> dict:
    """Return ``notebooks`` and ``summary``: the failed notebooks first, and as many as fit. strategy: of the comparison.

    directory: of the source.
    """
    failed = _failed(ran.verdicts)
    rest = [one for one in ran.verdicts if one.status == "succeeded"]
    told, size = [], 0
    for verdict in [*failed, *rest][:_COUNT]:
        found = {"path": posixpath.join(directory, verdict.notebook), **_notebook(ran, verdict, strategy)}
        length = len(json.dumps(found))
        if size + length > _MOST_IN_FULL:
            found = {name: found[name] for name in ("path", "phase", "code", "cell") if name in found}
            length = len(json.dumps(found))
        if size + length > _MOST:
            break
        told.append(found)
        size += length
    counts = {"total": len(ran.verdicts), "succeeded": len(rest), "failed": len(failed)}
    return {"notebooks": told, "summary": {**counts, "omitted": len(ran.verdicts) - len(told)}}


def _failed(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if one.status != "succeeded"]


def _notebook(ran: Ran, verdict: Verdict, strategy: str) -> dict:
    key = ran.keys.get(verdict.notebook)
    cells = [cell for cell in verdict.cells if cell.status == "Failure"][:_CELLS]
    told = {
        "phase": "Succeeded" if verdict.status == "succeeded" else "Failed",
        "code": verdict.code,
        "category": verdict.category,
        "cause": shorten(verdict.cause, _TEXT) if verdict.cause else None,
        "advice": [shorten(text, _TEXT) for text in verdict.advice[:_ADVICE]],
        "cell": verdict.cell,
        "duration": duration(verdict.duration),
        "retryCount": max(0, verdict.attempts - 1),
        "podName": ran.pods.get(verdict.notebook),
        "verdict": {"configMap": kept.name_of(key)} if key else None,
        "results": [result(cell, telling=True) for cell in cells],
        "comparisonResult": comparison_status(verdict, strategy, _DIFFS),
    }
    return {name: value for name, value in told.items() if value not in (None, [])}
