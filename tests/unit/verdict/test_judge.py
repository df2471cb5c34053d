# SPDX-License-Identifier: GPL-3.0-or-later
"""From raw results to verdicts: what failed, why, whether to try again and what to do."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import Build
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import (
    CellError,
    CellResult,
    InstallFailure,
    RunResult,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Provenance, Resolution
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import CellDiff, Comparison
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.judge import from_build, judge, refuse
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.missing import missing_module

NAMES = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "google.cloud.storage": "google-cloud-storage",
    "mpl_toolkits": "matplotlib",
    "mpl_toolkits.basemap": "basemap",
}


def distribution_of(module: str) -> str | None:
    if module in NAMES:
        return NAMES[module]
    top = module.partition(".")[0]
    return None if top == "nowhere" else NAMES.get(top, top.lower())


def run(ename: str = "", evalue: str = "", traceback: tuple = (), reason: str = "cell_error", **fields) -> RunResult:
    error = CellError(ename, evalue, tuple(traceback)) if ename else None
    cell = fields.pop("cell", 2)
    failed = CellResult(2, "code", "Failure", 0.1, error=error)
    cells = (CellResult(0, "markdown", "Skipped"), CellResult(1, "code", "Success", 0.2), failed)
    return RunResult("id", "a/b.ipynb", reason, cells=cells, cell=cell, error=error, **fields)


def verdict(ename: str, evalue: str, traceback: tuple = (), **fields):
    return judge(run(ename, evalue, traceback, **fields), distribution_of=distribution_of)


def completed(source: str = "x = 1", **fields):
    executed = {"cells": [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []}]}
    return RunResult("id", "n.ipynb", "completed", cells=(CellResult(0, "code", "Success"),), **fields), executed


def test_a_completed_run_succeeds():
    result, executed = completed(duration=1.5)
    said = judge(result, executed=executed)
    assert (said.status, said.code, said.category, said.cause, said.advice) == ("succeeded", None, None, None, ())
    assert said.duration == 1.5 and not said.retryable


def test_a_missing_module_names_module_distribution_cell_and_the_three_remedies():
    said = verdict("ModuleNotFoundError", "No module named 'sklearn'")
    assert (said.status, said.code, said.category) == ("failed", "missing_module", "dependency_install_failed")
    assert (said.module, said.distribution, said.cell, said.retryable) == ("sklearn", "scikit-learn", 2, False)
    assert "Cell 2" in said.cause and "sklearn" in said.cause and "scikit-learn" in said.cause
    declare, generate, inline = said.advice
    assert "the line scikit-learn to requirements.txt" in declare
    assert "generate: true" in generate and "-e generate=true" in generate
    assert inline.endswith("%pip install scikit-learn")


def test_the_line_goes_into_the_file_that_the_user_has():
    provenance = (Provenance("pandas", "declared", "declared", file="deps/base.txt", line=1),)
    resolution = Resolution("a/b.ipynb", "declared", ("pandas",), provenance)
    said = judge(
        run("ModuleNotFoundError", "No module named 'cv2'"), resolution=resolution, distribution_of=distribution_of
    )
    assert "deps/base.txt" in said.advice[0] and said.tier == "declared" and said.requirements == ("pandas",)


def test_a_module_that_nothing_provides_may_be_a_file_of_the_user():
    said = verdict("ModuleNotFoundError", "No module named 'nowhere'")
    assert (said.code, said.module, said.distribution) == ("missing_module", "nowhere", None)
    assert "file of yours" in said.advice[0]


@pytest.mark.parametrize(
    ("ename", "evalue", "module", "distribution"),
    [
        (
            "ModuleNotFoundError",
            "No module named 'google.cloud.storage'",
            "google.cloud.storage",
            "google-cloud-storage",
        ),
        (
            "ImportError",
            "cannot import name 'storage' from 'google.cloud' (unknown location)",
            "google.cloud.storage",
            "google-cloud-storage",
        ),
        ("ModuleNotFoundError", "No module named 'mpl_toolkits.basemap'", "mpl_toolkits.basemap", "basemap"),
        (
            "ImportError",
            "Missing optional dependency 'openpyxl'.  Use pip or conda to install openpyxl.",
            "openpyxl",
            "openpyxl",
        ),
        ("ImportError", "`Import xlrd` failed.  Use pip or conda to install the xlrd package.", "xlrd", "xlrd"),
        ("ImportError", "Unable to find a usable engine; tried using: 'pyarrow', 'fastparquet'.", "pyarrow", "pyarrow"),
        ("AttributeError", "The '.style' accessor requires jinja2", "jinja2", "jinja2"),
        (
            "ImportError",
            "matplotlib is required for plotting when the default backend is selected.",
            "matplotlib",
            "matplotlib",
        ),
        ("ImportError", "IProgress not found. Please update jupyter and ipywidgets.", "ipywidgets", "ipywidgets"),
        ("ValueError", "Mime type rendering requires nbformat>=4.2.0 but it is not installed", "nbformat", "nbformat"),
        ("ImportError", "lxml not found, please install it", "lxml", "lxml"),
        (
            "ImportError",
            "AutoModel requires the PyTorch library but it was not found in your environment.",
            "torch",
            "torch",
        ),
        ("ImportError", "Install s3fs to access S3", "s3fs", "s3fs"),
        ("ImportError", "Please install graphviz with `pip install graphviz`", "graphviz", "graphviz"),
        ("bs4.FeatureNotFound", "Couldn't find a tree builder with the features you requested: lxml.", "lxml", "lxml"),
    ],
)
def test_optional_needs_are_missing_modules(ename, evalue, module, distribution):
    said = verdict(ename, evalue)
    assert (said.code, said.module, said.distribution) == ("missing_module", module, distribution)
    assert missing_module(run(ename, evalue)) == module


def test_an_error_inside_a_display_hook_is_read_from_the_traceback():
    trace = ("\x1b[0;31m---\x1b[0m", "\x1b[0;31mModuleNotFoundError\x1b[0m: No module named 'jinja2'")
    said = verdict("None", "None", trace, reason="display_error")
    assert (said.code, said.module) == ("missing_module", "jinja2")
    said = verdict("None", "None", ("File x.py", "ValueError: no colour"), reason="display_error")
    assert said.code == "display_failed" and "ValueError: no colour" in said.cause


@pytest.mark.parametrize(
    ("evalue", "code"),
    [
        ("No module named 'sklearn.externals'", "incompatible_version"),
        ("No module named 'imp'", "python_unsupported"),
        ("No module named '_lzma'", "python_unsupported"),
    ],
)
def test_what_no_distribution_adds_is_no_missing_distribution(evalue, code):
    said = verdict("ModuleNotFoundError", evalue)
    assert said.code == code and said.distribution is None and "%pip" not in " ".join(said.advice)


@pytest.mark.parametrize(
    ("ename", "evalue", "traceback", "code"),
    [
        ("ImportError", "cannot import name 'joblib' from 'sklearn.externals' (/x/y.py)", (), "incompatible_version"),
        ("AttributeError", "module 'numpy' has no attribute 'float'", (), "incompatible_version"),
        ("AttributeError", "'DataFrame' object has no attribute 'ix'", (), "notebook_execution_failed"),
        (
            "ImportError",
            "libGL.so.1: cannot open shared object file: No such file or directory",
            (),
            "system_package_missing",
        ),
        (
            "FileNotFoundError",
            "[Errno 2] No such file or directory: 'ffmpeg'",
            ("subprocess.py in _execute_child(",),
            "system_package_missing",
        ),
        ("ExecutableNotFound", "failed to execute PosixPath('dot')", (), "system_package_missing"),
        ("CalledProcessError", "Command 'b'gs x'' returned non-zero exit status 127.", (), "system_package_missing"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'data/train.csv'", (), "data_missing"),
        ("HTTPError", "HTTP Error 404: Not Found", (), "data_missing"),
        (
            "PermissionError",
            "[Errno 13] Permission denied: '/env/lib/site-packages/tsfresh/data.txt'",
            (),
            "permission_denied",
        ),
        ("OSError", "[Errno 30] Read-only file system: '/etc/x'", (), "permission_denied"),
        ("OSError", "[Errno 28] No space left on device", (), "disk_full"),
        ("OSError", "[Errno 27] File too large", (), "file_size_exceeded"),
        ("URLError", "<urlopen error [Errno -3] Temporary failure in name resolution>", (), "network_unavailable"),
        ("ConnectionError", "HTTPSConnectionPool(host='x', port=443): Max retries exceeded", (), "network_unavailable"),
        ("ValueError", "The python kernel does not appear to be a conda environment.", (), "runtime_install_failed"),
        (
            "CalledProcessError",
            "Command '['python', '-m', 'pip', 'install', 'x']' returned non-zero exit status 1.",
            (),
            "runtime_install_failed",
        ),
        ("MemoryError", "", (), "out_of_memory"),
        ("numpy._core._exceptions._ArrayMemoryError", "Unable to allocate 1.00 TiB for an array", (), "out_of_memory"),
        ("ZeroDivisionError", "division by zero", (), "notebook_execution_failed"),
        ("KeyError", "'Permission'", (), "notebook_execution_failed"),
    ],
)
def test_errors_are_recognised(ename, evalue, traceback, code):
    said = verdict(ename, evalue, traceback)
    assert said.code == code and said.advice and said.module is None
    assert said.retryable == (code == "network_unavailable")
    assert "Cell 2 fails with" in said.cause and not said.cause.endswith(":")


@pytest.mark.parametrize(
    ("reason", "code", "retryable"),
    [
        ("cell_timeout", "cell_timeout", False),
        ("run_timeout", "run_timeout", False),
        ("kernel_died", "kernel_died", False),
        ("out_of_memory", "out_of_memory", False),
        ("system_exit", "premature_exit", False),
        ("stdin_requested", "stdin_requested", False),
        ("output_limit", "output_limit_exceeded", False),
        ("kernel_start_failed", "kernel_start_failed", True),
        ("results_missing", "results_missing", True),
        ("results_corrupt", "results_corrupt", True),
        ("interrupted", "interrupted", True),
    ],
)
def test_each_reason_has_its_row_and_only_infrastructure_is_tried_again(reason, code, retryable):
    said = judge(run(reason=reason, message="It took 3 s.", log_tail=("one", "two")))
    assert (said.code, said.retryable) == (code, retryable)
    assert said.cause == "Cell 2: It took 3 s." and "two" in said.warnings[0]


def test_a_failed_installation_fails_a_notebook_that_went_on():
    failure = InstallFailure(0, "ERROR: No matching distribution found for nosuch")
    result, executed = completed("%pip install nosuch", install_failures=(failure,))
    said = judge(result, executed=executed)
    assert (said.status, said.code, said.category, said.cell) == (
        "failed",
        "runtime_install_failed",
        "dependency_install_failed",
        0,
    )
    assert "nosuch" in said.cause and "Declare" in said.advice[0]


@pytest.mark.parametrize(
    "source", ["%pip install -U Scikit_Learn==1.5 'pandas>=2'", "!pip -q install pandas && echo ok  # quiet"]
)
def test_a_failed_installation_of_what_the_environment_holds_is_a_warning(source):
    result, executed = completed(source, install_failures=(InstallFailure(0, "Permission denied"),))
    resolution = Resolution("n.ipynb", "inline", ("scikit-learn==1.5", "pandas>=2"))
    said = judge(result, executed=executed, resolution=resolution)
    assert said.status == "succeeded" and "already held" in said.warnings[0]
    assert judge(result, executed=executed, resolution=Resolution("n.ipynb", "inline", ("numpy",))).status == "failed"


@pytest.mark.parametrize("source", ["install_all()", "%pip install -r more.txt", "%pip install pandas nosuch"])
def test_a_failed_installation_of_what_cannot_be_known_to_be_there_fails(source):
    result, executed = completed(source, install_failures=(InstallFailure(0, "Permission denied"),))
    resolution = Resolution("n.ipynb", "inline", ("pandas",))
    assert judge(result, executed=executed, resolution=resolution).code == "runtime_install_failed"


def test_a_module_missing_after_a_failed_installation_tells_of_both():
    result = run(
        "ModuleNotFoundError", "No module named 'cv2'", install_failures=(InstallFailure(1, "ERROR: no network"),)
    )
    said = judge(result, distribution_of=distribution_of)
    assert said.code == "missing_module" and said.distribution == "opencv-python"
    assert said.warnings[0] == "The installation in cell 1 failed: ERROR: no network"


def test_a_golden_mismatch_fails_and_carries_the_differences_cleaned():
    diff = CellDiff(0, "output_mismatch", "stdout differs.", mime="stdout", expected="\x1b[1mold", actual="hunter22")
    comparison = Comparison("mismatched", "golden/n.ipynb", 3, 2, 1, (diff,))
    result, executed = completed()
    said = judge(result, executed=executed, comparison=comparison, secrets=("hunter22",))
    assert (said.code, said.category, said.cell) == ("golden_mismatch", "golden_mismatch", 0)
    assert "1 of 3 cells differ from golden/n.ipynb" in said.cause
    assert (said.comparison.diffs[0].expected, said.comparison.diffs[0].actual) == ("old", "***")
    matched = Comparison("matched", "golden/n.ipynb", 3, 3, 0)
    assert judge(result, executed=executed, comparison=matched).status == "succeeded"


def test_cells_are_shown_without_escape_sequences_and_secrets_and_bounded():
    trace = ("\x1b[31mTraceback\x1b[0m", "x" * 10_000, "token hunter22")
    said = judge(run("ValueError", "\x1b[1mbad\x1b[0m hunter22", trace), secrets=("hunter22",))
    shown = said.cells[2]
    assert shown.error == "ValueError: bad ***" and shown.traceback[0] == "Traceback"
    assert shown.traceback[-1].endswith("token ***") and len("".join(shown.traceback)) < 4200
    assert "hunter22" not in repr(said) and "\x1b" not in repr(said)
    assert [cell.status for cell in said.cells] == ["Skipped", "Success", "Failure"]


def test_a_refused_notebook_has_the_row_of_its_code():
    said = refuse("x.ipynb", "kernel_unsupported", "x.ipynb asks for the kernel ir, which is not installed.")
    assert (said.status, said.code, said.category, said.attempts) == (
        "failed",
        "kernel_unsupported",
        "configuration_error",
        0,
    )
    assert said.cause.startswith("x.ipynb asks") and said.advice


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"file": "sales/requirements.txt", "line": 2}, "(line 'six==99' of sales/requirements.txt:2)"),
        ({"cell": 3, "line": 1}, "(line 'six==99' of cell 3)"),
        ({}, "(line 'six==99')"),
    ],
)
def test_a_failed_build_says_where_the_line_at_fault_stands(place, words):
    need = Resolution("x.ipynb", "declared", ("six==99",), (Provenance("six==99", "declared", "declared", **place),))
    build = Build("b", "Failed", reason="dependency_not_found", message="There is no such version (line 'six==99').")
    assert words in from_build("x.ipynb", build, resolution=need).cause


def test_a_failed_build_gives_its_reason_or_what_its_log_says():
    build = Build(
        "b",
        "Failed",
        reason="dependency_install_failed",
        message="pip said no: https://u:secret99@host/x",
        duration=3.0,
    )
    said = from_build("x.ipynb", build)
    assert (said.code, said.category, said.duration) == ("dependency_install_failed", "dependency_install_failed", 0.0)
    assert "secret99" not in said.cause and any("user who may write" in line for line in said.advice)
    log = ("WARNING: Retrying ...: Temporary failure in name resolution", "ERROR: No matching distribution found")
    said = from_build("x.ipynb", Build("b", "Failed", log_tail=log))
    assert (said.code, said.retryable) == ("network_unavailable", True) and "No matching" in said.warnings[0]
    assert from_build("x.ipynb", Build("b", "Cancelled")).code == "interrupted"
    assert from_build("x.ipynb", Build("b", "Failed", log_tail=("boom",))).code == "dependency_install_failed"
