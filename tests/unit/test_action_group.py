# SPDX-License-Identifier: GPL-3.0-or-later
"""`module_defaults: {group/mlops.notebooks.notebooks: ...}` must reach every module."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins import module_utils

COLLECTION = Path(next(iter(module_utils.__path__))).parents[1]
MODULES = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("[!_]*.py"))


@pytest.fixture(scope="module")
def group() -> list:
    runtime = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())
    return runtime["action_groups"]["notebooks"]


def test_every_module_is_in_the_action_group(group):
    assert sorted(entry for entry in group if isinstance(entry, str)) == MODULES


def test_the_group_takes_the_defaults_of_kubernetes_core_along(group):
    extended = [entry["metadata"]["extend_group"] for entry in group if isinstance(entry, dict)]
    assert extended == [["kubernetes.core.k8s"]]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_documents_that_it_is_in_the_group(module):
    source = (COLLECTION / "plugins" / "modules" / f"{module}.py").read_text()
    assert "mlops.notebooks.attributes.action_group" in source
