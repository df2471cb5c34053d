# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python that an environment is built upon: one that fits, and that a run can reach."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass

from ..values.errors import EngineError
from ..values.unprivileged import UNPRIVILEGED

# For a script that an environment's own Python runs: whether nothing there provides a module.
ABSENT = """
import importlib.util
def absent(name):
    try:
        return importlib.util.find_spec(name) is None
    except (ImportError, ValueError):
        return True
"""
OLDEST = (3, 9)  # what the runner needs

_QUESTION = """
import json, platform, sys, sysconfig
print(json.dumps({
    "path": getattr(sys, "_base_executable", sys.executable) or sys.executable,
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "platform": sysconfig.get_platform(),
    "tag": sys.implementation.cache_tag,
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A base interpreter: its executable outside any virtual environment, and what its environments depend on."""

    path: str
    version: str
    implementation: str
    platform: str
    tag: str

    @property
    def minor(self) -> tuple[int, int]:
        """Return major and minor version."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)


def unprivileged() -> dict:
    """Return the arguments for subprocess that start a child as a run will: without root's rights, where we can drop them."""
    return {"user": UNPRIVILEGED, "group": 0, "extra_groups": []} if _may_drop() else {}


def _may_drop() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        with open("/proc/self/status", encoding="ascii") as stream:
            effective = int(re.search(r"^CapEff:\s*(\w+)", stream.read(), re.MULTILINE).group(1), 16)
        with open("/proc/self/uid_map", encoding="ascii") as stream:
            ranges = [[int(number) for number in line.split()] for line in stream]
    except OSError:  # no /proc: no capabilities and no user namespaces to mind either
        return True
    both = 1 << 6 | 1 << 7  # CAP_SETGID, CAP_SETUID (capabilities(7))
    return effective & both == both and any(first <= UNPRIVILEGED < first + count for first, _outer, count in ranges)


def ask(python: str, question: str, *arguments: str, timeout: float = 60) -> dict | None:
    """Run a few lines of code in an interpreter, without root's rights, and return the JSON object printed.

    None where the interpreter is none, cannot be reached or does not answer.
    """
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": timeout, "cwd": "/",
               "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}}  # fmt: skip
    command = [python, "-I", "-c", question, *arguments]
    try:
        answer = subprocess.run(command, check=False, **options, **unprivileged())
        return json.loads(answer.stdout) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def choose(base: str | None, python_requires: str | None) -> Interpreter:
    """Return the interpreter to build upon.

    base: path of one, or a version such as ``3.11``; None = the first that fits, the one of this process preferred.
    python_requires: version specifiers, as ``>=3.9,<3.12``.
    Raises EngineError (``python_unsupported``) with what to do where none fits.
    """
    if base and os.sep in base:
        return _named(os.path.expanduser(base), python_requires)
    specifiers = _specifiers(python_requires)
    if base and not re.fullmatch(r"3(\.\d+){0,2}((a|b|rc)\d+)?", base):
        raise EngineError(f"base is {base!r}: write a version of Python 3 such as 3.11, or the path of an interpreter.")
    wanted = _specifiers(f"=={base}.*" if base and base.count(".") < 2 else f"=={base}") if base else None
    closed, others = [], []
    for path in _candidates(base):
        found = ask(path, _QUESTION)
        if found is None:
            closed.append(path)
        elif (wanted and found["version"] not in wanted) or not _fits(found["version"], specifiers):
            others.append(found["version"])
        else:
            return Interpreter(**found)
    raise EngineError(_none_fits(base, python_requires, closed, others), code="python_unsupported")


def _named(path: str, python_requires: str | None) -> Interpreter:
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise EngineError(f"base names {path}, which is no executable file: give the path of a Python interpreter.")
    found = ask(path, _QUESTION)
    if found is None:
        wall = closed_directory(os.path.realpath(path))
        if wall:
            raise EngineError(
                f"The user of a run cannot reach {path}: {wall} is closed to other users. Name an interpreter outside of it.",
                code="python_unsupported",
            )
        raise EngineError(f"base names {path}, which does not answer as a Python interpreter does.")
    if not _fits(found["version"], _specifiers(python_requires)):
        wants = python_requires or f">={OLDEST[0]}.{OLDEST[1]}"
        raise EngineError(
            f"base names {path}, which is Python {found['version']}, but {wants} is required.",
            code="python_unsupported",
        )
    return Interpreter(**found)


def closed_directory(path: str) -> str | None:
    """Return the first directory above path that a user with group 0 and no other rights cannot pass."""
    if os.geteuid() != 0:
        return None
    parents = []
    while (parent := os.path.dirname(path)) != path:
        path = parent
        parents.append(parent)
    for parent in reversed(parents):
        state = os.stat(parent)
        if not state.st_mode & (stat.S_IXGRP if state.st_gid == 0 else stat.S_IXOTH):
            return parent
    return None


def _specifiers(text: str | None):
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text or "", prereleases=True)
    except InvalidSpecifier:
        raise EngineError(
            f"'{text}' is no Python version: write 3.11, the path of an interpreter, or '>=3.10,<3.13'."
        ) from None


def _fits(version: str, specifiers) -> bool:
    return version in specifiers and tuple(int(part) for part in version.split(".")[:2]) >= OLDEST


def _candidates(base: str | None):
    """Yield paths of interpreters, the likeliest first, each file once."""
    own = getattr(sys, "_base_executable", None) or sys.executable
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    minors = [f"3.{minor}" for minor in range(20, OLDEST[1] - 1, -1)]
    wanted = base if base and re.fullmatch(r"3\.\d+", base) else here
    directories = dict.fromkeys(["/usr/bin", "/usr/local/bin", *os.environ.get("PATH", os.defpath).split(os.pathsep)])
    names = [f"python{wanted}", "python3", *(f"python{minor}" for minor in minors)]
    paths = [own] + [os.path.join(directory, name) for name in names for directory in directories]
    for place in _installations():
        paths += sorted(glob.glob(place), reverse=True)
    seen = set()
    for path in paths:
        real = os.path.realpath(path)
        if real not in seen and os.path.isabs(path) and shutil.which(path):
            seen.add(real)
            yield path


def _installations() -> list[str]:
    """Return patterns for the places where pyenv, uv and vendors put interpreters."""
    home = os.path.expanduser("~")
    pyenv = os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv")
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    managed = os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python")
    return [f"{place}/*/bin/python3" for place in (f"{pyenv}/versions", managed, "/opt", "/opt/python")]


def _none_fits(base: str | None, python_requires: str | None, closed: list[str], others: list[str]) -> str:
    wants = f"Python {base}" if base else f"Python {python_requires}" if python_requires else "Python"
    parts = [f"No {wants} was found that a run can use"]
    if others:
        parts.append(f"; there is {', '.join(dict.fromkeys(others))}")
    walls = sorted({wall for path in closed if (wall := closed_directory(os.path.realpath(path)))})
    if walls:
        parts.append(f"; those below {', '.join(walls)} are closed to the user of a run")
    parts.append(". Install one where every user can reach it, such as /usr/local, or name one with 'base'.")
    return "".join(parts)
