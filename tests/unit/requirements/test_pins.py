# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions for lines that have none, from an environment and from an index (a directory of wheels stands in for it)."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements import pins
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Provenance, Resolution


def resolution(*lines: tuple[str, str]) -> Resolution:
    """Return a resolution of (tier, line) pairs."""
    provenance = tuple(Provenance(line, tier, "import x") for tier, line in lines)
    return Resolution("a.ipynb", "generated", tuple(line for _unused, line in lines), provenance)


def wheel(directory: Path, name: str, version: str, *requires: str) -> None:
    """Write an empty wheel."""
    info = f"{name}-{version}.dist-info"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {item}" for item in requires),
    ]
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture(name="index", params=["uv", "pip"])
def _index(request, tmp_path, monkeypatch):
    """Make installers see one directory of wheels only; run for uv and for pip."""
    links = tmp_path / "links"
    links.mkdir()
    wheel(links, "alpha", "1.0")
    wheel(links, "alpha", "2.0")
    wheel(links, "beta", "3.0", "alpha<2")
    for tool in ("UV", "PIP"):
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(links))
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
    # uv has no variable for "no index".
    monkeypatch.setenv("UV_DEFAULT_INDEX", str(links))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if request.param == "uv" and not uv:
        pytest.skip("uv is not installed")
    tools = tmp_path / "bin"
    tools.mkdir()
    if request.param == "uv":
        (tools / "uv").symlink_to(uv)
    monkeypatch.setenv("PATH", str(tools))
    return tmp_path


class TestEnvironment:
    def test_installed_versions_go_to_generated_and_inline_lines_without_one(self, tmp_path):
        given = resolution(
            ("generated", "PyTest"),
            ("inline", "pytest [x] ; os_name == 'nt'"),
            ("declared", "packaging"),
            ("inline", "packaging>1"),
        )
        (pinned,) = pins.apply([given], tmp_path, "environment", None)
        version = metadata.version("pytest")
        assert pinned.requirements == (
            f"PyTest=={version}",
            "pytest [x] ; os_name == 'nt'",
            "packaging",
            "packaging>1",
        )
        assert pinned.provenance[0].requirement == f"PyTest=={version}"
        assert pinned.warnings == ()

    def test_what_is_not_installed_stays_and_is_said(self, tmp_path):
        (pinned,) = pins.apply([resolution(("generated", "no-such-dist"))], tmp_path, "environment", sys.executable)
        assert pinned.requirements == ("no-such-dist",)
        assert pinned.warnings[0].startswith("`no-such-dist` stays without a version: it is not installed for")

    def test_an_interpreter_that_is_none_is_named(self, tmp_path):
        with pytest.raises(EngineError, match="/bin/false does not answer as a Python interpreter"):
            pins.apply([resolution(("generated", "x"))], tmp_path, "environment", "/bin/false")


class TestIndex:
    def test_all_lines_of_a_notebook_are_resolved_together(self, index):
        given = [
            resolution(("generated", "Alpha"), ("generated", "beta ; python_version > '3'")),
            resolution(("inline", "alpha")),
        ]
        first, second = pins.apply(given, index, "index", sys.executable)
        assert first.requirements == ("Alpha==1.0", "beta==3.0 ; python_version > '3'")
        assert second.requirements == ("alpha==2.0",)

    def test_paths_count_from_the_root(self, index):
        (index / "src").mkdir()
        (index / "src" / "limits.txt").write_text("alpha<1.5\n")
        given = resolution(("declared", "--constraint src/limits.txt"), ("generated", "alpha"))
        (pinned,) = pins.apply([given], index, "index", sys.executable)
        assert pinned.requirements == ("--constraint src/limits.txt", "alpha==1.0")

    def test_what_the_index_does_not_have_is_a_short_failure(self, index):
        with pytest.raises(EngineError, match="The index cannot resolve what a.ipynb needs: .*gamma") as error:
            pins.apply([resolution(("generated", "gamma"))], index, "index", sys.executable)
        assert error.value.code == "dependency_install_failed"
        assert len(error.value.message) < 700

    def test_an_interpreter_that_cannot_be_started_is_named(self, index):
        if (index / "bin" / "uv").exists():
            pytest.skip("uv starts, and says so itself")
        with pytest.raises(EngineError, match="^/no/such/python cannot be started"):
            pins.apply([resolution(("generated", "alpha"))], index, "index", "/no/such/python")

    def test_nothing_to_pin_asks_nobody(self, index):
        given = [resolution(("declared", "gamma"), ("inline", "gamma>=1")), resolution()]
        assert pins.apply(given, index, "index", "/no/such/python") == given


def test_none_changes_nothing(tmp_path):
    given = [resolution(("generated", "x"))]
    assert pins.apply(given, tmp_path, "none", None) == given
