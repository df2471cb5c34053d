# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts over the verdicts of one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..values.verdict import Verdict


def summarize(verdicts: Sequence[Verdict]) -> dict:
    """Return the counts of a call as plain data.

    total, succeeded, failed; cached: verdicts of an earlier run of the same work; by_code, by_category: failed
    verdicts only; by_tier: of all that got as far as a tier; environments: distinct content keys, and
    environments_cached those that no verdict reports as built; duration: seconds of all runs, rounded to milliseconds.
    """
    failed = [verdict for verdict in verdicts if verdict.status != "succeeded"]
    environments = {verdict.environment for verdict in verdicts if verdict.environment}
    built = {verdict.environment for verdict in verdicts if verdict.environment and not verdict.environment_cached}
    return {
        "total": len(verdicts),
        "succeeded": len(verdicts) - len(failed),
        "failed": len(failed),
        "cached": sum(verdict.cached for verdict in verdicts),
        "warnings": sum(len(verdict.warnings) for verdict in verdicts),
        "by_code": _count(verdict.code for verdict in failed),
        "by_category": _count(verdict.category for verdict in failed),
        "by_tier": _count(verdict.tier for verdict in verdicts),
        "environments": len(environments),
        "environments_cached": len(environments - built),
        "duration": round(sum(verdict.duration for verdict in verdicts), 3),
    }


def _count(names: Iterable[str | None]) -> dict[str, int]:
    """Count names, most frequent first, then by name, so that equal verdicts give equal bytes."""
    counted = Counter(name for name in names if name)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
