# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that platform_info names for the work run are those that are used: each is taken away once."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.launcher import Target, run_all
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.options import PodOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.outcome import refusal
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import kept
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.shared import Shared
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import RunRequest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict
from cluster_support import check_refusal
from pod_run_support import auth, grant

NEEDS = needs_of("run", "team")
EMPTY, HELD, LEFT, REFUSED = (f"registry.example.com/{name}@sha256:{'e' * 64}" for name in ("a", "b", "c", "d"))
# Without these it polls, or leaves for the cluster to remove what it would have removed itself.
QUIET = {("pods", "watch"), ("pods", "delete"), ("jobs", "get"), ("jobs", "delete")}
OLD = {"notebooks.mlops.dev/decided": "2020-01-01T00:00:00Z"}


def user(site, needs) -> str:
    """Return a token of somebody who may do exactly this."""
    grant(site.server, "jane", list(role_rules(list(needs))))
    return site.server.tokens.issue("jane", 3600)


def everything(site, token) -> list[str]:
    """Run a notebook that says nothing, that waits for its image, that was begun before and that a quota refuses."""
    delivering = {"notebook": {"message": "0" * 64}, "results": {"logs": []}}
    site.server.pod_rules.add({"name": "*", "containers": delivering})
    site.server.pod_rules.add({"name": "*", "image": HELD, "failure": "ImagePullBackOff"})
    name = site.notebook("a.ipynb", "1")
    said = attempt(site, name, token, image=EMPTY, secrets={"TOKEN": "s3cr3t-value"})
    said += attempt(site, name, token, image=HELD)
    leave(site, name)
    said += attempt(site, name, token, image=LEFT)
    said += remembered(site, token)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": "team"}}
    site.server.system.create("resourcequotas", {**quota, "spec": {"hard": {"pods": "0"}}})
    return said + attempt(site, name, token, image=REFUSED)


def attempt(site, name, token, **options) -> list[str]:
    try:
        return [result.message or "" for result in site.run(name, token=token, **options).values()]
    except EngineError as error:
        return [error.message]


def remembered(site, token) -> list[str]:
    """Ask for a verdict, keep one, and have one removed that is too old."""
    old = kept.pack("0" * 64, "team", Verdict("old.ipynb", "failed"), None)
    old["metadata"]["annotations"] |= OLD
    site.server.system.create("configmaps", old)
    steps = {"find": ["1" * 64], "keep": ("1" * 64, Verdict("a.ipynb", "failed"), None), "durations": ()}
    troubles = []
    for step, given in steps.items():
        with Cluster(auth(site.server, token)) as cluster:
            shared = Shared(cluster, "team", 90)
            getattr(shared, step)(*(given if isinstance(given, tuple) else (given,)))
            shared.close()
            troubles.append(shared.trouble or "")
    return troubles


def leave(site, name) -> None:
    """Somebody else's call for the same notebook ends half-way, and leaves its Job."""

    def interrupt(_result):
        raise KeyboardInterrupt

    request = RunRequest(
        id=f"{0:064x}", python="python3", source=str(site.directory / "source"), notebook=name,
        output=str(site.directory / "left"), timeout=120,
    )  # fmt: skip
    with Cluster(auth(site.server)) as cluster, pytest.raises(KeyboardInterrupt):
        target = Target(cluster, "team", PodOptions(on_cancel="leave"))
        run_all([(LEFT, request)], target, workers=1, on_result=interrupt)


def test_with_all_of_them_nothing_is_refused(simulated):
    said = everything(simulated, user(simulated, NEEDS))
    assert len(said) == 7 and not [words for words in said if "does not allow" in words], said
    assert {one.status for one in simulated.server.journal.entries() if one.user == "jane"} <= {200, 201, 404, 409}


@pytest.mark.parametrize("need", NEEDS, ids=lambda one: f"{one.verb} {one.resource}")
def test_without_one_a_sentence_names_it(simulated, need):
    said = everything(simulated, user(simulated, [one for one in NEEDS if one != need]))
    check_refusal(simulated.server, need, said, quiet=(need.resource, need.verb) in QUIET)


def test_a_job_that_waits_in_a_queue_is_not_taken_for_refused(simulated):
    token = user(simulated, [])
    with Cluster(auth(simulated.server, token)) as cluster:
        assert "cannot list" in refusal(cluster, "team", "a")[1]
        assert refusal(cluster, "team", "a", queued=True) is None
