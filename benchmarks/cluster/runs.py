# SPDX-License-Identifier: GPL-3.0-or-later
"""What notebooks in pods cost, beside the ways that are usual: a Job each by `kubernetes.core.k8s`, a pod each that is polled.

The pods are simulated and end at once, so that what is left is the work of the controller. CPU and memory are those of the
process that validates; the API server is another process on the same machine.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

sys.path.insert(0, str(Path(__file__).parent))
from stand_in import ROOT, part, running

UNCHANGED, REQUESTS, BEYOND = 200, 10, 3.0  # notebooks, requests, seconds
EACH, MEMORY, CPU = 3, 150, 5.0  # requests a notebook, MiB, ms a notebook
SIZES, BAR_SIZE, WORKERS, PEERS = (200, 1000, 5000), 1000, 50, 50
LATENCY, ROUNDS = 0.2, 3  # seconds
DOWN = 10.0  # seconds
IMAGE = "registry.example.com/team/notebooks@sha256:" + "e" * 64
PODS = "/api/v1/namespaces/team/pods"
CONTAINER = {"name": "notebook", "image": IMAGE, "command": ["papermill", "a.ipynb", "out.ipynb"]}
POD = {"restartPolicy": "Never", "containers": [CONTAINER]}
PLAY = "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
PING = PLAY + "    - ansible.builtin.ping:\n"
VALIDATE = (
    PLAY
    + """
    - mlops.notebooks.notebook_validation:
        path: "{{ source }}"
        environments: "{{ environments }}"
        namespace: team
        cache_dir: "{{ cache }}"
        workers: "{{ workers }}"
      register: out
    - ansible.builtin.assert:
        that: [out.summary.succeeded == count, out.summary.cached == cached]
        quiet: true
"""
)
LOOP = (
    PLAY
    + """
    - kubernetes.core.k8s:
        definition: "{{ job | combine({'metadata': {'name': 'loop-' ~ item, 'namespace': 'team'}}, recursive=true) }}"
        wait: true
        wait_sleep: 1
        wait_condition: {type: Complete, status: "True"}
      loop: "{{ range(count) | list }}"
"""
)


def source(folder: Path, count: int) -> list[str]:
    """Write so many notebooks; return their names."""
    folder.mkdir()
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    cell = {"cell_type": "code", "id": "c0", "metadata": {}, "execution_count": None, "outputs": []}
    for number in range(count):
        cells = [{**cell, "source": f"print({number})"}]
        notebook = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"n{number:04}.ipynb").write_text(json.dumps(notebook))
    return sorted(path.name for path in folder.iterdir())


def environment(names: list[str], image: str = IMAGE) -> dict:
    key = image[-8:]
    made = {"kind": "image", "reference": image, "digest": image[-71:], "key": key, "cached": True}
    return {
        "key": key,
        "notebooks": names,
        "requirements": [],
        "build": {"name": key, "phase": "Cached"},
        "environment": {**made, "strategy": "prebuilt", "python": "python3"},
    }


def rule(server, **fields) -> None:
    server.ask("POST", "/_control/pods", {"name": "*", "results": {"*": "completed"}, **fields})


def counted(server) -> tuple[int, int]:
    """Requests and writes since the last call."""
    told = server.ask("GET", "/_control/journal")
    server.forget()
    return told["count"], told["writes"]


def play(server, scratch: str, text: str, values: dict, on_line=None) -> float:
    """Run a playbook; return its seconds. on_line: called with each line of its console as it comes."""
    book, told = Path(scratch, "play.yml"), Path(scratch, "values.json")
    book.write_text(text)
    told.write_text(json.dumps(values))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
        "K8S_AUTH_KUBECONFIG": server.kubeconfig,
    }
    command = [str(ROOT / ".venv" / "bin" / "ansible-playbook"), str(book), "-e", f"@{told}"]
    begin, lines = time.perf_counter(), []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            lines.append(line)
            if on_line:
                on_line(line)
    if process.returncode:
        raise SystemExit("".join(lines[-40:]))
    return time.perf_counter() - begin


def bar(words: str, met: bool) -> bool:
    print(f"bar: {words}: {'met' if met else 'MISSED'}")
    return met


# --- a second run


def second() -> list[bool]:
    found: dict[str, list] = {"ansible's start (ping)": [], "the same controller": [], "another controller": []}
    with running("kubernetes", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        rule(server)
        names = source(Path(scratch, "source"), UNCHANGED)
        values = {"source": f"{scratch}/source", "environments": [environment(names)], "workers": WORKERS}
        values |= {"cache": f"{scratch}/cache", "count": UNCHANGED}
        first = play(server, scratch, VALIDATE, {**values, "cached": 0})
        for number in range(ROUNDS):
            values |= {"cached": UNCHANGED}
            server.forget()
            found["ansible's start (ping)"].append((play(server, scratch, PING, {}), *counted(server)))
            found["the same controller"].append((play(server, scratch, VALIDATE, values), *counted(server)))
            other = {**values, "cache": f"{scratch}/another-{number}"}
            found["another controller"].append((play(server, scratch, VALIDATE, other), *counted(server)))
    print(
        f"{f'{UNCHANGED} unchanged notebooks, first run {first:.1f} s':<44}{'s':>7}{'min':>7}{'max':>7}  requests  writes"
    )
    for name, times in found.items():
        seconds = [one[0] for one in times]
        shape = f"{name:<44}{statistics.median(seconds):7.2f}{min(seconds):7.2f}{max(seconds):7.2f}"
        print(f"{shape}{max(one[1] for one in times):10}{max(one[2] for one in times):8}")
    start, *others = found.values()
    beyond = [statistics.median(b[0] - a[0] for a, b in zip(start, one, strict=True)) for one in others]
    return [
        bar("no write", not any(one[2] for one in itertools.chain(*others))),
        bar(f"at most {REQUESTS} requests", max(one[1] for one in itertools.chain(*others)) <= REQUESTS),
        bar(f"at most {BEYOND:g} s beyond Ansible's start ({max(beyond):.2f})", max(beyond) <= BEYOND),
    ]


# --- from a Job's end to the console


class Ends(threading.Thread):
    """Notes when each pod was seen to end, by a watch of its own; its Job ends after it."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.at: dict[str, float] = {}
        self.stream = server.cluster().send("GET", PODS, {"watch": "true", "resourceVersion": "0"})

    def run(self) -> None:
        rest = b""
        with contextlib.suppress(urllib3.exceptions.HTTPError):  # the server ends
            for chunk in self.stream.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    pod = json.loads(line)["object"]
                    if pod["status"].get("phase") == "Succeeded":
                        self.at.setdefault(pod["spec"]["containers"][0]["image"], time.time())


def latency() -> list[bool]:
    """Notebooks with an image and thus a Job each, which end one after another."""
    count, seen = 12, {}
    with running("kubernetes", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        names = source(Path(scratch, "source"), count)
        images = {name: f"registry.example.com/team/n@sha256:{number:064}" for number, name in enumerate(names)}
        for number, image in enumerate(images.values()):
            rule(server, image=image, seconds=4 + 0.3 * number)
        ends = Ends(server)
        ends.start()

        def note(line):
            for name in names:
                if name in line:
                    seen.setdefault(name, time.time())

        environments = [environment([name], image) for name, image in images.items()]
        values = {"source": f"{scratch}/source", "environments": environments, "cache": f"{scratch}/cache"}
        play(server, scratch, VALIDATE, {**values, "workers": count, "count": count, "cached": 0}, note)
    delays = [seen[name] - ends.at[image] for name, image in images.items()]
    median = statistics.median(delays)
    print(
        f"\nfrom the end of a Job's pod to the line on the console, {count} Jobs: {median:.3f} s median, {max(delays):.3f} at most"
    )
    return [bar(f"at most {LATENCY:g} s, median", median <= LATENCY)]


# --- many


def status(field: str) -> float:
    """MiB of this process; unlike `ru_maxrss`, nothing of the parent's is in it."""
    return int(re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def child(told: dict) -> None:
    """Validate notebooks; print what it took."""
    made, spec, pipeline = (part(name) for name in ("values.environment", "validation.spec", "validation.pipeline"))
    fell: list[tuple] = []
    with part("cluster.client").Cluster(told["auth"]) as cluster:
        cluster.get("/api/v1/namespaces/team")  # what the client imports at its first request is no part of it
        asked = spec.Spec(
            path=Path(told["source"]), environments=(made.EnvironmentResult.from_dict(told["environment"]),),
            target=part("run.pod.launcher").Target(cluster, "team"), workers=WORKERS, cache_dir=told["cache"], retries=2,
        )  # fmt: skip
        begin, started, cpu = status("VmRSS"), time.perf_counter(), time.process_time()
        outcome = pipeline.validate(asked, lambda event: fell.append((event["event"], event.get("notebook"))))
    verdicts = [name for event, name in fell if event == "verdict"]
    found = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "warnings": outcome.warnings}
    found |= {"MiB": status("VmHWM") - begin, "fell": len(verdicts), "names": len(set(verdicts))}
    print(json.dumps({**found, "good": outcome.summary["succeeded"]}))


def validated(server, scratch: str, count: int) -> dict:
    """Validate so many notebooks in a process of its own."""
    names = source(Path(scratch, "source"), count)
    auth = {"host": server.url, "api_key": server.token, "ca_cert": server.ca_file}
    told = {"auth": auth, "source": f"{scratch}/source", "cache": f"{scratch}/cache", "environment": environment(names)}
    file = Path(scratch, "told.json")
    file.write_text(json.dumps(told))
    server.forget()
    command = [sys.executable, __file__, "child", str(file)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {**json.loads(done.stdout), "requests": counted(server)[0]}


def ours(count: int) -> dict:
    with running("kubernetes", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        rule(server)
        return validated(server, scratch, count)


def loop(count: int) -> dict:
    """A Job each, waited for by `kubernetes.core.k8s`; its result is not even fetched."""
    with running("kubernetes", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": POD}}}
        before = os.times()
        seconds = play(server, scratch, LOOP, {"job": job, "count": count})
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return {"seconds": seconds, "cpu": cpu, "requests": counted(server)[0]}


def polled(count: int) -> dict:
    """A pod each, asked for each second, its log read, and deleted: ten at once."""
    with running("kubernetes", "--pods", "simulated") as server:
        cluster = server.cluster()
        cluster.get("/api/v1/namespaces/team")
        server.forget()

        def one(number: int) -> None:
            name = f"polled-{number}"
            cluster.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": POD})
            while cluster.get(f"{PODS}/{name}")["status"].get("phase") not in ("Succeeded", "Failed"):
                time.sleep(1)
            cluster.send("GET", f"{PODS}/{name}/log").close()
            cluster.delete(f"{PODS}/{name}")

        started, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(one, range(count)))
        return {
            "seconds": time.perf_counter() - started,
            "cpu": time.process_time() - cpu,
            "requests": counted(server)[0],
        }


def row(name: str, count: int, found: dict, base: dict | None = None) -> None:
    ms, cpu, requests = 1000 * found["seconds"] / count, 1000 * found["cpu"] / count, found["requests"] / count
    memory = f"{found['MiB']:10.1f}" if "MiB" in found else " " * 10
    ratio = f"{ms / (1000 * base['seconds'] / BAR_SIZE):9.1f}" if base else ""
    print(f"{name:<26}{count:>7}{ms:>10.1f}{cpu:>9.2f}{requests:>10.2f}{memory}{ratio}")


def many() -> list[bool]:
    print("\na notebook:               notebooks        ms   CPU ms  requests  MiB more    times")
    rounds = [ours(BAR_SIZE) for _round in range(ROUNDS)]
    found = {count: ours(count) for count in SIZES if count != BAR_SIZE}
    base = sorted(rounds, key=lambda one: one["cpu"])[ROUNDS // 2]
    for count in SIZES:
        row("ours", count, base if count == BAR_SIZE else found[count])
    spread = " ".join(f"{1000 * one['cpu'] / BAR_SIZE:.2f}" for one in rounds)
    row("a pod each, polled", PEERS, polled(PEERS), base)
    row("k8s in a loop, wait", PEERS, loop(PEERS), base)
    print(f"CPU ms of the rounds with {BAR_SIZE}: {spread}")
    large, small = found[SIZES[-1]]["cpu"] / SIZES[-1], base["cpu"] / BAR_SIZE
    whole = all(one["good"] == one["fell"] == one["names"] for one in (*rounds, *found.values()))
    return [
        bar("each verdict once, and good", whole),
        bar(f"at most {EACH} requests a notebook", max(one["requests"] for one in rounds) <= EACH * BAR_SIZE),
        bar(f"below {MEMORY} MiB more", max(one["MiB"] for one in (*rounds, *found.values())) < MEMORY),
        bar(f"at most {CPU:g} ms of CPU a notebook, median", 1000 * small <= CPU),
        bar(f"linear up to {SIZES[-1]} ({large / small:.2f} times the CPU a notebook)", large / small <= 1.25),
    ]


# --- an API server that is away


def outage() -> list[bool]:
    """The API server takes no request for a while, in the midst of a run."""
    with running("kubernetes", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        rule(server, seconds=0.5)

        def away():
            while len(server.journal("/log")) < UNCHANGED // 4:
                time.sleep(0.1)
            server.ask("POST", "/_control/faults", {"kind": "drop", "path": "", "count": 0})
            time.sleep(DOWN)
            server.ask("DELETE", "/_control/faults")

        thread = threading.Thread(target=away)
        thread.start()
        found = validated(server, scratch, UNCHANGED)
        thread.join()
        left = len(server.ask("GET", PODS)["items"])
    told = "{seconds:.1f} s, {good} good of {fell} verdicts on {names} notebooks".format(**found)
    print(f"\nAPI server away for {DOWN:g} s in the midst of {UNCHANGED} notebooks: {told}; {left} pods left")
    right = found["good"] == found["fell"] == found["names"] == UNCHANGED and not found["warnings"]
    return [bar("every verdict right, none lost, none doubled", right and not left)]


def main() -> int:
    print(f"load {os.getloadavg()[0]:.1f} at the start, {os.cpu_count()} cores")
    met = [*second(), *latency(), *many(), *outage()]
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(child(json.loads(Path(sys.argv[2]).read_text())) if sys.argv[1:2] == ["child"] else main())
