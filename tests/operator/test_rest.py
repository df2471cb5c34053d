# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator with nothing to do: it watches, and begins nothing anew."""

from __future__ import annotations

import pytest
from operator_support import PLURAL, URL, ApiServer, Operator, Site, Team, define, namespace, repository

COUNT = 50
NAME = PLURAL.partition(".")[0]


@pytest.fixture(scope="module")
def rest(tmp_path_factory):
    """A team whose jobs all have their verdicts, and an operator that was started after that."""
    directory = tmp_path_factory.mktemp("rest")
    with ApiServer(profile="kubernetes") as server:
        namespace(server)
        define(server)
        server.pod_rules.add({"name": "notebook-run-*", "results": {"*": "completed"}})
        Site(server, directory).notebook("a.ipynb", "1")
        commit = repository(directory / "source")
        team, operator = (
            Team(server, directory / "source"),
            Operator(server, directory, {URL: str(directory / "source")}),
        )
        operator.start()
        team.apply(team.job("first", "a.ipynb", commit))
        status = team.ended("first")
        operator.stop()
        for number in range(COUNT):
            made = server.system.create(PLURAL, team.job(f"rest-{number}", "a.ipynb", commit, parameters={"n": number}))
            server.system.update_status(PLURAL, {**made, "status": status})
        server.journal.clear()
        operator.start()
        yield team, commit
        operator.stop()


def settled(team: Team, commit: str, name: str) -> None:
    """Wait until a job that was applied last is over, and told."""
    team.apply(team.job(name, "a.ipynb", commit, parameters={"name": name}))
    team.ended(name)
    team.event(name, "ValidationSucceeded")
    team.emptied("jobs.batch")


def test_what_is_at_rest_is_not_begun_anew_by_a_process_that_starts(rest):
    team, commit = rest
    before = len(team.server.system.list(PLURAL, "team"))
    settled(team, commit, "late")
    told = [one for one in team.server.journal.entries(f"/{NAME}/") if "late" not in one.path]
    assert before == COUNT + 1 and [one.line for one in told] == []
    assert len(team.made()) == 1, "for the job that came late"


def test_at_rest_it_asks_for_nothing_but_its_watches(rest):
    team, commit = rest
    settled(team, commit, "last")
    team.server.store.flush()
    team.server.journal.clear()
    team.server.store.cut_watches()  # after which it only has to watch again
    team.server.journal.wait_for(f"/{NAME}[?].*watch=true", verb="watch", timeout=30)
    assert [one.line for one in team.server.journal.entries() if one.verb != "watch"] == []
