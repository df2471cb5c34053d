# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a notebook does, its run ends, is classified, and the others are not touched."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.process import run_all
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import Limits
from run_support import DROPPING, Bench, alive, executed, needs_root, processes_of, text

BROKEN = "class A:\n    def _repr_html_(self):\n        raise ValueError('no picture')\nA()"
MANY = "x = []\nwhile True:\n    x.append(bytearray(10**6))"
BOMB = "import os, time\nwhile True:\n    if os.fork() == 0:\n        time.sleep(1000)"
STUBBORN = "import time\nwhile True:\n    try:\n        time.sleep(1000)\n    except KeyboardInterrupt:\n        pass"
DEAF = "k = get_ipython().kernel\ndef f(*args, **options):\n    raise RuntimeError\nk.do_execute = f"
DAEMON = (
    "import subprocess, sys\n"
    "code = 'import os, time; os.fork() and os._exit(0); os.setsid(); '\n"
    "code += 'print(os.getpid(), flush=True); time.sleep(1000)'\n"
    "p = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, start_new_session=True)\n"
    "print(p.stdout.readline().decode())"
)
FORGE = (
    "import hashlib, json, os\n"
    "fake = json.dumps({'id': 'forged', 'reason': 'completed', 'cells': []})\n"
    "print(json.dumps({'event': 'done', 'reason': 'completed', 'sha256': hashlib.sha256(fake.encode()).hexdigest()}))\n"
    "home = os.path.dirname(os.environ['HOME'])\n"
    "for place in ('.', home, home + '/output'):\n"
    "    try:\n        open(place + '/results.json', 'w').write(fake)\n    except OSError:\n        pass\n"
    "for fd in (1, 3, 4, 5):\n"
    "    try:\n        open(f'/proc/{os.getppid()}/fd/{fd}', 'w').write('{}\\n')\n    except OSError:\n        pass\n"
)
NO_INDEX = {"PIP_NO_INDEX": "1"}

# name: cells, options of the request
NOTEBOOKS = {
    "passes": (
        ("#markdown", "print(1 + 1)", "", "#tag skip-execution\n1/0", "import sys; print('w', file=sys.stderr)"),
        {},
    ),
    "cell_error": (("a = 1", "print('before'); 1/0", "print('never')", "#markdown"), {}),
    "allowed_error": (("#tag raises-exception\n1/0", "print('after')"), {}),
    "sys_exit": (("import sys; sys.exit(0)", "1"), {}),
    "sys_exit_last": (("1", "import sys; sys.exit(0)", "#markdown", " "), {}),
    "sys_exit_last_bad": (("1", "import sys; sys.exit(3)"), {}),
    "quit": (("quit()", "1"), {}),
    "exit_last": (("1", "exit"), {}),
    "display": ((BROKEN, "1"), {}),
    "input": (("input('name? ')", "1"), {}),
    "pip": (("%pip install no-such-distribution-here", "1"), {"environment": NO_INDEX}),
    "pip_hidden": (("%%capture\n!pip install no-such-distribution-here", "1"), {"environment": NO_INDEX}),
    "pip_good": (("%pip install papermill", "!echo ERROR: no installer said this", "%%capture\n%pip -V"), {}),
    "huge_array": (("bytearray(10**12)", "1"), {}),
    "memory_loop": ((MANY, "1"), {"limits": Limits(memory=300 * 1024**2)}),
    "killed": (("print('last words')", "import os; os.kill(os.getpid(), 9)", "1"), {}),
    "cpu": (("while True: pass",), {"limits": Limits(cpu=3)}),
    "cell_timeout": (("1", STUBBORN, "1"), {"cell_timeout": 1}),
    "run_timeout": (("1", STUBBORN, "1"), {"timeout": 3}),
    "never_replies": ((DEAF, "1", "1"), {"cell_timeout": 1}),
    "endless_output": (("1", "while True: print('x' * 1000)", "1"), {"limits": Limits(output=1_000_000)}),
    "one_huge_output": (("1", "print('x' * 20_000_000)", "1"), {"limits": Limits(output=10_000_000)}),
    "redrawn_output": (
        (
            "from IPython.display import clear_output\n"
            "for n in range(40):\n    print('x' * 100_000)\n    clear_output()\nprint('small')",
        ),
        {"limits": Limits(output=1_000_000)},
    ),
    "file_size": (("open('big', 'wb').write(b'x' * 2_000_000)",), {"limits": Limits(file_size=1_000_000)}),
    "daemon": ((DAEMON,), {}),
    "forged": ((FORGE, "1/0"), {}),
    "kills_its_user": (("import os, signal\nif os.fork() == 0:\n    os.kill(-1, 9)\nelse:\n    os.wait()", "1"), {}),
    "fork_bomb": ((BOMB, "1"), {"limits": Limits(processes=40)}),
    "kills_parent": (("1", "import os, time; os.kill(os.getppid(), 9); time.sleep(1000)", "1"), {}),
}
ROOT_ONLY = {"kills_its_user"}


@pytest.fixture(scope="module")
def outcomes(reachable, python):
    bench = Bench(Path(tempfile.mkdtemp(dir=reachable)), python)
    bench.root.chmod(0o755)
    wanted = [name for name in NOTEBOOKS if DROPPING or name not in ROOT_ONLY]
    requests = [bench.request(name, *NOTEBOOKS[name][0], **NOTEBOOKS[name][1]) for name in wanted]
    announced = []

    def announce(result):
        announced.append(result)
        if result.id == "daemon":
            outlived.append(alive(int(text(executed(result)[0]))))

    outlived = []
    results = run_all(requests, workers=2, scratch=str(bench.scratch), on_result=announce)
    assert outlived == [False]
    assert [result.id for result in results] == wanted
    assert sorted(announced, key=lambda result: result.id) == sorted(results, key=lambda result: result.id)
    assert list(bench.scratch.iterdir()) == []  # and nobody is left who could write there
    return {result.id: result for result in results}


REASONS = {
    # name: reason, cell, statuses (S, F, -)
    "passes": ("completed", None, "-SS-S"),
    "cell_error": ("cell_error", 1, "SF--"),
    "allowed_error": ("completed", None, "SS"),
    "sys_exit": ("system_exit", 0, "F-"),
    "sys_exit_last": ("completed", None, "SS-S"),
    "sys_exit_last_bad": ("system_exit", 1, "SF"),
    "quit": ("system_exit", 0, "F-"),
    "exit_last": ("completed", None, "SS"),
    "display": ("display_error", 0, "F-"),
    "input": ("stdin_requested", 0, "F-"),
    "pip": ("completed", None, "SS"),
    "pip_hidden": ("completed", None, "SS"),
    "pip_good": ("completed", None, "SSS"),
    "huge_array": ("out_of_memory", 0, "F-"),
    "memory_loop": ("out_of_memory", 0, "F-"),
    "killed": ("kernel_died", 1, "SF-"),
    "cpu": ("cpu_limit", 0, "F"),
    "cell_timeout": ("cell_timeout", 1, "SF-"),
    "run_timeout": ("run_timeout", 1, "SF-"),
    "never_replies": ("cell_timeout", 1, "SF-"),
    "endless_output": ("output_limit", 1, "SF-"),
    "one_huge_output": ("output_limit", 1, "SF-"),
    "redrawn_output": ("completed", None, "S"),
    "file_size": ("cell_error", 0, "F"),
    "daemon": ("completed", None, "S"),
    "forged": ("cell_error", 1, "SF"),
    "kills_its_user": ("kernel_died", 0, "F-"),
    "fork_bomb": ("cell_error", 0, "F-"),
    # as root the parent is out of reach
    "kills_parent": ("cell_error" if DROPPING else "kernel_died", 1, "SF-"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs_root) if n in ROOT_ONLY else n for n in REASONS])
def test_reason_cell_and_statuses(outcomes, name):
    reason, cell, statuses = REASONS[name]
    result = outcomes[name]
    assert (result.reason, result.cell) == (reason, cell), result
    letters = {"Success": "S", "Failure": "F", "Skipped": "-"}
    assert "".join(letters[each.status] for each in result.cells) == statuses


def test_a_passing_notebook_comes_back_whole(outcomes):
    result = outcomes["passes"]
    cells = executed(result)
    assert text(cells[1]) == "2\n"
    assert [cell["metadata"]["mlops_notebooks"]["source_index"] for cell in cells] == [0, 1, 2, 3, 4]
    assert [cell.type for cell in result.cells] == ["markdown", "code", "code", "code", "code"]
    assert [cell.stderr for cell in result.cells] == [False, False, False, False, True]
    assert result.cells[1].output_digest.startswith("sha256:") and result.cells[2].output_digest is None
    assert 0 < result.cells[1].duration < result.duration
    assert result.versions["ipykernel"] and result.versions["papermill"]


def test_an_error_keeps_what_came_before_and_its_traceback(outcomes):
    result = outcomes["cell_error"]
    assert (result.error.ename, result.error.evalue) == ("ZeroDivisionError", "division by zero")
    assert "1/0" in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(result.error.traceback))
    assert result.error == result.cells[1].error
    assert text(executed(result)[1]).startswith("before")


def test_a_display_hook_is_named_by_its_own_error(outcomes):
    assert (outcomes["display"].error.ename, outcomes["display"].error.evalue) == ("ValueError", "no picture")


def test_a_dead_kernel_leaves_what_it_said(outcomes):
    result = outcomes["killed"]
    assert "last words" in text(executed(result)[0])
    assert "signal 9" in result.message
    assert "CPU" in outcomes["cpu"].message


@pytest.mark.parametrize("name", ["pip", "pip_hidden"])
def test_an_installation_that_fails_silently_is_noted(outcomes, name):
    [failure] = outcomes[name].install_failures
    assert failure.cell == 0 and failure.message


def test_an_installation_that_works_is_not_noted(outcomes):
    assert outcomes["pip_good"].install_failures == ()
    assert outcomes["passes"].install_failures == ()


def test_messages_say_the_limit(outcomes):
    assert "1 seconds" in outcomes["cell_timeout"].message
    assert "3 seconds" in outcomes["run_timeout"].message
    assert "1000000 bytes" in outcomes["endless_output"].message


def test_outputs_that_were_cleared_do_not_count(outcomes):
    assert text(executed(outcomes["redrawn_output"])[0]) == "small\n"


def test_a_fork_bomb_leaves_nothing(outcomes):
    result = outcomes["fork_bomb"]
    assert result.error.ename == "BlockingIOError"
    assert result.uid is None or processes_of(result.uid) == []


def test_nobody_forges_a_verdict(outcomes):
    result = outcomes["forged"]
    assert (result.id, result.error.ename) == ("forged", "ZeroDivisionError")


@needs_root
def test_every_run_has_its_own_user(outcomes):
    uids = [result.uid for result in outcomes.values()]
    assert len(set(uids)) == len(uids)
    assert outcomes["kills_parent"].error.ename == "PermissionError"
