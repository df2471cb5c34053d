# SPDX-License-Identifier: GPL-3.0-or-later
"""The EXAMPLES of each module fit its documented options, and run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

sys.path.insert(0, str(Path(__file__).parent))
from pages import ROOT

PLUGINS = ROOT / "build" / "collections" / "ansible_collections" / "mlops" / "notebooks" / "plugins"
MODULES = sorted(f"mlops.notebooks.{path.stem}" for path in (PLUGINS / "modules").glob("[!_]*.py"))
KEPT = ("type", "required", "choices", "elements", "default", "aliases")


@pytest.fixture(scope="module")
def documented() -> dict:
    command = [str(ROOT / ".venv" / "bin" / "ansible-doc"), "-t", "module", "--json", *MODULES]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def argument_spec(options: dict) -> dict:
    spec = {}
    for name, option in options.items():
        spec[name] = {key: option[key] for key in KEPT if key in option}
        if "suboptions" in option:
            spec[name]["options"] = argument_spec(option["suboptions"])
    return spec


def is_templated(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


@pytest.mark.parametrize("module", MODULES)
def test_examples_fit_the_documented_options(module, documented):
    tasks = [task for task in yaml.safe_load(documented[module]["examples"]) if module in task]
    assert tasks, f"EXAMPLES of {module} never call it"
    for task in tasks:
        arguments = task[module] or {}
        spec = argument_spec(documented[module]["doc"]["options"])
        spec |= {name: {"type": "raw"} for name, value in arguments.items() if name in spec and is_templated(value)}
        result = ArgumentSpecValidator(spec).validate(arguments)
        assert not result.error_messages, f"{module}, example `{task['name']}`: {result.error_messages}"


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module, documented, scratch):
    tasks = yaml.safe_load(documented[module]["examples"])
    playbook = scratch.path / f"{module}.yml"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    playbook.write_text(yaml.safe_dump([play], sort_keys=False))
    done = scratch.run("ansible-playbook", "--check", "--skip-tags", "no-run", playbook.name)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
