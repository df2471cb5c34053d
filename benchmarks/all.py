# SPDX-License-Identifier: GPL-3.0-or-later
"""Every bar beside its peers in one run: `make bench`. The tables go to the console and to docs/performance.md."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "benchmarks"
PAGE = ROOT / "docs" / "performance.md"
# What is measured, and what the scripts import.
PEERS = [
    "papermill",
    "ipykernel",
    "nbmake",
    "pytest",
    "pytest-xdist",
    "nbclient",
    "pipreqs==0.5.0",
    "deptry",
    "pigar",
    "unearth",
]
INSTALLED = ROOT / "build" / "collections"


def peers() -> Path:
    """Make the environment of the peers; return its interpreter."""
    python = PLACE / "venv" / "bin" / "python"
    if not python.exists():
        uv = ROOT / ".venv" / "bin" / "uv"
        sys.path.insert(0, str(INSTALLED))
        from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.interpreter import choose

        # One that the unprivileged user of a run can reach, as every contender uses the same kernels.
        subprocess.run([uv, "venv", "--quiet", "--python", choose(None, None).path, PLACE / "venv"], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *PEERS], check=True)
    return python


def run(python: Path, script: str, *arguments: str) -> str:
    """Run one benchmark; show what it prints as it goes, and return it."""
    command = [str(python), str(ROOT / "benchmarks" / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(INSTALLED), "PYTHONWARNINGS": "ignore"}
    kept = io.StringIO()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            kept.write(line)
    if process.returncode not in (0, 1):  # 1 says that a bar is not met, which the table shows
        raise SystemExit(f"{script} ended with {process.returncode}")
    return kept.getvalue()


def machine() -> str:
    cpu = "unknown processor"
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, Python {platform.python_version()}, load {load:.1f} at the start"


def main() -> None:
    shape = machine()
    python = peers()
    runtime = ROOT / ".venv" / "bin" / "python"
    tools = ROOT / "build" / "venvs" / "dev" / "bin" / "python"  # which has kopf
    folder = str(PLACE / "requirements")
    run(python, "requirements/score.py", "fetch", folder)
    parts = [
        (
            "What notebooks need, quality",
            run(python, "requirements/score.py", "score", folder, "--set", "held", "--peers"),
        ),
        ("What notebooks need, speed", run(python, "requirements/speed.py", folder)),
        ("Running notebooks", run(python, "run/bench.py", "--python", str(python), "--rounds", "3")),
        ("A second run of unchanged work", run(python, "validation/second_run.py")),
        ("Waiting for a cluster", run(runtime, "cluster/wait.py")),
        ("Requests to a cluster", run(runtime, "cluster/budgets.py")),
        ("Following a build", run(runtime, "cluster/builds.py")),
        ("Notebooks in pods", run(runtime, "cluster/runs.py")),
        ("The operator", run(tools, "cluster/validator.py")),
    ]
    page = [
        "# Performance",
        "",
        f"Made by `make bench` on {datetime.date.today()}: {shape}.",
        "Ratios are medians of ratios within a round, since the contenders take turns; figures without a ratio depend on the machine.",
        "The labelled set is no longer blind: what blind rounds gave stands in `benchmarks/requirements/README.md`.",
    ]
    for title, text in parts:
        page += ["", f"## {title}", "```text", text.strip("\n"), "```"]
    PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")
    print(f"\nThe tables are kept in {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
