# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that platform_info names for the work s2i are those that are used: each is taken away once."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.buildlog import BuildLog
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.environments import (
    DockerStrategy,
    S2iStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import Context, GitSource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from cluster_support import auth, check_refusal

NEEDS = needs_of("s2i", "team")
BUILDS = "builds in API group"


def everything(site, tmp_path, token) -> list[str]:
    """Use every state as the user; return what was said, in errors and warnings."""
    (tmp_path / "file").write_text("x")
    site.config("nb", source={"type": "Git", "git": {"uri": "https://git.example.com/x.git"}})
    site.config("bin", source={"type": "Binary", "binary": {}})
    site.config("lost", output={"to": {"kind": "ImageStreamTag", "name": "nowhere:1"}}, serviceAccount="none")
    site.stream("nowhere")
    site.server.pod_rules.add({"name": "nb-*-build", "logs": [[0, "hello"]]})
    said = []

    def run(*arguments, **options):
        try:
            said.extend(site.run(*arguments, token=token, **options).warnings)
        except EngineError as error:
            said.append(error.message)

    run()
    run()
    run(name="bin", source=str(tmp_path))
    run(name="lost")
    run("waited", build="nb-1")
    run("cancelled", name="lost")
    run("absent", build="nb-1")
    said += environments(site, tmp_path, token)
    return said


def environments(site, tmp_path, token) -> list[str]:
    """Make environments as the user, of which one takes files of a repository, and delete them; return what was said."""
    base = f"registry.example.com/nb@sha256:{'a' * 64}"
    git = GitSource("https://git.example.com/team/nb.git", "c" * 40)
    said = []
    with Cluster(auth(site.server, token)) as cluster:
        for strategy, line in ((S2iStrategy(), "alpha"), (DockerStrategy(), "./package")):
            context = Context(
                str(tmp_path / "cache"), base=base, timeout=20, cluster=cluster, namespace="team", git=git
            )
            plan = strategy.plan(context, Resolution("a.ipynb", "declared", (line,)))
            said += attempt(strategy.create, context, plan, BuildLog(None, lambda _event: None))
            said += attempt(build_upon, strategy, context, plan.key)
            said += attempt(strategy.delete, context, plan.key)
    return said


def build_upon(strategy, context, key):
    """Look at what was made as at a base."""
    if found := strategy.find(context, key):
        strategy.base(dataclasses.replace(context, base=found.reference))


def attempt(work, *arguments) -> list[str]:
    try:
        work(*arguments)
    except EngineError as error:
        return [error.message]
    return []


def test_with_all_of_them_nothing_is_refused(site, tmp_path):
    said = everything(site, tmp_path, site.user(list(role_rules(list(NEEDS)))))
    assert not [words for words in said if "does not allow" in words], said
    assert len(said) == 1 and "builder_account" not in said[0] and "none" in said[0]
    assert {entry.status for entry in site.server.journal.entries() if entry.user == "jane"} <= {200, 201, 404}


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need.verb} {need.resource}")
def test_without_one_a_sentence_names_it(site, tmp_path, need):
    said = everything(site, tmp_path, site.user(list(role_rules([one for one in NEEDS if one != need]))))
    # It polls then.
    check_refusal(site.server, need, said, quiet=(need.resource, need.verb) == ("builds", "watch"))
