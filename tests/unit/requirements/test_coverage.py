# SPDX-License-Identifier: GPL-3.0-or-later
"""Which distribution a line names, and what comes along with it."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements import transitive
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.coverage import covered, name_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.names import canonical


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("numpy", "numpy"),
        ("A.b_C[x] >=2 ; python_version > '3'", "a-b-c"),
        ("x (>1)", "x"),
        ("z==1 --hash=sha256:aa", "z"),
        ("zz @ https://host.invalid/anything", "zz"),
        ("./wheels/foo_bar-1.2-py3-none-any.whl", "foo-bar"),
        ("https://host.invalid/foo-1.0.tar.gz", "foo"),
        ("git+https://host.invalid/o/y.git@main", "y"),
        ("git+https://host.invalid/o/y.git@main#egg=zed", "zed"),
        ("-e git+ssh://git@host.invalid/o/repo", "repo"),
        ("-e ./lib", None),
        ("./lib[test]", None),
        ("--index-url https://host.invalid/simple", None),
    ],
)
def test_the_name_of_a_line(line, name):
    assert name_of(line) == name


def test_what_comes_along_is_followed_to_the_end():
    assert covered(["seaborn"]) >= {"seaborn", "matplotlib", "pandas", "numpy", "python-dateutil", "six"}
    assert "scipy" not in covered(["seaborn", "--pre"])


def test_names_in_the_table_are_canonical():
    names = set(transitive.DEPENDENCIES).union(*transitive.DEPENDENCIES.values())
    assert {name for name in names if canonical(name) != name} == set()
