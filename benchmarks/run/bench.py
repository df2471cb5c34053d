#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher against nbclient, nbmake and papermill's command, on the same notebooks and the same kernels.

    python benchmarks/run/bench.py --python ENVIRONMENT/bin/python [--rounds 3]

The environment needs: papermill ipykernel nbmake pytest pytest-xdist. Wall time of whole processes, start and
imports included. The contenders take turns, so that a busy machine hits all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULE_UTILS = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"

POOL = """
import asyncio, sys, nbformat
from nbclient import NotebookClient

async def main(workers, paths):
    gate = asyncio.Semaphore(workers)

    async def one(path):
        async with gate:
            nb = nbformat.read(path, as_version=4)
            await NotebookClient(nb, kernel_name="python3").async_execute()
            nbformat.write(nb, path + ".out")

    await asyncio.gather(*map(one, paths))

asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
"""

OURS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from _engine.run.process import run_all
from _engine.values.execution import RunRequest

python, source, output, workers, *names = sys.argv[2:]
requests = [
    RunRequest(id=name, python=python, source=source, notebook=name, output=f"{output}/{name}") for name in names
]
results = run_all(requests, workers=int(workers))
assert all(result.reason == "completed" for result in results), [result.message for result in results]
"""

BARS = {
    "20 trivial notebooks, 2 workers": {"nbclient pool": 1.1, "nbmake -n2": 0.8, "papermill loop": 0.35},
    "1 notebook of 200 cells": {"nbclient pool": 1.2, "papermill loop": None},
}


def notebook(cells: int) -> str:
    """Return the text of a notebook of small cells."""
    made = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"c{number}",
            "metadata": {},
            "outputs": [],
            "source": f"x = {number}\nprint(x)",
        }
        for number in range(cells)
    ]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})


def measure(commands: list[list[str]], environment: dict) -> tuple[float, float]:
    """Run commands one after the other; return wall and CPU seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def contenders(python: str, directory: Path, names: list[str], workers: int, peers: set[str]) -> dict:
    """Return the command lines of ours and of the peers."""
    paths = [str(directory / name) for name in names]
    output = str(directory / "output")
    every = {
        "ours": [[sys.executable, "-c", OURS, str(MODULE_UTILS), python, str(directory), output, str(workers), *names]],
        "nbclient pool": [[python, "-c", POOL, str(workers), *paths]],
        "nbmake -n2": [[python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbmake", "-n", "2", *paths]],
        "papermill loop": [
            [python, "-m", "papermill", "-k", "python3", "--no-progress-bar", path, path + ".out"] for path in paths
        ],
    }
    return {name: commands for name, commands in every.items() if name == "ours" or name in peers}


def compare(python: str, title: str, count: int, cells: int, rounds: int) -> bool:
    """Measure one case and print its table; return whether every bar is met."""
    directory = Path(tempfile.mkdtemp(prefix="mlops-bench-"))
    try:
        names = [f"n{number}.ipynb" for number in range(count)]
        for name in names:
            (directory / name).write_text(notebook(cells), encoding="utf-8")
        bars = BARS[title]
        commands = contenders(python, directory, names, min(2, count), set(bars))
        environment = {**os.environ, "PATH": f"{os.path.dirname(python)}:{os.environ['PATH']}"}
        times: dict[str, list] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                times[name].append(measure(command, environment))
    finally:
        shutil.rmtree(directory)
    return _print(title, times, bars, rounds)


def _print(title: str, times: dict, bars: dict, rounds: int) -> bool:
    print(
        f"\n{title}, {rounds} rounds\n{'':16}{'wall s':>8}{'min':>8}{'max':>8}{'CPU s':>8}{'ours/peer':>12}{'bar':>8}"
    )
    met = True
    for name, pairs in times.items():
        walls = [wall for wall, _ in pairs]
        row = f"{name:16}{statistics.median(walls):8.2f}{min(walls):8.2f}{max(walls):8.2f}"
        row += f"{statistics.median(cpu for _, cpu in pairs):8.2f}"
        if name in bars:
            ratio = statistics.median(own[0] / peer[0] for own, peer in zip(times["ours"], pairs, strict=True))
            bar = bars[name]
            good = bar is None or ratio <= bar
            met = met and good
            row += f"{ratio:12.2f}{'' if bar is None else f'{bar:8.2f}'}{'' if good else '  MISSED'}"
        print(row)
    return met


def main() -> int:
    """Run both cases; the exit status tells whether every bar is met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", required=True, help="interpreter of the environment")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    needed = "import papermill, ipykernel, nbmake, pytest, xdist"
    if subprocess.run([options.python, "-c", needed], capture_output=True).returncode:
        parser.error(f"{options.python} needs: papermill ipykernel nbmake pytest pytest-xdist")
    many, one = BARS
    results = [
        compare(options.python, many, 20, 1, options.rounds),
        compare(options.python, one, 1, 200, options.rounds),
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
