# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the documentation name everything that is told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.offers import BUILDERS, CAPABILITIES
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions_data import WORK
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.serving_data import BY_API, BY_IMAGE

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "platform.md").read_text(encoding="utf-8")
API_GROUPS = [
    *(group for group, _unused in CAPABILITIES.values()),
    *(group for _unused, groups, _title in BY_API for group in groups),
    *(need[0] for needs in BUILDERS.values() for need in needs),
]
NAMES = [
    *BUILDERS,
    *CAPABILITIES,
    *(row[0] for row in (*BY_API, *BY_IMAGE)),
    *(name for name in WORK if name not in BUILDERS),
]


@pytest.mark.parametrize("name", NAMES)
def test_each_name_of_the_result_stands_in_the_documentation(name):
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("group", sorted(set(API_GROUPS)))
def test_each_api_group_that_something_is_told_by_stands_in_the_documentation(group):
    assert f"`{group}" in PAGE
