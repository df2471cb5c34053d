# SPDX-License-Identifier: GPL-3.0-or-later
"""The module s2i_build as Ansible starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ansible_collections.mlops.notebooks.plugins.module_utils._ansible as glue
import pytest

TREE = Path(glue.__file__).parents[5]
START = """
import runpy, sys
import ansible.module_utils.basic as basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module("ansible_collections.mlops.notebooks.plugins.modules.s2i_build", run_name="__main__")
"""


def call(site, **arguments) -> dict:
    given = {"name": "nb", "namespace": "team", "host": site.server.url, "api_key": site.server.token}
    given |= {"ca_cert": site.server.ca_file, **arguments}
    variables = {**os.environ, "PYTHONPATH": str(TREE), "KUBECONFIG": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", START], input=json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode(), env=variables,
        capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_build_and_its_image_in_the_result(site, tmp_path):
    site.config()
    site.rule(logs=[[0, "the token is swordfish-123"]])
    events = tmp_path / "events"
    events.touch()
    found = call(
        site,
        env={"API_TOKEN": "swordfish-123"},
        log=str(tmp_path / "log"),
        progress_path=str(events),
        _ansible_diff=True,
    )
    assert found["changed"] and found["build"]["phase"] == "Complete" and found["image"]["digest"], found
    assert found["diff"]["before"] == {} and found["diff"]["after"]["newest"] == "nb-1"
    assert (tmp_path / "log").read_text() == "the token is ***\n"
    shown = [json.loads(line)["text"] for line in events.read_text().splitlines()]
    assert "the token is ***" in shown and "nb-1: Complete" in shown
    assert "swordfish-123" not in json.dumps(found)
    again = call(site, env={"API_TOKEN": "swordfish-123"}, _ansible_check_mode=True)
    assert not again["changed"] and again["image"] == found["image"]


def test_a_failure_has_code_category_advice_and_build(site):
    site.config()
    site.rule(exit_code=1, logs=[[0, "unauthorized: no"]], build={"reason": "PushImageToRegistryFailed"})
    failed = call(site)
    assert failed["failed"] and failed["code"] == "image_push_denied" and failed["changed"]
    assert failed["category"] == "environment_setup_failed" and failed["advice"]
    assert failed["build"]["log_tail"] == ["unauthorized: no"]


def test_a_log_that_may_not_be_read_is_a_warning(site):
    site.config()
    site.server.faults.add("status", "/log", status=403, count=0)
    assert any("The log is incomplete" in str(words) for words in call(site)["warnings"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"retries": -1}, "retries"),
        ({"name": None, "state": "cancelled"}, "Nothing names what to build"),
        ({"name": "", "build": "nb-1"}, "Nothing names what to build"),
        ({"host": None, "api_key": None}, "Nothing names a cluster"),
        ({"source": "/nowhere"}, "/nowhere"),
    ],
)
def test_bad_input_is_answered_by_one_sentence(site, arguments, words):
    site.config()
    failed = call(site, **arguments)
    assert failed["failed"] and words in failed["msg"] and site.names() == []


def test_retries_of_the_module_follow_the_table_of_failures(site):
    site.config()
    site.rule(exit_code=1, build={"reason": "AssembleFailed"})
    call(site, retries=2)
    assert site.names() == ["nb-1"]
