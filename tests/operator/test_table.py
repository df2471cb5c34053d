# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of notebooks that all executors agree on, applied as resources: the same verdicts stand in their statuses."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import entry
from operator_support import (
    PLURAL,
    ApiServer,
    Operator,
    Site,
    Team,
    account,
    conditions,
    define,
    image,
    namespace,
    unavailable,
)
from test_executors import TABLE, URL, repository_of

# What the table's overrides say, by the names of the resource.
SPECS = {
    "good.ipynb": {"parameters": {"rate": 7}},
    "slow.ipynb": {"cellTimeout": "1s"},
    "differs.ipynb": {"goldenNotebook": "golden/differs.ipynb", "comparisonConfig": {"relativeTolerance": "0.5"}},
}


def job(team: Team, notebook: str, git: dict) -> dict:
    place = {"url": git["url"], "ref": git["ref"]}
    more = {"directory": git["path"], "timeout": "2m", **SPECS.get(notebook, {})}
    if "goldenNotebook" in more:
        more["goldenNotebook"] = {"git": place, "path": f"{git['path']}/{more['goldenNotebook']}"}
    name = Path(notebook).stem
    return team.job(name, f"{git['path']}/{notebook}", git["ref"], **more, podConfig={"patience": "30s"})


@pytest.fixture(scope="module")
def statuses():
    """The status of each job at its end, by the name of its notebook."""
    if reason := unavailable():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="mlops-operator-") as name:
        os.chmod(name, 0o755)  # a process of another user has to reach what it runs
        with ApiServer(profile="kubernetes", pods="process", images={"*": image()}) as server:
            namespace(server)
            define(server)
            git = repository_of(Site(server, Path(name)))
            team = Team(server, Path(name) / "source")
            operator = Operator(server, Path(name), {URL: str(team.source)}, account(server))
            for notebook in TABLE:
                server.system.create(PLURAL, job(team, notebook, git))
            operator.start()
            try:
                yield {notebook: team.ended(Path(notebook).stem) for notebook in TABLE}
            finally:
                operator.stop()
            refused = [one.line for one in server.journal.entries(r"/namespaces/team/") if one.status == 403]
            assert not refused, "the documented permissions are not enough"


@pytest.mark.parametrize("notebook", TABLE)
def test_a_resource_has_the_verdict_that_the_module_has(statuses, notebook):
    status, (outcome, code, category, cell, cells) = statuses[notebook], TABLE[notebook][1]
    told = (status["phase"], status.get("code"), status.get("category"), status.get("cell"))
    assert told == (outcome.capitalize(), code, category, cell), status
    assert [one["status"] for one in status["results"]] == cells
    assert [one["cellIndex"] for one in status["results"]] == list(range(len(cells)))
    assert code is None or status["advice"] and status["retryable"] == entry(code).retryable
    complete = conditions({"status": status})["ValidationComplete"]
    assert complete["status"] == str(outcome == "succeeded")
