# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels are taken for Python 3."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.kernel import check
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.load import Notebook
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError


def notebook(kernel, language, display=None):
    metadata = {"kernelspec": {"display_name": display}} if display else {}
    return Notebook("n.ipynb", (), kernel, language, 4, metadata)


@pytest.mark.parametrize(
    "given",
    [
        notebook(None, None),
        notebook("python3", "python"),
        notebook("python3", None),
        notebook("conda-env-x-py", "python"),
        notebook("anything", "python"),
        notebook("xpython", None),
        notebook("py310", None),
        notebook("anything", None, "Python (anything)"),
        notebook(None, "ipython"),
    ],
)
def test_python_kernels_of_any_name_will_do(given):
    check(given)


def test_kernels_of_python_2_pass_where_the_notebook_is_only_read():
    check(notebook("python2", "python"), python_2=True)
    with pytest.raises(EngineError):
        check(notebook("ir", "r"), python_2=True)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (notebook("ir", "r"), "ir"),
        (notebook("julia-1.9", "julia"), "julia-1.9"),
        (notebook("ir", None), "ir"),
        (notebook("python2", "python"), "python2"),
        (notebook("Python 2.7", "python"), "Python 2.7"),
        (notebook("pysparkkernel", "python"), "pysparkkernel"),
        (notebook("sagemath", "python"), "sagemath"),
        (notebook(None, "bash"), "bash"),
    ],
)
def test_others_are_refused_by_name(given, named):
    with pytest.raises(EngineError) as error:
        check(given)
    assert error.value.code == "kernel_unsupported"
    assert named in error.value.message
    assert error.value.message.startswith("n.ipynb asks for")
