# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of a second run over 200 unchanged notebooks: resolve, find environments, find verdicts, leave the report."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

COUNT = 200
BAR = 3.0  # seconds
ENGINE = "ansible_collections.mlops.notebooks.plugins.module_utils._engine"


def part(name: str):
    return import_module(f"{ENGINE}.{name}")


def write(folder: Path) -> None:
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    for number in range(COUNT):
        cell = {
            "cell_type": "code",
            "id": "c0",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": f"print({number})",
        }
        notebook = {"cells": [cell], "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"n{number:03}.ipynb").write_text(json.dumps(notebook))


def validate(folder: Path, cache: str, report: Path):
    outcome = part("requirements.ladder").resolve(folder)
    environments = part("environment.make").make(outcome.resolutions, cache_dir=cache, source=str(folder))
    spec = part("validation.spec").Spec(
        path=folder,
        environments=tuple(environments),
        resolutions=tuple(outcome.resolutions),
        cache_dir=cache,
        workers=os.cpu_count() or 1,
    )
    validation = part("validation.pipeline").validate(spec, lambda event: None)
    written = part("report.write").write(validation.verdicts, report)
    return validation, written


def main() -> int:
    place = tempfile.mkdtemp(prefix="mlops-bench-")
    os.chmod(place, 0o755)
    folder, cache, report = Path(place, "source"), f"{place}/cache", Path(place, "report")
    folder.mkdir()
    try:
        write(folder)
        begin = time.perf_counter()
        validate(folder, cache, report)
        first, times = time.perf_counter() - begin, []
        for _ in range(5):
            begin = time.perf_counter()
            validation, written = validate(folder, cache, report)
            times.append(time.perf_counter() - begin)
            assert not validation.changed and not written["changed"]
    finally:
        shutil.rmtree(place)
    median = statistics.median(times)
    print(
        f"{COUNT} notebooks: first run {first:.1f} s, second {median:.2f} s (min {min(times):.2f}, max {max(times):.2f})"
    )
    print(f"bar: under {BAR} s, no kernel started: {'met' if median < BAR else 'MISSED'}")
    return 0 if median < BAR else 1


if __name__ == "__main__":
    sys.exit(main())
