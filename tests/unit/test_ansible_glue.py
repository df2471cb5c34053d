# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules as Ansible runs them: live lines, strategies of other collections, errors, interruption."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import ansible_collections.mlops.notebooks.plugins.module_utils._ansible as glue
import pytest
from ansible_collections.mlops.notebooks.plugins.plugin_utils.progress import text_of

TREE = Path(glue.__file__).parents[5]
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# A strategy that tells what it does, waits until the test has seen it, and tells that it cleaned up.
PATIENT = """#!/usr/bin/python
from __future__ import annotations
import os
from ansible_collections.mlops.notebooks.plugins.module_utils.environment import Detection, Environment, Plan, Strategy, main

class Patient(Strategy):
    name = "acme.builders.patient"
    rank = 99
    def detect(self, context):
        return Detection(True, "always")
    def plan(self, context, resolution):
        return Plan(key="k" * 32, requirements=resolution.requirements)
    def find(self, context, key):
        return None
    def create(self, context, plan, log, replace=False):
        try:
            log(f"seen \\x1b[31mat once by {os.getpid()}")
            with open(os.path.join(context.cache_dir, "go")) as gate:
                gate.read()
        finally:
            note = os.open(os.path.join(context.cache_dir, "cleaned"), os.O_RDWR)
            os.write(note, b"cleaned")
        return Environment("image", "ref", "sha256:0", plan.key, False, self.name, "python")
    def delete(self, context, key):
        return True

if __name__ == "__main__":
    main(strategies=[Patient()])
"""


@pytest.fixture
def place(monkeypatch):
    """A directory with the collection acme.builders, where Ansible finds it beside ours."""
    top = Path(tempfile.mkdtemp(prefix="mlops-notebooks-test-"))
    top.chmod(0o755)
    modules = top / "collections" / "ansible_collections" / "acme" / "builders" / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "patient.py").write_text(PATIENT)
    guide = (ROOT / "docs" / "strategies.md").read_text()
    (modules / "site.py").write_text(re.search(r"```python\n(#!/usr/bin/python\n.*?)```", guide, re.DOTALL).group(1))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", f"{top / 'collections'}:{TREE}")
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", str(top / "local"))
    monkeypatch.setenv("ANSIBLE_REMOTE_TEMP", str(top / "remote"))
    # Left to itself, the job is written below HOME and looked for below the home of the passwd entry.
    monkeypatch.setenv("ANSIBLE_ASYNC_DIR", str(top / "async"))
    monkeypatch.setenv("ANSIBLE_LOCALHOST_WARNING", "false")
    monkeypatch.setenv("ANSIBLE_INVENTORY_UNPARSED_WARNING", "false")
    (top / "cache").mkdir()
    for name in ("go", "cleaned"):
        os.mkfifo(top / "cache" / name)
    yield top
    shutil.rmtree(top)


def playbook(place, arguments, **task):
    """Start ansible-playbook with one task in a session of its own, as a terminal does."""
    lines = {
        "strategy": "acme.builders.patient",
        "resolutions": [{"notebook": "a.ipynb"}],
        "cache_dir": str(place / "cache"),
    }
    name = "mlops.notebooks.notebook_environment"
    play = {
        "hosts": "localhost", "connection": "local", "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [{name: {**lines, **arguments}, **task, "register": "made"},
                  {"ansible.builtin.debug": {"msg": "phase {{ made.build.phase }}"}}],
    }  # fmt: skip
    file = place / "play.yml"
    file.write_text(json.dumps([play]))
    return subprocess.Popen(
        [str(BIN / "ansible-playbook"), "-v", str(file)], text=True, start_new_session=True, cwd=place,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def until(run, words):
    """Read what a playbook prints until a line has the words; return the lines."""
    lines = []
    for line in run.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


def test_a_line_is_on_the_console_while_the_module_still_works(place):
    run = playbook(place, {})
    lines = until(run, "at once")
    assert re.fullmatch(r"\[kkkkkkkk\] seen at once by \d+\n", lines[-1]), "and drives no terminal"
    assert not any("changed:" in line for line in lines)
    (place / "cache" / "go").write_text("go")
    rest = run.communicate()[0]
    assert run.returncode == 0 and "phase Complete" in rest


def test_auto_takes_the_strategy_of_another_collection_that_the_task_allows(place):
    run = playbook(place, {"strategy": "auto", "community": "acme.builders.patient"})
    until(run, "at once")
    (place / "cache" / "go").write_text("go")
    rest = run.communicate()[0]
    assert run.returncode == 0 and "phase Complete" in rest


@pytest.mark.parametrize(
    ("arguments", "task", "variable"),
    [({"progress": False}, {}, None), ({}, {}, "0"), ({}, {"async": 60, "poll": 1}, None)],
)
def test_live_lines_can_be_off_and_the_module_works_without(place, arguments, task, variable, monkeypatch):
    if variable:
        monkeypatch.setenv("MLOPS_NOTEBOOKS_PROGRESS", variable)
    run = playbook(place, arguments, **task)
    (place / "cache" / "go").write_text("go")
    printed = run.communicate()[0]
    assert run.returncode == 0 and "phase Complete" in printed, printed
    assert not any(line.startswith("[kkkkkkkk]") for line in printed.splitlines())


def test_an_interrupted_playbook_lets_the_module_clean_up(place):
    note = os.open(place / "cache" / "cleaned", os.O_RDONLY | os.O_NONBLOCK)
    run = playbook(place, {})
    pid = int(until(run, "at once")[-1].split()[-1])
    # What a terminal does in older versions, and the worker of the task in newer ones.
    os.killpg(os.getpgid(pid), signal.SIGINT)
    assert select.select([note], [], [], 60)[0], "the module was not told"
    assert os.read(note, 99) == b"cleaned"
    run.communicate()


def test_the_strategy_of_the_guide_makes_and_finds_an_environment(place):
    run = playbook(place, {"strategy": "acme.builders.site"})
    printed = run.communicate()[0]
    assert run.returncode == 0 and "phase Complete" in printed, printed
    assert '"strategy": "acme.builders.site"' in printed
    printed = playbook(place, {"strategy": "acme.builders.site"}).communicate()[0]
    assert "phase Cached" in printed and "ok=2    changed=0" in printed, printed


def test_a_failure_says_what_to_do(place):
    run = playbook(place, {"strategy": "venv", "base": "3.99"})
    printed = run.communicate()[0]
    assert run.returncode == 2
    assert '"code": "environment_setup_failed"' in printed and '"advice": [' in printed
    assert "No Python 3.99 was found" in printed and "Traceback" not in printed


SIGNALLED = """
import os, signal
from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main

def work(module, progress):
    try:
        os.kill(os.getpid(), signal.{name})
        signal.pause()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)  # a second signal does not disturb the cleanup
        print("cleaned", file=__import__("sys").stderr)

main({{}}, work)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_becomes_a_failure_after_the_cleanup(tmp_path, name):
    script = tmp_path / "module.py"
    patch = "import ansible.module_utils.basic as b\nb._ANSIBLE_ARGS = b'{\"ANSIBLE_MODULE_ARGS\": {}}'\n"
    script.write_text(patch + "b._ANSIBLE_PROFILE = 'legacy'\n" + SIGNALLED.format(name=name))
    variables = {**os.environ, "PYTHONPATH": str(TREE)}
    run = subprocess.run([sys.executable, str(script)], env=variables, capture_output=True, text=True, check=False)
    answer = json.loads(run.stdout)
    assert answer["failed"] and answer["code"] == "interrupted", run.stderr
    assert run.stderr.endswith("cleaned\n")


def test_progress_never_stops_the_module(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with glue.Progress(str(fifo)) as nobody_reads:
        nobody_reads({"text": "x"})
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with glue.Progress(str(fifo)) as progress:
        progress({"event": "log", "text": "ä"})
        assert text_of(os.read(reader, 999).strip()) == "ä"
        os.close(reader)
        progress({"text": "the reader is gone"})
        progress({"text": "still"})
    with glue.Progress(str(tmp_path / "nowhere")) as progress:
        progress({"text": "x"})
    with glue.Progress(None) as progress:
        progress({"text": "x"})


@pytest.mark.parametrize("line", [b"", b"no json", b"[1]", b'{"event": "log"}', b'{"text": 3}'])
def test_what_is_no_event_is_not_shown(line):
    assert text_of(line) is None
