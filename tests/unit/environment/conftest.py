# SPDX-License-Identifier: GPL-3.0-or-later
"""Real installers, real tiny wheels, no network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wheels import RUNNER, make_wheel


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory):
    """A directory of wheels that stands for the index; what runs notebooks is in it in name only."""
    place = tmp_path_factory.mktemp("wheelhouse")
    for name, version in RUNNER.items():
        make_wheel(place, name, version)
    make_wheel(place, "alpha", "1.0")
    make_wheel(place, "alpha", "2.0")
    make_wheel(place, "beta", "1.0", requires=["alpha<2"])
    make_wheel(place, "hollow", "1.0", module=None)
    make_wheel(place, "modern", "1.0", python=">=3.99")
    return place


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """Make a Python with pip at a path; the first takes seconds to make, and all others are copies of it."""
    first = tmp_path_factory.mktemp("python") / "first"
    subprocess.run([sys.executable, "-m", "venv", first], check=True)
    return lambda place: shutil.copytree(first, place, symlinks=True)


@pytest.fixture
def lines(wheelhouse):
    """Make requirement lines that take their packages from the wheelhouse."""
    return lambda *names: ("--no-index", f"--find-links {wheelhouse}", *names)


@pytest.fixture
def cache_dir(monkeypatch, tmp_path):
    """A cache that the user of a run can reach, as pytest's own directories cannot be."""
    place = Path(tempfile.mkdtemp(prefix="mlops-notebooks-test-"))
    place.chmod(0o755)
    # uv's own cache of this test: what is installed can be looked at there too.
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    yield place
    shutil.rmtree(place)
