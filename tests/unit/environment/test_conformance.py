# SPDX-License-Identifier: GPL-3.0-or-later
"""Every strategy keeps the promises of the interface; the one that the guide shows does so too."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.registry import Registry
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.venv import VenvStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils.environment import Context, EngineError, Resolution
from conformance import check_strategy

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "strategies.md"


def example():
    """Return the strategy of the guide, from the guide's own text."""
    code = re.search(r"```python\n(#!/usr/bin/python\n.*?)```", GUIDE.read_text(), re.DOTALL).group(1)
    names = {"__name__": "example"}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102
    return names["SiteStrategy"]()


@pytest.mark.parametrize("make_strategy", [VenvStrategy, example])
def test_a_strategy_keeps_its_promises(make_strategy, cache_dir, lines, tmp_path):
    check_strategy(
        make_strategy(),
        Context(cache_dir=str(cache_dir), source=str(tmp_path)),
        needs=Resolution("a.ipynb", "declared", lines("alpha==1.0")),
        other=Resolution("b.ipynb", "declared", lines("alpha==2.0")),
        broken=Resolution("c.ipynb", "declared", lines("nosuchthing")),
    )


def test_auto_takes_the_best_of_our_own_and_names_what_each_lacks(cache_dir):
    context = Context(cache_dir=str(cache_dir))
    foreign = example()
    foreign.rank = 99
    registry = Registry([VenvStrategy(), foreign])
    assert registry.choose("auto", context).name == "venv"
    assert registry.choose("acme.builders.site", context) is foreign
    nowhere = Context(cache_dir=str(cache_dir), base=f"{sys.executable}-not")
    with pytest.raises(EngineError, match="acme.builders.site cannot work here"):
        registry.choose("acme.builders.site", nowhere)
    with pytest.raises(EngineError, match="No strategy can work here. venv: "):
        registry.choose("auto", nowhere)
    with pytest.raises(ValueError):
        registry.register(VenvStrategy())


def test_auto_takes_a_strategy_of_another_collection_only_where_it_is_allowed(cache_dir):
    context = Context(cache_dir=str(cache_dir))
    foreign = example()
    registry = Registry([VenvStrategy(), foreign])
    assert registry.choose("auto", context, community="acme.builders.site").name == "venv", "of equal rank, ours"
    foreign.rank = 99
    assert registry.choose("auto", context, community="acme.builders.site") is foreign
    assert registry.choose("auto", context, community="acme.builders.other").name == "venv"


def test_kaniko_is_answered_with_the_way_to_go(cache_dir):
    with pytest.raises(EngineError, match="Kaniko is archived.*choose buildah"):
        Registry([VenvStrategy()]).choose("kaniko", Context(cache_dir=str(cache_dir)))
