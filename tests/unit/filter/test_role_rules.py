# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for kinds of work, as a play asks for them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mlops.notebooks.plugins.filter.role_rules import FilterModule
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import allows, needs_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.platform import Rule

role_rules = FilterModule().filters()["role_rules"]


def test_several_kinds_give_what_each_needs_and_nothing_twice():
    found = role_rules(["run", "buildah", "run"], "team")
    assert not [rule for rule in found if len(rule["verbs"]) != len(set(rule["verbs"]))]
    rules = [Rule(tuple(one["apiGroups"]), tuple(one["resources"]), tuple(one["verbs"])) for one in found]
    needs = {need for kind in ("run", "buildah") for need in needs_of(kind, "team")}
    assert all(any(allows(rule, need) for rule in rules) for need in needs)
    given = [(resource, verb) for rule in found for resource in rule["resources"] for verb in rule["verbs"]]
    assert sorted(given) == sorted({(need.resource, need.verb) for need in needs})


def test_one_kind_may_stand_alone_and_the_namespace_is_named():
    assert role_rules("detect", "team")[0]["resourceNames"] == ["team"]


def test_an_unknown_kind_is_refused():
    with pytest.raises(AnsibleFilterError, match="no work fly: give some of detect, run"):
        role_rules(["run", "fly"], "team")
