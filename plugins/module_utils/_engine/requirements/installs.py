# SPDX-License-Identifier: GPL-3.0-or-later
"""Understand install commands: which requirements, options and files one command line names."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .shell import Word

_PIP = re.compile(r"(?:.*/)?pip(?:3(?:\.\d+)?|2)?(?:\.exe)?\Z")
_PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)(?:\d(?:\.\d+)?)?w?(?:\.exe)?\Z|py\Z|\{?sys\.executable\}?\Z")
_CONDA = re.compile(r"(?:.*/)?(?:conda|mamba|micromamba)(?:\.exe)?\Z")
_UV = re.compile(r"(?:.*/)?uv\Z")
_OPERATOR_START = re.compile(r"[<>=!~]=|[<>]")
_OPERATOR_ONLY = re.compile(r"(?:[<>=!~]=|[<>]|===)\Z")
# What a requirements file may hold too, by its long name (pip documentation, "Requirements File Format").
_CARRIED = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--default-index": "--index-url",
    "--index": "--extra-index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--trusted-host": "--trusted-host",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
    "-c": "--constraint",
    "--constraint": "--constraint",
}
_CARRIED_FLAGS = {"--pre": "--pre", "--no-index": "--no-index", "--prefer-binary": "--prefer-binary"}
_VALUED = frozenset(
    """
    -t --target --platform --python-version --implementation --abi --root --prefix --src -b --build
    --upgrade-strategy --progress-bar --log --log-file --timeout --default-timeout --retries --proxy --cache-dir
    --cert --client-cert --global-option --install-option --build-option -C --config-settings --config-setting
    --report --use-feature --use-deprecated --exists-action --python --group --torch-backend -p --index-strategy
    --prerelease --resolution --link-mode --keyring-provider -P --upgrade-package --exclude-newer --extra --hash
    --root-user-action --keyring --constraint-file --override --tag --branch --rev --marker -m
    """.split()
)
_CONDA_VALUED = frozenset("-c --channel -n --name -p --prefix --solver --repodata-fn --platform --subdir".split())
_CONDA_FILE = ("--file", "-f")
# A tool that is told to renew itself is no need of the notebook.
_TOOLS = frozenset(["pip", "wheel", "uv", "conda", "mamba", "ensurepip"])


@dataclass
class Install:
    """What one command installs.

    specs: requirement words. editable, files: values of -e and -r. options: pip options to carry, each whole.
    conda: the specs are conda's. variables: words that hold a variable which is not known. notes: for people.
    """

    specs: list[str] = field(default_factory=list)
    editable: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    variables: list[Word] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    conda: bool = False


def understand(words: Sequence[Word]) -> Install | None:
    """Return what the words of one simple command install; None where they install nothing."""
    words = list(words)
    program = words[0].text if words else ""
    if _PYTHON.match(program) or (words and words[0].unresolved == ("sys.executable",)):
        words = words[1:]
        while words and words[0].text.startswith("-") and words[0].text != "-m":
            words = words[1:]
        if len(words) < 2 or words[0].text != "-m":
            return None
        words = words[1:]
        program = words[0].text
        if program == "uv":
            return _uv(words[1:])
        return _pip(words[1:]) if program == "pip" else None
    if _UV.match(program):
        return _uv(words[1:])
    if _CONDA.match(program):
        return _conda(words[1:])
    if _PIP.match(program):
        return _pip(words[1:])
    if program in ("poetry", "pipenv", "pdm", "easy_install"):
        return _other(program, words[1:])
    # A variable may hold the name of pip itself: !$PIP install x
    if words and words[0].unresolved and re.search(r"pip\b", program, re.IGNORECASE):
        return _pip(words[1:])
    return None


def _uv(words: list[Word]) -> Install | None:
    while words and words[0].text.startswith("-"):
        words = words[1:]
    if not words or words[0].text not in ("pip", "add"):
        return None
    return _pip(words[1:]) if words[0].text == "pip" else _pip_arguments(words[1:])


def _other(program: str, words: list[Word]) -> Install | None:
    if program != "easy_install":
        if not words or words[0].text not in ("add", "install"):
            return None
        words = words[1:]
    return _pip_arguments(words) if words else None


def _pip(words: list[Word]) -> Install | None:
    """Find the subcommand behind pip's general options."""
    while words and words[0].text.startswith("-"):
        skip = 2 if words[0].text in _VALUED else 1
        words = words[skip:]
    if not words or words[0].text != "install":
        return None
    return _pip_arguments(words[1:])


def _pip_arguments(words: list[Word]) -> Install:
    found = Install()
    words = _rejoined(words)
    upgrade = any(word.text in ("-U", "--upgrade") for word in words)
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not word.text.startswith("-") or word.text == "-":
            _spec(found, word, upgrade)
            continue
        name, given, value = _option(word.text)
        takes_value = name in _CARRIED or name in _VALUED or name in ("-r", "--requirement", "-e", "--editable")
        holder = word
        if takes_value and not given and position < len(words):
            holder = words[position]
            value = holder.text
            position += 1
        if holder.unresolved and (takes_value and name not in _VALUED):
            found.variables.append(holder)
        elif name in ("-r", "--requirement"):
            found.files.append(value)
        elif name in ("-e", "--editable"):
            found.editable.append(value)
        elif name in _CARRIED:
            found.options.append(f"{_CARRIED[name]} {value}")
        elif name in _CARRIED_FLAGS:
            found.options.append(_CARRIED_FLAGS[name])
        elif name == "--no-deps":
            found.notes.append("--no-deps, which holds for one command only: its dependencies are installed too")
    return found


def _option(text: str) -> tuple[str, bool, str]:
    """Split an option into name, whether a value is attached, and that value."""
    if text.startswith("--"):
        name, mark, value = text.partition("=")
        return name, bool(mark), value
    if len(text) > 2 and text[:2] in ("-r", "-e", "-c", "-i", "-f", "-t"):
        return text[:2], True, text[2:].removeprefix("=")
    return text, False, ""


def _spec(found: Install, word: Word, upgrade: bool) -> None:
    text = word.text.strip().rstrip(",")
    if word.unresolved:
        found.variables.append(word)
        return
    if not text or text in ("\\", "-", "install") or set(text) <= {"?", "."} and text != "." and text != "..":
        return
    name = re.match(r"[\w.-]*", text)[0].lower()
    if name in _TOOLS and "/" not in text:
        return
    if name == "setuptools" and (upgrade or name == text):
        return
    found.specs.append(text)


def _rejoined(words: list[Word]) -> list[Word]:
    """Join ``name >= 1.0`` written with blanks, which pip would refuse but people mean as one."""
    joined: list[Word] = []
    for word in words:
        last = joined[-1] if joined else None
        if last and (
            (_OPERATOR_START.match(word.text) and not last.text.startswith("-"))
            or (re.search(r"(?:[<>=!~]=|[<>,])\Z", last.text) and re.match(r"[\d<>=!~]", word.text))
        ):
            joined[-1] = type(word)(last.text + word.text, last.unresolved + word.unresolved)
        else:
            joined.append(word)
    return joined


def _conda(words: list[Word]) -> Install | None:
    while words and words[0].text.startswith("-"):
        words = words[1:]
    if not words or words[0].text != "install":
        return None
    found = Install(conda=True)
    words = _rejoined(words[1:])
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        name = word.text.partition("=")[0]
        if word.text.startswith("-"):
            if name in _CONDA_FILE and position < len(words):
                found.files.append(words[position].text)
                position += 1
            elif name in _CONDA_VALUED and name == word.text:
                position += 1
        elif word.unresolved:
            found.variables.append(word)
        elif name.lower() not in _TOOLS and word.text:
            found.specs.append(word.text)
    return found
