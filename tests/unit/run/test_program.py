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
    done = subprocess.run([bench.python, str(bench.root / "program.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "--request" in done.stderr


@pytest.mark.parametrize(
    ("code", "log", "killed", "reason", "word"),
    [
        (-9, [], False, "kernel_died", "signal 9"),
        (-9, [], True, "out_of_memory", "memory"),
        (-6, ["terminate called after throwing an instance of 'std::bad_alloc'"], False, "out_of_memory", "memory"),
        (-24, [], False, "cpu_limit", "CPU"),
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


@pytest.fixture
def inside(bench, monkeypatch, capsys):
    """Run one request in this process: the coverage of the program's own lines is taken here."""
    monkeypatch.setattr(program, "kill_descendants", lambda pid: None)  # this process has other children
    monkeypatch.setenv("TMPDIR", str(bench.scratch))
    monkeypatch.setattr("tempfile.tempdir", None)

    def run(name, *cells, **options):
        request = bench.request(name, *cells, **options)
        (bench.root / "request.json").write_text(json.dumps(request.as_dict()))
        program.run_request(str(bench.root / "request.json"))
        found = results(request, capsys.readouterr().out)
        return found, json.loads((Path(request.output) / "executed.ipynb").read_text())["cells"]

    return run


@pytest.mark.parametrize(
    ("cells", "options", "reason", "cell"),
    [
        (("a = 1", "print(a)", "exit"), {"parameters": {"a": 2}}, "completed", None),
        (("1", "1/0", "2"), {}, "cell_error", 1),
        (("quit()", "1"), {}, "system_exit", 0),
        (("import sys; sys.exit('bad')",), {}, "system_exit", 0),
        (("input()",), {}, "stdin_requested", 0),
        (("raise MemoryError('all')",), {}, "out_of_memory", 0),
        (("class A:\n    def __repr__(self):\n        raise ValueError\nA()",), {}, "display_error", 0),
        (("import time; time.sleep(1000)",), {"cell_timeout": 1}, "cell_timeout", 0),
        (("import os; os._exit(3)",), {}, "kernel_died", 0),
        (("print('x' * 200_000)",), {"limits": Limits(output=100_000)}, "output_limit", 0),
        (("for n in range(20):\n    display('x' * 10_000)",), {"limits": Limits(output=100_000)}, "output_limit", 0),
    ],
)
def test_reasons(inside, cells, options, reason, cell):
    found, executed = inside("inside", *cells, **options)
    assert (found["reason"], found["cell"]) == (reason, cell)
    assert len(found["cells"]) == len(cells)
    failed = [one for one in executed if one["metadata"].get("papermill", {}).get("status") == "failed"]
    assert failed == ([] if cell is None else [executed[cell]])


def test_an_updated_display_counts_as_it_is(inside):
    source = "h = display('x', display_id=True)\nfor n in range(30):\n    h.update('x' * {})"
    found, executed = inside("small", source.format(10_000), limits=Limits(output=100_000))
    assert found["reason"] == "completed" and len(text(executed[0])) == 10_002
    assert inside("large", source.format(90_000), limits=Limits(output=80_000))[0]["reason"] == "output_limit"


def test_a_hidden_installation(inside):
    found, _unused = inside("hidden", "%%capture\n!pip install --no-index no-such-distribution; exit 10", "%pip -V")
    assert found["install_failures"] == [{"cell": 0, "message": "The installer ended with status 10."}]


def test_an_interpreter_without_kernel_is_not_tried_again(inside, monkeypatch):
    starts = []
    start_kernel = program.start_kernel
    bare = "/usr/bin/python3"

    def without_kernel(python, program, **options):
        starts.append(python)
        options["env"]["PYTHONPATH"] = ""
        return start_kernel(python=bare, program=program, **options)

    monkeypatch.setattr(program, "start_kernel", without_kernel)
    found, _unused = inside("bare", "1")
    assert found["reason"] == "kernel_start_failed" and len(starts) == 1
    assert any("ipykernel" in line for line in found["log_tail"])


def test_limits_stay_below_what_the_system_allows(monkeypatch):
    hard = {program.resource.RLIMIT_DATA: 100, program.resource.RLIMIT_CPU: 5}
    found = {}
    monkeypatch.setattr(
        program.resource, "getrlimit", lambda which: (0, hard.get(which, program.resource.RLIM_INFINITY))
    )
    monkeypatch.setattr(program.resource, "setrlimit", found.__setitem__)
    program.set_limits({"memory": 200, "cpu": 4, "processes": 10, "file_size": None})
    assert found.pop(program.resource.RLIMIT_NPROC)[0] > 10  # this user has processes already
    assert found == {
        program.resource.RLIMIT_DATA: (100, 100),
        program.resource.RLIMIT_CPU: (4, 5),
        program.resource.RLIMIT_CORE: (0, 0),
    }


def test_long_runs_save_as_they_go(inside, bench, monkeypatch):
    """The notebook looks at what is saved of it, and waits until its first cell's output is there."""
    monkeypatch.setattr(program, "SAVE_EVERY", 0.0)
    saved = bench.root / "output" / "saves" / "executed.ipynb"
    wait = f"import time\nwhile 'first words' not in open({str(saved)!r}).read().replace('first words\\'', ''):\n"
    wait += "    time.sleep(0.01)"
    found, _unused = inside("saves", "print('first words')", wait)
    assert found["reason"] == "completed"
