# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that platform_info names for the work prebuilt are those that checking an image takes: each is taken away once."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.prebuilt import PrebuiltStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import Context
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import auth, check_refusal
from pod_support import BASE, need, retryable

NEEDS = needs_of("prebuilt", "team")


def everything(site, token) -> list[str]:
    """Check an image twice, fail, find a check that others began, meet a quota, and forget a check; return what was said."""
    site.server.pod_rules.add({"name": "*", "start_seconds": 0.5, "seconds": 0.1})
    said = []
    for imports, rule in (
        ("alpha", None),
        ("alpha", None),
        ("beta", {"name": "*", "start_seconds": 0.5, "exit_code": 1, "logs": [[0, "no"]]}),
    ):
        if rule:
            site.server.pod_rules.add(rule)
        said += bring(site, PrebuiltStrategy(retryable), imports, token)
    site.server.pod_rules.add({"name": "*", "seconds": 0.1})
    said += bring(site, late(site), "gamma", token)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": "team"}}
    site.server.system.create("resourcequotas", {**quota, "spec": {"hard": {"pods": "0"}}})
    said += bring(site, PrebuiltStrategy(retryable), "delta", token, timeout=3)
    with Cluster(auth(site.server, token)) as cluster:
        context = Context(site.cache_dir, base=BASE, cluster=cluster, namespace="team")
        strategy = PrebuiltStrategy(retryable)
        try:
            strategy.delete(context, strategy.plan(context, need("alpha", imports={"alpha": "alpha"})).key)
        except EngineError as error:
            said.append(error.message)
    return said


def bring(site, strategy, imports: str, token, **options) -> list[str]:
    (made,) = site.bring(strategy, need(imports, imports={imports: imports}), token=token, repository=None, **options)
    return [made.build.message or "", *site.shown]


def late(site) -> PrebuiltStrategy:
    """Another run makes the Job between the look and the creation."""
    strategy = PrebuiltStrategy(retryable)
    manifest = strategy.manifest

    def earlier(*arguments):
        made = manifest(*arguments)
        site.server.system.create("jobs.batch", made)
        return made

    strategy.manifest = earlier
    return strategy


def test_with_all_of_them_nothing_is_refused(site):
    said = everything(site, site.user(list(role_rules(list(NEEDS)))))
    assert not [words for words in said if "does not allow" in words], said
    assert {one.status for one in site.server.journal.entries() if one.user == "jane"} <= {200, 201, 400, 404, 409}


@pytest.mark.parametrize("need_", NEEDS, ids=lambda one: f"{one.verb} {one.resource}")
def test_without_one_a_sentence_names_it(site, need_):
    said = everything(site, site.user(list(role_rules([one for one in NEEDS if one != need_]))))
    # It polls then; events only explain.
    quiet = need_.verb == "watch" or need_.resource == "events"
    check_refusal(site.server, need_, said, quiet)
