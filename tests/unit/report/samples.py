# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts and executed notebooks as a validation leaves them."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import (
    CellDiff,
    CellVerdict,
    Comparison,
    Verdict,
)

KEY = "9f2c4be1d07a55e3c1f8" + "0" * 44
OTHER_KEY = "41aa90c3e7b2d6f4a8b1" + "0" * 44
SOURCE = {
    "url": "https://git.example.org/data/forecasts.git",
    "ref": "main",
    "commit": "4be1d07a55e3c1f89f2c4be1d07a55e3c1f80000",
}
TRACEBACK = (
    "---------------------------------------------------------------------------",
    "KeyError                                  Traceback (most recent call last)",
    "Cell In[3], line 2",
    "      1 totals = orders.groupby('region')['net'].sum()",
    "----> 2 totals['Atlantis'] / totals.sum()",
    "",
    "KeyError: 'Atlantis'",
)
TABLE = """<div>
<style scoped>
    .dataframe tbody tr th:only-of-type { vertical-align: middle; }
    .dataframe thead th { text-align: right; }
</style>
<table border="1" class="dataframe">
  <thead><tr style="text-align: right;"><th></th><th>region</th><th>orders</th><th>net</th></tr></thead>
  <tbody>
    <tr><th>0</th><td>North</td><td>1204</td><td>98213.40</td></tr>
    <tr><th>1</th><td>South</td><td>877</td><td>61002.15</td></tr>
    <tr><th>2</th><td>West</td><td>1530</td><td>140377.80</td></tr>
  </tbody>
</table>
<p>3 rows × 3 columns</p>
</div>"""
STYLER = """<style type="text/css">
#T_a1_row0_col0 { background-color: #440154; color: #f1f1f1; }
#T_a1_row1_col0 { background-color: #fde725; color: #000000; }
</style>
<table id="T_a1"><thead><tr><th class="index_name level0">month</th><th>margin</th></tr></thead>
<tbody><tr><th>January</th><td id="T_a1_row0_col0">0.11</td></tr><tr><th>February</th><td id="T_a1_row1_col0">0.34</td></tr></tbody></table>"""


def png(width: int, height: int, paint) -> str:
    """Return a PNG in base64; ``paint(x, y)`` gives red, green and blue."""
    lines = b"".join(b"\0" + bytes(value for x in range(width) for value in paint(x, y)) for y in range(height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def plot(shift: int = 0) -> str:
    bars = (60, 95, 40, 120, 80 + shift, 110)

    def paint(x, y):
        column = x // 60
        inside = 8 < x % 60 < 52 and 150 - y < bars[min(column, 5)]
        return (31, 119, 180) if inside else (255, 255, 255)

    return png(360, 160, paint)


def code(index: int | None, source: str, *outputs: dict) -> dict:
    metadata = {"tags": ["injected-parameters"]} if index is None else {"mlops_notebooks": {"source_index": index}}
    return {
        "cell_type": "code",
        "execution_count": 1,
        "id": f"c{index}",
        "metadata": metadata,
        "outputs": list(outputs),
        "source": source,
    }


def markdown(index: int, source: str) -> dict:
    return {
        "cell_type": "markdown",
        "id": f"m{index}",
        "metadata": {"mlops_notebooks": {"source_index": index}},
        "source": source,
    }


def stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data: object) -> dict:
    mimes = {name.replace("__", "+").replace("_", "/", 1): value for name, value in data.items()}
    return {"output_type": "display_data", "data": mimes, "metadata": {}}


def notebook(path: Path, *cells: dict, started: str = "2026-03-02T08:15:00.250000Z") -> str:
    """Write an executed notebook; return its path."""
    for cell in cells:
        if isinstance(cell, dict) and cell.get("cell_type") == "code" and cell.get("metadata"):
            cell["metadata"]["execution"] = {"iopub.execute_input": started}
    document = {
        "cells": list(cells),
        "metadata": {
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def passing(name: str, executed: str | None = None, **facts) -> Verdict:
    cells = (
        CellVerdict(0, "markdown", "Skipped"),
        CellVerdict(1, "code", "Success", 0.21),
        CellVerdict(2, "code", "Success", 1.4),
    )
    given = {
        "tier": "declared",
        "environment": KEY,
        "attempts": 1,
        "duration": 3.08,
        "cells": cells,
        "executed": executed,
        **facts,
    }
    return Verdict(name, "succeeded", **given)


def failing(executed: str | None = None, **facts) -> Verdict:
    cells = (
        CellVerdict(0, "markdown", "Skipped"),
        CellVerdict(1, "code", "Success", 0.84),
        CellVerdict(2, "code", "Success", 0.31),
        CellVerdict(3, "code", "Failure", 0.02, "KeyError: 'Atlantis'", TRACEBACK),
        CellVerdict(4, "code", "Skipped"),
    )
    given = {
        "code": "cell_error",
        "category": "notebook",
        "cause": "Cell 3 raised KeyError: 'Atlantis'.",
        "advice": ("Correct the cell, or declare in the notebook that the error is expected (tag raises-exception).",),
        "cell": 3,
        "cells": cells,
        "tier": "declared",
        "requirements": ("pandas==2.2.3", "pyarrow==18.1.0"),
        "environment": KEY,
        "attempts": 1,
        "duration": 4.417,
        "executed": executed,
        **facts,
    }
    return Verdict("sales/monthly-summary.ipynb", "failed", **given)


def missing_module(**facts) -> Verdict:
    given = {
        "code": "missing_module",
        "category": "environment",
        "cause": "Cell 1 imports seaborn, which no requirement provides.",
        "advice": (
            "Declare it: add this line to reports/requirements.txt:\nseaborn",
            "Let it be generated: set generate: true for notebook_requirements.",
            "Install it in the notebook: add a first cell with:\n%pip install seaborn",
        ),
        "module": "seaborn",
        "distribution": "seaborn",
        "cell": 1,
        "cells": (
            CellVerdict(0, "markdown", "Skipped"),
            CellVerdict(1, "code", "Failure", 0.01, "ModuleNotFoundError: No module named 'seaborn'"),
        ),
        "tier": "base",
        "warnings": ("No requirement is known for this notebook: it runs in the base environment.",),
        "environment": OTHER_KEY,
        "environment_cached": True,
        "attempts": 1,
        "duration": 1.03,
        **facts,
    }
    return Verdict("reports/keywords.ipynb", "failed", **given)


def mismatched(executed: str | None = None) -> Verdict:
    expected = "\n".join(f"{month:<10}{value:>10.2f}" for month, value in MONTHS)
    actual = expected.replace("     11.20", "     11.90")
    comparison = Comparison(
        "mismatched",
        "golden/sales/price-bands.ipynb",
        4,
        2,
        2,
        (
            CellDiff(2, "output_mismatch", "the text differs in 1 line", "text/plain", expected, actual, "-a\n+b"),
            CellDiff(
                3,
                "output_mismatch",
                "412 of 57600 pixels differ",
                "image/png",
                expected_image=plot(),
                actual_image=plot(30),
            ),
            CellDiff(5, "missing_cell", "the executed notebook lacks this cell"),
        ),
    )
    return Verdict(
        "sales/price-bands.ipynb",
        "failed",
        code="golden_mismatch",
        category="comparison",
        cause="2 of 4 cells differ from the golden notebook.",
        advice=(
            "Look at the differences. Where they are right, run again with golden_update and commit the golden notebook.",
        ),
        cells=(CellVerdict(2, "code", "Success", 0.1), CellVerdict(3, "code", "Success", 0.6)),
        cell=2,
        comparison=comparison,
        tier="declared",
        environment=KEY,
        attempts=1,
        duration=62.9,
        executed=executed,
    )


MONTHS = tuple(
    zip(
        ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
        (10.5, 10.75, 11.2, 9.8, 10.1, 10.4, 12.0, 12.6, 11.0, 10.9),
        strict=True,
    )
)


def everything(directory: Path) -> list[Verdict]:
    """Return a believable set of verdicts with their executed notebooks below the directory."""
    rich = notebook(
        directory / "forecast.ipynb",
        markdown(
            0,
            "# Forecast\n\nDemand of the next *quarter*, see [the notes](https://example.org/notes).\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        ),
        code(
            None,
            "# Parameters\nregion = 'North'",
        ),
        code(
            1,
            "import pandas as pd\norders = pd.read_csv('data/orders.csv')\norders.head(3)  # the first rows",
            shown(text_html=TABLE, text_plain="  region"),
        ),
        code(2, "%matplotlib inline\norders.plot.bar()", shown(image_png=plot(), text_plain="<Figure>")),
        code(3, "margins.style.background_gradient()", shown(text_html=STYLER, text_plain="styler")),
        code(
            4,
            "for epoch in range(3):\n    print(f'epoch {epoch}', end='\\n')",
            stream("epoch 0\nepoch 1\n"),
            stream("epoch 2\n"),
            stream("\x1b[33mUserWarning: \x1b[0mthe model did not converge\n", "stderr"),
        ),
    )
    failed = notebook(
        directory / "monthly.ipynb",
        markdown(0, "# Monthly summary"),
        code(1, "import pandas as pd\norders = pd.read_parquet('data/orders.parquet')", stream("read 3611 rows\n")),
        code(2, "orders.describe()", shown(text_html=TABLE, text_plain="describe")),
        code(
            3,
            "totals = orders.groupby('region')['net'].sum()\ntotals['Atlantis'] / totals.sum()",
            {
                "output_type": "error",
                "ename": "KeyError",
                "evalue": "'Atlantis'",
                "traceback": ["\x1b[31mKeyError\x1b[0m: 'Atlantis'"],
            },
        ),
        code(4, "totals.plot()"),
    )
    bands = notebook(
        directory / "bands.ipynb", code(2, "bands", stream("…")), code(3, "bands.plot()", shown(image_png=plot(30)))
    )
    return [
        passing(
            "sales/forecast.ipynb",
            rich,
            duration=11.62,
            warnings=("requirements.txt does not cover import scipy (cell 1).",),
        ),
        passing(
            "units/conversion.ipynb",
            tier="inline",
            duration=0.9,
            cached=True,
            environment_cached=True,
            environment=OTHER_KEY,
        ),
        passing("sales/currency.ipynb", cached=True),
        failing(failed),
        missing_module(),
        mismatched(bands),
        Verdict(
            "base/slow-simulation.ipynb",
            "failed",
            code="cell_timeout",
            category="timeout",
            cause="Cell 2 took longer than 10 s.",
            advice=("Raise cell_timeout, or give the notebook less to do.",),
            cell=2,
            tier="base",
            environment=OTHER_KEY,
            environment_cached=True,
            attempts=1,
            duration=3723.0,
        ),
        passing(
            "text/a rather long directory name/with-a-very-long-notebook-name-that-must-wrap-somewhere-2026-03.ipynb",
            tier="generated",
        ),
    ]
