# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher: order, parameters, what it does when it is stopped and when there is nothing to start."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run import identity, process
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.process import run_all
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import RunResult
from run_support import alive, executed, needs_root, text

DIES_AT_START = """
import os, pathlib
count = pathlib.Path({path!r})
if os.environ.get("JPY_PARENT_PID"):
    starts = len(count.read_text())
    count.write_text("x" * (starts + 1))
    if starts < {times}:
        os._exit(3)
"""
WAITS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
with open({fifo!r}, "w") as file:
    file.write(f"{{os.getpid()}} {{child.pid}} {{os.getppid()}}\\n")
time.sleep(1000)
"""
DRIVER = """
import json, sys
sys.path.insert(0, {path!r})
from {package}.run.process import run_all
from {package}.values.execution import RunRequest
requests = [RunRequest.from_dict(item) for item in json.load(open({requests!r}))]
results = run_all(requests, workers=2, scratch={scratch!r}, on_result=lambda result: print(result.id, flush=True))
print(json.dumps([result.as_dict() for result in results]))
"""


def driver(bench, requests, package="engine"):
    """Return a command that runs requests with a copy of the engine that any user can read."""
    engine = Path(identity.__file__).parents[1]
    copy = bench.root / "driver"
    (copy / package).mkdir(parents=True)
    (copy / package / "__init__.py").touch()
    for room in ("notebook", "run", "values"):
        (copy / package / room).mkdir()
        for file in (engine / room).glob("*.py"):
            (copy / package / room / file.name).write_text(file.read_text())
    (copy / "requests.json").write_text(json.dumps([request.as_dict() for request in requests]))
    names = {"path": str(copy), "package": package, "scratch": str(bench.scratch)}
    (copy / "driver.py").write_text(DRIVER.format(requests=str(copy / "requests.json"), **names))
    return [bench.python, str(copy / "driver.py")]


def test_results_and_notebooks_are_stored_and_old_ones_replaced(bench):
    request = bench.request("again", "1/0")
    output = Path(request.output)
    output.mkdir(parents=True)
    (output / "executed.ipynb").symlink_to(bench.source / "again.ipynb")
    before = (bench.source / "again.ipynb").read_text()
    [result] = run_all([request], workers=4, scratch=str(bench.scratch))
    assert RunResult.from_dict(json.loads((output / "results.json").read_text())) == result
    assert result.executed == str(output / "executed.ipynb") and not (output / "executed.ipynb").is_symlink()
    assert (bench.source / "again.ipynb").read_text() == before


def test_parameters_are_injected_after_their_cell_and_shift_no_index(bench):
    cells = ("#tag parameters\na = 1\nb = 'kept'", "print(a, b)", "1/0")
    [result] = run_all([bench.request("p", *cells, parameters={"a": [1, None, "ö'"]})], workers=1)
    assert text(executed(result)[2]) == '[1, None, "ö\'"] kept\n'
    assert result.cell == 2
    found = [cell["metadata"].get("mlops_notebooks", {}).get("source_index") for cell in executed(result)]
    assert found == [0, None, 1, 2]
    assert executed(result)[1]["metadata"]["tags"] == ["injected-parameters"]


def test_a_notebook_of_format_3_runs(bench):
    request = bench.request("old", "print('new')")
    cell = {"cell_type": "code", "language": "python", "input": ["print('old')"], "outputs": [], "collapsed": False}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]}
    (bench.source / "old.ipynb").write_text(json.dumps(old))
    [result] = run_all([request], workers=1)
    assert (result.reason, text(executed(result)[0])) == ("completed", "old\n")


@pytest.mark.parametrize(("times", "reason"), [(2, "completed"), (9, "kernel_start_failed")])
def test_a_kernel_that_dies_at_its_start_gets_two_more(bench, times, reason):
    count = bench.root / "count"
    count.write_text("")
    count.chmod(0o666)
    (bench.source / "sitecustomize.py").write_text(DIES_AT_START.format(path=str(count), times=times))
    request = bench.request("shy", "1", environment={"PYTHONPATH": str(bench.source)})
    [result] = run_all([request], workers=1, scratch=str(bench.scratch))
    assert (result.reason, len(count.read_text())) == (reason, 3)


def test_an_environment_without_kernel_or_runner_is_said_so(bench, reachable):
    base = os.path.realpath(bench.python)
    bare = bench.root / "bare"
    subprocess.run([base, "-m", "venv", "--without-pip", bare], check=True)
    [result] = run_all([bench.request("bare", "1", python=str(bare / "bin" / "python"))], workers=1)
    assert result.reason == "kernel_start_failed"
    assert "nbclient" in result.message
    assert [cell.status for cell in result.cells] == ["Skipped"]


def test_a_source_that_cannot_be_copied_fails_its_own_run_alone(bench):
    good, bad = bench.request("good", "1"), bench.request("bad", "1")
    (bench.source / "bad.ipynb").unlink()
    results = run_all([bad, good], workers=1, scratch=str(bench.scratch))
    assert [result.reason for result in results] == ["results_missing", "completed"]
    assert "bad.ipynb" in results[0].message


@needs_root
@pytest.mark.parametrize(
    "fill", ["open('big', 'wb').write(bytes(60_000_000))", None], ids=["by the notebook", "before it starts"]
)
def test_a_full_disk_is_said_and_nothing_is_left(bench, fill):
    small = bench.root / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", small], check=False).returncode:
        pytest.skip("no mount here")
    try:
        if fill is None:
            (bench.source / "data").write_bytes(bytes(30_000_000))
        [result] = run_all([bench.request("full", "1", fill or "1")], workers=1, scratch=str(small))
        assert result.reason == "disk_full", result.message
        assert result.cell == (1 if fill else None) and str(small) in result.message
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_caller_that_raises_leaves_nothing_behind(bench):
    def refuse(result):
        raise LookupError(result.id)

    with pytest.raises(LookupError):
        run_all([bench.request("one", "1"), bench.request("two", "1")], workers=1, on_result=refuse)
    assert list(bench.scratch.iterdir()) == []


def test_input_that_is_refused_before_anything_starts(bench):
    assert run_all([], workers=2) == []
    with pytest.raises(EngineError, match="There is no interpreter /no/python"):
        run_all([bench.request("a", "1", python="/no/python")], workers=1)
    with pytest.raises(EngineError, match="scratch directory /no/scratch cannot be used"):
        run_all([bench.request("a", "1")], workers=1, scratch="/no/scratch")


@needs_root
def test_places_that_the_notebooks_user_cannot_reach(bench):
    closed = bench.root / "closed"
    closed.mkdir(mode=0o700)
    (closed / "python").symlink_to(bench.python)
    with pytest.raises(EngineError, match=f"directory {closed} is closed"):
        run_all([bench.request("a", "1", python=str(closed / "python"))], workers=1)
    with pytest.raises(EngineError, match=f"{closed} is closed"):
        run_all([bench.request("a", "1")], workers=1, scratch=str(closed))


def test_what_a_killed_call_left_is_swept(bench):
    stale = bench.scratch / "mlops-run-stale"
    (stale / "r1").mkdir(parents=True)
    (stale / "lock").touch()
    run_all([bench.request("one", "1")], workers=1, scratch=str(bench.scratch))
    assert list(bench.scratch.iterdir()) == []


def first_words(fifo: Path, launcher: subprocess.Popen) -> str:
    """What the first notebook says; a launcher that ends before one spoke fails the test with its own words."""
    reader, end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), os.pidfd_open(launcher.pid)
    poll = select.poll()
    for descriptor in (reader, end):
        poll.register(descriptor, select.POLLIN)
    try:
        ready = [descriptor for descriptor, event in poll.poll() if event & select.POLLIN]
        assert reader in ready, launcher.communicate()
        return os.read(reader, 4096).decode().splitlines()[0]
    finally:
        os.close(reader)
        os.close(end)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_first(bench, number):
    fifo = bench.root / "fifo"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    requests = [bench.request(name, WAITS.format(fifo=str(fifo)), timeout=None) for name in ("a", "b", "c")]
    launcher = subprocess.Popen(driver(bench, requests), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pids = [int(word) for word in first_words(fifo, launcher).split()]
    assert all(map(alive, pids))
    launcher.send_signal(number)
    launcher.communicate()
    assert launcher.returncode == -number
    assert not any(map(alive, pids))
    assert list(bench.scratch.iterdir()) == []


@needs_root
def test_as_an_ordinary_user(bench):
    """What root's tests cannot see: notebook, runner and launcher are the same user."""
    cells = {
        "fine": ("import os; print(os.getuid())",),
        "killer": ("print('before')", "import os, time; os.kill(os.getppid(), 9); time.sleep(1000)", "1"),
        "daemon": ("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)",),
        "after": ("print('still here')",),
    }
    requests = [bench.request(name, *sources) for name, sources in cells.items()]
    user = identity.Identities().number()
    for path in (bench.scratch, bench.root):
        os.chown(path, user, 0)
    who = {"user": user, "group": user, "extra_groups": []}
    command = driver(bench, requests)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"HOME": "/"}, **who)
    *announced, last = done.stdout.splitlines()
    results = {item["id"]: RunResult.from_dict(item) for item in json.loads(last)}
    assert sorted(announced) == sorted(cells)
    assert text(executed(results["fine"])[0]) == f"{user}\n"
    assert results["killer"].reason == "kernel_died" and results["killer"].cell == 1
    assert [cell.status for cell in results["killer"].cells] == ["Success", "Failure", "Skipped"]
    assert results["killer"].executed
    assert results["daemon"].reason == results["after"].reason == "completed"
    assert user not in identity.live_uids()
    assert list(bench.scratch.iterdir()) == []


@needs_root
def test_the_runner_is_killed_where_nobody_can_drop(bench, monkeypatch):
    monkeypatch.setattr("ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.identity.can_drop", bool)
    killer = "import os, time; os.kill(os.getppid(), 9); time.sleep(1000)"
    requests = [
        bench.request("killer", killer),
        bench.request("dies", "import os; os._exit(7)"),
        bench.request("ok", "1"),
    ]
    results = run_all(requests, workers=1, scratch=str(bench.scratch))
    assert [result.reason for result in results] == ["kernel_died", "kernel_died", "completed"]
    assert "status 7" in results[1].message
    assert results[2].uid is None


@needs_root
def test_a_runner_that_is_stopped_does_not_hold_the_others_up(bench, monkeypatch):
    monkeypatch.setattr("ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.identity.can_drop", bool)
    monkeypatch.setattr(process, "GRACE", 0.5)
    stopper = "import os, signal, time; os.kill(os.getppid(), signal.SIGSTOP); time.sleep(1000)"
    requests = [bench.request("stopper", stopper, timeout=3), bench.request("ok", "1")]
    results = run_all(requests, workers=1, scratch=str(bench.scratch))
    assert [result.reason for result in results] == ["run_timeout", "completed"]


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [(os.unlink, "results_missing"), (lambda path: Path(path).write_text("{}"), "results_corrupt")],
)
def test_results_that_were_tampered_with_are_no_success(bench, monkeypatch, tamper, reason):
    read_results = process.results.read_results

    def read_after_tampering(path, digest):
        tamper(path)
        return read_results(path, digest)

    monkeypatch.setattr(process.results, "read_results", read_after_tampering)
    [result] = run_all([bench.request("one", "1")], workers=1)
    assert (result.reason, [cell.status for cell in result.cells]) == (reason, ["Success"])


def test_an_interpreter_of_the_engine_is_not_the_notebooks(bench):
    [result] = run_all([bench.request("which", "import sys; print(sys.executable)")], workers=1)
    assert text(executed(result)[0]).strip() == bench.python != sys.executable
