# SPDX-License-Identifier: GPL-3.0-or-later
"""Small notebooks of odd installs and syntax, labelled by hand; the format stands in cases.txt."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.coverage import name_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.ladder import Options, resolve

CASES = Path(__file__).parents[2] / "notebooks" / "inline" / "cases.txt"
BAR = 0.93
_HEAD = re.compile(r"@@ (\S+)(?: \[(\w+)\])?:(.*)")


def read(path: Path = CASES) -> list[tuple[str, str, frozenset[str], list[tuple[str, str]]]]:
    """Return (name, form, distributions, parts) of every case; a part is (kind, text) or (``file NAME``, text)."""
    result: list = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := _HEAD.fullmatch(line):
            result.append((match[1], match[2] or "", frozenset(match[3].split()), [("code", [])]))
        elif not result:
            continue
        elif line.startswith("@ "):
            result[-1][3].append((line[2:], []))
        else:
            result[-1][3][-1][1].append(line)
    return [(n, f, w, [(k, "\n".join(t)) for k, t in parts if t]) for n, f, w, parts in result]


def write(folder: Path, form: str, parts: list[tuple[str, str]]) -> None:
    """Write the notebook of one case and the files beside it."""
    cells = []
    for kind, text in parts:
        if kind.startswith("file "):
            file = folder / kind[5:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            continue
        text = text.replace("\n", "\r\n") if form == "crlf" else text
        source = text if form == "string" else text.splitlines(keepends=True)
        cell = {"cell_type": kind, "metadata": {}, "input" if (form, kind) == ("v3", "code") else "source": source}
        cells.append({**cell, "outputs": [], "execution_count": None} if kind == "code" else cell)
    if form == "v3":
        notebook = {"worksheets": [{"cells": cells, "metadata": {}}], "metadata": {}, "nbformat": 3}
    else:
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4}
    (folder / "case.ipynb").write_text(json.dumps({**notebook, "nbformat_minor": 0}), encoding="utf-8")


def answer(folder: Path) -> frozenset[str]:
    """Return the distributions among the requirement lines that the ladder gives with ``generate``."""
    outcome = resolve(folder, ["case.ipynb"], options=Options(generate=True))
    return frozenset(map(name_of, outcome.resolutions[0].requirements)) - {None}


def score() -> tuple[float, float, float, list[str]]:
    """Return precision, recall, micro-F1 and a line for each case that is not exact."""
    right = wrong = missed = 0
    misses = []
    for name, form, wanted, parts in read():
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch), form, parts)
            got = answer(Path(scratch))
        right, wrong, missed = right + len(got & wanted), wrong + len(got - wanted), missed + len(wanted - got)
        if got != wanted:
            misses.append(f"{name}: wrong {sorted(got - wanted)}, missed {sorted(wanted - got)}")
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9), misses


def test_the_bar_is_met():
    assert len(read()) > 200
    *_rates, f1, misses = score()
    assert f1 >= BAR, "\n".join(misses)
