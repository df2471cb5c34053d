# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tier is taken, what is said about it, and what is refused."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.ladder import (
    Options,
    Outcome,
    resolve,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError


@pytest.fixture(name="source")
def _source(tmp_path):
    """Return a function that writes files; notebooks (*.ipynb) are given as a list of code cells."""

    def write(files: dict[str, str | list[str]], kernel: str = "python3"):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else document(content, kernel))
        return tmp_path

    return write


def document(cells: list[str], kernel: str = "python3", language: str = "python") -> str:
    """Return the JSON of a notebook."""
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": kernel, "language": language, "display_name": kernel}},
            "cells": [
                {
                    "cell_type": "code",
                    "source": cell,
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                    "id": f"c{n}",
                }
                for n, cell in enumerate(cells)
            ],
        }
    )


def one(root, **options):
    """Return the one resolution of a source."""
    (resolution,) = resolve(root, options=Options(**options)).resolutions
    return resolution


class TestDeclared:
    def test_the_nearest_file_is_taken_with_its_places(self, source):
        root = source(
            {"requirements.txt": "above\n", "nb/requirements.txt": "pandas\nrich\n", "nb/a.ipynb": ["import pandas"]}
        )
        found = one(root)
        assert (found.notebook, found.tier, found.requirements) == ("nb/a.ipynb", "declared", ("pandas", "rich"))
        assert [(p.file, p.line, p.tier) for p in found.provenance] == [
            ("nb/requirements.txt", n, "declared") for n in (1, 2)
        ]
        assert found.warnings == ()
        assert found.imports == {"pandas": "pandas"}
        assert found.kernel == "python3"

    def test_explicit_file_then_chain_then_block_then_nearest(self, source):
        block = '# /// script\n# requires-python = ">=3.10"\n# dependencies = ["block"]\n# ///\nx = 1'
        root = source(
            {"requirements.txt": "near\n", "ci/r.txt": "explicit\n", "ci/c.txt": "chain\n", "a.ipynb": ["y = 2", block]}
        )
        taken = {
            "explicit": {"requirements_file": "ci/r.txt", "requirements_sources": ("ci/c.txt",)},
            "chain": {"requirements_sources": ("gone.txt", "ci/c.txt")},
            "block": {},
        }
        for name, options in taken.items():
            assert one(root, **options).requirements == (name,)
        assert one(root).provenance[0].cell == 1
        assert one(root).provenance[0].line == 3
        assert one(root, requirements_file="ci/r.txt").python_requires == ">=3.10"
        source({"a.ipynb": ["y = 2"]})
        assert one(root).requirements == ("near",)

    def test_a_chain_of_which_nothing_exists_is_said(self, source):
        found = one(source({"requirements.txt": "near\n", "a.ipynb": [""]}), requirements_sources=("x.txt", "y.txt"))
        assert found.requirements == ("near",)
        assert found.warnings[0].startswith("None of the requirements sources exists (x.txt, y.txt)")

    def test_a_block_that_lists_nothing_declares_nothing_is_needed(self, source):
        root = source({"requirements.txt": "near\n", "a.ipynb": ["# /// script\n# dependencies = []\n# ///"]})
        assert (one(root).tier, one(root).requirements) == ("declared", ())

    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            (["# /// script\n# dependencies = ['x']\n# ///"] * 2, "a.ipynb, cell 1 holds a second"),
            (["# /// script\n# dependencies = [\n# ///"], "a.ipynb, cell 0"),
            (["1\n# /// script\n# dependencies = ['x=>1']\n# ///"], "a.ipynb, cell 0:3 is no requirement"),
            (["# /// script\n# dependencies = 'x'\n# ///"], "a.ipynb, cell 0 gives dependencies that are no list"),
            (["# /// script\n# requires-python = 'new'\n# ///"], "a.ipynb is asked to run on Python 'new'"),
        ],
    )
    def test_a_broken_block_is_named_with_cell_and_line(self, source, cells, expected):
        with pytest.raises(EngineError) as error:
            resolve(source({"a.ipynb": cells}))
        assert error.value.message.startswith(expected)
        assert error.value.code == "requirements_invalid"

    def test_python_of_file_and_runtime_both_hold(self, source):
        root = source(
            {
                "pyproject.toml": "[project]\nrequires-python='>=3.9'\ndependencies=['x']\n",
                "runtime.txt": "python-3.11",
                "a.ipynb": [""],
            }
        )
        assert one(root).python_requires == ">=3.9,==3.11.*"

    def test_python_as_old_setup_files_write_it(self, source):
        root = source({"setup.py": "setup(install_requires=['x'], python_requires='>=3.6.*, <4')", "a.ipynb": [""]})
        assert one(root).python_requires == ">=3.6, <4"


class TestDeclaredIsNotTakenOnTrust:
    def test_an_import_that_no_line_covers_is_a_warning_with_cell_and_line_to_add(self, source):
        root = source({"requirements.txt": "pandas\n", "a.ipynb": ["import pandas", "import sklearn.svm"]})
        found = one(root)
        assert found.requirements == ("pandas",)
        assert found.warnings == (
            "Cell 1 needs scikit-learn (import sklearn.svm), which requirements.txt does not cover: "
            "add the line `scikit-learn` there, or set fallback to auto.",
        )
        assert found.imports == {"pandas": "pandas"}

    def test_fallback_auto_adds_it(self, source):
        root = source({"requirements.txt": "pandas\n", "a.ipynb": ["import pandas", "import sklearn.svm"]})
        found = one(root, fallback="auto")
        assert found.requirements == ("pandas", "scikit-learn")
        assert (found.tier, found.provenance[1].tier, found.provenance[1].cell) == ("declared", "generated", 1)
        assert "`scikit-learn` was added" in found.warnings[0]

    def test_generate_alone_leaves_a_declaration_as_it_is(self, source):
        root = source({"requirements.txt": "pandas\n", "a.ipynb": ["import sklearn"]})
        assert one(root, generate=True).requirements == ("pandas",)

    @pytest.mark.parametrize(
        ("declared", "code"),
        [
            ("pandas", "import numpy, dateutil"),  # brought along
            ("seaborn", "import matplotlib.pyplot, numpy, pandas"),  # brought along over two steps
            ("opencv-python-headless", "import cv2"),  # another distribution of the same module
            ("PyYAML>=6 ; python_version > '3'", "import yaml"),
            ("git+https://host.invalid/o/rich.git", "import rich"),
            ("rich @ https://host.invalid/r.whl", "import rich"),
            ("numpy", "import json, os.path"),
            ("numpy", "try:\n    import cupy\nexcept ImportError:\n    cupy = None"),
            ("numpy", "from IPython.display import display"),
            ("numpy", "import helper"),
        ],
    )
    def test_no_false_alarm(self, source, declared, code):
        root = source({"requirements.txt": declared + "\n", "helper.py": "", "a.ipynb": [code]})
        assert one(root).warnings == ()

    def test_what_a_local_project_declares_is_covered(self, source):
        root = source(
            {
                "requirements.txt": "-e ./lib\n",
                "lib/pyproject.toml": "[project]\nname='lib'\ndependencies=['rich']\n",
                "a.ipynb": ["import rich"],
            }
        )
        assert one(root).warnings == ()

    def test_the_project_itself_is_what_to_install_for_its_own_package(self, source):
        files = {"pyproject.toml": "[project]\nname='own'\ndependencies=['rich']\n", "src/own/__init__.py": ""}
        root = source({**files, "docs/a.ipynb": ["import own"]})
        assert "add the line `./` there" in one(root).warnings[0]
        assert one(root, fallback="auto").requirements == ("rich", "./")

    def test_a_hash_locked_file_is_never_added_to(self, source):
        root = source(
            {"requirements.txt": "numpy==1 --hash=sha256:aa\n", "a.ipynb": ["%pip install rich\nimport pandas"]}
        )
        found = one(root, fallback="auto")
        assert found.requirements == ("numpy==1 --hash=sha256:aa",)
        assert any("locked by hashes, so `rich`" in warning for warning in found.warnings)
        assert any(warning.endswith("lock `pandas` there too.") for warning in found.warnings)


class TestDeclaredWithInstallsInCells:
    @pytest.mark.parametrize(
        ("declared", "installed", "expected"),
        [
            ("numpy", "rich==13.0", ["numpy", "rich==13.0"]),
            ("rich", "rich==13.0", ["rich", "rich==13.0"]),
            ("rich>=12", "rich==13.0", ["rich>=12", "rich==13.0"]),
            ("rich==13.0", "rich>=12", ["rich==13.0"]),
            ("rich==13.0", "rich", ["rich==13.0"]),
            ("rich", "rich[jupyter]", ["rich", "rich[jupyter]"]),
            ("rich==13.0", "rich==13.0", ["rich==13.0"]),
        ],
    )
    def test_what_the_cells_install_is_kept(self, source, declared, installed, expected):
        root = source({"requirements.txt": declared + "\n", "a.ipynb": [f'%pip install "{installed}"']})
        found = one(root)
        assert list(found.requirements) == expected
        assert found.warnings == ()

    def test_a_contradiction_is_a_warning_and_the_declared_line_stands(self, source):
        root = source({"requirements.txt": "rich==12.0\n", "a.ipynb": ["", "%pip install rich==13.0"]})
        found = one(root)
        assert found.requirements == ("rich==12.0",)
        assert found.warnings == (
            "Cell 1 installs `rich==13.0`, but requirements.txt declares `rich==12.0`, "
            "which stands: make the two agree.",
        )

    def test_a_url_and_a_version_of_one_name_contradict_each_other(self, source):
        root = source(
            {"requirements.txt": "rich @ https://host.invalid/r.whl\n", "a.ipynb": ['%pip install "rich==13.0"']}
        )
        assert one(root).requirements == ("rich @ https://host.invalid/r.whl",)
        assert "make the two agree" in one(root).warnings[0]
        source({"a.ipynb": ["%pip install rich"]})
        assert one(root).warnings == ()

    def test_an_index_of_a_cell_comes_only_with_a_line_that_needs_it(self, source):
        cell = "%pip install --index-url https://host.invalid/s rich"
        with_line = one(source({"requirements.txt": "numpy\n", "a.ipynb": [cell]}))
        assert set(with_line.requirements) == {"numpy", "--index-url https://host.invalid/s", "rich"}
        assert one(source({"requirements.txt": "rich\n"})).requirements == ("rich",)


class TestNothingDeclared:
    def test_generation_is_off_unless_asked_for(self, source):
        root = source({"a.ipynb": ["import pandas"]})
        assert one(root).tier == "base"
        assert one(root, generate=True).tier == "generated"
        assert one(root, fallback="auto").requirements == ("pandas",)

    def test_inline_pins_refine_what_is_generated(self, source):
        found = one(source({"a.ipynb": ["!pip install -q pandas==2.0", "import pandas, rich"]}), generate=True)
        assert sorted(found.requirements) == ["pandas==2.0", "rich"]

    def test_inline_alone_warns_of_what_it_does_not_cover(self, source):
        found = one(source({"a.ipynb": ["%pip install pandas==2.0", "import pandas, rich"]}))
        assert (found.tier, found.requirements) == ("inline", ("pandas==2.0",))
        assert len(found.warnings) == 1
        assert found.warnings[0].startswith(
            "Cell 1 needs rich (import rich), which the notebook's own installs do not cover"
        )

    def test_generation_that_finds_only_installs_is_the_inline_tier(self, source):
        assert one(source({"a.ipynb": ["%pip install rich"]}), generate=True).tier == "inline"

    def test_base_says_what_is_missing_and_the_three_remedies(self, source):
        found = one(source({"a.ipynb": ["", "import pandas", "import sklearn"]}))
        assert (found.tier, found.requirements, len(found.warnings)) == ("base", (), 1)
        for part in (
            "cell 1: import pandas",
            "`scikit-learn`",
            "requirements.txt",
            "generate",
            "%pip install pandas scikit-learn",
        ):
            assert part in found.warnings[0]

    def test_nothing_but_the_standard_library_needs_no_words(self, source):
        found = one(source({"a.ipynb": ["import json\nprint(1)"]}), fallback="fail")
        assert (found.tier, found.requirements, found.warnings) == ("base", (), ())

    def test_fallback_fail_names_notebook_imports_and_remedies(self, source):
        with pytest.raises(EngineError) as error:
            resolve(source({"nb/a.ipynb": ["import pandas"]}), options=Options(fallback="fail"))
        assert error.value.code == "requirements_missing"
        for part in ("nb/a.ipynb", "import pandas", "requirements.txt", "generate", "%pip install pandas"):
            assert part in error.value.message

    def test_fallback_fail_says_nothing_where_a_requirement_is_known(self, source):
        root = source(
            {
                "a.ipynb": ["%pip install rich", "import pandas"],
                "b/requirements.txt": "x\n",
                "b/b.ipynb": ["import pandas"],
            }
        )
        outcome = resolve(root, options=Options(fallback="fail"))
        assert [resolution.tier for resolution in outcome.resolutions] == ["inline", "declared"]

    def test_requirements_that_setup_py_computes_are_reported(self, source):
        root = source(
            {"setup.py": "from setuptools import setup\nsetup(install_requires=f())\n", "a.ipynb": ["import pandas"]}
        )
        found = one(root, generate=True)
        assert (found.tier, found.unresolved[0].file) == ("generated", "setup.py")


class TestManyNotebooks:
    FILES = {
        "a.ipynb": ["import pandas"],
        "b.ipynb": "{ broken",
        "c/requirements.txt": "x=>1\n",
        "c/c.ipynb": ["import x"],
        "d.ipynb": document(["library(dplyr)"], "ir", "R"),
    }

    def test_a_bad_one_does_not_hold_up_the_others(self, source):
        outcome = resolve(source(self.FILES))
        assert [resolution.notebook for resolution in outcome.resolutions] == ["a.ipynb"]
        assert [(item.notebook, item.code) for item in outcome.refused] == [
            ("b.ipynb", "notebook_invalid"),
            ("c/c.ipynb", "requirements_invalid"),
            ("d.ipynb", "kernel_unsupported"),
        ]
        assert outcome.refused[1].message.startswith("c/requirements.txt:1 is no requirement")
        assert Outcome.from_dict(outcome.as_dict()) == outcome

    def test_one_that_is_named_must_be_good(self, source):
        with pytest.raises(EngineError, match="^d.ipynb asks for the kernel ir") as error:
            resolve(source(self.FILES), ["a.ipynb", "./d.ipynb"])
        assert error.value.code == "kernel_unsupported"
        assert [item["notebook"] for item in error.value.details["resolutions"]] == ["a.ipynb"]
        assert [item["notebook"] for item in error.value.details["refused"]] == ["d.ipynb"]

    def test_nothing_left_is_a_failure_that_counts_the_others(self, source):
        with pytest.raises(EngineError, match=r"\(2 more refused: see refused.\)$"):
            resolve(source(self.FILES), exclude=["a.ipynb"])

    def test_fallback_fail_fails_for_one_of_many_and_keeps_the_rest(self, source):
        root = source({"a.ipynb": ["import pandas"], "b.ipynb": ["print(1)"]})
        with pytest.raises(EngineError, match="^a.ipynb declares no requirement") as error:
            resolve(root, options=Options(fallback="fail"))
        assert [item["notebook"] for item in error.value.details["resolutions"]] == ["b.ipynb"]

    def test_globs_and_exclusions(self, source):
        root = source({name: [""] for name in ("a.ipynb", "x/b.ipynb", "x/y/c.ipynb", ".ipynb_checkpoints/a.ipynb")})
        names = [resolution.notebook for resolution in resolve(root, ["x/**"], exclude=["y"]).resolutions]
        assert names == ["x/b.ipynb"]
        assert len(resolve(root).resolutions) == 3

    def test_a_broken_explicit_file_fails_the_call(self, source):
        with pytest.raises(EngineError, match="^r.txt:2 is no requirement"):
            resolve(source({"r.txt": "a\nb c\n", "a.ipynb": [""]}), options=Options(requirements_file="r.txt"))


class TestEnginePipreqs:
    pytest.importorskip("pipreqs")

    def test_it_answers_with_plain_imports_only(self, source):
        root = source(
            {"a.ipynb": ["import pandas\npandas.read_excel('x')", "%%time\nimport sklearn", "import broken syntax"]}
        )
        builtin, pipreqs = one(root, generate=True), one(root, generate=True, engine="pipreqs")
        assert "openpyxl" in builtin.requirements
        assert sorted(pipreqs.requirements) == ["pandas", "scikit-learn"]
        assert [entry.cell for entry in pipreqs.provenance] == [0, 1]

    def test_modules_beside_the_notebook_are_local(self, source):
        root = source({"helper.py": "", "nb/own/x.py": "", "nb/a.ipynb": ["import helper, own.x, rich"]})
        assert one(root, generate=True, engine="pipreqs").requirements == ("rich",)

    def test_its_absence_is_said(self, source, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "pipreqs", None)
        with pytest.raises(EngineError, match="needs the Python package pipreqs: install pipreqs") as caught:
            resolve(source({"a.ipynb": ["import x"]}), options=Options(engine="pipreqs"))
        assert caught.value.code == "missing_library"

    def test_a_notebook_of_python_2_is_read_on_request(self, source):
        root = source({"a.ipynb": ["import pandas\nprint 1"]}, kernel="python2")
        with pytest.raises(EngineError, match="python2"):
            one(root, generate=True)
        found = one(root, generate=True, python_2=True)
        assert found.requirements == ("pandas",)
        assert found.warnings[0].startswith("a.ipynb asks for the kernel python2")

    def test_without_packaging_one_sentence_says_so(self, source, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "packaging.specifiers", None)
        with pytest.raises(EngineError, match="packaging is missing: install it") as caught:
            resolve(source({"a.ipynb": ["!pip install rich"]}), options=Options(generate=True))
        assert caught.value.code == "missing_library"
