# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the notebooks of a source tree."""

from __future__ import annotations

import os

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.discover import find
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

ODD_NAMES = ["-dash.ipynb", "a b.ipynb", "d'oh\"q.ipynb", "größe ✓.ipynb", "data[1].ipynb", "new\nline.ipynb"]


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    touch(root, "a.ipynb", "b.txt", "sub/b.ipynb", "sub/deep/c.ipynb", "other/d.ipynb")
    return root


class TestDefault:
    def test_every_notebook_sorted(self, tree):
        assert find(tree, None) == ["a.ipynb", "other/d.ipynb", "sub/b.ipynb", "sub/deep/c.ipynb"]
        assert find(tree, []) == find(tree, None)

    def test_what_is_no_part_of_the_source_is_left_out(self, tree):
        touch(
            tree,
            ".ipynb_checkpoints/a-checkpoint.ipynb",
            "sub/.ipynb_checkpoints/b.ipynb",
            ".git/x.ipynb",
            "node_modules/x.ipynb",
            "env/pyvenv.cfg",
            "env/x.ipynb",
            "conda/conda-meta/history",
            "conda/x.ipynb",
            "lib/site-packages/x.ipynb",
        )
        assert find(tree, None) == ["a.ipynb", "other/d.ipynb", "sub/b.ipynb", "sub/deep/c.ipynb"]

    def test_exclusions(self, tree):
        assert find(tree, None, ["sub"]) == ["a.ipynb", "other/d.ipynb"]
        assert find(tree, None, ["sub/*.ipynb"]) == ["a.ipynb", "other/d.ipynb", "sub/deep/c.ipynb"]
        assert find(tree, None, ["c.ipynb", "a.*"]) == ["other/d.ipynb", "sub/b.ipynb"]
        assert find(tree, None, ["**/deep/**"]) == ["a.ipynb", "other/d.ipynb", "sub/b.ipynb"]

    def test_a_directory_named_like_a_notebook_is_none(self, tree):
        (tree / "dir.ipynb").mkdir()
        touch(tree, "dir.ipynb/e.ipynb")
        assert "dir.ipynb" not in find(tree, None)


class TestPatterns:
    @pytest.mark.parametrize(
        ("patterns", "found"),
        [
            (["a.ipynb"], ["a.ipynb"]),
            (["./sub//b.ipynb", "a.ipynb", "a.ipynb"], ["a.ipynb", "sub/b.ipynb"]),
            (["sub/../a.ipynb"], ["a.ipynb"]),
            (["*.ipynb"], ["a.ipynb"]),
            (["sub/*"], ["sub/b.ipynb"]),
            (["sub/**"], ["sub/b.ipynb", "sub/deep/c.ipynb"]),
            (["**/*.ipynb"], ["a.ipynb", "other/d.ipynb", "sub/b.ipynb", "sub/deep/c.ipynb"]),
            (["*/[bd].ipynb"], ["other/d.ipynb", "sub/b.ipynb"]),
            (["*/[!b].ipynb"], ["other/d.ipynb"]),
            (["?.ipynb"], ["a.ipynb"]),
        ],
    )
    def test_paths_and_globs(self, tree, patterns, found):
        assert find(tree, patterns) == found

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names_are_names(self, tmp_path, name):
        touch(tmp_path, name)
        assert find(tmp_path, [name]) == [name]
        assert find(tmp_path, None) == [name]

    def test_an_absolute_path_inside_the_tree(self, tree):
        assert find(tree, [str(tree / "sub/b.ipynb")]) == ["sub/b.ipynb"]

    def test_a_hidden_directory_that_is_named(self, tree):
        touch(tree, ".hidden/x.ipynb")
        assert find(tree, [".hidden/*.ipynb"]) == [".hidden/x.ipynb"]


class TestLinks:
    def test_a_loop_of_directories_ends(self, tree):
        (tree / "sub/loop").symlink_to(tree, target_is_directory=True)
        (tree / "self").symlink_to("self")
        assert find(tree, None) == ["a.ipynb", "other/d.ipynb", "sub/b.ipynb", "sub/deep/c.ipynb"]

    def test_a_link_inside_the_tree_is_a_notebook(self, tree):
        (tree / "link.ipynb").symlink_to("sub/b.ipynb")
        assert "link.ipynb" in find(tree, None)
        assert find(tree, ["link.ipynb"]) == ["link.ipynb"]

    def test_a_link_out_of_the_tree_is_skipped_or_refused(self, tree, tmp_path):
        touch(tmp_path, "outside.ipynb")
        (tree / "link.ipynb").symlink_to(tmp_path / "outside.ipynb")
        assert "link.ipynb" not in find(tree, None)
        with pytest.raises(EngineError, match="leaves the directory"):
            find(tree, ["link.ipynb"])

    def test_a_link_to_itself_that_is_named(self, tree):
        (tree / "x.ipynb").symlink_to("x.ipynb")
        with pytest.raises(EngineError, match="leads to itself or to nothing"):
            find(tree, ["x.ipynb"])


class TestRefusals:
    @pytest.mark.parametrize(
        ("pattern", "reason"),
        [
            ("gone.ipynb", "There is no notebook 'gone.ipynb'"),
            ("gone/*.ipynb", "No notebook in .* matches"),
            ("../x.ipynb", "leaves the directory"),
            ("sub/../../x.ipynb", "leaves the directory"),
            ("/etc/x.ipynb", "leaves the directory"),
            ("../*.ipynb", "leaves the directory"),
            ("sub", "'sub' is a directory, not a notebook"),
            (".", "is a directory, not a notebook"),
            ("", "path is empty"),
            ("a\0b", "NUL"),
        ],
    )
    def test_a_bad_pattern_is_answered_by_one_sentence(self, tree, pattern, reason):
        with pytest.raises(EngineError, match=reason) as error:
            find(tree, [pattern])
        assert "\n" not in error.value.message

    def test_no_such_directory(self, tmp_path):
        with pytest.raises(EngineError, match="There is no directory"):
            find(tmp_path / "gone", None)

    def test_a_file_in_place_of_the_directory(self, tree):
        with pytest.raises(EngineError, match="is not a directory"):
            find(tree / "a.ipynb", None)

    def test_a_directory_without_notebooks(self, tmp_path):
        with pytest.raises(EngineError, match="There is no notebook"):
            find(tmp_path, None)

    def test_everything_excluded(self, tree):
        with pytest.raises(EngineError, match="is excluded"):
            find(tree, None, ["*"])
        with pytest.raises(EngineError, match="exclusion is empty"):
            find(tree, None, [""])

    def test_a_pipe_is_no_notebook(self, tree):
        os.mkfifo(tree / "pipe.ipynb")
        assert "pipe.ipynb" not in find(tree, None)
        with pytest.raises(EngineError, match="not a regular file"):
            find(tree, ["pipe.ipynb"])

    def test_a_name_that_is_not_utf_8(self, tmp_path):
        with open(os.fsencode(tmp_path) + b"/\xff.ipynb", "w"):
            pass
        with pytest.raises(EngineError, match="not UTF-8: rename it"):
            find(tmp_path, None)
