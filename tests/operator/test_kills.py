# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that is killed at any step: the next process comes to the same verdict, and makes nothing twice."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest
from fault_support import DeafServer, Moment, phase
from operator_support import (
    PLURAL,
    URL,
    ApiServer,
    Operator,
    Site,
    Team,
    define,
    image,
    namespace,
    repository,
    unavailable,
)
from test_steps import BASE, PLAIN

DEAF = "https://deaf.example.com/team/notebooks.git"
BUILDS, STATUS = "builds.build.openshift.io", r"/notebookvalidationjobs/[^/]+/status$"
# The step at which it is killed: the request that is then not done yet (or done, and not answered).
REQUESTS = {
    "nothing is written": ("PATCH", STATUS, {"told": phase("Initializing")}),
    "the build is made": ("POST", "/instantiate", {"done": True}),
    "the run is not made": ("POST", "/jobs$", {}),
    "the run is made": ("POST", "/jobs$", {"done": True}),
    "the pod runs": ("PATCH", STATUS, {"told": phase("ValidationRunning")}),
    "the verdict is not kept": ("PATCH", "/configmaps/notebook-verdict-", {}),
    "the verdict is not told": ("PATCH", STATUS, {"told": phase("Succeeded")}),
    "the verdict is told": ("PATCH", STATUS, {"told": phase("Succeeded"), "done": True}),
}


class Place:
    """The cluster, the operator in it that is killed again and again, and the team's jobs, each of which needs an image of its own."""

    def __init__(self, server, directory: Path):
        self.server, self.team = server, Team(server, directory / "source")
        site = Site(server, directory)
        site.notebook("good.ipynb", "1")
        for number in range(len(REQUESTS) + 2):
            (self.team.source / f"{number}.txt").write_text(f"alpha=={number}\n")
        self.commit = repository(self.team.source)
        self.operator = Operator(server, directory, {URL: str(self.team.source)})
        self._count = 0

    def apply(self, **spec) -> str:
        """Apply a job that no other is like; return its name."""
        number, self._count = self._count, self._count + 1
        config = {"enabled": True, "baseImage": BASE, "requirementsFile": f"{number}.txt"}
        job = self.team.job(f"job-{number}", "good.ipynb", self.commit, podConfig={"buildConfig": config})
        job["spec"] |= spec
        self.team.apply(job)
        return job["metadata"]["name"]

    def kill_and_start(self) -> None:
        self.operator.kill()
        self.operator.start()

    def names(self, plural: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.server.system.list(plural, "team")]


@pytest.fixture(scope="module")
def place():
    if reason := unavailable():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="mlops-operator-") as name:
        os.chmod(name, 0o755)  # a process of another user has to reach what it runs
        with ApiServer(profile="openshift", pods="process", images={"*": image()}) as server:
            namespace(server)
            define(server)
            server.external_images[BASE] = PLAIN
            found = Place(server, Path(name))
            found.operator.start()
            yield found
            found.operator.kill()  # the last one may not have got as far as to hear a signal


@pytest.fixture
def whole(place):
    """What has to hold at the end of each test: one build, one run, one verdict, and nothing left behind."""
    made, ended = {BUILDS: [], "jobs.batch": []}, []

    def look(event, resource, found):
        plural = f"{resource.plural}.{resource.group}"
        if event == "ADDED" and plural in made:
            made[plural].append(found["metadata"]["name"])
        if plural == PLURAL and event == "MODIFIED":
            over = [
                one["status"]
                for one in (found.get("status") or {}).get("conditions", ())
                if one["type"] == "ValidationComplete"
            ]
            ended.append(over == ["True"])

    before = place.names("configmaps"), place.names("secrets")
    forget = place.server.store.subscribe(look)

    def check(name: str) -> None:
        status = place.team.ended(name)
        place.server.store.flush()
        assert (status["phase"], status["results"][0]["status"]) == ("Succeeded", "Success"), status
        assert status["buildStatus"]["phase"] == "Complete" and "@sha256:" in status["buildStatus"]["imageReference"]
        assert {plural: len(names) for plural, names in made.items()} == {BUILDS: 1, "jobs.batch": 1}
        place.team.delete(name)
        place.team.emptied("jobs.batch", PLURAL)
        place.server.store.flush()
        assert [one for one in place.names("pods") if not one.endswith("-build")] == []
        # The image and the verdict are the namespace's memory.
        left = set(place.names("configmaps")) - set(before[0]), set(place.names("secrets")) - set(before[1])
        assert left == ({status["verdict"]["configMap"]}, set())
        assert ended.count(True) == 1, "it was said once that it passed"

    yield check
    forget()
    for one in place.server.system.list(PLURAL, "team"):  # of a test that failed
        place.team.delete(one["metadata"]["name"])
    place.team.emptied(PLURAL)


@pytest.mark.parametrize("step", REQUESTS)
def test_a_process_that_is_killed_is_followed_by_one_that_goes_on(place, whole, step):
    method, path, how = REQUESTS[step]
    moment = Moment(place.server, method, path, **how)
    try:
        # What is always run again is not run again because it was told too late.
        name = place.apply(rerun="always" if step == "the verdict is not told" else "never")
        moment.wait()
        place.operator.kill()
    finally:
        moment.let_go()
    place.operator.start()
    whole(name)


def test_it_is_killed_while_the_repository_is_fetched(place, whole):
    deaf = DeafServer()
    place.operator.repositories[DEAF] = deaf.url
    place.kill_and_start()
    name = place.apply(notebook={"git": {"url": DEAF, "ref": place.commit}, "path": "good.ipynb"})
    deaf.wait()
    place.operator.repositories[DEAF] = str(place.team.source)
    place.operator.kill()
    deaf.let_go()
    place.operator.start()
    whole(name)


def test_it_is_killed_while_the_image_is_built(place, whole):
    place.server.pod_rules.add({"name": "*-build", "seconds": 3, "times": 1})
    runs = threading.Event()
    forget = place.server.store.subscribe(
        lambda _event, resource, found: (
            resource.plural == "builds" and found["status"].get("phase") == "Running" and runs.set()
        )
    )
    name = place.apply()
    assert runs.wait(30)
    forget()
    place.kill_and_start()
    whole(name)
