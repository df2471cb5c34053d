# SPDX-License-Identifier: GPL-3.0-or-later
"""What following a build costs: `s2i_build`, and `openshift_build` of community.okd with `wait`, in one run.

Both are processes of the module alone, as on a managed host, each with no cache of an earlier one. A build's end is the
moment of its last line, which the server stamps just before the terminal phase; the return is the end of the process.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from stand_in import ROOT, part, running

sys.path.insert(0, str(ROOT / "scripts"))
import setup

RETURN, GAIN, REQUESTS, FIRST, MEMORY = 0.1, 2.0, 5, 1.0, 64  # s, s, requests, s, MiB
ROUNDS, POLL = 6, 5.0  # the builds' lengths are spread over the peer's pause
QUIET = 30.0  # seconds of a build without a line between its first and last
LINES, PIECES = 1_000_000, 20
SPANS = (60, 0)  # seconds that the lines are written in; 0 is faster than they can be read
BUILD = "/apis/build.openshift.io/v1/namespaces/team"
STREAMS = "/apis/image.openshift.io/v1/namespaces/team/imagestreams"
OKD = ROOT / "build" / "benchmarks" / "okd"
OURS, PEER = "mlops.notebooks.plugins.modules.s2i_build", "community.okd.plugins.modules.openshift_build"


def prepare(server) -> None:
    meta = {"metadata": {"name": "nb"}}
    spec = {
        "source": {"type": "Git", "git": {"uri": "https://git.example.com/team/nb.git", "ref": "main"}},
        "strategy": {"type": "Docker", "dockerStrategy": {}},
        "output": {"to": {"kind": "ImageStreamTag", "name": "nb:latest"}},
    }
    server.ask("POST", STREAMS, {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", **meta})
    config = {"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", **meta, "spec": spec}
    server.ask("POST", f"{BUILD}/buildconfigs", config)


def rule(server, seconds: float, logs: list) -> None:
    """Say how long the next builds take, and what they write."""
    server.ask("DELETE", "/_control/pods")
    server.ask("POST", "/_control/pods", {"name": "nb-*-build", "seconds": seconds, "logs": logs})


def process(server, name: str, options: dict, scratch: str) -> tuple[dict, float]:
    """Run a module; return its result and the moment at which it was over."""
    arguments = {"namespace": "team", "kubeconfig": server.kubeconfig, **options}
    path = f"{ROOT / 'build' / 'collections'}{os.pathsep}{OKD}"
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.{name}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": scratch},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    over = time.time()
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return json.loads(done.stdout), over


def written(server, build: str) -> list[float]:
    """The moments at which the server took the lines of a build."""
    pool = server._pool.request(
        "GET", f"{server.url}{BUILD}/builds/{build}/log?timestamps=true",
        headers={"Authorization": f"Bearer {server.token}"},
    )  # fmt: skip
    stamps = [line.split()[0][:26] for line in pool.data.decode().splitlines()]
    return [datetime.fromisoformat(f"{stamp}+00:00").timestamp() for stamp in stamps]


def counted(server) -> tuple[int, int]:
    """Requests since the last call: those for a log, and the others."""
    entries = server.journal()
    server.forget()
    logs = sum(entry["path"].endswith("/log") for entry in entries)
    return len(entries) - logs, logs


def ours(server, seconds: float, scratch: str) -> dict:
    rule(server, seconds, [[0, "first"], [seconds, "last"]])
    fifo, seen = Path(scratch, "progress"), []
    with contextlib.suppress(FileExistsError):
        os.mkfifo(fifo)

    def read(stream):
        for line in stream:
            if json.loads(line)["text"] == "first":
                seen.append(time.time())
                return

    with open(os.open(fifo, os.O_RDWR)) as stream:  # opened for both, it waits for no writer
        thread = threading.Thread(target=read, args=(stream,), daemon=True)
        thread.start()
        server.forget()
        options = {"name": "nb", "commit": os.urandom(20).hex(), "progress_path": str(fifo)}
        result, over = process(server, OURS, options, scratch)
        thread.join(5)
    requests = counted(server)
    first, last = written(server, result["build"]["name"])
    return {"return": over - last, "requests": requests, "first": seen[0] - first}


def peer(server, seconds: float, scratch: str) -> dict:
    rule(server, seconds, [[0, "first"], [seconds, "last"]])
    server.forget()
    options = {"build_config_name": "nb", "commit": os.urandom(20).hex(), "wait": True}
    result, over = process(server, PEER, options, scratch)
    requests = counted(server)
    _first, last = written(server, result["builds"][0]["metadata"]["name"])
    return {"return": over - last, "requests": requests}


def status(field: str) -> float:
    """MiB of this process; unlike `ru_maxrss`, nothing of the parent's is in it."""
    return int(re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def child(told: dict) -> None:
    """Follow one build of many lines; print what it took."""
    s2i, errors = part("environment.openshift.s2i"), part("values.errors")
    found = {"lines": 0, "disorder": 0, "trouble": []}

    def report(event):
        word, _, number = event["text"].partition(" ")
        if word == "line":
            found["disorder"] += int(number.split()[0]) != found["lines"]
            found["lines"] += 1

    clean = functools.partial(part("verdict.sanitize").clean, secrets={"a-secret"})
    log = part("environment.buildlog").BuildLog(told.pop("log"), report, clean=clean)
    task = s2i.Task("built", "nb", namespace="team", wanted=part("environment.openshift.inputs").Wanted())
    with part("cluster.client").Cluster(told) as cluster:
        cluster.get(f"{BUILD}/buildconfigs/nb")  # what the client imports at its first request is no part of the log
        begin, started, cpu = status("VmRSS"), time.perf_counter(), time.process_time()
        try:
            found["trouble"] = list(s2i.bring_about(cluster, task, log).warnings)
        except errors.EngineError as error:
            found["trouble"] = [error.message]
    found |= {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    print(json.dumps({**found, "MiB": status("VmHWM") - begin}))


def million(seconds: float) -> dict:
    """Stream a long log, written within so many seconds, over a connection that is cut in its midst."""
    with running("openshift", "--pods", "simulated") as server, tempfile.TemporaryDirectory() as scratch:
        prepare(server)
        share, logs = LINES // PIECES, []
        for piece in range(PIECES):
            lines = (f"line {number} of a build that says much" for number in range(piece * share, (piece + 1) * share))
            logs.append([seconds * piece / PIECES, "\n".join(lines)])
        rule(server, max(seconds, 1), logs)
        # In the midst: a line with its stamp is some 69 bytes.
        server.ask("POST", "/_control/faults", {"kind": "cut-stream", "path": "/log", "bytes": 32 * LINES})
        told = {"host": server.url, "api_key": server.token, "ca_cert": server.ca_file, "log": f"{scratch}/log"}
        done = subprocess.run(
            [sys.executable, __file__, "child", json.dumps(told)], check=True, stdout=subprocess.PIPE, text=True
        )
        logs = sum(entry["path"].endswith("/log") for entry in server.journal())
        return {**json.loads(done.stdout), "requests": logs}


def bar(words: str, met: bool) -> bool:
    print(f"bar: {words}: {'met' if met else 'MISSED'}")
    return met


def short() -> list[bool]:
    """Builds of several lengths by both in turn, then a short and a long one where the peer has cached its discovery."""
    mine, theirs = [], []
    with running("openshift", "--pods", "simulated") as server:
        prepare(server)
        for number in range(ROUNDS):
            seconds = 1 + POLL * (number + 0.5) / ROUNDS
            for work, found in ((ours, mine), (peer, theirs)):
                with tempfile.TemporaryDirectory() as scratch:
                    found.append(work(server, seconds, scratch))
        with tempfile.TemporaryDirectory() as scratch:
            peer(server, 0.1, scratch)
            cached = [[work(server, length, scratch)["requests"][0] for work in (ours, peer)] for length in (1, QUIET)]
    print(f"{f'seconds, {ROUNDS} builds of 1 to 6 s':<40}{'median':>9}{'min':>9}{'max':>9}")
    times = {"end to return, s2i_build": [one["return"] for one in mine]}
    times["end to return, openshift_build"] = [one["return"] for one in theirs]
    times["first line to the console, s2i_build"] = [one["first"] for one in mine]
    for name, values in times.items():
        print(f"{name:<40}{statistics.median(values):9.3f}{min(values):9.3f}{max(values):9.3f}")
    gain = statistics.median(b["return"] - a["return"] for a, b in zip(mine, theirs, strict=True))
    most, least = max(one["requests"][0] for one in mine), min(one["requests"][0] for one in theirs)
    logs = max(one["requests"][1] for one in mine)
    print("\nrequests, and those for the log         s2i_build  openshift_build")
    print(f"{'1 to 6 s, nothing cached':<40}{f'{most} + {logs}':>9}{least:>17}")
    for length, (own, other) in zip((1, QUIET), cached, strict=True):
        print(f"{f'{length:g} s, discovery of the peer cached':<40}{f'{own} + {logs}':>9}{other:>17}")
    return [
        bar(f"return within {RETURN} s, median", statistics.median(times["end to return, s2i_build"]) <= RETURN),
        bar(f"at least {GAIN:g} s less ({gain:.2f}), median of the rounds", gain >= GAIN),
        bar(f"at most {REQUESTS} requests", most <= REQUESTS),
        bar("fewer requests, nothing cached", most < least),
        *(bar(f"fewer requests, cached, {n:g} s", a < b) for n, (a, b) in zip((1, QUIET), cached, strict=True)),
        bar(f"first line within {FIRST:g} s", max(one["first"] for one in mine) <= FIRST),
    ]


def main() -> int:
    if not (OKD / "ansible_collections" / "community" / "okd" / "meta" / "runtime.yml").is_file():
        # The virtual environment of the runtime has no pip; the interpreter that it was made of has.
        setup.from_wheel("community/okd", OKD, sys._base_executable)
    met = short()
    print(f"\n{LINES} lines, one cut     lines  disorder   MiB more  seconds  CPU s  requests for the log")
    for seconds in SPANS:
        name = f"within {seconds} s" if seconds else "at once"
        found = million(seconds)
        shape = "{:<22}{lines:>12}{disorder:>10}{MiB:>11.1f}{seconds:>9.1f}{cpu:>7.1f}{requests:>10}"
        print(shape.format(name, **found))
        sys.stdout.writelines(f"  {trouble}\n" for trouble in found["trouble"])
        whole = found["lines"] == LINES and not found["disorder"] and not found["trouble"]
        met.append(bar(f"{name}: no line lost, under {MEMORY} MiB", whole and found["MiB"] < MEMORY))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(child(json.loads(sys.argv[2])) if sys.argv[1:2] == ["child"] else main())
