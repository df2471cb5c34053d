# SPDX-License-Identifier: GPL-3.0-or-later
"""Milliseconds a notebook for the whole ladder within one call, beside deptry and pigar on the same folder.

python benchmarks/requirements/speed.py FOLDER, where FOLDER is what score.py has fetched.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNT = 200
BAR = 5.0  # milliseconds a notebook
OURS = """
import sys, time
from pathlib import Path
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.ladder import Options, resolve
begin = time.perf_counter()
outcome = resolve(Path(sys.argv[1]), None, options=Options(generate=True))
print((time.perf_counter() - begin) * 1000 / len(outcome.resolutions))
"""


def collect(source: Path, target: Path) -> int:
    """Copy notebooks into one folder until there are COUNT; return the number."""
    found = sorted(source.rglob("*.ipynb"))
    for number in range(COUNT):
        original = found[number % len(found)]
        shutil.copyfile(original, target / f"n{number}.ipynb")
    return COUNT


def wall(command: list[str], folder: Path) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=900)
    return (time.perf_counter() - begin) * 1000


def main() -> int:
    bin_ = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        count = collect(Path(sys.argv[1]), folder)
        (folder / "pyproject.toml").write_text("[project]\nname = 'notebooks'\nversion = '0'\ndependencies = []\n")
        ours, deptry = [], []
        for _ in range(5):
            done = subprocess.run([sys.executable, "-c", OURS, scratch], check=True, capture_output=True, text=True)
            ours.append(float(done.stdout))
            deptry.append(wall([str(bin_ / "deptry"), "."], folder) / count)
        few = folder / "few"
        few.mkdir()
        for number in range(4):
            shutil.copyfile(folder / f"n{number}.ipynb", few / f"n{number}.ipynb")
        pigar = (
            wall([str(bin_ / "pigar"), "gen", "--auto-select", "--question-answer", "no", "-f", "out.txt", "."], few)
            / 4
        )
    print(f"{count} notebooks, ms each        median     min     max")
    for name, times in (("the ladder (one call)", ours), ("deptry (whole process)", deptry)):
        print(f"{name:26}{statistics.median(times):10.2f}{min(times):8.2f}{max(times):8.2f}")
    print(f"{'pigar (4 notebooks, once)':26}{pigar:10.0f}")
    print(f"bar: at most {BAR} ms: {'met' if statistics.median(ours) <= BAR else 'MISSED'}")
    return 0 if statistics.median(ours) <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
