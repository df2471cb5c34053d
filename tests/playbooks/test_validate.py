# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook validate, from its variables to its exit status, console and report."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from .conftest import write_notebook


def test_bad_notebooks_are_verdicts_and_the_good_ones_run(play, tmp_path):
    source = tmp_path / "odd names"
    write_notebook(source / 'it\'s "good" ünïcode.ipynb', "print('fine')")
    write_notebook(source / "-dash.ipynb", "print('fine')")
    write_notebook(source / "r.ipynb", "x <- 1", kernel="ir")
    (source / "broken.ipynb").write_text('{"cells": [')
    (source / "latin.ipynb").write_bytes(b'{"cells": [], "metadata": {"title": "caf\xe9"}, "nbformat": 4}')
    (source / "loop").symlink_to(source)
    played = play(source=str(source))
    assert played.status == 2 and "3 of 5 notebooks failed" in played.text, played.text
    assert played.codes == {
        "-dash.ipynb": None,
        'it\'s "good" ünïcode.ipynb': None,
        "r.ipynb": "kernel_unsupported",
        "broken.ipynb": "notebook_invalid",
        "latin.ipynb": "notebook_invalid",
    }
    assert "asks for the kernel ir" in played.text


def test_an_empty_directory_is_refused(play, tmp_path):
    (tmp_path / "empty").mkdir()
    played = play(source=str(tmp_path / "empty"))
    assert played.status == 2 and "Traceback" not in played.text
    assert not (play.work / "validation-report").exists()


def test_a_notebook_is_announced_while_the_others_still_run(play, tmp_path):
    """On a terminal; the slow notebook waits for what this test writes once the line of the fast one is there."""
    with tempfile.TemporaryDirectory(prefix="mlops-test-") as place:
        os.chmod(place, 0o755)
        go_on = Path(place) / "go-on"
        os.mkfifo(go_on)
        go_on.chmod(0o666)
        source = tmp_path / "source"
        write_notebook(source / "fast.ipynb", f"print({place!r})")
        write_notebook(source / "slow.ipynb", f"open({str(go_on)!r}).read()")
        command = play.command("-v", source=str(source), workers=2, cell_timeout=100)
        terminal, inner = pty.openpty()
        environment = {**play.environment, "ANSIBLE_STRATEGY": "free"}
        with subprocess.Popen(command, cwd=play.work, env=environment, stdout=inner, stderr=inner) as process:
            os.close(inner)
            seen = read_until(terminal, r"ok +\d+\.\d+s +fast\.ipynb")
            assert "slow.ipynb" not in seen.partition("judge")[2]
            go_on.open("w").close()
            rest = read_until(terminal, r"ok +\d+\.\d+s +slow\.ipynb")
            read_until(terminal, "PLAY RECAP.*failed=0")
    assert process.returncode == 0, seen + rest


def read_until(terminal: int, pattern: str) -> str:
    """Read a terminal until the pattern stands in what was read; a run that never shows it ends the reading."""
    text = ""
    while not re.search(pattern, text, re.DOTALL):
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            data = b""
        assert data, f"{pattern} was not seen in: {text}"
        text += data.decode(errors="replace")
    return text


def test_the_live_lines_can_be_turned_off(play, tmp_path):
    write_notebook(tmp_path / "source" / "a.ipynb", "1")
    played = play(source=str(tmp_path / "source"), environment={"MLOPS_NOTEBOOKS_PROGRESS": "false"})
    assert played.status == 0 and "a.ipynb" not in played.text


def test_the_summary_goes_to_the_workflow(play, tmp_path):
    write_notebook(tmp_path / "source" / "bad.ipynb", "assert False")
    played = play(source=str(tmp_path / "source"), environment={"ANSIBLE_SHOW_CUSTOM_STATS": "true"}, fail_on="never")
    stats = played.text.partition("CUSTOM STATS")[2]
    assert '"notebooks_failed"' in stats and "bad.ipynb" in stats and '"notebooks_summary"' in stats


def test_check_mode_says_what_would_be_done_and_does_nothing(play, tmp_path):
    write_notebook(tmp_path / "source" / "a.ipynb", "print('never run before', 1)")
    (tmp_path / "source" / "requirements.txt").write_text("six==1.16.0\n")
    cache = tmp_path / "cache"
    played = play("--check", "-v", source=str(tmp_path / "source"), cache_dir=str(cache))
    assert played.status == 0 and played.changed > 0, played.text
    assert '"planned": ["a.ipynb"]' in played.text
    assert not (play.work / "validation-report").exists()
    assert not list(cache.glob("environments/*")) and not list(cache.glob("verdicts/*/verdict.json"))


def test_verdicts_and_environments_are_made_anew_apart(play, tmp_path):
    write_notebook(tmp_path / "my source" / "a.ipynb", "1")
    with tempfile.TemporaryDirectory(prefix="mlops-test-") as cache:
        os.chmod(cache, 0o755)
        given = {"source": str(tmp_path / "my source") + "/", "cache_dir": cache}
        assert play(**given).status == 0
        assert "my source</title>" in (play.work / "validation-report" / "index.html").read_text()
        again = play(**given, rerun="always")
        assert "building for" not in again.text and re.search(r"ok +\d+\.\d+s +a\.ipynb", again.text), again.text
        anew = play(**given, environment_reuse="never")
        assert "building for" in anew.text and re.search(r"ok +cached +a\.ipynb", anew.text), anew.text


def test_excluded_notebooks_can_be_used_and_excluded_files_are_not_there(play, tmp_path):
    source = tmp_path / "source"
    unseen = "import os\nassert not os.path.exists('drafts/b.ipynb') and not os.path.exists('reports/index.html')"
    write_notebook(source / "a.ipynb", "%run helper.ipynb\nassert x == 1", unseen)
    write_notebook(source / "helper.ipynb", "x = 1")
    write_notebook(source / "drafts" / "b.ipynb", "assert False")
    given = {"source": str(source), "exclude": ["helper.ipynb", "drafts"], "report_dir": str(source / "reports")}
    played = play(**given)
    assert played.status == 0, played.text
    assert "changed=0" in play(**given).text
    write_notebook(source / "helper.ipynb", "x = 2")
    assert play(**given).status == 2


STEPS = ["Find out what each notebook needs", "Make the environments", "Run the notebooks", "Write the report"]


@pytest.mark.parametrize(("tag", "steps"), [("resolve", 1), ("build", 2), ("run", 3), ("report", 4)])
def test_tags_end_the_play_early(play, tmp_path, tag, steps):
    write_notebook(tmp_path / "source" / "a.ipynb", "1")
    played = play("--tags", tag, source=str(tmp_path / "source"))
    assert played.status == 0
    assert [step for step in STEPS if f": {step}" in played.text] == STEPS[:steps]


def test_values_as_a_survey_gives_them(play, tmp_path):
    write_notebook(tmp_path / "source" / "a.ipynb", "mode = 'x'", "assert mode == 'y'")
    extra = [
        "-e",
        "generate=true",
        "-e",
        "workers=1",
        "-e",
        "timeout=60",
        "-e",
        "rerun=always",
        "-e",
        "exclude=b*.ipynb,c.ipynb",
    ]
    played = play(f"-esource={tmp_path / 'source'}", *extra, "-e", '{"parameters": "{\\"mode\\": \\"y\\"}"}')
    assert (
        played.status == 2
    )  # no cell carries the tag parameters, so they stand first and the notebook overwrites them
    write_notebook(tmp_path / "source" / "a.ipynb", "assert mode == 'y'")
    write_notebook(tmp_path / "source" / "c.ipynb", "assert False")
    assert play(f"-esource={tmp_path / 'source'}", *extra, "-e", '{"parameters": "{\\"mode\\": \\"y\\"}"}').status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process_and_no_scratch(play, tmp_path, number):
    with tempfile.TemporaryDirectory(prefix="mlops-test-") as place:
        os.chmod(place, 0o755)
        started = Path(place) / "started"
        os.mkfifo(started)
        started.chmod(0o666)
        scratch = Path(place) / "scratch"
        scratch.mkdir()
        endless = f"import time\nopen({str(started)!r}, 'w').close()\nwhile True:\n    time.sleep(1)"
        write_notebook(tmp_path / "source" / "endless.ipynb", endless)
        environment = {**play.environment, "TMPDIR": str(scratch)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = play.command(source=str(tmp_path / "source"))
        with subprocess.Popen(command, cwd=play.work, env=environment, start_new_session=True, **quiet) as process:
            started.read_bytes()
            processes = [os.pidfd_open(pid) for pid in descendants(process.pid)]
            os.killpg(process.pid, number)
        assert len(processes) >= 3  # the module, the runner and the kernel at least
        assert all(ended(descriptor) for descriptor in processes)
        assert not list(scratch.glob("mlops-*"))
    assert not (play.work / "validation-report").exists()


def descendants(pid: int) -> list[int]:
    """The processes below a process, as the kernel knows them."""
    below = [
        int(child) for thread in Path(f"/proc/{pid}/task").glob("*/children") for child in thread.read_text().split()
    ]
    return below + [inner for child in below for inner in descendants(child)]


def ended(descriptor: int) -> bool:
    """Wait for the end of a process; a minute is far more than it needs."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    found = bool(poll.poll(60_000))
    os.close(descriptor)
    return found
