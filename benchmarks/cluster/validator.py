# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon the operator acts, what it asks for at rest, and what a thousand jobs at rest cost.

The pods are simulated and end at once, so that what is left is the work of the operator. It and the API server are processes of
their own on the same machine; the clock of what is measured is that of watches of our own.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import urllib3
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from runs import bar, rule, source
from stand_in import ROOT, running

POD, END = 0.5, 0.3  # seconds: from apply to the pod, from the pod's end to the verdict
ROUNDS, SOON, IDLE = 20, 2.0, 30.0  # jobs, seconds, seconds
RESTING, MEMORY, SETTLED = 1000, 200, 30.0  # jobs, MiB, seconds
CELLS = 30  # of each job at rest
URL = "https://git.example.com/team/notebooks.git"
IMAGE = "registry.example.com/team/notebooks@sha256:" + "e" * 64
GROUP = "/apis/mlops.mlops.dev/v1alpha1/namespaces/team/notebookvalidationjobs"
PODS = "/api/v1/namespaces/team/pods"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]


def define(server) -> None:
    definition = yaml.safe_load((ROOT / "operator" / "crds" / "notebookvalidationjobs.yaml").read_text())
    server.ask("POST", DEFINITIONS, definition)


def repository(folder: Path) -> str:
    """Write a repository of one notebook; return its commit."""
    source(folder, 1)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*GIT, *words], cwd=folder, check=True)
    return subprocess.run(
        [*GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@contextlib.contextmanager
def operating(server, scratch: str, **settings):
    """The operator as a process, which is ended at the end."""
    git = {"safe.directory": "*", f"url.{scratch}/source.insteadOf": URL}
    environment = {**os.environ, "KUBECONFIG": server.kubeconfig, "TMPDIR": scratch, "GIT_CONFIG_COUNT": str(len(git))}
    for number, (name, value) in enumerate(git.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "operator"), environment["PYTHONPATH"]])
    environment |= {"NOTEBOOK_OPERATOR_NAMESPACES": "team", **settings}
    with open(Path(scratch, "operator.log"), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "notebook_operator"], env=environment, cwd=scratch, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


class Seen(threading.Thread):
    """Notes when objects first satisfy a condition, by a watch of its own. key: of an object, None where it does not yet."""

    def __init__(self, server, path: str, key):
        super().__init__(daemon=True)
        self.at: dict[str, float] = {}
        self._key, self._changed = key, threading.Condition()
        self._stream = server.cluster().send("GET", path, {"watch": "true", "resourceVersion": "0"}, read_timeout=3600)
        self.start()

    def run(self) -> None:
        rest = b""
        with contextlib.suppress(urllib3.exceptions.HTTPError):  # the server ends
            for chunk in self._stream.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    key = self._key(json.loads(line)["object"])
                    if key:
                        with self._changed:
                            self.at.setdefault(key, time.time())
                            self._changed.notify_all()

    def wait(self, key: str, seconds: float = 60) -> float:
        with self._changed:
            if not self._changed.wait_for(lambda: key in self.at, seconds):
                raise SystemExit(f"{key} was not seen within {seconds} s.")
            return self.at[key]


def is_over(found: dict) -> str | None:
    told = found.get("status", {}).get("conditions", ())
    over = any(one["type"] == "ValidationComplete" and one["status"] == "True" for one in told)
    return found["metadata"]["name"] if over else None


def job_of(pod: dict) -> str:
    """The name of the job that a pod is for, which its label says."""
    return pod["metadata"]["labels"].get("job", "")


def has_ended(pod: dict) -> str | None:
    return job_of(pod) if pod.get("status", {}).get("phase") == "Succeeded" else None


def job(name: str, commit: str, number: int, **pod) -> dict:
    return {
        "apiVersion": "mlops.mlops.dev/v1alpha1",
        "kind": "NotebookValidationJob",
        "metadata": {"name": name},
        "spec": {
            "notebook": {"git": {"url": URL, "ref": commit}, "path": "n0000.ipynb"},
            "parameters": {"number": number},
            "podConfig": {"labels": {"job": name}, **(pod or {"containerImage": IMAGE})},
        },
    }


def row(name: str, times: list[float]) -> float:
    median = statistics.median(times)
    print(f"{name:<44}{median:9.3f}{min(times):9.3f}{max(times):9.3f}")
    return median


def at_rest(server) -> list[dict]:
    """What is asked for in a while, but for watches."""
    time.sleep(SOON)  # the event of the last verdict is written after it
    server.forget()
    time.sleep(IDLE)
    return [one for one in server.journal() if one["verb"] != "watch"]


def soon(what: str, profile: str, **pod) -> list[bool]:
    """Jobs one after another, in an image that is there."""
    with running(profile, "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        rule(server, name="notebook-run-*")
        define(server)
        commit = repository(Path(scratch, "source"))
        made, ended, over = Seen(server, PODS, job_of), Seen(server, PODS, has_ended), Seen(server, GROUP, is_over)
        applied = {}
        with operating(server, scratch):
            for number in range(ROUNDS + 1):
                name = f"job-{number}"
                applied[name] = time.time()
                server.ask("POST", GROUP, job(name, commit, number, **pod))
                over.wait(name)
            applied.pop("job-0")  # which waits for the process to start, and for the image
            asked = at_rest(server)
    print(f"\n{f'{ROUNDS} jobs one after another, {what}':<44}{'median s':>9}{'min':>9}{'max':>9}")
    first = row("from apply to the pod", [made.at[name] - moment for name, moment in applied.items()])
    last = row("from the pod's end to the verdict", [over.at[name] - ended.at[name] for name in applied])
    print(f"requests in {IDLE:g} s at rest, but for watches: {len(asked)}")
    return [
        bar(f"the pod at most {POD:g} s after apply, median", first <= POD),
        bar(f"the verdict at most {END:g} s after the pod's end, median", last <= END),
        bar("at rest no request but watches", not asked),
    ]


def leading() -> list[bool]:
    """What the election of a leader asks for at rest."""
    with running("kubernetes", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        rule(server, name="notebook-run-*")
        define(server)
        commit = repository(Path(scratch, "source"))
        over = Seen(server, GROUP, is_over)
        with operating(server, scratch, NOTEBOOK_OPERATOR_LEASE="notebook-operator"):
            server.ask("POST", GROUP, job("first", commit, 0))
            over.wait("first")
            asked = at_rest(server)
    others = [one for one in asked if "/leases/" not in one["path"]]
    print(
        f"\nwith election of a leader, in {IDLE:g} s at rest: {len(asked)} requests, {len(others)} of them not for the Lease"
    )
    return [bar("at rest no request but watches and renewals of the Lease", not others)]


def verdict() -> dict:
    """The status of a job at rest."""
    told = {
        "Ready": "True",
        "Progressing": "False",
        "BuildReady": "True",
        "ValidationComplete": "True",
        "Degraded": "False",
    }
    moment = "2026-01-02T03:04:05Z"
    conditions = [
        {
            "type": kind, "status": state, "observedGeneration": 1, "lastTransitionTime": moment,
            "reason": "ValidationComplete", "message": "The notebook passed.",
        }
        for kind, state in told.items()
    ]  # fmt: skip
    cells = [
        {"cellIndex": number, "cellType": "code", "status": "Success", "executionTime": "0.123s"}
        for number in range(CELLS)
    ]
    return {
        "phase": "Succeeded", "observedGeneration": 1, "conditions": conditions, "startTime": moment, "completionTime": moment,
        "message": "The notebook passed.", "retryCount": 0, "results": cells, "validationPodName": "notebook-run-0-0-abcde",
    }  # fmt: skip


def memory(process) -> float:
    """MiB of a process, now."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


def resting() -> list[bool]:
    """A process that starts where a thousand jobs have their verdicts; one more tells when it has settled."""
    with running("kubernetes", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        rule(server, name="notebook-run-*")
        define(server)
        commit = repository(Path(scratch, "source"))
        for number in range(RESTING):
            server.ask("POST", GROUP, job(f"rest-{number}", commit, number))
            server.ask("PATCH", f"{GROUP}/rest-{number}/status", {"status": verdict()}, "application/merge-patch+json")
        over, found = Seen(server, GROUP, is_over), []
        for number in range(2):
            server.forget()
            begin, name = time.time(), f"late-{number}"
            with operating(server, scratch) as process:
                server.ask("POST", GROUP, job(name, commit, RESTING + number))
                settled = over.wait(name, 120) - begin
                time.sleep(10)  # in which kopf forgets what it has seen
                found.append(
                    (settled, memory(process), [one for one in server.journal("/jobs") if one["verb"] == "create"])
                )
            writes = [one for one in server.journal("/rest-") if one["verb"] not in ("get", "list", "watch")]
    print(f"\n{RESTING} jobs at rest, {CELLS} cells each   settled s   MiB   runs started   writes about them")
    for settled, size, runs in found:
        print(f"{'':<37}{settled:9.1f}{size:7.0f}{len(runs) - 1:12}{len(writes):14}")
    return [
        bar(f"below {MEMORY} MiB", max(one[1] for one in found) < MEMORY),
        bar(f"settled within {SETTLED:g} s", max(one[0] for one in found) <= SETTLED),
        bar("nothing is started anew", all(len(one[2]) == 1 for one in found) and not writes),
    ]


def main() -> int:
    print(f"load {os.getloadavg()[0]:.1f} at the start, {os.cpu_count()} cores")
    built = {"enabled": True, "strategy": "docker", "baseImage": IMAGE}
    met = [
        *soon("image given", "kubernetes"),
        *soon("image cached", "openshift", buildConfig=built),
        *leading(),
        *resting(),
    ]
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
