# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that has Shipwright."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.shipwright import (
    ShipwrightStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import Context
from pod_support import BASE, DIGEST, REPOSITORY, retryable

from tests.apiserver.actors import shipwright as stand_in

PUSHED = {"containers": {"step-push": {"message": DIGEST}}}


def with_shipwright(site):
    """Let a site have it, and make images by it with `make`."""
    stand_in.install(site.server)
    site.server.pod_rules.add({"name": "notebook-environment-*", **PUSHED})
    site.make = lambda *needs, **options: site.bring(ShipwrightStrategy(retryable), *needs, **options)
    site.runs = lambda: site.list("buildruns.shipwright.io")
    return site


def context_of(site, cluster, **more):
    known = {"base": BASE, "timeout": 30, "namespace": "team", "repository": REPOSITORY}
    return Context(site.cache_dir, cluster=cluster, **{**known, **more})
