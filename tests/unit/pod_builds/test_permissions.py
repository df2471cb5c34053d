# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that platform_info names for the work buildah are those that are used: each is taken away once."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.buildah import BuildahStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import Context
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import auth, check_refusal
from pod_support import BASE, DIGEST, REPOSITORY, need, retryable

NEEDS = needs_of("buildah", "team")


def everything(site, token) -> list[str]:
    """Make an environment twice, fail to make one, and delete it, as the user; return what was said."""
    site.server.pod_rules.add(
        {"name": "*", "seconds": 0.1, "containers": {"push": {"seconds": 0.1, "message": DIGEST}}}
    )
    said = []
    for options in ({}, {"reuse": "never"}, {"reuse": "never", "build": _nowhere(), "timeout": 3}):
        (made,) = site.bring(BuildahStrategy(retryable), token=token, **options)
        said += [made.build.message or "", *site.shown]
    _collide(site, token, said)
    with Cluster(auth(site.server, token)) as cluster:
        context = Context(site.cache_dir, base=BASE, cluster=cluster, namespace="team", repository=REPOSITORY)
        strategy = BuildahStrategy(retryable)
        try:
            strategy.delete(context, strategy.plan(context, need("alpha")).key)
        except EngineError as error:
            said.append(error.message)
    return said


def _nowhere():
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import BuildOptions

    return BuildOptions(settings_config_map="nowhere")


def _collide(site, token, said) -> None:
    """Another run makes the Job between the look and the creation."""
    strategy = BuildahStrategy(retryable)
    manifest = strategy.manifest

    def late(context, plan, name, files):
        made = manifest(context, plan, name, files)
        site.server.system.create("jobs.batch", made)
        return made

    strategy.manifest = late
    (made,) = site.bring(strategy, need("beta"), token=token)
    said.append(made.build.message or "")
    assert made.build.reason or made.environment.cached


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
