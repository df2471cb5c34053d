# SPDX-License-Identifier: GPL-3.0-or-later
"""Fenced blocks of a Markdown page, and what the words after the backticks ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)$")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """One fenced block: `words` are those after the language, `line` counts from 1."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def runs(self) -> bool:
        return (
            (self.language == "shell" and "no-run" not in self.words and not self.value("cluster"))
            or (self.language == "yaml" and bool({"playbook", "tasks"} & set(self.words)))
            or (self.language == "python" and "run" in self.words)
        )

    def value(self, name: str, default: str = "") -> str:
        """What stands after `name=`."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), default)


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page. Raises ValueError when one is not closed."""
    found, opening, start, lines = [], None, 0, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        match = FENCE.match(line)
        if opening is None:
            if match:
                opening, start, lines = match, number, []
        elif match and match["ticks"].startswith(opening["ticks"]) and not match["info"].strip():
            language, *words = opening["info"].split() or [""]
            found.append(Block(page, start, language, tuple(words), "\n".join(lines) + "\n"))
            opening = None
        else:
            lines.append(line.removeprefix(opening["indent"]))
    if opening is not None:
        raise ValueError(f"{page}:{start}: the fenced block is not closed")
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks and inline code."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^ *(`{3,}).*?^ *\1`*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`+[^`\n]*`+", "", text)


def local_links(page: Path) -> list[str]:
    return [m["target"] for m in LINK.finditer(prose(page)) if not re.match(r"[a-z]+:", m["target"])]
