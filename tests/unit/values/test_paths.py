# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cache is for somebody whose home cannot be written; tests/playbooks/test_runner.py has a play there."""

from __future__ import annotations

import os
import tempfile

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.paths import (
    cache_warning,
    default_cache_dir,
)

ME = os.geteuid() or 12345


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The directory among the temporary files, made by nobody yet, of a user without a home."""
    monkeypatch.delenv("MLOPS_NOTEBOOKS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: ME)
    return tmp_path / f"mlops.notebooks-{ME}"


def give(place, mode: int) -> None:
    place.mkdir()
    place.chmod(mode)
    if os.getuid() == 0:
        os.chown(place, ME, ME)


def test_a_directory_of_the_user_alone_is_taken_and_warned_of(place):
    give(place, 0o700)
    assert default_cache_dir() == str(place)
    assert str(place) in cache_warning(str(place)) and "MLOPS_NOTEBOOKS_CACHE" in cache_warning(str(place))


def test_a_home_that_nobody_knows_is_no_directory_of_that_name(place, monkeypatch):
    give(place, 0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", "~/.cache")
    assert default_cache_dir() == str(place)


def test_one_that_others_can_write_to_is_refused(place):
    give(place, 0o770)
    with pytest.raises(EngineError, match="not of this user alone"):
        default_cache_dir()


def test_a_link_that_others_have_planted_is_refused(place, tmp_path):
    give(tmp_path / "elsewhere", 0o700)
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="not of this user alone"):
        default_cache_dir()


def test_a_cache_that_can_be_written_is_no_matter(place, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_cache_dir() == str(tmp_path / "cache" / "mlops.notebooks")
    assert cache_warning(default_cache_dir()) == "" and not place.exists()
