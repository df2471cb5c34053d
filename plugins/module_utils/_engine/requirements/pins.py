# SPDX-License-Identifier: GPL-3.0-or-later
"""Pin what was found without a version: to what an environment holds, or to what the index resolves to."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import json
import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import replace

from ..values.errors import EngineError
from .coverage import name_of
from .names import canonical

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..values.resolution import Resolution

TIMEOUT = 300  # seconds for one resolution by the index
_BARE = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)\s*(?P<marker>;.*)?$")
_LIST = (
    "import json, importlib.metadata as m;"
    "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name']}))"
)


def apply(resolutions: Sequence[Resolution], root: Path, pin: str, python: str | None) -> list[Resolution]:
    """Return the resolutions with versions on the generated and inline lines that have none; declared ones stand.

    pin: ``none``; ``environment``, the versions installed for ``python``; ``index``, what the index that the
    machine is configured for resolves all lines of a notebook to. python: interpreter, None = the running one.
    Raises EngineError where the interpreter or the index gives no answer.
    """
    if pin == "none":
        return list(resolutions)
    python = python or sys.executable
    if pin == "environment":
        installed = _installed(python)
        return [_pinned(resolution, installed, f"is not installed for {python}") for resolution in resolutions]
    answers: dict[tuple[str, ...], dict[str, str]] = {}
    result = []
    for resolution in resolutions:
        lines = resolution.requirements
        if lines not in answers:
            answers[lines] = _resolved(resolution, root, python) if _bare_lines(resolution) else {}
        result.append(_pinned(resolution, answers[lines], "has no version in the index's answer"))
    return result


def _bare_lines(resolution: Resolution) -> set[str]:
    return {
        entry.requirement
        for entry in resolution.provenance
        if entry.tier in ("generated", "inline") and _BARE.match(entry.requirement)
    }


def _pinned(resolution: Resolution, versions: dict[str, str], absent: str) -> Resolution:
    changed, warnings = {}, []
    for line in sorted(_bare_lines(resolution)):
        match, version = _BARE.match(line), versions.get(name_of(line) or "")
        if version:
            changed[line] = f"{match['name'].strip()}=={version}{' ' + match['marker'] if match['marker'] else ''}"
        else:
            warnings.append(f"`{line}` stays without a version: it {absent}.")
    provenance = tuple(replace(e, requirement=changed.get(e.requirement, e.requirement)) for e in resolution.provenance)
    return replace(
        resolution,
        requirements=tuple(dict.fromkeys(changed.get(line, line) for line in resolution.requirements)),
        provenance=provenance,
        warnings=resolution.warnings + tuple(warnings),
    )


def _installed(python: str) -> dict[str, str]:
    try:
        answer = subprocess.run([python, "-I", "-c", _LIST], capture_output=True, text=True, timeout=60, check=True)
        return {canonical(name): version for name, version in json.loads(answer.stdout).items()}
    except (OSError, subprocess.SubprocessError, ValueError):
        raise EngineError(
            f"{python} does not answer as a Python interpreter: give the path of one as pin_python."
        ) from None


def _resolved(resolution: Resolution, root: Path, python: str) -> dict[str, str]:
    """Return canonical name -> version for all that installing the lines would install."""
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", python, "-"]
    else:
        # Arguments, not a file: paths in a file count from where the file lies.
        command = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
        command += [word for line in resolution.requirements for word in _words(line)]
    listing = "".join(line + "\n" for line in resolution.requirements)
    try:
        answer = subprocess.run(
            command, input=listing, capture_output=True, text=True, timeout=TIMEOUT, cwd=root, check=False
        )
    except OSError as error:
        raise EngineError(
            f"{command[0]} cannot be started ({error.strerror}): give an interpreter as pin_python."
        ) from None
    except subprocess.TimeoutExpired:
        raise EngineError(f"The index gave no versions for {resolution.notebook} within {TIMEOUT} s.") from None
    if answer.returncode:
        raise EngineError(
            f"The index cannot resolve what {resolution.notebook} needs: {_shortened(answer.stderr)}",
            "dependency_install_failed",
        )
    return _from_uv(answer.stdout) if uv else _from_pip(answer.stdout)


def _words(line: str) -> list[str]:
    return line.split(" ", 1) if line.startswith("-") else [line]


def _from_uv(text: str) -> dict[str, str]:
    pins = re.findall(r"(?m)^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;]+)", text)
    return {canonical(name): version for name, version in pins}


def _from_pip(text: str) -> dict[str, str]:
    installs = [item["metadata"] for item in json.loads(text)["install"]]
    return {canonical(item["name"]): item["version"] for item in installs}


def _shortened(text: str) -> str:
    lines = [line.strip(" ×╰─▶│") for line in text.splitlines() if line.strip()]
    return " ".join(lines)[-600:]
