# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a job as data: conditions that can be waited for, and a verdict that fits into an object."""

from __future__ import annotations

import calendar
import time
from collections.abc import Sequence

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import Build, EnvironmentResult
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import (
    CellDiff,
    CellVerdict,
    Verdict,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, shorten
from operator_common.told import CLOCK, condition, now

_RESULTS = 500  # cells
_DIFFS = 20
_TEXT = 2000  # characters of one text
_TELLING = 50  # cells with a text
LOG_LINES = 10
PASSED = "The notebook passed."
_TYPES = ("Ready", "Progressing", "BuildReady", "ValidationComplete", "Degraded")
# Categories that say nothing of the notebook.
OWN_TROUBLE = ("infrastructure", "cluster_error")
_BUILD_PHASES = {"Complete": "Complete", "Cached": "Complete", "Failed": "Failed", "Cancelled": "Failed"}


def seconds_since(moment: str) -> float:
    """Return the seconds since a moment that ``now`` returned."""
    return time.time() - calendar.timegm(time.strptime(moment, CLOCK))


def is_over(found: dict) -> bool:
    """Return whether the status holds a verdict on the job as it is now.

    A verdict of an operator that knew no generations is one on the job as it was made.
    """
    status, generation = found.get("status") or {}, found["metadata"]["generation"]
    unsaid = 1 if "completionTime" in status and "observedGeneration" not in status else None
    complete = (one for one in status.get("conditions") or () if one["type"] == "ValidationComplete")
    return any(one["status"] != "Unknown" and one.get("observedGeneration", unsaid) == generation for one in complete)


def conditions(before: Sequence[dict], generation: int, wanted: dict[str, tuple[str, str, str]]) -> list[dict]:
    """Return all conditions; their times are those of the last change of the status.

    What is not wanted stays as it is, unless that was said of another generation. wanted: type -> status, reason, message.
    """
    known = {one["type"]: one for one in before}
    found = []
    for kind in _TYPES:
        old = known.get(kind)
        if kind not in wanted and old and old.get("observedGeneration") == generation:
            found.append(old)
            continue
        told = wanted.get(kind) or ("Unknown", "NotYet", "Nothing is known of that yet.")
        found.append(condition(kind, old, told, generation))
    return found


def working(reason: str, message: str) -> dict[str, tuple[str, str, str]]:
    """Return what is said of a job that is worked on."""
    return {
        "Ready": ("False", reason, message),
        "Progressing": ("True", reason, message),
        "ValidationComplete": ("Unknown", reason, message),
        "Degraded": ("False", "AsExpected", "The operator goes on."),
    }


def ended(verdict: Verdict, passed: str = PASSED, trouble: Verdict | None = None) -> dict[str, tuple[str, str, str]]:
    """Return what is said of a job that has its verdict.

    passed: the message of a success. trouble: the verdict that says that cluster or operator are at fault, if it is another one.
    """
    good = str(verdict.status == "succeeded")
    reason, message = outcome(verdict, passed)
    trouble = trouble or (verdict if verdict.category in OWN_TROUBLE else None)
    return {
        "Ready": (good, reason, message),
        "Progressing": ("False", reason, message),
        "ValidationComplete": (good, reason, message),
        "Degraded": ("True", *outcome(trouble)) if trouble else ("False", "AsExpected", "There is a verdict."),
    }


def outcome(verdict: Verdict, passed: str = PASSED) -> tuple[str, str]:
    """Return the reason and message of a verdict: ``missing_module`` is the reason ``MissingModule``."""
    if verdict.status == "succeeded":
        return "ValidationComplete", passed
    words = (verdict.code or "failed").split("_")
    return "".join(word.capitalize() for word in words), verdict.cause or "The notebook failed."


def build_status(results: Sequence[EnvironmentResult], strategy: str, began: str) -> dict:
    """Return buildStatus of builds that ended: of the first that failed, else of the first."""
    failed = [one for one in results if one.environment is None]
    build, image = (failed or results)[0].build, (failed or results)[0].environment
    more = f"{len(results) - len(failed)} of {len(results)} images are there. " if len(results) > 1 else ""
    told = {
        "phase": _BUILD_PHASES.get(build.phase, "Running"),
        "strategy": image.strategy if image else strategy,
        "buildName": build.name,
        "startTime": began,
        "completionTime": now(),
        "duration": duration(sum(one.build.duration for one in results)),
        "message": more + _build_message(build),
        "imageReference": image.reference if image else None,
    }
    return {name: value for name, value in told.items() if value}


def _build_message(build: Build) -> str:
    if build.phase == "Cached":
        return "An image with this content was there."
    tail = [clean(line) for line in build.log_tail if line.strip()][-LOG_LINES:]
    words = "\n".join([build.message or "", *(tail if build.phase == "Failed" else ())]).strip()
    return shorten(clean(words), _TEXT)


def verdict_status(verdict: Verdict, strategy: str, passed: str = PASSED) -> dict:
    """Return the fields of the status that tell a verdict. strategy: of the golden comparison."""
    failed = verdict.status != "succeeded"
    told = {
        "phase": "Failed" if failed else "Succeeded",
        "message": outcome(verdict, passed)[1],
        "code": verdict.code,
        "category": verdict.category,
        "cause": verdict.cause,
        "advice": [shorten(text, _TEXT) for text in verdict.advice[:10]],
        "retryable": verdict.retryable if failed else None,
        "cell": verdict.cell,
        "completionTime": now(),
        "retryCount": max(0, verdict.attempts - 1),
        "results": [result(cell, telling) for cell, telling in _chosen(verdict.cells)],
        "comparisonResult": comparison_status(verdict, strategy, _DIFFS),
    }
    return {name: value for name, value in told.items() if value not in (None, [])}


def _chosen(cells: Sequence[CellVerdict]) -> list[tuple[CellVerdict, bool]]:
    """Return the cells that are told, and whether with their texts: the first ones, and what failed behind them."""
    head, rest = cells[:_RESULTS], [cell for cell in cells[_RESULTS:] if cell.status == "Failure"]
    chosen, texts = [], 0
    for cell in [*head, *rest[:_TELLING]]:
        texts += bool(cell.error)
        chosen.append((cell, texts <= _TELLING))
    return chosen


def result(cell: CellVerdict, telling: bool) -> dict:
    """Return an entry of ``results``. telling: with its texts."""
    told = {
        "cellIndex": cell.index,
        "cellType": cell.type,
        "status": cell.status,
        "executionTime": f"{cell.duration:.3f}s" if cell.duration is not None else None,
        "errorMessage": shorten(cell.error, _TEXT) if cell.error and telling else None,
        "output": shorten("\n".join(cell.traceback), _TEXT) if cell.traceback and telling else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def comparison_status(verdict: Verdict, strategy: str, most: int) -> dict | None:
    """Return ``comparisonResult`` with so many differences at most; None where nothing was compared."""
    found = verdict.comparison
    if found is None:
        return None
    types = {cell.index: cell.type for cell in verdict.cells}
    return {
        "strategy": strategy,
        "result": "matched" if found.result == "matched" else "failed",
        "totalCells": found.total_cells,
        "matchedCells": found.matched_cells,
        "mismatchedCells": found.mismatched_cells,
        "diffs": [_diff(one, types) for one in found.diffs[:most]],
    }


def _diff(one: CellDiff, types: dict[int, str]) -> dict:
    texts = {name: getattr(one, name) for name in ("expected", "actual", "diff")}
    return {
        "cellIndex": one.cell,
        "cellType": types.get(one.cell, "code"),
        "diffType": one.kind,
        "severity": "critical" if one.kind in ("missing_cell", "extra_cell") else "major",
        **{name: shorten(clean(text), _TEXT // 4) for name, text in texts.items() if text},
    }


def duration(seconds: float) -> str:
    """Return seconds as Kubernetes writes durations: ``5m30s``."""
    whole, rest = divmod(seconds, 60)
    return f"{int(whole)}m{rest:.0f}s" if whole else f"{rest:.1f}s"
