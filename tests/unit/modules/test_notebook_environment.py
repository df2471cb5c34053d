# SPDX-License-Identifier: GPL-3.0-or-later
"""The module notebook_environment as Ansible starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import ansible_collections.mlops.notebooks.plugins.module_utils._ansible as glue
import pytest

TREE = Path(glue.__file__).parents[5]
HELPERS = Path(__file__).resolve().parents[1] / "environment"
sys.path.insert(0, str(HELPERS))

from wheels import RUNNER, make_slow_tree, make_wheel  # noqa: E402

START = """
import sys
import ansible.module_utils.basic as basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.mlops.notebooks.plugins.module_utils.environment import main
main()
"""


@pytest.fixture
def place(tmp_path):
    for name, version in {**RUNNER, "alpha": "1.0"}.items():
        make_wheel(tmp_path, name, version)
    top = Path(tempfile.mkdtemp(prefix="mlops-notebooks-test-"))
    top.chmod(0o755)
    yield top
    shutil.rmtree(top)


def start(**arguments):
    variables = {**os.environ, "PYTHONPATH": str(TREE)}
    run = subprocess.Popen(
        [sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=variables, text=True,
    )  # fmt: skip
    run.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    run.stdin.close()
    return run


def answer(run):
    printed, errors = run.stdout.read(), run.stderr.read()
    run.wait()
    assert printed, errors
    return json.loads(printed)


def call(place, tmp_path, *resolutions, **arguments):
    given = [
        {"notebook": f"{number}.ipynb", "requirements": ["--no-index", f"-f {tmp_path}", *lines]}
        for number, lines in enumerate(resolutions)
    ]
    return answer(start(**{"resolutions": given, "cache_dir": str(place), **arguments}))


def test_made_once_then_found(place, tmp_path):
    first = call(place, tmp_path, ["alpha"], ["alpha"])
    assert first["changed"] and len(first["environments"]) == 1, first
    assert first["build"]["phase"] == "Complete" and first["environment"]["cached"] is False
    assert first["environments"][0]["notebooks"] == ["0.ipynb", "1.ipynb"]
    second = call(place, tmp_path, ["alpha"])
    assert not second["changed"] and second["environment"]["cached"] is True
    assert second["environment"]["reference"] == first["environment"]["reference"]


def test_check_mode_says_what_it_would_build_and_builds_nothing(place, tmp_path):
    planned = call(place, tmp_path, ["alpha"], _ansible_check_mode=True, _ansible_diff=True)
    assert planned["changed"] and planned["build"]["phase"] == "Planned" and planned["environment"] is None
    assert planned["diff"]["before"] == "" and "  alpha\n" in planned["diff"]["after"]
    assert list(place.iterdir()) == []


def test_a_failure_has_code_category_advice_and_the_other_environments(place, tmp_path):
    failed = call(place, tmp_path, ["nosuchthing"], ["alpha"])
    assert failed["failed"] and failed["code"] == "dependency_not_found" and failed["changed"]
    assert failed["category"] == "dependency_install_failed"
    assert "1 of 2 environments" in failed["msg"] and "0.ipynb" in failed["msg"] and "nosuchthing" in failed["msg"]
    assert any("image or environment" in advice for advice in failed["advice"])
    assert [item["build"]["phase"] for item in failed["environments"]] == ["Failed", "Complete"]


def test_passwords_are_in_no_result(place, tmp_path):
    address = "--extra-index-url https://joe:swordfish123@127.0.0.1:9/simple"
    answered = call(place, tmp_path, [address, "alpha"], _ansible_check_mode=True)
    assert "swordfish123" not in json.dumps(answered) and "127.0.0.1:9" in json.dumps(answered)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"resolutions": [{"requirements": []}]}, "item 1"),
        ({"resolutions": [{"notebook": "a", "requirements": "pandas"}]}, "item 1"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"max_age": -1}, "max_age must be more than 0"),
        ({"max_size": "plenty"}, "max_size"),
        ({"source": {"path": "/nowhere"}}, "no directory"),
        ({"strategy": "zeppelin"}, "no strategy zeppelin"),
        ({"base": "/nowhere/python"}, "/nowhere/python"),
    ],
)
def test_bad_input_is_answered_by_one_sentence(place, tmp_path, arguments, words):
    failed = call(place, tmp_path, ["alpha"], **arguments)
    assert failed["failed"] and words in failed["msg"] and failed["advice"]
    assert list(place.iterdir()) == []


def test_without_notebooks_there_is_nothing_to_do(place, tmp_path):
    answered = call(place, tmp_path)
    assert not answered["changed"] and answered["environments"] == [] and answered["environment"] is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_process_no_environment_and_no_lock(place, tmp_path, number):
    tree, started, _go, _count = make_slow_tree(tmp_path)
    given = [{"notebook": "a.ipynb", "requirements": ["--no-index", f"-f {tmp_path}", str(tree)]}]
    run = start(resolutions=given, cache_dir=str(place))
    builder = int(started.read_text())
    run.send_signal(number)
    failed = answer(run)
    assert failed["code"] == "interrupted" and run.returncode == 1
    assert list((place / "environments").iterdir()) == []
    state = Path(f"/proc/{builder}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] in "ZX"
