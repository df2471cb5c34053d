# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules of RBAC allow, and which a Role must have beside them."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import (
    Need,
    allows,
    from_review,
    missing,
    needs_of,
    role_rules,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions_data import WORK
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.platform import Permissions, Rule


def rule(groups: str, resources: str, verbs: str, names: str = "") -> Rule:
    split = [tuple(part for part in text.split(",") if part) for text in (resources, verbs, names)]
    return Rule(tuple(groups.split(",")), *split)


LOG = Need("", "pods/log", "get")


@pytest.mark.parametrize(
    ("given", "need", "allowed"),
    [
        (rule("", "pods,pods/log", "get"), LOG, True),
        (rule("", "pods", "get"), LOG, False),
        (rule("", "*", "get"), LOG, True),
        (rule("", "*/log", "get"), LOG, True),
        (rule("", "pods/*", "get"), LOG, False),
        (rule("", "*/log", "get"), Need("", "pods", "get"), False),
        (rule("", "*/status", "get"), LOG, False),
        (rule("*", "*", "*"), LOG, True),
        (rule("", "pods/log", "*"), LOG, True),
        (rule("", "pods/log", "list,watch"), LOG, False),
        (rule("apps", "pods/log", "get"), LOG, False),
        (rule("apps,", "pods/log", "get"), LOG, True),
        (rule("", "pods/log", "get", "one"), LOG, False),
        (rule("", "namespaces", "get", "mine,yours"), Need("", "namespaces", "get", "mine"), True),
        (rule("", "namespaces", "get", "yours"), Need("", "namespaces", "get", "mine"), False),
        (rule("", "namespaces", "get"), Need("", "namespaces", "get", "mine"), True),
    ],
)
def test_a_rule_allows_what_rbac_says(given, need, allowed):
    assert allows(given, need) is allowed


def test_a_review_gives_each_rule_once():
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    found = from_review({"resourceRules": [pods, pods, {**pods, "resourceNames": ["a"]}], "incomplete": False}, "mine")
    assert found == Permissions("mine", (rule("", "pods", "get"), rule("", "pods", "get", "a")))


@pytest.mark.parametrize("work", WORK)
def test_who_may_nothing_lacks_all_of_it_and_who_may_all_lacks_nothing(work):
    (lack,) = missing(Permissions("mine", ()), [work])
    assert lack.work == work and lack.unknown == ()
    assert missing(Permissions("mine", tuple(as_rule(one) for one in lack.rules)), [work]) == ()
    assert missing(Permissions("mine", (rule("*", "*", "*"),)), [work]) == ()


def as_rule(role_rule: dict) -> Rule:
    keys = ("apiGroups", "resources", "verbs", "resourceNames")
    return Rule(*(tuple(role_rule.get(key, ())) for key in keys))


def test_only_the_verb_that_is_lacking_is_named():
    everything = [as_rule(one) for one in role_rules(list(needs_of("run", "mine")))]
    less = [
        Rule(one.api_groups, one.resources, tuple(verb for verb in one.verbs if verb != "delete"), one.resource_names)
        for one in everything
    ]
    (lack,) = missing(Permissions("mine", tuple(less)), ["run"])
    assert all(one["verbs"] == ["delete"] for one in lack.rules)
    assert {resource for one in lack.rules for resource in one["resources"]} == {"configmaps", "jobs", "pods"}


def test_a_role_may_name_the_namespace_itself():
    (lack,) = missing(Permissions("mine", ()), ["detect"])
    assert {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["mine"], "verbs": ["get"]} in lack.rules


def test_resources_that_need_the_same_share_a_rule():
    needs = [Need("", resource, verb) for resource in ("pods", "events") for verb in ("list", "get")]
    assert role_rules(needs) == ({"apiGroups": [""], "resources": ["events", "pods"], "verbs": ["get", "list"]},)


def test_what_incomplete_rules_do_not_allow_is_unknown_and_not_missing():
    found = from_review({"resourceRules": [], "incomplete": True, "evaluationError": "a webhook decides"}, "mine")
    assert found.incomplete and found.reason == "a webhook decides"
    (lack,) = missing(found, ["detect"])
    assert lack.rules == () and len(lack.unknown) == 2


def test_each_kind_of_work_is_told_once():
    assert [lack.work for lack in missing(Permissions("mine", ()), ["s2i", "run", "s2i"])] == ["s2i", "run"]
