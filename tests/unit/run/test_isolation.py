# SPDX-License-Identifier: GPL-3.0-or-later
"""A notebook sees its own copy, its own home and no variable that is not its; it holds no privilege."""

from __future__ import annotations

import ast
import json
import os
import sys

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.discover import excluder
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run import identity, workspace
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.process import program_source, run_all
from run_support import DROPPING, executed, needs_root, text

LOOK = """
import getpass, json, os, pathlib, stat, subprocess, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
pathlib.Path("~/written").expanduser().write_text("home")
print(json.dumps({
    "environ": dict(os.environ), "cwd": os.getcwd(), "uid": os.getuid(), "gid": os.getgid(),
    "groups": os.getgroups(), "user": getpass.getuser(), "prefix": sys.prefix,
    "status": {name: status[name].strip() for name in ("CapEff", "CapPrm", "CapAmb", "NoNewPrivs")},
    "umask": stat.S_IMODE(os.stat(os.environ["HOME"] + "/written").st_mode),
    "shell": subprocess.run(["python", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True).stdout,
}))
"""
PRY = """
import json, os
scratch = os.path.dirname(os.path.dirname(os.environ["HOME"]))
seen = []
for number in range(1, 9):
    for place in ("work", "home", "sockets", "output", "kernel.log"):
        path = f"{scratch}/r{number}/{place}"
        if not path.startswith(os.path.dirname(os.environ["HOME"])) or place in ("output", "kernel.log"):
            seen += [path] if os.access(path, os.R_OK) or os.access(path, os.W_OK) else []
print(json.dumps(seen))
"""
DESTROY = """
import os, shutil
for name in os.listdir("."):
    shutil.rmtree(name) if os.path.isdir(name) else os.remove(name)
"""
CLOSE = """
import os
os.makedirs("deep/deeper")
open("deep/deeper/file", "w").close()
os.chmod("deep/deeper", 0)
os.chmod("deep", 0)
"""


@pytest.fixture
def seen(bench, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "must-not-leak")
    (bench.source / "data").mkdir()
    named = {"NAMED": "handed in"}
    [result] = run_all([bench.request("sub/look", LOOK, environment=named)], workers=1, scratch=str(bench.scratch))
    return result, json.loads(text(executed(result)[0]))


def test_only_named_variables_reach_the_notebook(seen):
    _unused, found = seen
    environ = found["environ"]
    assert environ["NAMED"] == "handed in" and "SECRET_TOKEN" not in environ
    assert environ["LANG"] == "C.UTF-8" and environ["PATH"].startswith(found["prefix"] + "/bin:")
    assert found["shell"].strip() == found["prefix"]


def test_home_and_caches_lie_in_scratch_that_is_gone_afterwards(bench, seen):
    _unused, found = seen
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        assert found["environ"][name].startswith(str(bench.scratch))
    assert found["cwd"].startswith(str(bench.scratch)) and found["cwd"].endswith("/sub")
    assert list(bench.scratch.iterdir()) == []


def test_the_user_of_a_run(seen):
    result, found = seen
    assert found["user"] == "notebook"
    assert found["umask"] == 0o644
    assert found["status"]["NoNewPrivs"] == "1"
    if DROPPING:
        assert found["uid"] == result.uid >= 1_000_000_000
        assert (found["gid"], found["groups"]) == (0, [])
        assert {int(found["status"][name], 16) for name in ("CapEff", "CapPrm", "CapAmb")} == {0}
    else:
        assert (result.uid, found["uid"]) == (None, os.getuid())


def test_a_notebook_cannot_hurt_the_source_nor_stop_the_clean_up(bench):
    (bench.source / "keep.txt").write_text("keep")
    requests = [bench.request("destroys", DESTROY), bench.request("closes", CLOSE)]
    results = run_all(requests, workers=1, scratch=str(bench.scratch))
    assert [result.reason for result in results] == ["completed", "completed"]
    assert (bench.source / "keep.txt").read_text() == "keep"
    assert sorted(path.name for path in bench.source.iterdir()) == ["closes.ipynb", "destroys.ipynb", "keep.txt"]
    assert list(bench.scratch.iterdir()) == []


@needs_root
def test_a_notebook_cannot_reach_its_runner_nor_another_notebook(bench):
    requests = [bench.request("first", PRY), bench.request("second", PRY)]
    for result in run_all(requests, workers=2, scratch=str(bench.scratch)):
        assert json.loads(text(executed(result)[0])) == []


def test_the_copy_leaves_out_what_is_no_source(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for name in (
        ".git/config",
        "venv/pyvenv.cfg",
        "pkg/__pycache__/a.pyc",
        "pkg/a.py",
        "reports/old",
        ".env/kept",
        "a/big.csv",
        "a/b.py",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "link").symlink_to("pkg/a.py")
    (source / "loop").symlink_to("loop")
    os.mkfifo(source / "pipe")
    target.mkdir()
    places = frozenset({os.path.realpath(source / "reports")})
    workspace.copy_tree(str(source), str(target), identity.Identity(), places, excluder(["a/*.csv"]))
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir())
    assert found == [".env/kept", "a/b.py", "link", "loop", "pkg/a.py"]
    assert os.readlink(target / "link") == "pkg/a.py" and (target / "link").read_text() == "pkg/a.py"


def test_removing_follows_no_link(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    (tmp_path / "gone" / "inner").mkdir(parents=True)
    (tmp_path / "gone" / "inner" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "gone" / "inner").chmod(0)
    workspace.remove_tree(str(tmp_path / "gone"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").read_text() == "kept"


def test_a_closed_directory_is_named(tmp_path):
    (tmp_path / "closed" / "bin").mkdir(parents=True)
    (tmp_path / "closed" / "bin" / "python").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "closed" / "bin" / "python")
    for directory in (tmp_path, *tmp_path.parents):
        if not os.stat(directory).st_mode & 0o011:
            assert identity.closed_directory(str(tmp_path / "link")) is not None
            return
    (tmp_path / "closed").chmod(0o700)
    assert identity.closed_directory(str(tmp_path / "link")) == str(tmp_path / "closed")


def test_new_users_are_in_nobodys_use(monkeypatch):
    monkeypatch.setattr(identity, "_mapped_range", lambda: (5000, 5003))
    monkeypatch.setattr(identity, "live_uids", lambda: {5001})
    identities = identity.Identities()
    assert {identities.number(), identities.number()} == {5000, 5002}


@pytest.mark.parametrize(
    ("uid_map", "expected"),
    [("0 0 4294967295\n", (1_000_000_000, 2_000_000_000)), ("0 1000 1\n1 100000 65536\n", (32769, 65537))],
)
def test_users_are_taken_from_those_that_exist(monkeypatch, tmp_path, uid_map, expected):
    (tmp_path / "map").write_text(uid_map)
    monkeypatch.setattr(identity, "UID_MAP", str(tmp_path / "map"))
    assert identity._mapped_range() == expected


def test_the_program_stands_alone_on_python_3_9():
    tree = ast.parse(program_source(), feature_version=(3, 9))
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {name.name for node in imports if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module for node in imports if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)
