# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made on the stand-in by the strategies of OpenShift."""

from __future__ import annotations

import base64
import json

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.environments import (
    DockerStrategy,
    S2iStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from cluster_support import auth

from tests.schemas import complaints

BASE = "registry.example.com/jupyter/minimal-notebook:latest"
DIGESTS = {number: f"sha256:{number * 64}" for number in "ab"}
PLAIN = {"digest": DIGESTS["a"], "config": {"User": "1000", "Env": ["NB_UID=1000"]}}
BUILDER = {
    "digest": DIGESTS["b"],
    "config": {"User": "1001", "Labels": {"io.openshift.s2i.scripts-url": "image:///usr/libexec/s2i"}},
}


def need(*lines, notebook="a.ipynb", **more):
    return Resolution(notebook, "declared", tuple(lines), **more)


def bring(site, *needs, strategy="s2i", token=None, **options):
    options = {"base": BASE, "timeout": 30, "namespace": "team", **options}
    events = options.pop("progress", lambda event: site.shown.append(event["text"]))
    with Cluster(auth(site.server, token)) as cluster:
        return make(
            needs or (need("alpha"),), strategy=strategy, cluster=cluster, cache_dir=site.cache_dir,
            strategies=[S2iStrategy(), DockerStrategy()], progress=events, **options,
        )  # fmt: skip


def faults(site, key) -> list[str]:
    """Return what the API's field tables say against the BuildConfig of a key."""
    found = config(site, key)
    return complaints({**{name: found[name] for name in ("apiVersion", "kind", "spec")}, "metadata": {"name": "x"}})


def hook(spec) -> list[str]:
    """Return the command that the post-commit hook of a BuildConfig runs."""
    return json.loads(base64.b64decode(spec["postCommit"]["script"].rsplit(" ", 1)[1]))


def config(site, key):
    return site.server.system.get("buildconfigs.build.openshift.io", "team", f"notebook-environment-{key}")
