# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebooks in pods: results by file, whole, and nothing left."""

from __future__ import annotations


def texts(notebook: dict) -> str:
    return "".join("".join(out.get("text", "")) for cell in notebook["cells"] for out in cell.get("outputs", ()))


def test_notebooks_run_as_a_user_that_no_image_knows(real):
    good = real.notebook(
        "deep/good.ipynb", "import os\nprint(os.getuid(), os.getgid())", "print(open('data.txt').read())"
    )
    (real.directory / "source" / "deep" / "data.txt").write_text("beside it")
    bad = real.notebook("bad.ipynb", "x = 1", "raise ValueError('no')", "print('never')")
    found = real.run(good, bad)
    assert found[good].reason == "completed", found[good]
    assert "1000990000 0" in texts(real.executed(found[good])) and "beside it" in texts(real.executed(found[good]))
    assert (found[bad].reason, found[bad].cell, found[bad].error.ename) == ("cell_error", 1, "ValueError")
    assert [cell.status for cell in found[bad].cells] == ["Success", "Failure", "Skipped"]
    assert not [name for name in real.left() if name.startswith("jobs")]
