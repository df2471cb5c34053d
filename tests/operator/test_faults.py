# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hundred jobs at once in a cluster where much goes wrong: each verdict right, each once, none held up by another."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter

import pytest
from fault_support import Killer
from operator_support import (
    PLURAL,
    URL,
    ApiServer,
    Operator,
    Site,
    Team,
    conditions,
    define,
    namespace,
    repository,
)

# How many jobs, what each of a group ends with, the pods that this takes, and what befalls the first of them; the doomed lose both.
FILE = json.dumps({"file": "results.json", "size": 300, "sha256": "0" * 64})
GROUPS = {
    "good": (90, None, 1, None),
    "bad": (20, "notebook_execution_failed", 1, None),
    "killed": (20, None, 2, {"seconds": 600}),
    "evicted": (20, None, 2, {"seconds": 0.05, "failure": "Evicted"}),
    "cut": (15, None, 2, {"containers": {"results": {"logs": [[0, FILE], [0, "e30="]]}}}),
    "torn": (10, None, 2, {"containers": {"results": {"logs": [[0, FILE], [0, "no base64!"]]}}}),
    "doomed": (10, "pod_lost", 2, {"seconds": 0.05, "failure": "Evicted"}),
    "endless": (15, None, 1, {"seconds": 600}),
}
RESULTS = {"bad*": "cell_error", "*": "completed"}


def image(name: str) -> str:
    """An image of one job only, by which rules know its pods."""
    return f"registry.example.com/team/{name}@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def rule(server, name: str) -> None:
    """What befalls the pods of a job."""
    group = name.partition("-")[0]
    befalls = GROUPS[group][3]
    if befalls:
        times = {} if group == "doomed" else {"times": 1}
        server.pod_rules.add({"name": "*", "image": image(name), "results": RESULTS, **times, **befalls})


class Weather:
    """Counts what is made and said, and makes the API server fail when so many verdicts have fallen."""

    def __init__(self, server, count: int):
        self._server, self._count = server, count
        self.pods, self.verdicts, self.all = Counter(), Counter(), threading.Event()
        faults = server.faults.add
        faults("drop-after-write", "/jobs$", method="POST", count=2)
        faults("status", "/jobs$", method="POST", status=429, seconds=0, count=3)
        faults("status", "/status", method="PATCH", status=409, count=5)
        faults("drop-after-write", "/status", method="PATCH", count=3)
        faults("status", "/configmaps", method="PATCH", status=429, seconds=0, count=2)
        faults("gone", PLURAL.partition(".")[0], count=1)
        self._plan = {
            20: lambda: faults("status", "", status=503, count=25),
            40: lambda: faults("status", "/status", method="PATCH", status=500, count=10),
            50: lambda: faults("drop-watch", "/pods[?]", events=3, count=4),
            70: lambda: faults("drop", "", count=15),
            90: server.store.cut_watches,
            110: self._forget_history,
            130: lambda: faults("cut-stream", "/log", bytes=100, count=2),
            150: lambda: faults("drop-after-write", "/configmaps", method="PATCH", count=3),
        }
        server.store.subscribe(self._look)

    def _look(self, event, resource, found) -> None:
        if resource.plural == "pods" and event == "ADDED":
            self.pods[found["spec"]["containers"][0]["image"].partition("@")[0].rpartition("/")[2]] += 1
        told = conditions(found).get("ValidationComplete", {}) if resource.plural in PLURAL else {}
        if event == "MODIFIED" and told.get("status") in ("True", "False"):
            self.verdicts[found["metadata"]["name"]] += 1
            self._plan.pop(len(self.verdicts), lambda: None)()
            if len(self.verdicts) == self._count:
                self.all.set()

    def _forget_history(self) -> None:
        self._server.store.compact()
        self._server.store.cut_watches()


def held(process: int) -> tuple[int, int]:
    """Threads and open files of a process."""
    return len(os.listdir(f"/proc/{process}/task")), len(os.listdir(f"/proc/{process}/fd"))


@pytest.fixture
def cluster(tmp_path):
    with ApiServer(profile="kubernetes") as server:
        namespace(server)
        define(server)
        server.pod_rules.add({"name": "*", "results": RESULTS})
        site = Site(server, tmp_path)
        for name in ("good.ipynb", "bad.ipynb"):
            site.notebook(name, "1")
        commit = repository(tmp_path / "source")
        operator = Operator(
            server, tmp_path, {URL: str(tmp_path / "source")}, settings={"NOTEBOOK_OPERATOR_JOBS": "300"}
        )
        operator.start()
        yield Team(server, tmp_path / "source"), operator, commit
        operator.stop()


def test_each_of_two_hundred_jobs_has_its_verdict_once_while_much_fails(cluster):
    team, operator, commit = cluster
    server = team.server

    def apply(group: str) -> list[str]:
        names = [f"{group}-{number}" for number in range(GROUPS[group][0])]
        for number, name in enumerate(names):
            notebook = "bad.ipynb" if group == "bad" else "good.ipynb"
            job = team.job(name, notebook, commit, parameters={"n": number}, retries=1)
            job["spec"]["podConfig"] |= {"containerImage": image(name), "patience": "1s"}
            rule(server, name)
            team.apply(job)
        return names

    endless = apply("endless")
    Killer(server, "/killed-", GROUPS["killed"][0])
    ending = [group for group in GROUPS if group != "endless"]
    weather = Weather(server, sum(GROUPS[group][0] for group in ending))
    jobs = {name: group for group in ending for name in apply(group)}
    assert weather.all.wait(270), f"{len(weather.verdicts)} verdicts fell."
    server.faults.clear()
    server.store.flush()

    found = {one["metadata"]["name"]: one.get("status", {}) for one in server.system.list(PLURAL, "team")}
    told = {name: (found[name].get("code"), found[name].get("retryCount")) for name in jobs}
    wanted = {name: (GROUPS[group][1], GROUPS[group][2] - 1) for name, group in jobs.items()}
    assert {name: (it, found[name].get("message")) for name, it in told.items() if it != wanted[name]} == {}
    assert set(weather.verdicts.values()) == {1}, "a verdict fell twice"
    needed = {name: GROUPS[group][2] for name, group in jobs.items()} | dict.fromkeys(endless, 1)
    assert dict(weather.pods) == needed, "a notebook ran more or less often than its status says"
    assert {found[name]["phase"] for name in endless} == {"ValidationRunning"}

    for name in endless:
        team.delete(name)
    team.emptied("jobs.batch", "pods", "secrets")
    threads, files = held(operator.process.pid)
    # What each job leaves would be as many as there were; connections are kept for the next ones.
    assert threads < 50 and files < len(jobs), (threads, files)
