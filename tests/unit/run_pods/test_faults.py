# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hundred notebooks in a cluster where much goes wrong: each verdict right, each exactly once, nothing left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import threading
from collections import Counter

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.goals import absent
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import CONFIG_MAPS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.wait import wait
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.launcher import Target, run_all
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.options import PodOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import pipeline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.spec import Spec
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import EnvironmentResult
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import RunRequest
from cluster_support import auth

from tests.apiserver.errors import ApiError

# How many notebooks, and what all of a group ends with: code of the verdict, attempts. Each group has an image of its own, by
# which the rules of its pods know it.
GROUPS = {
    "good": (100, None, 1),
    "bad": (20, "notebook_execution_failed", 1),
    "killed": (20, None, 2),
    "evicted": (20, None, 2),
    "cut": (20, None, 2),
    "torn": (10, None, 2),
    "doomed": (10, "pod_lost", 3),
}
RESULTS = {"bad*": "cell_error", "*": "completed"}
FILE = json.dumps({"file": "results.json", "size": 300, "sha256": "0" * 64})


def image(group: str) -> str:
    return f"registry.example.com/team/{group}@sha256:{hashlib.sha256(group.encode()).hexdigest()}"


def rules(server) -> None:
    """What befalls the first pod of each notebook of a group; the second delivers, but for the doomed."""
    server.pod_rules.add({"name": "*", "results": RESULTS})

    def first(group, **rule):
        server.pod_rules.add(
            {"name": "*", "image": image(group), "times": GROUPS[group][0], "results": RESULTS, **rule}
        )

    first("killed", seconds=600)
    first("evicted", seconds=0.05, failure="Evicted")
    first("cut", containers={"results": {"logs": [[0, FILE], [0, "e30="]]}})
    first("torn", containers={"results": {"logs": [[0, FILE], [0, "no base64!"]]}})
    server.pod_rules.add({"name": "*", "image": image("doomed"), "seconds": 0.05, "failure": "Evicted"})


class Killer:
    """Deletes a pod of the group when its notebook runs, as somebody with kubectl would, once for each notebook."""

    def __init__(self, server):
        self._server, self._found, self._done = server, queue.Queue(), set()
        server.store.subscribe(self._look)
        threading.Thread(target=self._work, daemon=True).start()

    def _look(self, event, resource, found):
        runs = any("running" in one["state"] for one in (found.get("status") or {}).get("initContainerStatuses", ()))
        of_group = resource.plural == "pods" and found["spec"]["containers"][0]["image"] == image("killed")
        name = found["metadata"]["name"]
        if of_group and runs and name not in self._done and len(self._done) < GROUPS["killed"][0]:
            self._done.add(name)
            self._found.put(name)

    def _work(self):
        self._server.journal.wait_for("GET .*/pods[?]", timeout=300)
        while True:
            with contextlib.suppress(ApiError):  # it is gone already, with its Job
                self._server.system.delete("pods", "team", self._found.get())


class Weather:
    """Listens to the verdicts, and makes the API server fail when so many have fallen."""

    def __init__(self, server):
        self._server, self.verdicts = server, []
        server.faults.add("drop-after-write", "/jobs", method="POST")
        server.faults.add("status", "/configmaps", method="PATCH", status=429, seconds=0)
        self._plan = {
            20: lambda: server.faults.add("status", "", status=503, count=25),
            50: lambda: server.faults.add("drop-watch", "/pods[?]", events=3, count=4),
            70: lambda: server.faults.add("drop", "", count=15),
            90: server.store.cut_watches,
            110: self._forget_history,
            130: lambda: server.faults.add("cut-stream", "/log", bytes=100, count=5),
            150: lambda: server.faults.add("drop-after-write", "/configmaps", method="PATCH", count=3),
        }

    def __call__(self, event: dict) -> None:
        if event["event"] == "verdict":
            self.verdicts.append(event["notebook"])
            self._plan.get(len(self.verdicts), lambda: None)()

    def _forget_history(self) -> None:
        self._server.store.compact()
        self._server.store.cut_watches()


def made(server) -> Counter:
    """The pods that are made, by image."""
    found = Counter()

    def look(event, resource, one):
        if resource.plural == "pods" and event == "ADDED":
            found[one["spec"]["containers"][0]["image"]] += 1

    server.store.subscribe(look)
    return found


def environments(site) -> tuple[EnvironmentResult, ...]:
    return tuple(
        EnvironmentResult.from_dict(
            {
                "key": group,
                "notebooks": [site.notebook(f"{group}{number:03}.ipynb", "1") for number in range(count)],
                "requirements": [],
                "build": {"name": group, "phase": "Cached"},
                "environment": {
                    "kind": "image", "reference": image(group), "digest": "sha256:0", "key": group, "cached": True,
                    "strategy": "prebuilt", "python": "python3",
                },
            }
        )
        for group, (count, _code, _attempts) in GROUPS.items()
    )  # fmt: skip


def kept(server) -> list[dict]:
    """The verdicts that the namespace keeps, when all else is gone."""
    with Cluster(auth(server)) as cluster:
        others = [
            one["metadata"]["name"]
            for one in cluster.items(CONFIG_MAPS.path("team"))
            if one["metadata"]["name"].startswith("notebook-run-")
        ]
        assert (
            not others or not wait(cluster, CONFIG_MAPS, others, absent(), Deadline.after(30), namespace="team").pending
        )
    return [one for one in server.system.list("configmaps", "team") if one["metadata"]["name"] != "kube-root-ca.crt"]


def test_each_verdict_of_two_hundred_is_right_and_falls_once(simulated, monkeypatch):
    monkeypatch.setattr(pipeline, "RETRY_DELAY", 0.0)
    server, built = simulated.server, environments(simulated)
    rules(server)
    Killer(server)
    pods, weather = made(server), Weather(server)
    with Cluster(auth(server)) as cluster:
        spec = Spec(
            path=simulated.directory / "source", environments=built, workers=40, retries=2,
            target=Target(cluster, "team", PodOptions(patience=1)), cache_dir=str(simulated.directory / "cache"),
        )  # fmt: skip
        outcome = pipeline.validate(spec, weather)
    server.faults.clear()

    found = {one.notebook: (one.code, one.attempts) for one in outcome.verdicts}
    wanted = {name: GROUPS[one.key][1:] for one in built for name in one.notebooks}
    assert {name: it for name, it in found.items() if it != wanted[name]} == {} and len(found) == 200
    assert Counter(weather.verdicts) == Counter(list(wanted)), "a verdict was lost, or fell twice"
    needed = {image(group): count * attempts for group, (count, _code, attempts) in GROUPS.items()}
    assert pods == needed, "a notebook ran more or less often than its verdict says"
    assert not outcome.warnings and simulated.emptied()
    names = [one["metadata"]["annotations"]["notebooks.mlops.dev/notebook"] for one in kept(server)]
    final = [name for name, (code, _attempts) in wanted.items() if code != "pod_lost"]
    assert Counter(names) == Counter(final), "what may end otherwise another time is not remembered"


@pytest.mark.parametrize("kind", ["cut-stream", "end-stream", "end-within"])
@pytest.mark.parametrize("size", [100, 200, 700])
def test_a_log_that_breaks_off_is_read_again(simulated, kind, size):
    simulated.server.pod_rules.add({"name": "*", "results": RESULTS})
    simulated.server.faults.add(kind, "/log", bytes=size, count=2)
    name = simulated.notebook("a.ipynb", "1")
    found = simulated.run(name)[name]
    assert found.reason == "completed", found.message


def test_what_ended_while_nobody_could_watch_is_not_lost(simulated):
    simulated.server.pod_rules.add({"name": "*", "results": RESULTS})
    simulated.server.faults.add("status", "/pods[?]", status=503, count=5)
    names = [simulated.notebook(f"{number}.ipynb", "1") for number in range(3)]
    found = simulated.run(*names, options={"patience": 0.1})
    assert {name: found[name].message for name in names} == dict.fromkeys(names)


def test_a_notebook_that_is_given_up_is_not_ended_again_by_what_the_watch_tells_later(simulated):
    server, fell = simulated.server, []
    server.pod_rules.add({"name": "*", "image": image("good"), "seconds": 2, "results": RESULTS})
    server.pod_rules.add({"name": "*", "image": image("killed"), "seconds": 600})
    server.faults.add("status", "/pods[?]", status=503, count=4, watch=True)  # after which it goes on where it was
    Killer(server)
    # The second pod of its Job is made when the first is killed, which the watch has not told of.
    names = [simulated.notebook(name, "1") for name in ("killed0.ipynb", "killed1.ipynb", "good.ipynb")]
    requests = [
        (
            image("good" if name == "good.ipynb" else "killed"),
            RunRequest(
                id=f"{number:064x}", python="python3", source=str(simulated.directory / "source"), notebook=name,
                output=str(simulated.directory / name),
            ),
        )
        for number, name in enumerate(names)
    ]  # fmt: skip
    with Cluster(auth(server)) as cluster:
        target = Target(cluster, "team", PodOptions(patience=0.1))
        run_all(requests, target, workers=1, on_result=lambda one: fell.append((one.notebook, one.reason)))
    assert sorted(fell) == sorted(zip(names, ("pod_lost", "pod_lost", "completed"), strict=True))
