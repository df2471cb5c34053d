# SPDX-License-Identifier: GPL-3.0-or-later
"""uv and pip as means to fill a virtual environment: their commands, and what they may see of the caller's settings."""

from __future__ import annotations

import configparser
import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..values.errors import EngineError
from .lines import Line

# Would send packages elsewhere than into the environment that is being made.
_HIDDEN = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER",
           "PIP_PYTHON", "PIP_DRY_RUN", "PIP_REQUIREMENT", "PIP_REQUIRE_VIRTUALENV", "UV_PYTHON", "UV_SYSTEM_PYTHON",
           "UV_PROJECT_ENVIRONMENT", "UV_TARGET", "UV_PREFIX", "UV_LINK_MODE", "UV_NO_COLOR")  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One call of an installer: arguments beside the requirements file, and the lines of that file."""

    arguments: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Installer:
    """name: ``uv`` or ``pip``. uv: path of its executable. link: how uv puts files into an environment."""

    name: str
    uv: str | None = None
    link: str = "copy"

    def create(self, python: str, path: str) -> list[str]:
        """Return the command that makes an empty virtual environment."""
        if self.uv:
            return [self.uv, "venv", "--quiet", "--no-project", "--python", python, path]
        return [python, "-I", "-m", "venv", path]

    def install(self, path: str, requirements: str, arguments: Sequence[str] = ()) -> list[str]:
        """Return the command that installs a requirements file."""
        python = os.path.join(path, "bin", "python")
        if self.uv:
            return [self.uv, "pip", "install", "--color", "never", "--no-progress", "--link-mode", self.link,
                    "--python", python, *arguments, "-r", requirements]  # fmt: skip
        return [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-color", "--no-compile",
                "--progress-bar", "off", *arguments, "-r", requirements]  # fmt: skip

    def steps(self, lines: Sequence[Line], runner: Sequence[str]) -> list[Step]:
        """Return the calls that install the lines together with the runner's.

        One call, so that the installer explains a contradiction between them; two where the lines carry hashes, since
        then every line of a call needs one.
        """
        arguments = tuple(argument for line in lines for argument in self._arguments(line))
        texts = [(line, text) for line in lines if (text := self._text(line))]
        whole = tuple(" ".join((text, *(f"--hash={value}" for value in line.hashes))) for line, text in texts)
        if not any(line.hashes or line.option == "--require-hashes" for line in lines):
            return [Step(arguments, (*whole, *runner))]
        still = tuple(text for line, text in texts if line.kind == "name" or line.option in _STILL_HOLD)
        return [Step(arguments, whole), Step(tuple(a for a in arguments if a != "--require-hashes"), (*still, *runner))]

    def _text(self, line: Line) -> str:
        """Return the line as it stands in a requirements file, nothing where it is an argument."""
        hashed = line.option == "--require-hashes"
        return "" if hashed or (self.uv and line.option in _NOT_IN_UV_FILES) else line.text

    def _arguments(self, line: Line) -> tuple[str, ...]:
        """Return the arguments for what does not stand in a requirements file."""
        if line.option == "--require-hashes":
            return ("--require-hashes",)
        if self.uv and line.option == "--pre":
            return ("--prerelease", "allow")
        return ("--allow-insecure-host", line.value) if self.uv and line.option == "--trusted-host" else ()


_NOT_IN_UV_FILES = {"--pre", "--prefer-binary", "--trusted-host", "--use-feature"}
# What a second call needs of the first one's lines.
_STILL_HOLD = {"--index-url", "--extra-index-url", "--find-links", "--no-index", "--constraint", "--pre"}


def choose_installer(name: str) -> Installer:
    """Return uv where it is, else pip; or the one named. Raises EngineError where uv is wanted and absent."""
    uv = find_uv() if name in ("auto", "uv") else None
    if uv:
        return Installer("uv", uv)
    if name == "uv":
        raise EngineError(
            "uv is not installed here: install it (pip install uv), or choose installer: pip.",
            code="environment_setup_failed",
        )
    return Installer("pip")


def find_uv() -> str | None:
    """Return the path of uv: on PATH, beside this Python, or from the distribution of that name."""
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    found = shutil.which("uv") or (beside if os.access(beside, os.X_OK) else None)
    if not found:
        with contextlib.suppress(ImportError, FileNotFoundError):
            import uv

            found = uv.find_uv_bin()
    return found


def settings(installer: Installer, cache_dir: str, scratch: str) -> tuple[Installer, dict]:
    """Return the installer and the environment variables to start it with.

    The caller's proxies, certificates, indexes and caches count, as they do on the command line; what would lead packages
    elsewhere does not. Temporary files go to scratch, which is removed whatever happens.
    """
    variables = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    variables["TMPDIR"] = scratch
    home = variables.get("HOME")
    if not home or home == "/" or not os.access(home, os.W_OK):
        # Neither tool starts without a place for its cache.
        kept = os.path.join(cache_dir, "installer")
        variables["HOME"] = scratch
        variables.setdefault("UV_CACHE_DIR", os.path.join(kept, "uv"))
        variables.setdefault("PIP_CACHE_DIR", os.path.join(kept, "pip"))
    if installer.uv and not any(name in variables for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX")):
        index = _pip_index(variables)
        if index:
            variables["UV_DEFAULT_INDEX"] = index
    return replace(installer, link=_link_mode(variables)), variables


def _pip_index(variables: dict) -> str | None:
    """Return the index that pip is set to: who has a mirror has mostly told pip only (pip's "Configuration" page)."""
    if variables.get("PIP_INDEX_URL"):
        return variables["PIP_INDEX_URL"]
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    files = ["/etc/pip.conf", os.path.expanduser("~/.pip/pip.conf"), os.path.join(config, "pip", "pip.conf")]
    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError):
        parser.read([*files, variables.get("PIP_CONFIG_FILE", "")])
        return parser.get("global", "index-url", fallback=None)
    return None


def _link_mode(variables: dict) -> str:
    """Hard links where they do no harm: root's files, which the user of a run cannot write.

    Anyone else's run has the caller's own user and could write through a link into the cache and other environments.
    """
    cache = variables.get("UV_CACHE_DIR") or os.path.join(
        variables.get("XDG_CACHE_HOME") or os.path.join(variables["HOME"], ".cache"), "uv"
    )
    if os.geteuid() != 0:
        return "copy"
    try:
        return "hardlink" if os.stat(cache).st_uid == 0 else "copy"
    except FileNotFoundError:
        return "hardlink"
