# SPDX-License-Identifier: GPL-3.0-or-later
"""The last step: verdicts are kept and told, in the status, as artifacts, and where a caller of the collection looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.apply import put
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import MANAGER
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import CONFIG_MAPS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import KEY, MANAGED_BY
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import kept
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict

from ..asked.question import label
from ..process.metrics import observe
from ..told import status
from ..told.case import Case
from ..told.record import Record
from . import artifacts, many
from .running import Ran


def finish(case: Case, ran: Ran) -> None:
    """End a job by its verdicts. Raises ClusterError, and Stopped where the job is gone."""
    told = artifacts.keep(case, ran.verdicts)
    more = {"artifacts": told, "imageRef": ran.images[0] if len(ran.images) == 1 else None}
    strategy = (case.spec.get("comparisonConfig") or {}).get("strategy", "normalized")
    if case.question.many:
        overall = many.overall(ran.verdicts, label(case.spec))
        more |= many.status(ran, strategy, case.question.directory)
        end(
            case.record,
            overall,
            strategy,
            trouble=many.trouble(ran.verdicts),
            passed=many.passed(ran.verdicts),
            more=more,
        )
        return
    (verdict,) = ran.verdicts
    key = _keep_for_caller(case, verdict) if ran.keys else None
    more["verdict"] = {"configMap": kept.name_of(key or ran.keys[verdict.notebook])} if ran.keys else None
    end(case.record, verdict, strategy, more=more)


def end(record: Record, verdict: Verdict, strategy: str = "normalized", *, trouble: Verdict | None = None,
        passed: str = status.PASSED, more: dict | None = None) -> None:  # fmt: skip
    """Write the last word on a job, and its event.

    trouble: the verdict that says that cluster or operator are at fault, where that is another one.
    more: fields of the status, None for none.
    """
    reason, message = status.outcome(verdict, passed)
    fields = {**status.verdict_status(verdict, strategy, passed), **(more or {})}
    fields = {name: value for name, value in fields.items() if value is not None}
    record.write(status.ended(verdict, passed, trouble), last=True, **fields)
    observe.verdict(record.namespace, trouble or verdict)
    good = verdict.status == "succeeded"
    record.say("ValidationSucceeded" if good else "ValidationFailed", f"{reason}: {message}", warning=not good)


def _keep_for_caller(case: Case, verdict: Verdict) -> str | None:
    """Keep the verdict under the key by which a caller of the collection looks for it; return that, None without a caller."""
    labels = case.metadata.get("labels") or {}
    key = labels.get(KEY) if labels.get(MANAGED_BY) == MANAGER else None
    if key:
        executed = Path(verdict.executed).read_bytes() if verdict.executed else None
        manifest = kept.pack(key, case.namespace, replace(verdict, executed=None), executed)
        if manifest:
            put(case.cluster, manifest, CONFIG_MAPS)
    return key
