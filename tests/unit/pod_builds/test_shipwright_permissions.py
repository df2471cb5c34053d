# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that platform_info names for the work shipwright are those that are used: each is taken away once."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.shipwright import (
    ShipwrightStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import auth, check_refusal
from pod_support import DIGEST, need, retryable
from shipwright_support import PUSHED, context_of, with_shipwright

NEEDS = needs_of("shipwright", "team")


@pytest.fixture
def shipwright(site):
    return with_shipwright(site)


def everything(site, token) -> list[str]:
    """Make an environment twice, come second once, and delete it, as the user; return what was said."""
    site.server.pod_rules.add(
        {"name": "*", "seconds": 0.1, "containers": {"step-push": {"seconds": 0.1, "message": DIGEST}}}
    )
    # Longer than the patience: then the events are asked.
    site.server.pod_rules.add({"name": "*", "start_seconds": 0.6, "times": 1, **PUSHED})
    said = []
    for options in ({}, {"reuse": "never"}):
        (made,) = site.bring(ShipwrightStrategy(retryable), token=token, **options)
        said += [made.build.message or "", *site.shown]
    said += collide(site, token)
    with Cluster(auth(site.server, token)) as cluster:
        context, strategy = context_of(site, cluster), ShipwrightStrategy(retryable)
        try:
            strategy.delete(context, strategy.plan(context, need("alpha")).key)
        except EngineError as error:
            said.append(error.message)
    return said


def collide(site, token) -> list[str]:
    """Another run makes the BuildRun between the look and the creation."""
    strategy = ShipwrightStrategy(retryable)
    manifest = strategy.manifest

    def late(*arguments):
        made = manifest(*arguments)
        site.server.system.create("buildruns.shipwright.io", made)
        return made

    strategy.manifest = late
    (made,) = site.bring(strategy, need("beta"), token=token)
    return [made.build.message or ""]


def test_with_all_verbs_nothing_is_refused(shipwright):
    said = everything(shipwright, shipwright.user(list(role_rules(list(NEEDS)))))
    assert not [words for words in said if "does not allow" in words], said
    statuses = {one.status for one in shipwright.server.journal.entries() if one.user == "jane"}
    assert statuses <= {200, 201, 400, 404, 409}


@pytest.mark.parametrize("need_", NEEDS, ids=lambda one: f"{one.verb} {one.resource}")
def test_without_one_verb_a_sentence_names_it(shipwright, need_):
    said = everything(shipwright, shipwright.user(list(role_rules([one for one in NEEDS if one != need_]))))
    # It polls then; events only explain.
    quiet = need_.verb == "watch" or need_.resource == "events"
    check_refusal(shipwright.server, need_, said, quiet)
