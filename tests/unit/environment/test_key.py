# SPDX-License-Identifier: GPL-3.0-or-later
"""Same key, same environment: what counts and what does not."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.key import content_key
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.lines import parse
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

BASE = {"path": "/usr/bin/python3", "version": "3.11.2"}


@pytest.fixture
def key(tmp_path):
    def make(*texts, base=None, recipe=1, runner=("pip",)):
        lines = tuple(line for text in texts if (line := parse(text, str(tmp_path))))
        return content_key("venv", recipe, base or BASE, lines, runner)

    return make


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["Pandas >=2, <3"], ["pandas<3,>=2  # the new one"]),
        (["a", "b"], ["b", "", "# note", "a", "a"]),
        (["scikit_learn[Alldeps,tests]"], ["scikit-learn[tests,alldeps]"]),
        (["x; python_version<'3.12'"], ['x ;python_version < "3.12"']),
        (["-i https://joe:old@host/simple"], ["--index-url=https://joe:new@host/simple"]),
        (["x @ https://joe:old@host/x-1.0.tar.gz"], ["x@ https://joe:new@host/x-1.0.tar.gz"]),
        (["git+https://joe:old@host/x.git@v1#egg=X"], ["-e git+https://joe:new@host/x.git@v1#egg=X"]),
        (["x==1 --hash=sha256:aa --hash=sha256:bb"], ["x==1 --hash=sha256:bb --hash=sha256:aa"]),
    ],
)
def test_what_means_the_same_has_one_key(key, one, other):
    assert key(*one) == key(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a"], ["b"]),
        (["a"], ["a[x]"]),
        (["a==1"], ["a==1.1"]),
        (["a"], ["a; python_version<'3.12'"]),
        (["--extra-index-url https://x/s", "--extra-index-url https://y/s"],
         ["--extra-index-url https://y/s", "--extra-index-url https://x/s"]),
        (["a"], ["a", "--pre"]),
        (["a==1 --hash=sha256:aa"], ["a==1"]),
        (["git+https://host/x.git@v1"], ["git+https://host/x.git@v2"]),
    ],
)  # fmt: skip
def test_what_differs_has_another_key(key, one, other):
    assert key(*one) != key(*other)


def test_interpreter_runner_and_recipe_count(key):
    keys = {key("a"), key("a", base={**BASE, "version": "3.12.0"}), key("a", recipe=2), key("a", runner=("pip", "x"))}
    assert len(keys) == 4


def test_files_count_by_their_content_through_all_levels(key, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "pins.txt").write_text("-c deep/more.txt\nnumpy==1\n")
    (tmp_path / "deep" / "more.txt").write_text("pandas==2\n-c ../pins.txt\n")
    (tmp_path / "x-1.0-py3-none-any.whl").write_bytes(b"one")
    lines = ("-c pins.txt", "x-1.0-py3-none-any.whl", "-f .")
    first = key(*lines)
    assert key(*lines) == first
    (tmp_path / "deep" / "more.txt").write_text("pandas==2.1\n-c ../pins.txt\n")
    second = key(*lines)
    assert second != first
    (tmp_path / "x-1.0-py3-none-any.whl").write_bytes(b"two")
    assert key(*lines) != second


def test_results_of_earlier_work_do_not_count(key, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "pyproject.toml").write_text("[project]\nname='t'\nversion='1'\n")
    first = key("./tree")
    for name in ("build/lib/t.py", ".git/HEAD", "__pycache__/t.pyc", "notes.ipynb", "t.egg-info/PKG-INFO"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x")
    assert key("./tree") == first
    assert key(f"t @ file://{tree}") != key(f"t @ file://{tmp_path}")
    (tree / "t.py").write_text("x")
    assert key("./tree") != first


@pytest.mark.parametrize(
    "text",
    ["pandas>=", "--user", "-r", "-e", "-r nowhere.txt", "./nowhere", "--pre yes", "x y", "-e 'a", "file:///nowhere/x"],
)
def test_what_no_installer_takes_is_refused_by_name(tmp_path, text):
    with pytest.raises(EngineError, match="cannot be installed") as caught:
        parse(text, str(tmp_path))
    assert caught.value.code == "requirements_invalid" and text in caught.value.message


def test_names_and_places_of_lines(tmp_path):
    (tmp_path / "lib").mkdir()
    found = [
        parse(text, str(tmp_path)) for text in ("Typing_Extensions>=4", "./lib[test]", "-elib", "x @ file:lib", "-rlib")
    ]
    assert [line.kind for line in found] == ["name", "path", "path", "path", "option"]
    assert [line.name for line in found] == ["typing-extensions", None, None, "x", None]
    assert [line.path for line in found] == [None, *4 * [str(tmp_path / "lib")]]
    assert found[1].text == f"{tmp_path}/lib[test]"
