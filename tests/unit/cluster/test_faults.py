# SPDX-License-Identifier: GPL-3.0-or-later
"""Five hundred waits, each with a fault at some moment: every one ends right, and nothing is created twice."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import yaml
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster import goals
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.wait import wait
from cluster_support import grant

WAITS = 500
AT_ONCE = 16
JOBS = Resource("batch", "v1", "jobs", "Job", True)
PATH = "/apis/batch/v1/namespaces/team/jobs"
FAULTS = {
    "dropped connection": ("drop", {}),
    "410": ("gone", {}),
    "429": ("status", {"status": 429, "seconds": 0}),
    "500": ("status", {"status": 500}),
    "503": ("status", {"status": 503}),
    "slow answer": ("slow", {"seconds": 0.1}),
    "lost write answer": ("drop-after-write", {"method": "POST"}),
    "broken watch": ("drop-watch", {"events": 0}),
    "cut answer": ("truncate", {"watch": False}),
    "expired token": None,
}
ENDINGS = {"Complete": "reached", "Failed": "failed", "deleted": "failed", "never": "pending"}


@dataclass(frozen=True)
class Case:
    name: str
    fault: str
    ending: str
    moment: str  # when it ends: "at once", or when the server has seen its "list" or "watch"
    after: int  # requests before the fault


def cases(seed: int) -> list[Case]:
    chance = random.Random(seed)
    return [
        Case(
            f"job-{number:03}",
            chance.choice(list(FAULTS)),
            chance.choices(list(ENDINGS), weights=[6, 3, 2, 1])[0],
            chance.choice(["at once", "list", "watch"]),
            chance.randrange(3),
        )
        for number in range(WAITS)
    ]


def manifest(name: str) -> dict:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "image"}]}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}}


def write_kubeconfig(path, server, token: str) -> str:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": server.url, "certificate-authority": server.ca_file}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


def end(server, case: Case) -> None:
    """Bring the job to its end at its moment."""
    if case.ending == "never":
        return
    if case.moment != "at once":
        server.journal.wait_for(f"{PATH}.*{case.name}", verb=case.moment, timeout=25)
    if case.ending == "deleted":
        server.system.delete("jobs.batch", "team", case.name)
    else:
        status = {"conditions": [{"type": case.ending, "status": "True"}]}
        server.system.patch("jobs.batch", "team", case.name, {"status": status}, subresource="status")


def outcome_of(case: Case, server, folder, endings: ThreadPoolExecutor) -> goals.Outcome:
    token = server.tokens.issue("waiter")
    path = folder / case.name
    with Cluster({"kubeconfig": write_kubeconfig(path, server, token)}) as cluster:
        fault = FAULTS[case.fault]
        if fault and fault[0] == "drop-after-write":
            server.faults.add(fault[0], PATH, **fault[1])
        cluster.create(PATH, manifest(case.name), deadline=Deadline.after(25))
        if fault and fault[0] != "drop-after-write":
            server.faults.add(fault[0], f"{PATH}.*{case.name}", after=case.after, **fault[1])
        ended = endings.submit(end, server, case)
        if fault is None:
            write_kubeconfig(path, server, server.tokens.issue("waiter"))
            server.tokens.expire(token)
        deadline = Deadline.after(0.5 if case.ending == "never" else 25)
        absent = goals.Outcome("failed", "Deleted")  # it was made before, so that it is not there means that it went
        goal = goals.Goal(goals.job_finished().judge, absent=absent)
        result = wait(cluster, JOBS, [case.name], goal, deadline).outcomes[case.name]
        ended.result()
        return result


def test_every_wait_ends_right_whatever_happens_to_it(server, tmp_path):
    drawn = cases(seed=20261125)
    verbs = ["create", "get", "list", "watch"]
    grant(server, "waiter", [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": verbs}])
    with ThreadPoolExecutor(AT_ONCE) as waits, ThreadPoolExecutor(AT_ONCE) as endings:
        results = list(waits.map(lambda case: outcome_of(case, server, tmp_path, endings), drawn))
    wrong = [
        (case, result) for case, result in zip(drawn, results, strict=True) if result.state != ENDINGS[case.ending]
    ]
    assert wrong == []
    made = Counter(entry.status for entry in server.journal.entries(f"^POST {PATH}"))
    lost = sum(case.fault == "lost write answer" for case in drawn)
    assert made[201] + made[0] == WAITS and made[0] <= lost
