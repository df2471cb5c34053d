# SPDX-License-Identifier: GPL-3.0-or-later
"""`module_defaults: {group/mlops.notebooks.notebooks: ...}` reaches the modules that log in to a cluster, and no other."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.mlops.notebooks.plugins import module_utils
from ansible_collections.mlops.notebooks.plugins.module_utils import _ansible

COLLECTION = Path(next(iter(module_utils.__path__))).parents[1]
MODULES = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("[!_]*.py"))
FRAGMENT = "mlops.notebooks.attributes.action_group"


class Started(Exception):
    """Stands for the start of a module, with the options that it takes."""


@pytest.fixture
def options(monkeypatch):
    """The options of a module, as it tells them to Ansible when it is started."""

    def start(argument_spec, **_options):
        raise Started(argument_spec)

    def options_of(module: str) -> set[str]:
        monkeypatch.setattr(_ansible, "AnsibleModule", start)
        with pytest.raises(Started) as started:
            runpy.run_module(f"ansible_collections.mlops.notebooks.plugins.modules.{module}", run_name="__main__")
        return set(started.value.args[0])

    return options_of


def group() -> list:
    return yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())["action_groups"]["notebooks"]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_in_the_group_if_and_only_if_it_takes_every_authentication_option(module, options):
    lacking = set(AUTH_ARG_SPEC) - options(module)
    assert (module in group()) == (not lacking), f"{module} lacks {sorted(lacking)}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_takes_all_authentication_options_or_none(module, options):
    assert options(module) & set(AUTH_ARG_SPEC) in (set(), set(AUTH_ARG_SPEC))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_documents_whether_it_is_in_the_group(module):
    source = (COLLECTION / "plugins" / "modules" / f"{module}.py").read_text()
    assert (FRAGMENT in source) == (module in group())


def test_the_group_names_only_modules_and_takes_the_defaults_of_kubernetes_core_along():
    assert {entry for entry in group() if isinstance(entry, str)} <= set(MODULES)
    extended = [entry["metadata"]["extend_group"] for entry in group() if isinstance(entry, dict)]
    assert extended == [["kubernetes.core.k8s"]]
