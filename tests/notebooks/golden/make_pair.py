# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a notebook of 24 kinds of output twice and store both runs, for tests/unit/golden/test_kinds.py.

Needs nbclient, ipykernel, numpy, pandas, jinja2, matplotlib and tqdm. Run it again when a new kind is added.
"""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

# Name of the kind -> source of its cell. A cell is tagged with its kind.
KINDS = {
    "stable_text": "print('same', 42)",
    "noise_in_value": "0.1234567 * (1 + noise(1e-9))",
    "noise_in_print": "print(f'mean={2.5 * (1 + noise(1e-9)):.15f}, rest', [1.5 + noise(1e-10), 2])",
    "timestamp": "print(datetime.datetime.now(), datetime.date.today(), time.ctime(), time.time())",
    "elapsed_time": "t0 = time.perf_counter()\ntime.sleep(0.01 + noise(0.004))\n"
    "print(f'took {time.perf_counter() - t0:.4f} s')",
    "address_of_object": "class Thing: pass\nkeep = [Thing() for _ in range(int(1000 * noise(1)))]\nThing()",
    "address_of_function": "def f(): pass\nprint(f, [len, f], lambda: 0)",
    "set_order": "print({'alpha', 'beta', 'gamma', 'delta', 'epsilon'})\nfrozenset('notebook')",
    "uuid": "print('job', uuid.uuid4())\nuuid.uuid4()",
    "temporary_directory": "d = tempfile.mkdtemp()\nprint(d, os.path.join(d, 'data.csv'))\n"
    "tempfile.mkdtemp(prefix='job_')",
    "table": "pd.DataFrame({'a': [1, 2], 'b': ['x', None], 'd': pd.to_datetime(['2020-01-05', '2020-01-06'])})",
    "table_with_noise": "pd.DataFrame({'v': np.array([2000.5, 3000.5]) * (1 + noise(5e-7)), 'n': [1, 2]}).describe()",
    "styler": "pd.DataFrame({'v': [1.0, 2.0]}).style.highlight_max()",
    "image": "plt.plot([1, 2, 3]);",
    "image_with_noise": "plt.plot(np.array([1, 4, 9]) * (1 + noise(1e-9)));",
    "image_of_other_data": "plt.plot(np.array([noise(1) for _ in range(50)]));",
    "figure_repr": "fig, ax = plt.subplots()\nplt.close()\nprint(fig, ax.plot([1, 2]))\nfig",
    "stderr_warning": "warnings.warn('careful ' + str(noise(1)))\nprint('go')",
    "progress_bar": "for _ in tqdm.tqdm(range(5), file=sys.stdout, desc='work'): time.sleep(0.01 + noise(0.01))",
    "split_stream": "for word in ('one', 'two', 'three'):\n    print(word, flush=True)\n    time.sleep(noise(0.5))",
    "unseeded_random": "print(random.random())",
    "version_text": "print(sys.version, np.__version__)",
    "process_id": "print('pid', os.getpid())",
    "expected_error": "raise ValueError('deliberate')",
}
SETUP = """
import datetime, os, random, sys, tempfile, time, uuid, warnings
import matplotlib.pyplot as plt, numpy as np, pandas as pd, tqdm
def noise(size):
    return size * random.SystemRandom().random()
"""
FOLDER = Path(__file__).parent


def main() -> None:
    """Write first.ipynb and second.ipynb beside this file."""
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(SETUP.strip())]
    for kind, text in KINDS.items():
        tags = [kind, "raises-exception"] if kind == "expected_error" else [kind]
        cells.append(nbformat.v4.new_code_cell(textwrap.dedent(text), metadata={"tags": tags}))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    for name in ("first", "second"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.from_dict(dict(cell)) for cell in cells])
        NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
        nbformat.write(notebook, FOLDER / f"{name}.ipynb")
        time.sleep(1)


if __name__ == "__main__":
    main()
