# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection imports is in requirements.txt, or comes with ansible-core."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins import module_utils

COLLECTION = Path(next(iter(module_utils.__path__))).parents[1]
WITH_ANSIBLE_CORE = {"ansible-core", "jinja2", "markupsafe"}
# Their absence is told in a sentence (tests/unit/cluster/test_login.py, tests/unit/run_pods/test_results.py).
OPTIONAL = {"openshift", "boto3", "botocore"}
# program.py and inside.py run in the notebook's environment, and its requirements are those of the environment.
FILES = [path for path in COLLECTION.glob("plugins/**/*.py") if path.name not in ("program.py", "inside.py")]


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level and node.module}
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_every_third_party_import_is_a_declared_requirement():
    lines = (COLLECTION / "requirements.txt").read_text().splitlines()
    declared = {re.match(r"[\w.-]+", line)[0].lower() for line in lines if line and not line.startswith("#")}
    provided = packages_distributions()
    undeclared = {
        f"{path.relative_to(COLLECTION)} imports {name}"
        for path in FILES
        for name in imported(path) - {"ansible", "ansible_collections", "tomllib"} - OPTIONAL
        if not {one.lower() for one in provided.get(name, [name])} & (declared | WITH_ANSIBLE_CORE)
    }
    assert undeclared == set()
