# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that platform_info names for the work tekton are those that are used: each is taken away once."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.tekton import TektonStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import BuildOptions, Context
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import auth, check_refusal
from pod_support import BASE, DIGEST, REPOSITORY, need, retryable

from tests.apiserver.actors import tekton

NEEDS = needs_of("tekton", "team")


@pytest.fixture
def runs(site):
    tekton.install(site.server)
    return site


def everything(site, token) -> list[str]:
    """Make an environment twice, fail to make one, lose a race, and delete it, as the user; return what was said."""
    slow = {"seconds": 0.1, "message": DIGEST}
    site.server.pod_rules.add({"name": "*", "seconds": 0.1, "containers": {"step-push": slow}})
    said = []
    nowhere = {"reuse": "never", "build": BuildOptions(settings_config_map="nowhere"), "timeout": 3}
    for options in ({}, {"reuse": "never"}, nowhere):
        (made,) = site.bring(TektonStrategy(retryable), token=token, **options)
        said += [made.build.message or "", *site.shown]
    said.append(collide(site, token))
    with Cluster(auth(site.server, token)) as cluster:
        context = Context(site.cache_dir, base=BASE, cluster=cluster, namespace="team", repository=REPOSITORY)
        strategy = TektonStrategy(retryable)
        try:
            strategy.delete(context, strategy.plan(context, need("alpha")).key)
        except EngineError as error:
            said.append(error.message)
    return said


def collide(site, token) -> str:
    """Another makes the TaskRun between the look and the creation."""
    strategy = TektonStrategy(retryable)
    manifest = strategy.manifest

    def late(*arguments):
        made = manifest(*arguments)
        site.server.system.create(tekton.RUNS, made)
        return made

    strategy.manifest = late
    (made,) = site.bring(strategy, need("beta"), token=token)
    assert made.build.reason or made.environment.cached
    return made.build.message or ""


def test_with_all_verbs_nothing_is_refused(runs):
    said = everything(runs, runs.user(list(role_rules(list(NEEDS)))))
    assert not [words for words in said if "does not allow" in words], said
    assert {one.status for one in runs.server.journal.entries() if one.user == "jane"} <= {200, 201, 400, 404, 409}


@pytest.mark.parametrize("need_", NEEDS, ids=lambda one: f"{one.verb} {one.resource}")
def test_without_a_verb_a_sentence_names_it(runs, need_):
    said = everything(runs, runs.user(list(role_rules([one for one in NEEDS if one != need_]))))
    # It polls then; events only explain.
    quiet = need_.verb == "watch" or need_.resource == "events"
    check_refusal(runs.server, need_, said, quiet)
