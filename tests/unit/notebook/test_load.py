# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a notebook file, whatever its age or state."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook import load as module
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.load import Notebook, load
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError


def write(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


class TestFormats:
    def test_format_4(self, tmp_path):
        path = write(
            tmp_path / "n.ipynb",
            {
                "nbformat": 4,
                "nbformat_minor": 5,
                "metadata": {"kernelspec": {"name": "conda-env-x-py", "language": "python"}},
                "cells": [
                    {"cell_type": "markdown", "source": ["# A\n", "b"], "metadata": {}},
                    {"cell_type": "code", "source": "x = 1", "metadata": {"tags": ["parameters", 3]}, "outputs": []},
                    {"cell_type": "raw", "source": "raw", "metadata": {}},
                ],
            },
        )
        notebook = load(path, name="dir/n.ipynb")
        assert [(cell.index, cell.type, cell.source) for cell in notebook.cells] == [
            (0, "markdown", "# A\nb"),
            (1, "code", "x = 1"),
            (2, "raw", "raw"),
        ]
        assert notebook.cells[1].tags == ("parameters",)
        assert (notebook.name, notebook.kernel, notebook.language) == ("dir/n.ipynb", "conda-env-x-py", "python")

    def test_format_3_joins_worksheets(self, tmp_path):
        path = write(
            tmp_path / "n.ipynb",
            {
                "nbformat": 3,
                "metadata": {"name": "old"},
                "worksheets": [
                    {"cells": [{"cell_type": "heading", "level": 1, "source": ["T"]}]},
                    {"cells": [{"cell_type": "code", "language": "python", "input": ["import a\n", "b"]}]},
                ],
            },
        )
        notebook = load(path)
        assert [(cell.index, cell.type, cell.source) for cell in notebook.cells] == [
            (0, "markdown", "T"),
            (1, "code", "import a\nb"),
        ]
        assert (notebook.nbformat, notebook.language) == (3, "python")

    @pytest.mark.parametrize(
        "document",
        [
            {"cells": []},
            {"cells": [{"cell_type": "code", "source": "x"}], "nbformat": "4", "nbformat_minor": 99},
            {"cells": [{"cell_type": "code", "source": None, "metadata": None}], "metadata": [], "nbformat": 4},
            {"cells": [{}], "metadata": {"kernelspec": "python3", "language_info": None}},
            {"worksheets": [{}], "nbformat": 3},
        ],
    )
    def test_what_is_missing_or_odd_does_not_matter(self, tmp_path, document):
        assert isinstance(load(write(tmp_path / "n.ipynb", document)), Notebook)

    def test_language_info_serves_where_the_kernel_has_no_language(self, tmp_path):
        document = {"cells": [], "metadata": {"kernelspec": {"name": "ir"}, "language_info": {"name": "R"}}}
        notebook = load(write(tmp_path / "n.ipynb", document))
        assert (notebook.kernel, notebook.language) == ("ir", "r")


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "is empty"),
            (b"  \n", "is empty"),
            (b'{"cells": [}', "is not JSON: Expecting value at line 1, column 12"),
            (b'{"cells": [],\n "x" 1}', "at line 2, column"),
            (b"\xff\xfe{}", "is not UTF-8 (byte 0)"),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (b"[]", "its JSON is a list"),
            (b'"text"', "its JSON is a string"),
            (b"3", "its JSON is a number"),
            (b"{}", "holds no list of cells"),
            (b'{"cells": {}}', "holds no list of cells"),
            (b'{"worksheets": [{"cells": 3}]}', "not a list"),
            (b'{"cells": ["x"]}', "cell 0 is a string"),
            (b'{"cells": [], "nbformat": 7}', "notebook format 7"),
            (b"[" * 200_000, "nested too deeply"),
        ],
    )
    def test_what_is_no_notebook_is_refused_with_file_and_reason(self, tmp_path, data, reason):
        path = tmp_path / "it's.ipynb"
        path.write_bytes(data)
        with pytest.raises(EngineError) as error:
            load(path, name="it's.ipynb")
        assert "it's.ipynb" in error.value.message
        assert reason in error.value.message
        assert error.value.code == "notebook_invalid"

    def test_a_directory(self, tmp_path):
        with pytest.raises(EngineError, match="is a directory"):
            load(tmp_path)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(EngineError, match="There is no notebook"):
            load(tmp_path / "gone.ipynb")

    def test_a_link_to_itself(self, tmp_path):
        path = tmp_path / "loop.ipynb"
        path.symlink_to(path)
        with pytest.raises(EngineError, match="cannot be read"):
            load(path)

    def test_more_bytes_than_the_limit(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "MAX_BYTES", 1024**2)
        path = tmp_path / "big.ipynb"
        path.write_bytes(b'{"cells": []}' + b" " * 1024**2)
        with pytest.raises(EngineError, match="larger than the 1 MiB .* clear its outputs"):
            load(path)
        path.write_bytes((b'{"cells": []}' + b" " * 1024**2)[: 1024**2])
        assert load(path).cells == ()

    def test_a_notebook_of_50_mb_is_beyond_the_limit(self):
        assert module.MAX_BYTES < 50_000_000
