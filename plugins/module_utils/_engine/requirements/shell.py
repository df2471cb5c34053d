# SPDX-License-Identifier: GPL-3.0-or-later
"""Split shell text, as it stands in ``!`` lines and ``%%bash`` cells, into commands and words."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r]+)
    | (?P<newline>\n)
    | (?P<comment>(?<![^\s;&|(])\#[^\n]*)
    | (?P<bound>(?<=[\w\]"'*.])(?:[<>]=?|[=~!]=)(?=\s?["']?[\d.]*\d)(?![^\s]*&)|(?<=[ \t])[<>=~!]=(?=\s?["']?\d))
    | (?P<redirect>(?:(?<![^\s])\d|&)?(?:>>?|<<?<?)(?:&[\d-]|\|)?[ \t]*(?:[^\s;&|()]+)?)
    | (?P<operator>&&|\|\||;;?|\||&|\(|\))
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | (?P<command>\$\([^)]*\)|`[^`]*`)
    | (?P<brace>\$?\{[^{}\n]*\})
    | (?P<variable>\$sys\.executable\b|\$\$?[A-Za-z_]\w*)
    | \\(?P<escaped>.)
    | (?P<text>[^\s'"\\;&|()<>{}$`\#]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
# What follows a here-document's mark up to its end is text, not commands.
_HERE = re.compile(r"(<<-?[ \t]*(['\"]?)(\w+)\2[^\n]*\n)(.*?)(^[ \t]*\3[ \t]*(?:\n|\Z))", re.MULTILINE | re.DOTALL)
_INNER = re.compile(r"\$\([^)]*\)|`[^`]*`|\$?\{[^{}\n]*\}|\$[A-Za-z_]\w*")
# Words after which a command begins.
_KEYWORDS = frozenset("then do else if while until ! { sudo time exec nohup command eval yes env -H -E".split())
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Word:
    """One word after quoting is undone; unresolved = names of variables in it that are not known."""

    text: str
    unresolved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """One simple command; line counts from 0 in the text; redirected_bound = a bound that a shell would not see."""

    words: tuple[Word, ...]
    line: int
    redirected_bound: bool = False


def commands(text: str, value: Callable[[str], str | None]) -> list[Command]:
    """Split text into its simple commands.

    value: gives the text of a variable by its name (``$name``, ``{name}``), None where it is not known.
    ``name>=1.0`` without quotes is a redirection to a shell; here it stays one word, for it is meant as a bound.
    """
    text = text.replace("\\\r\n", "\\\n")
    if "<<" in text:
        text = _HERE.sub(lambda match: match[1] + "\n" * (match[4] + match[5]).count("\n"), text)
    return _Splitter(value).split(text)


class _Splitter:
    def __init__(self, value: Callable[[str], str | None]) -> None:
        self._value = value
        self._set: dict[str, str] = {}
        self._commands: list[Command] = []
        self._words: list[Word] = []
        self._parts: list[str] | None = None
        self._unresolved: list[str] = []
        self._bound = False
        self._line = self._start = 0

    def split(self, text: str) -> list[Command]:
        for token in _TOKEN.finditer(text):
            self._take(token.lastgroup or "", token[token.lastgroup or 0], token[0])
            self._line += token[0].count("\n")
        self._end_command()
        return self._commands

    def _take(self, kind: str, inner: str, whole: str) -> None:
        if kind == "space" or whole == "\\\n":
            self._end_word()
        elif kind in ("newline", "operator"):
            self._end_command()
        elif kind in ("comment", "redirect"):
            self._end_word()
        elif kind in ("single", "escaped", "text", "bound"):
            self._bound = self._bound or (kind == "bound" and inner[0] in "<>")
            self._add(inner)
        elif kind == "double":
            self._add(_INNER.sub(lambda match: self._expand(match[0]), inner.replace('\\"', '"')))
        else:
            unknown = len(self._unresolved)
            text = self._expand(whole)
            # Unquoted, the words of a value become words of the command.
            parts = text.split() if len(self._unresolved) == unknown else [text]
            for number, part in enumerate(parts or [""]):
                if number:
                    self._end_word()
                self._add(part)

    def _expand(self, text: str) -> str:
        name = text.strip("${}").strip()
        if text.startswith("{") and (":" in name or "," in name) and not name.replace(",", "").isidentifier():
            name = name.partition(":")[0]
        known = None if text[0] == "`" or text.startswith("$(") else self._set.get(name) or self._value(name)
        if known is None:
            self._unresolved.append(name)
            return text
        return known

    def _add(self, text: str) -> None:
        if self._parts is None:
            self._parts = []
            if not self._words:
                self._start = self._line
        self._parts.append(text)

    def _end_word(self) -> None:
        if self._parts is not None:
            self._words.append(Word("".join(self._parts), tuple(self._unresolved)))
        self._parts, self._unresolved = None, []

    def _end_command(self) -> None:
        self._end_word()
        words = self._words
        while words and (words[0].text in _KEYWORDS or _ASSIGNMENT.match(words[0].text)):
            if _ASSIGNMENT.match(words[0].text) and not words[0].unresolved:
                name, _unused, text = words[0].text.partition("=")
                self._set[name] = text
            words = words[1:]
        if words:
            self._commands.append(Command(tuple(words), self._start, self._bound))
        self._words, self._bound = [], False
