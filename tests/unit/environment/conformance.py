# SPDX-License-Identifier: GPL-3.0-or-later
"""What every strategy promises, checked through its public face; see docs/strategies.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils.environment import BuildLog, EngineError


def check_strategy(strategy, context, *, needs, other, broken):
    """Check a strategy.

    needs, other: resolutions with different needs that can be met. broken: one that can be planned, but not made.
    """
    check_detection(strategy, context)
    check_plans(strategy, context, needs, other)
    check_life(strategy, context, needs)
    check_failure(strategy, context, broken)
    check_interruption(strategy, context, other)


def check_detection(strategy, context):
    found = strategy.detect(context)
    assert found.available is True and found.why, "detect says why"
    assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+\.[a-z0-9_]+)?", strategy.name)
    assert strategy.community is ("." in strategy.name), "auto takes none of another collection"


def check_plans(strategy, context, needs, other):
    before = everything(context)
    plan = strategy.plan(context, needs)
    assert strategy.plan(context, needs).key == plan.key, "equal needs, equal keys"
    assert strategy.plan(context, other).key != plan.key, "different needs, different keys"
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", plan.key), "keys name files and objects"
    assert plan.requirements == needs.requirements
    assert strategy.find(context, plan.key) is None
    assert everything(context) == before, "planning changes nothing"


def check_life(strategy, context, needs):
    plan, events = strategy.plan(context, needs), []
    made = strategy.create(context, plan, log_for(strategy, context, plan, events))
    assert (made.cached, made.key, made.strategy) == (False, plan.key, strategy.name)
    assert made.digest.startswith("sha256:") and made.python and made.reference
    assert events, "the build is seen while it goes on"
    found = strategy.find(context, plan.key)
    assert found.cached and (found.reference, found.digest) == (made.reference, made.digest)
    assert strategy.create(context, plan, log_for(strategy, context, plan, [])).cached, "what exists is not built again"
    assert not strategy.create(context, plan, log_for(strategy, context, plan, []), replace=True).cached
    assert strategy.verify(context, found) is None
    assert strategy.status(context, plan.key).phase == "Complete"
    assert strategy.delete(context, plan.key) is True
    assert strategy.find(context, plan.key) is None and strategy.status(context, plan.key) is None
    assert strategy.verify(context, found)
    assert strategy.delete(context, plan.key) is True, "what is gone is gone"


def check_failure(strategy, context, broken):
    plan = strategy.plan(context, broken)
    with pytest.raises(EngineError) as caught:
        strategy.create(context, plan, log_for(strategy, context, plan, []))
    assert caught.value.message and caught.value.code
    assert strategy.find(context, plan.key) is None, "a failed build leaves nothing that counts"


def check_interruption(strategy, context, needs):
    plan = strategy.plan(context, needs)

    def interrupt(_event):
        raise KeyboardInterrupt

    log = BuildLog(strategy.log_path(context, plan.key), interrupt)
    with pytest.raises(KeyboardInterrupt):
        strategy.create(context, plan, log)
    log.close()
    assert strategy.find(context, plan.key) is None, "an interrupted build leaves nothing that counts"
    assert not strategy.create(context, plan, log_for(strategy, context, plan, [])).cached, "and no lock"


def log_for(strategy, context, plan, events):
    return BuildLog(strategy.log_path(context, plan.key), events.append)


def everything(context):
    return sorted(Path(context.cache_dir).rglob("*"))
