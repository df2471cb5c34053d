# SPDX-License-Identifier: GPL-3.0-or-later
"""How long after a change of status a wait returns: ours, and what kubernetes.core offers, in one run.

Ours and `k8s` are called in this process; `k8s_info` with `until` is a playbook, whose wait is over when it has asked for the
object after the change. All figures are taken from just before the change is sent to the server.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from stand_in import ROOT, part, running

BAR = 0.05  # seconds, median
DEPLOYMENTS = "/apis/apps/v1/namespaces/team/deployments"
JOBS = "/apis/batch/v1/namespaces/team/jobs"
MERGE = "application/merge-patch+json"
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - kubernetes.core.k8s_info:
        api_version: apps/v1
        kind: Deployment
        name: {name}
        namespace: team
        kubeconfig: {kubeconfig}
      register: found
      until: (found.resources[0].status.conditions | default([]) | selectattr('type', 'equalto', 'Ready') | list) != []
      retries: 60
      delay: 5
"""


def make(server, name: str) -> None:
    labels = {"app": name}
    container = {"name": "main", "image": "image"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    server.ask(
        "POST", DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    )


def change(server, name: str) -> float:
    """Make it ready; return the moment just before."""
    body = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    before = time.perf_counter()
    server.ask("PATCH", f"{DEPLOYMENTS}/{name}/status", body, MERGE)
    return before


def latency(server, name: str, wait, pause: float) -> float:
    """Start the wait in a thread, change the status when it is under way, return the seconds until it is over."""
    make(server, name)
    over = []
    thread = threading.Thread(target=lambda: over.append((wait(name), time.perf_counter())))
    thread.start()
    while not server.journal(f"GET {DEPLOYMENTS}.*{name}"):
        time.sleep(0.02)
    time.sleep(pause)
    before = change(server, name)
    thread.join()
    return over[0][1] - before


def ours(server):
    goals, deadline = part("cluster.goals"), part("cluster.deadline")
    cluster = server.cluster()
    deployments = cluster.discovery.find("apps/v1", "Deployment")

    def wait(name):
        goal, until = goals.condition("Ready"), deadline.Deadline.after(60)
        return part("cluster.wait").wait(cluster, deployments, [name], goal, until, namespace="team")

    return wait


def peer(server):
    """What `kubernetes.core.k8s` with `wait` and `wait_condition` calls, at its default of 5 s between looks."""
    core = "ansible_collections.kubernetes.core.plugins.module_utils.k8s"
    from importlib import import_module

    client = import_module(f"{core}.client").get_api_client(kubeconfig=server.kubeconfig)
    deployments = client.resource("Deployment", "apps/v1")
    waiter = import_module(f"{core}.waiter").get_waiter
    condition = {"type": "Ready", "status": "True", "reason": None}
    return lambda name: waiter(client, deployments, condition=condition).wait(60, 5, name, "team")


def until_loop(server, name: str, pause: float) -> float:
    make(server, name)
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as play:
        play.write(PLAY.format(name=name, kubeconfig=server.kubeconfig))
        play.flush()
        command = [str(ROOT / ".venv" / "bin" / "ansible-playbook"), play.name]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        path = f"GET {DEPLOYMENTS}/{name}"
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
            while not server.journal(path) and process.poll() is None:
                time.sleep(0.02)
            time.sleep(pause)
            before, seen = change(server, name), len(server.journal(path))
            while len(server.journal(path)) == seen and process.poll() is None:
                time.sleep(0.02)
            over = time.perf_counter()
        if process.returncode:
            raise SystemExit("the playbook with k8s_info failed")
    return over - before


def many(server, count: int) -> tuple[float, float, int]:
    """Wait for so many objects of 4 kB on one watch: seconds from the last change, MiB more at the peak, requests."""
    goals, deadline = part("cluster.goals"), part("cluster.deadline")
    cluster = server.cluster()
    jobs = cluster.discovery.find("batch/v1", "Job")
    names = [f"many-{count}-{number}" for number in range(count)]
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "image"}]}}
    for name in names:
        metadata = {"name": name, "labels": {"run": str(count)}, "annotations": {"note": "x" * 4000}}
        server.ask(
            "POST",
            JOBS,
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": metadata,
                "spec": {"suspend": True, "template": template},
            },
        )
    server.forget()
    begin, over = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []

    def work():
        until = deadline.Deadline.after(600)
        found = part("cluster.wait").wait(
            cluster, jobs, names, goals.job_finished(), until, namespace="team", selector=f"run={count}"
        )
        over.append((found, time.perf_counter()))

    thread = threading.Thread(target=work)
    thread.start()
    while not server.journal("watch=true"):
        time.sleep(0.02)
    for name in names:
        body = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
        last = time.perf_counter()
        server.ask("PATCH", f"{JOBS}/{name}/status", body, MERGE)
    thread.join()
    if over[0][0].pending:
        raise SystemExit("not all were seen")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin) / 1024
    return over[0][1] - last, grown, len(server.journal(f"GET {JOBS}"))


def row(name: str, times: list[float]) -> str:
    return f"{name:<34}{statistics.median(times):9.3f}{min(times):9.3f}{max(times):9.3f}"


def main() -> int:
    chance = random.Random(1)
    with running() as server:
        mine, theirs = ours(server), peer(server)
        figures: dict[str, list[float]] = {"ours": [], "k8s with wait": [], "k8s_info with until": []}
        for number in range(20):
            figures["ours"].append(latency(server, f"ours-{number}", mine, chance.uniform(0, 0.2)))
        for number in range(6):
            pause = chance.uniform(0, 5)
            figures["k8s with wait"].append(latency(server, f"k8s-{number}", theirs, pause))
            figures["k8s_info with until"].append(until_loop(server, f"info-{number}", pause))
        print(f"{'seconds from change to return':<34}{'median':>9}{'min':>9}{'max':>9}")
        for name, times in figures.items():
            print(row(name, times))
        median = statistics.median(figures["ours"])
        print(f"bar: median at most {BAR} s: {'met' if median <= BAR else 'MISSED'}\n")
        print("objects on one watch   s after the last change   MiB more at the peak   requests")
        for count in (1000, 3000):
            print("{:>20}{:>26.3f}{:>23.1f}{:>11}".format(count, *many(server, count)))
    return 0 if median <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
