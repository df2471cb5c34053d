# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator is allowed is what it does: nothing that it asks for is refused, and nothing is allowed that it never asks for.

The verbs for pods, Jobs and ConfigMaps are those of the work run, each of which tests/unit/run_pods/test_permissions.py takes away once.
"""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of
from operator_support import PLURAL

RUN = set(needs_of("run", "team"))
OWN = [need for need in needs_of("validator", "team") if need not in RUN]


def test_a_job_with_all_that_may_befall_it_uses_each_verb_and_is_refused_none(team, site, commit):
    job = team.job("whole", "good.ipynb", commit, parameters={"rate": 7}, ttlSecondsAfterFinished=1)
    job["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": "1"}
    team.apply(job)
    site.server.journal.wait_for(r"notebookvalidationjobs/whole\b", 1, verb="delete", timeout=60)
    asked = [one for one in site.server.journal.entries() if one.user == "operator"]
    assert {one.status for one in asked} <= {200, 201, 404, 409}, [one.line for one in asked if one.status == 403]
    used = {(one.path.partition("/namespaces/team/")[2], one.verb) for one in asked if one.status < 300}
    for need in OWN:
        places = {need.resource, f"{need.resource.replace('/', '/whole/')}", f"{need.resource}/whole"}
        assert any(place in places and verb == need.verb for place, verb in used), need
    assert site.server.system.find(PLURAL, "team", "whole") is None


def test_it_may_neither_list_nor_write_secrets():
    assert not [
        need
        for need in needs_of("validator", "team")
        if need.resource == "secrets" or "*" in (need.verb, need.resource)
    ]
