# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of installers that the tests of real builds do not provoke."""

from __future__ import annotations

import errno

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.failures import explain, explain_os
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.lines import parse

RETRY = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken by"
    " 'NewConnectionError(...: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'"
)
UNKNOWN = [
    "ERROR: Could not find a version that satisfies the requirement seaborn (from versions: none)",
    "ERROR: No matching distribution found for seaborn",
]
SAMPLES = [
    ("dependency_not_found", UNKNOWN),
    ("network_unavailable", [RETRY, *UNKNOWN]),
    ("network_unavailable", ["error: Request failed", "  cause: dns error"]),
    ("network_unavailable", ["error: Failed to fetch", "  cause: invalid peer certificate: UnknownIssuer"]),
    ("network_unavailable", ["error: Failed to fetch seaborn", "  cause: HTTP status client error (401 Unauthorized)"]),
    ("disk_full", ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"]),
    ("disk_full", ["error: Failed to build `seaborn`", "  [stderr]", "  cc: error: No space left on device"]),
    (
        "environment_setup_failed",
        ["ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x/six.py'"],
    ),
    ("dependency_build_failed", ["error: subprocess-exited-with-error", "no C compiler", "error: metadata-generation-failed"]),
    (
        "dependency_build_failed",
        ["error: Failed to build `seaborn==0.1`", "  cause: The build backend returned an error", "  [stderr]",
         "  PermissionError: [Errno 13] Permission denied"],
    ),
    (
        "dependency_conflict",
        ["ERROR: Cannot install pandas and seaborn==0.1 because these package versions have conflicting dependencies.",
         "ERROR: ResolutionImpossible: for help visit"],
    ),
    ("dependency_not_found", ["error: No solution found", "  cause: Because there is no version of seaborn==99 and you require seaborn==99"]),
    ("dependency_not_found", ["error: No solution found", "  cause: Because only seaborn<=0.13 is available and you require seaborn>=99"]),
    ("python_unsupported", ["  cause: Because the current Python version (3.11.2) does not satisfy Python>=3.12 and seaborn==9"]),
    ("python_unsupported", ["ERROR: Ignored the following versions that require a different python version: 2.0 Requires-Python >=3.12",
                            *UNKNOWN]),
    ("dependency_install_failed", ["error: something new about seaborn"]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "output"), SAMPLES)
def test_the_cause_is_told_apart_and_the_line_named(code, output):
    lines = [parse(text, "/") for text in ("numpy", "Seaborn>=0.1", "pandas")]
    failure = explain(output, lines)
    assert failure.code == code
    if any("seaborn" in text for text in output):
        assert "Seaborn>=0.1" in failure.message or "pandas" in failure.message


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (
            [
                "ERROR: Cannot install numpy==1.20.0 and pandas==2.2.2 because these package versions have conflicting dependencies.",
                "",
                "The conflict is caused by:",
                "    The user requested numpy==1.20.0",
                "    pandas 2.2.2 depends on numpy>=1.23.2",
                "",
                "To fix this you could try to:",
                "1. loosen the range of package versions you've specified",
                "2. remove package versions to allow pip to attempt to solve the dependency conflict",
                "",
                "ERROR: ResolutionImpossible: for help visit https://pip.example/conflicts",
            ],
            "Cannot install numpy==1.20.0 and pandas==2.2.2 because these package versions have conflicting dependencies."
            " The user requested numpy==1.20.0; pandas 2.2.2 depends on numpy>=1.23.2",
        ),
        (
            [
                "error: No solution found when resolving dependencies",
                "  cause: Because pandas==2.2.2 depends on numpy>=1.23.2, we can conclude that you require numpy>=1.23.2.",
                "         And because you require numpy==1.20.0, we can conclude that your requirements are unsatisfiable.",
            ],
            "Because pandas==2.2.2 depends on numpy>=1.23.2, we can conclude that you require numpy>=1.23.2."
            " And because you require numpy==1.20.0, we can conclude that your requirements are unsatisfiable.",
        ),
        (
            ["error: Request failed", "  cause: Failed to fetch: https://index.example/six/", "  cause: dns error"],
            "Request failed: Failed to fetch: https://index.example/six/: dns error",
        ),
    ],
    ids=["conflict of pip", "conflict of uv", "causes of uv"],
)
def test_an_explanation_is_readable(output, words):
    assert explain(output, ()).message.endswith(f". The installer says: {words}")


def test_long_words_are_shortened():
    failure = explain([f"ERROR: {'very ' * 500}long"], ())
    assert len(failure.message) < 500 and "…" in failure.message


def test_our_own_file_operations_are_explained_too():
    assert explain_os(OSError(errno.ENOSPC, "No space left on device"), "/c").code == "disk_full"
    assert explain_os(PermissionError(errno.EACCES, "Permission denied"), "/c").code == "environment_setup_failed"
