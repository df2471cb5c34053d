# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as files: the same bytes for the same verdicts, and no harm to what is not ours."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import samples
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report import pages
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.contents import read_verdicts, slug
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.write import write
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError


def tree(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stamps(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def test_writes_every_format_and_says_where(verdicts, target):
    result = write(verdicts, target)
    assert result["changed"]
    assert result["paths"] == {
        "json": str(target / "report.json"),
        "junit": str(target / "junit.xml"),
        "html": str(target / "index.html"),
    }
    assert all(Path(path).is_file() for path in result["paths"].values())
    document = json.loads((target / "report.json").read_text(encoding="utf-8"))
    for verdict in document["verdicts"]:
        assert (target / verdict["page"]).is_file()
        assert verdict["executed"] is None or (target / verdict["executed"]).is_file()


def test_a_second_report_of_the_same_work_touches_nothing(verdicts, target):
    write(verdicts, target)
    before = stamps(target)
    cached = [replace(verdict, cached=True, environment_cached=True) for verdict in verdicts]
    result = write(cached, target)
    assert not result["changed"]
    assert result["diff"]["before"] == result["diff"]["after"]
    assert stamps(target) == before


def test_the_same_verdicts_give_the_same_bytes_anywhere_and_in_any_order(verdicts, target, tmp_path):
    write(verdicts, target, source=samples.SOURCE)
    write(verdicts[::-1], tmp_path / "elsewhere", source=samples.SOURCE)
    assert tree(target) == tree(tmp_path / "elsewhere")


def test_only_the_pages_of_what_changed_are_written_again(verdicts, target):
    write(verdicts, target)
    before = stamps(target)
    changed = [
        replace(verdict, duration=99.0) if verdict.notebook == "units/conversion.ipynb" else verdict
        for verdict in verdicts
    ]
    assert write(changed, target)["changed"]
    touched = {name for name, stamp in stamps(target).items() if stamp != before[name]}
    page = f"notebooks/{slug('units/conversion.ipynb')}.html"
    assert touched == {"index.html", "report.json", "junit.xml", page, ".notebook_report.json"}


def test_a_report_that_somebody_damaged_is_made_whole(verdicts, target):
    write(verdicts, target)
    whole = tree(target)
    (target / "index.html").write_text("gone")
    next((target / "notebooks").glob("*.html")).unlink()
    assert write(verdicts, target)["changed"]
    assert tree(target) == whole


def test_pages_of_notebooks_that_are_gone_are_removed_and_files_of_others_stay(verdicts, target):
    write(verdicts, target)
    (target / "notebooks" / "mine.html").write_text("mine")
    (target / "notes.txt").write_text("notes")
    write(verdicts[:1], target)
    page = slug("sales/forecast.ipynb")
    assert set(tree(target)) == {
        ".notebook_report.json",
        "index.html",
        "junit.xml",
        "report.json",
        "notes.txt",
        "notebooks/mine.html",
        f"notebooks/{page}.html",
        f"notebooks/{page}.ipynb",
    }


def test_formats_that_are_wanted_no_longer_are_removed(verdicts, target):
    write(verdicts, target)
    write(verdicts, target, formats=["junit"])
    assert set(tree(target)) == {".notebook_report.json", "junit.xml"}
    assert not (target / "notebooks").exists()


def test_a_file_that_no_report_wrote_is_not_replaced(verdicts, target):
    target.mkdir()
    (target / "index.html").write_text("my home page")
    with pytest.raises(EngineError, match="index.html was not written by a report"):
        write(verdicts, target)
    assert tree(target).keys() == {"index.html"}
    assert (target / "index.html").read_text() == "my home page"


def test_a_manifest_that_somebody_altered_removes_nothing_else(verdicts, target, tmp_path):
    precious = tmp_path / "precious.html"
    precious.write_text("precious")
    write(verdicts, target)
    manifest = json.loads((target / ".notebook_report.json").read_text())
    facts = {"sha256": "", "made_from": ""}
    manifest["files"] |= {"../precious.html": facts, "notebooks/../../precious.html": facts, str(precious): facts}
    (target / ".notebook_report.json").write_text(json.dumps(manifest))
    write(verdicts[:2], target)
    assert precious.read_text() == "precious"


def test_a_manifest_that_is_no_manifest_makes_nothing_ours(verdicts, target):
    write(verdicts, target, formats=["json"])
    (target / ".notebook_report.json").write_text("[1, 2")
    with pytest.raises(EngineError, match="report.json was not written by a report"):
        write(verdicts[:1], target, formats=["json"])


def test_a_report_that_was_cut_short_is_finished_by_the_next(verdicts, target, monkeypatch):
    def interrupted(site, *_of):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pages.Site, "index", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(verdicts, target)
    assert not (target / "index.html").exists()
    write(verdicts, target)
    whole = target.with_name("whole")
    write(verdicts, whole)
    assert tree(target) == tree(whole)


def test_check_mode_says_what_would_happen_and_writes_nothing(verdicts, target):
    result = write(verdicts, target, check=True)
    assert result["changed"] and not target.exists()
    assert "failed sales/monthly-summary.ipynb: cell_error (cell 3)" in result["diff"]["after"]
    write(verdicts, target)
    assert not write(verdicts, target, check=True)["changed"]


def test_the_diff_shows_which_notebook_changed_its_status(verdicts, target):
    write(verdicts, target)
    mended = [samples.passing(verdict.notebook) if verdict.code == "cell_error" else verdict for verdict in verdicts]
    diff = write(mended, target)["diff"]
    assert "failed sales/monthly-summary.ipynb" in diff["before"]
    assert "succeeded sales/monthly-summary.ipynb" in diff["after"]


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/dev/null")], ids=["file", "link"])
def test_a_report_dir_that_is_no_directory_is_refused(verdicts, target, make):
    make(target)
    with pytest.raises(EngineError, match="reports is not a directory: choose another report_dir"):
        write(verdicts, target)


def test_notebooks_that_lead_elsewhere_are_refused(verdicts, target, tmp_path):
    target.mkdir()
    (tmp_path / "other").mkdir()
    (target / "notebooks").symlink_to(tmp_path / "other")
    with pytest.raises(EngineError, match="symbolic link"):
        write(verdicts, target)
    assert not list((tmp_path / "other").iterdir())


def test_a_directory_that_cannot_be_made_is_said_in_one_sentence(verdicts, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match=r"cannot be written to .*file/reports"):
        write(verdicts, tmp_path / "file" / "reports")


def test_a_full_disk_leaves_no_half_file(verdicts, target, monkeypatch):
    def full(*_unused):
        raise OSError(28, "No space left on device", str(target / "index.html"))

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(EngineError, match="No space left on device"):
        write(verdicts, target, formats=["json"])
    assert tree(target) == {}


def test_without_nbconvert_one_sentence_says_what_to_install(verdicts, target, monkeypatch):
    monkeypatch.setattr(pages.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="pip install nbconvert"):
        write(verdicts, target)
    assert not target.exists()
    assert write(verdicts, target, formats=["json", "junit"])["changed"]


def test_an_unknown_format_is_refused(verdicts, target):
    with pytest.raises(EngineError, match="no report format pdf"):
        write(verdicts, target, formats=["pdf"])


def test_the_second_report_of_the_same_work_imports_no_renderer(target, tmp_path, verdicts):
    write(verdicts, target)
    (tmp_path / "verdicts.json").write_text(json.dumps([verdict.as_dict() for verdict in verdicts]))
    program = (
        "import json, sys\n"
        "from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report import contents, write\n"
        f"verdicts = contents.read_verdicts(json.load(open({str(tmp_path / 'verdicts.json')!r})))\n"
        f"assert not write.write(verdicts, {str(target)!r})['changed']\n"
        "print([name for name in ('nbconvert', 'jinja2', 'bleach') if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "notebook",
    [
        "../../etc/passwd.ipynb",
        "a b/ü ☃.ipynb",
        "-rf.ipynb",
        "'; quote\".ipynb",
        ".ipynb",
        "A/b.ipynb",
        "a/b.ipynb",
        "x" * 300 + ".ipynb",
    ],
)
def test_any_notebook_name_becomes_a_file_within_the_report(target, notebook):
    write([samples.passing(notebook)], target)
    (page,) = (target / "notebooks").iterdir()
    assert page.suffix == ".html" and page.name[0].isalnum() and len(page.name) < 120


def test_paths_that_look_alike_keep_their_own_pages(target):
    names = ["a/b.ipynb", "a-b.ipynb", "A/b.ipynb", "a b.ipynb", "a/b.ipynb"]
    write([samples.passing(name) for name in names], target)
    assert len({path.name.lower() for path in (target / "notebooks").iterdir()}) == len(names)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"notebook": "a.ipynb"},
        {"notebook": "a.ipynb", "status": "perhaps"},
        {"notebook": "a.ipynb", "status": "failed", "cells": ["x"]},
        {"notebook": "a.ipynb", "status": "failed", "duration": "long"},
        {"notebook": 5, "status": "failed"},
        {"notebook": "", "status": "failed"},
    ],
)
def test_what_is_no_verdict_is_refused_with_its_number(item):
    with pytest.raises(EngineError, match=r"verdicts\[1\] is no verdict"):
        read_verdicts([samples.passing("a.ipynb").as_dict(), item])


def test_verdicts_survive_the_way_through_a_playbook(verdicts):
    assert read_verdicts(json.loads(json.dumps([verdict.as_dict() for verdict in verdicts]))) == tuple(verdicts)
