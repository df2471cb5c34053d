# SPDX-License-Identifier: GPL-3.0-or-later
"""How uv and pip are called, and what they see of the caller's settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.installer import (
    Installer,
    choose_installer,
    find_uv,
    settings,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.lines import parse
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

UV = Installer("uv", "/usr/bin/uv")
PIP = Installer("pip")


def lines(*texts):
    return [parse(text, "/") for text in texts]


def test_no_password_is_on_a_command_line():
    secret = "https://joe:swordfish@host/simple"
    for installer in (UV, PIP):
        step = installer.steps(lines(f"-i {secret}", "--trusted-host host", "--pre", "a"), ("pip",))[0]
        assert secret in " ".join(step.lines)
        assert "swordfish" not in " ".join(installer.install("/env", "/tmp/r.txt", step.arguments))


def test_options_that_uv_reads_elsewhere_become_arguments():
    asked = lines("--pre", "--trusted-host h", "--prefer-binary", "--require-hashes", "a==1 --hash=sha256:aa")
    first, second = UV.steps(asked, ("pip",))
    assert first.arguments == ("--prerelease", "allow", "--allow-insecure-host", "h", "--require-hashes")
    assert first.lines == ("a==1 --hash=sha256:aa",)
    assert second.lines == ("a==1", "pip") and "--require-hashes" not in second.arguments
    first, second = PIP.steps(asked, ("pip",))
    assert first.lines == ("--pre", "--trusted-host h", "--prefer-binary", "a==1 --hash=sha256:aa")
    assert first.arguments == ("--require-hashes",) and second.lines == ("--pre", "a==1", "pip")


def test_the_callers_settings_count_but_none_that_leads_elsewhere(monkeypatch, tmp_path):
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "UV_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), "HTTPS_PROXY": "http://proxy", "PIP_TARGET": "/t", "PYTHONPATH": "/p",
                        "XDG_CONFIG_HOME": str(tmp_path)}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    _installer, seen = settings(UV, str(tmp_path), "/scratch")
    assert seen["HTTPS_PROXY"] == "http://proxy" and seen["TMPDIR"] == "/scratch"
    assert not {"PIP_TARGET", "PYTHONPATH", "VIRTUAL_ENV"} & set(seen)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_text("[global]\nindex-url = https://mirror/simple\n")
    assert settings(UV, str(tmp_path), "/s")[1]["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert "UV_DEFAULT_INDEX" not in settings(PIP, str(tmp_path), "/s")[1]
    monkeypatch.setenv("PIP_INDEX_URL", "https://other/simple")
    assert settings(UV, str(tmp_path), "/s")[1]["UV_DEFAULT_INDEX"] == "https://other/simple"
    monkeypatch.setenv("UV_INDEX", "https://own/simple")
    assert "UV_DEFAULT_INDEX" not in settings(UV, str(tmp_path), "/s")[1]


@pytest.mark.parametrize("home", [None, "/", "/proc/nowhere"])
def test_a_cache_is_found_where_there_is_no_home(monkeypatch, tmp_path, home):
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.delenv("PIP_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", home) if home else monkeypatch.delenv("HOME")
    _installer, seen = settings(UV, str(tmp_path), "/scratch")
    assert seen["UV_CACHE_DIR"].startswith(str(tmp_path)) and seen["PIP_CACHE_DIR"].startswith(str(tmp_path))
    assert seen["HOME"] == "/scratch"


@pytest.mark.skipif(os.geteuid() != 0, reason="links are for root only")
def test_links_are_made_only_into_a_cache_of_root(monkeypatch, tmp_path):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    assert settings(UV, str(tmp_path), "/s")[0].link == "hardlink"
    os.chown(tmp_path, 1000, 0)
    assert settings(UV, str(tmp_path), "/s")[0].link == "copy"


def test_uv_is_taken_where_it_is_and_pip_elsewhere(monkeypatch, tmp_path):
    fake = tmp_path / "uv"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_installer("auto").uv == str(fake) and choose_installer("pip").uv is None
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert Path(find_uv()) == fake, "beside the interpreter"
    fake.unlink()
    monkeypatch.setitem(sys.modules, "uv", None)
    assert choose_installer("auto") == PIP
    with pytest.raises(EngineError, match="uv is not installed"):
        choose_installer("uv")
