# SPDX-License-Identifier: GPL-3.0-or-later
"""program.py by itself, as in a pod: one request in, results and their checksum out."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run import program
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.process import program_source
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import Limits
from run_support import text


@pytest.fixture
def start(bench):
    (bench.root / "program.py").write_text(program_source())

    def start(name, *cells, **options):
        request = bench.request(name, *cells, **options)
        (bench.root / "request.json").write_text(json.dumps(request.as_dict()))
        command = [bench.python, str(bench.root / "program.py"), "--request", str(bench.root / "request.json")]
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(bench.scratch), "IMAGE": "kept"}
        return request, subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    return start


def results(request, told):
    data = (Path(request.output) / "results.json").read_bytes()
    assert told.splitlines()[-1] == hashlib.sha256(data).hexdigest()
    return json.loads(data)


def test_one_request(bench, start):
    cells = ("import os; print(os.environ['IMAGE'], os.getcwd())", "import sys; sys.exit(0)", "1")
    request, process = start("one", *cells, limits=Limits(processes=None))
    found = results(request, process.communicate()[0])
    assert (found["reason"], found["cell"]) == ("system_exit", 1)
    notebook = (Path(request.output) / "executed.ipynb").read_bytes()
    assert found["executed_sha256"] == hashlib.sha256(notebook).hexdigest()
    assert text(json.loads(notebook)["cells"][0]) == f"kept {bench.source}\n"
    assert list(bench.scratch.iterdir()) == []


def test_a_deadline_from_outside_leaves_partial_results(bench, start):
    fifo = bench.root / "fifo"
    os.mkfifo(fifo)
    wait = f"open({str(fifo)!r}, 'w').write('x')\nimport time; time.sleep(1000)"
    request, process = start("stopped", "print('done')", wait, "1")
    assert fifo.read_text() == "x"
    process.send_signal(signal.SIGTERM)
    found = results(request, process.communicate()[0])
    assert found["reason"] == "interrupted"
    assert [cell["status"] for cell in found["cells"]] == ["Success", "Failure", "Skipped"]
    notebook = json.loads((Path(request.output) / "executed.ipynb").read_text())
    assert text(notebook["cells"][0]) == "done\n"


def test_usage(bench):
    (bench.root / "program.py").write_text(program_source())
    done = subprocess.run([bench.python, str(bench.root / "program.py")], capture_output=True, text=True)
    assert done.returncode == 1 and "--request" in done.stderr


@pytest.mark.parametrize(
    ("code", "log", "killed", "reason", "word"),
    [
        (-9, [], False, "kernel_died", "signal 9"),
        (-9, [], True, "out_of_memory", "memory"),
        (-6, ["terminate called after throwing an instance of 'std::bad_alloc'"], False, "out_of_memory", "memory"),
        (-24, [], False, "kernel_died", "CPU"),
        (0, [], True, "kernel_died", "status 0"),
        (None, [], False, "kernel_died", "ended"),
    ],
)
def test_the_death_of_a_kernel_is_explained(code, log, killed, reason, word):
    found, message = program.explain_death(code, log, killed)
    assert found == reason and word in message


@pytest.mark.parametrize(
    ("source", "output", "failed"),
    [
        ("!pip install x", "ERROR: No matching distribution found for x", True),
        ("%pip install x", "\x1b[31mERROR: Could not find a version\x1b[0m", True),
        ("!uv pip install x", "  × No solution found when resolving dependencies:", True),
        ("!uv pip install x", "error: Failed to fetch", True),
        ("%conda install x", "PackagesNotFoundError: The following packages are not available", True),
        ("!python -m pip install x", "/usr/bin/python: No module named pip", True),
        ("!pip install x", "/bin/bash: line 1: pip: command not found", True),
        ("!pip install x", "ERROR: pip's dependency resolver does not currently take into account all", False),
        ("!pip install x", "Requirement already satisfied: x", False),
        ("print('ERROR: mine')", "ERROR: mine", False),
    ],
)
def test_words_of_a_failed_installation(source, output, failed):
    assert bool(program.failed_install(source, output)) is failed
