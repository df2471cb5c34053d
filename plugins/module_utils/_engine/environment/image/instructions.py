# SPDX-License-Identifier: GPL-3.0-or-later
"""The instructions of a Containerfile, as builders take it apart (Dockerfile reference: "Format", "Parser directives",
"Here-documents", "Environment replacement")."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ...values.errors import EngineError

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(\S+)\s*")
_WORD = re.compile(r"\s*([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)
_HEREDOC = re.compile(r"(?:^|\s)\d*<<(-?)([\"']?)([A-Za-z_][\w.-]*)\2(?=\s|$)")
_WITH_HEREDOC = ("RUN", "COPY", "ADD")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?([-+])([^}]*))?\}|(\w+))")


@dataclass(frozen=True)
class Instruction:
    """word: in upper case. value: its lines as one, comments left out. line, end: the first and the last, from 1, with its
    here-documents. body: the text of these."""

    word: str
    value: str
    line: int
    end: int
    body: str = ""

    @property
    def flags(self) -> dict[str, str]:
        """The flags that it begins with, by their names: ``--from=x`` is ``from``."""
        found = {}
        for word in self.value.split():
            if not word.startswith("--"):
                break
            name, _equals, value = word[2:].partition("=")
            found[name] = value
        return found

    @property
    def arguments(self) -> list[str]:
        """Its words after the flags."""
        return self.value.split()[len(self.flags) :]

    @property
    def pairs(self) -> dict[str, str]:
        """What an ENV or ARG sets; "" for an ARG without a default."""
        try:
            words = shlex.split(self.value)
        except ValueError:
            words = self.value.split()
        if self.word == "ENV" and words and "=" not in words[0]:
            return {words[0]: " ".join(words[1:])}
        return dict(word.partition("=")[::2] for word in words)


def instructions(text: str, path: str) -> list[Instruction]:
    """Return the instructions of a Containerfile. path: what errors name it. Raises EngineError where one does not end."""
    escape = re.escape(escape_of(text))
    # A doubled escape at the end of a line is one that is meant.
    continued = re.compile(rf"(|.*[^{escape}]){escape}[ \t]*", re.DOTALL)
    lines, found, at = text.splitlines(), [], 0
    while at < len(lines):
        begun, value, more = at, "", True
        while more and at < len(lines):
            line, at = lines[at], at + 1
            if line.lstrip().startswith("#") or not line.strip():
                continue  # neither is part of an instruction, nor ends one
            begun = begun if value else at - 1
            goes_on = continued.fullmatch(line)
            value, more = value + (goes_on[1] + " " if goes_on else line), bool(goes_on)
        if not value:
            break
        if more:
            raise EngineError(f"{path} ends in the middle of the instruction of line {begun + 1}: complete it.")
        told = _WORD.fullmatch(value)
        if not told:
            raise EngineError(f"{path}, line {begun + 1}, is no instruction of a Containerfile: correct it.")
        word, value = told[1].upper(), (told[2] or "").strip()
        body, at = _body(word, value, lines, at, path)
        found.append(Instruction(word, value, begun + 1, at, body))
    return found


def escape_of(text: str) -> str:
    """Return the character that continues lines, as a directive at the top says it."""
    for line in text.splitlines():
        told = _DIRECTIVE.fullmatch(line.strip())
        if not told:
            break
        if told[1].lower() == "escape":
            return told[2]
    return "\\"


def substituted(text: str, values: Mapping[str, str]) -> str | None:
    """Return a text with its variables replaced, None where one has no value."""
    lost = []

    def value(found: re.Match) -> str:
        name, sign, word = found[1] or found[4], found[2], found[3]
        if sign == "+":
            return word if values.get(name) else ""
        if not values.get(name) and sign != "-":
            lost.append(name)
        return values.get(name) or word or ""

    replaced = _VARIABLE.sub(value, text)
    return None if lost else replaced


def _body(word: str, value: str, lines: list[str], at: int, path: str) -> tuple[str, int]:
    """Return the text of the here-documents of an instruction, and where the lines go on after them."""
    body = []
    for dash, _quote, name in _HEREDOC.findall(value) if word in _WITH_HEREDOC else ():
        begun = at
        while at < len(lines) and (lines[at].lstrip("\t") if dash else lines[at]) != name:
            body.append(lines[at])
            at += 1
        if at == len(lines):
            raise EngineError(f"{path}, line {begun}, begins a here-document that no line {name} ends: add that line.")
        at += 1
    return "\n".join(body), at
