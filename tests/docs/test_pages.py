# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages show is run (CONTRIBUTING.md says how a page asks for it)."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from pages import ROOT, blocks, local_links

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES += sorted(ROOT.glob("roles/*/README.md"))
BY_NAME = {str(page.relative_to(ROOT)): page for page in PAGES}
PLAY = {"hosts": "localhost", "gather_facts": False}


class Loader(yaml.SafeLoader):
    """Takes Ansible's own tags for plain values."""


Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def as_command(block, scratch) -> list[str]:
    if block.language == "shell":
        return ["bash", "-euo", "pipefail", "-c", block.text]
    if block.language == "python":
        return ["env", f"PYTHONPATH={scratch.path / 'build' / 'collections'}", "python", "-c", block.text]
    playbook = scratch.path / f"documented-{block.line}.yml"
    text = block.text
    if "tasks" in block.words:
        text = yaml.safe_dump([{**PLAY, "tasks": yaml.load(text, Loader)}], sort_keys=False)
    playbook.write_text(text)
    return ["ansible-playbook", playbook.name]


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_page_shows_runs(name, scratch):
    for block in blocks(BY_NAME[name]):
        if block.value("file"):
            target = scratch.path / block.value("file")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.runs:
            done = scratch.run(*as_command(block, scratch))
            expected = int(block.value("rc", "0"))
            assert done.returncode == expected, (
                f"{name}:{block.line} ended with status {done.returncode}, not {expected}\n"
                f"{block.text}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            )


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_page_only_shows_is_well_formed(name):
    parsers = {
        "yaml": lambda text: list(yaml.load_all(text, Loader)),
        "json": json.loads,
        "python": ast.parse,
        "shell": lambda text: subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True),
    }
    for block in blocks(BY_NAME[name]):
        try:
            parsers.get(block.language, str)(block.text)
        except (yaml.YAMLError, ValueError, SyntaxError, subprocess.CalledProcessError) as error:
            pytest.fail(f"{name}:{block.line}: not well-formed {block.language}: {error}")


@pytest.mark.parametrize("name", BY_NAME)
def test_make_targets_that_a_page_names_exist(name):
    targets = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {word for line in targets for word in line.split()}
    named = {
        word for block in blocks(BY_NAME[name]) for word in re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE)
    }
    named |= set(re.findall(r"`make ([a-z-]+)`", BY_NAME[name].read_text()))
    gates = set(re.search(r"^GATES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())
    assert named <= known | gates


@pytest.mark.parametrize("name", BY_NAME)
def test_links_of_a_page_lead_somewhere(name):
    page = BY_NAME[name]
    assert [target for target in local_links(page) if not (page.parent / target).exists()] == []
