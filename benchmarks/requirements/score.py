# SPDX-License-Identifier: GPL-3.0-or-later
"""Score the generated tier on notebooks of published packages, beside pipreqs.

The notebooks are not kept here: `fetch` downloads the source distributions named in labels.txt (once, one after the
other, with the package unearth) and unpacks their notebooks; `score` compares. `tune` packages may be looked at while the rules are
written; `held` and `blind` ones, labelled by two hands, were scored once before.

    python benchmarks/requirements/score.py fetch build/benchmarks/requirements
    python benchmarks/requirements/score.py score build/benchmarks/requirements [--set held] [--misses] [--peers]
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

LABELS = Path(__file__).with_name("labels.txt")
ENGINE = "ansible_collections.mlops.notebooks.plugins.module_utils._engine"
# What a notebook finds beside it besides other notebooks.
KEPT = re.compile(r"\.(?:ipynb|py|txt|toml|cfg|ya?ml|in)$|(?:^|/)Pipfile")


def labels() -> list[tuple[str, str, str, frozenset[str]]]:
    """Return (set, package==version, path, distributions) of every labelled notebook."""
    rows, group = [], ("", "")
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            group = tuple(line.strip("[]").split())
        elif line and not line.startswith("#"):
            path, _, names = line.rpartition(".ipynb:")
            rows.append((*group, path + ".ipynb", frozenset(names.split())))
    return rows


def fetch(target: Path) -> None:
    """Download each source distribution once; nothing of it is built or imported."""
    for package in dict.fromkeys(row[1] for row in labels()):
        if (target / package).is_dir():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "unearth", "--no-binary", "--download", scratch, package]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            unpack(Path(scratch), target / package)
        time.sleep(1)


def unpack(source: Path, target: Path) -> None:
    for archive in source.glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            tar.extractall(source, filter="data")
    found = next(folder for folder in source.iterdir() if folder.is_dir())
    for file in found.rglob("*"):
        relative = file.relative_to(found)
        if file.is_file() and KEPT.search(relative.as_posix()):
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / relative)


def ours(root: Path, path: str) -> set[str]:
    """Return what generation and the notebook's own installs give, options and unresolved left out."""
    from importlib import import_module

    notebook = import_module(f"{ENGINE}.notebook.load").load(root / path, name=path)
    found = import_module(f"{ENGINE}.requirements.merge").merge(
        import_module(f"{ENGINE}.requirements.generated").generate(notebook, root),
        import_module(f"{ENGINE}.requirements.inline").find(notebook, root),
    )
    name_of = import_module(f"{ENGINE}.requirements.coverage").name_of
    return {name_of(entry.requirement) for entry in found.provenance} - {None}


def pipreqs(root: Path, path: str) -> set[str]:
    """Return what pipreqs' own scan gives for the notebook alone, offline: its table, else the import's name."""
    from pipreqs import pipreqs as tool

    with tempfile.TemporaryDirectory() as scratch:
        shutil.copyfile(root / path, Path(scratch) / "notebook.ipynb")
        tool.scan_noteboooks = True
        tool.handle_scan_noteboooks()
        try:
            found = tool.get_all_imports(scratch, encoding="utf-8", extra_ignore_dirs=None, follow_links=False)
        except Exception:
            return set()
    return {re.sub(r"[-_.]+", "-", name).lower() for name in tool.get_pkg_names(found)} - {"ipython"}


def report(name: str, tool, folder: Path, wanted: str, misses: bool) -> None:
    right = wrong = missed = exact = 0
    times, singles = [], []
    rows = [row for row in labels() if wanted in ("all", row[0])]
    for group, package, path, truth in rows:
        begin = time.perf_counter()
        answer = tool(folder / package, path)
        times.append((time.perf_counter() - begin) * 1000)
        right += len(answer & truth)
        wrong += len(answer - truth)
        missed += len(truth - answer)
        exact += answer == truth
        total = len(answer) + len(truth)
        singles.append(2 * len(answer & truth) / total if total else 1.0)
        if misses and answer != truth:
            print(f"{group} {package} {path}: wrong {sorted(answer - truth)}, missed {sorted(truth - answer)}")
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    score = 2 * precision * recall / max(precision + recall, 1e-9)
    print(
        f"{name:8} {wanted:4} {len(rows):4} notebooks  P {precision:.3f}  R {recall:.3f}  micro-F1 {score:.3f}"
        f"  macro-F1 {statistics.mean(singles):.3f}  exact {exact / len(rows):.3f}"
        f"  ms median {statistics.median(times):.1f} mean {statistics.mean(times):.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("fetch", "score"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", default="held", choices=("tune", "held", "blind", "all"))
    parser.add_argument("--misses", action="store_true", help="print every notebook that is not exact")
    parser.add_argument("--peers", action="store_true", help="score pipreqs too, where it is installed")
    options = parser.parse_args()
    if options.action == "fetch":
        fetch(options.folder)
        return
    report("engine", ours, options.folder, options.set, options.misses)
    if options.peers:
        report("pipreqs", pipreqs, options.folder, options.set, False)


if __name__ == "__main__":
    main()
