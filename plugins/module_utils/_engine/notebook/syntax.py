# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a code cell as IPython would, without IPython.

What is no Python becomes the call that IPython makes of it, in its place and on its line, so that one syntax tree
holds everything, with the ``try`` or ``if`` around it:

    %pip install x        get_ipython().run_line_magic('pip', 'install x')
    !ls                   get_ipython().system('ls')
    y = !ls               y = get_ipython().getoutput('ls')
    %%bash ...            get_ipython().run_cell_magic('bash', args, body)

Magics that run Python (``%time``, ``%%capture``, ...) are replaced by the Python that they run.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

# Cell magics whose body is Python in the same process, however broken; others are asked whether their body parses.
PYTHON_CELLS = frozenset(
    ("time", "timeit", "capture", "prun", "memit", "mprun", "lprun", "px", "debug", "snakeviz", "pyinstrument", "manim")
)
_OPAQUE_CELLS = frozenset(
    ("writefile", "file", "bash", "sh", "script", "system", "sx", "cmd", "ruby", "perl", "python2", "pypy", "cython")
    + ("html", "HTML", "javascript", "js", "latex", "svg", "markdown", "R", "sql", "bigquery", "julia", "octave")
)
_PYTHON_LINES = PYTHON_CELLS - {"capture", "manim"}
_SHELL_AUTOMAGIC = (
    r"(?:pip3?|conda|mamba|micromamba|uv)[ \t]+(?:-\S+[ \t]+)*(?:install|uninstall|add|pip|list|show|update)\b"
)
_OTHER_AUTOMAGIC = (
    r"(?:cd|ls|ll|mkdir|rmdir|rm|cp|mv|cat|less|more|man|run|matplotlib|load_ext|reload_ext|pylab|time|timeit|env"
    r"|who|whos|history|autoreload|config|precision|store|prun|edit|load|writefile|sql)[ \t]+"
    r"(?!(?:is|in|and|or|not|if|else|for|as)\b)[\w./~\"'$]"
)
_AUTOMAGIC = re.compile(rf"(?:{_SHELL_AUTOMAGIC}|{_OTHER_AUTOMAGIC})")
_PROBABLE = re.compile(
    rf"^[ \t]*(?:[%!?,;/]|{_AUTOMAGIC.pattern})|=[ \t]*[%!](?!=)|\?[ \t]*;?[ \t]*$|^%%", re.MULTILINE
)
_ASSIGNMENT = re.compile(r"([\w.\[\]'\", \t*()]+?)[ \t]*=[ \t]*([%!])[ \t]*(.*)\Z", re.DOTALL)
_HELP = re.compile(r"(?:\?{1,2}[ \t]*%{0,2}[\w.*:\[\]'\"]+|%{0,2}[A-Za-z_*][\w.*:\[\]'\"()]*\?{1,2})[ \t]*;?[ \t]*\Z")
_MAGIC = re.compile(r"%{1,2}[ \t]*([\w.\-\[\]]+)[ \t]*(.*)\Z", re.DOTALL)
_OPTIONS = re.compile(r"(?:-[fmsDTlu][ \t]*\S+[ \t]+|--?[A-Za-z][\w-]*[ \t]*(?:=\S+|\d+)?[ \t]+)*")
# Everything that decides whether the next line begins a statement.
_TOKEN = re.compile(r"'''|\"\"\"|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|['\"]|#.*|[()\[\]{}]")
_CLOSER = {"'''": re.compile(r"(?:[^\\]|\\.)*?'''", re.DOTALL), '"""': re.compile(r'(?:[^\\]|\\.)*?"""', re.DOTALL)}
_MAX_REPAIRS = 40


@dataclass(frozen=True)
class Code:
    """The statements of one cell, line numbers counted in the cell, and the lines that did not parse."""

    body: tuple[ast.stmt, ...]
    broken: tuple[int, ...] = ()


def parse(source: str) -> Code:
    """Parse one code cell.

    A statement that does not parse is left out and its line named in ``broken``; the others are kept.
    """
    # What IPython knows beside these three signs (bare ``pip install x``) does not parse as Python.
    if not ("%" in source or "!" in source or "?" in source) or not _PROBABLE.search(source):
        tree = _tree(source)
        if isinstance(tree, ast.Module):
            return Code(tuple(tree.body))
    return _repaired(source.splitlines())


def _repaired(lines: list[str]) -> Code:
    """Parse, dropping the line that the parser stumbles over, until the rest parses."""
    broken: list[int] = []
    for _unused in range(_MAX_REPAIRS):
        tree = _tree("\n".join(_translate(lines)))
        if isinstance(tree, ast.Module):
            return Code(tuple(tree.body), tuple(sorted(set(broken))))
        number = min(max(tree.lineno or 1, 1), len(lines))
        while number > 1 and not lines[number - 1].strip():
            number -= 1
        text = lines[number - 1]
        if not text.strip():
            break
        lines = [*lines]
        if tree.msg == "unexpected indent":
            # What led to this block is broken: the block itself may be good.
            above = next((line for line in reversed(lines[: number - 1]) if line.strip()), "")
            lines[number - 1] = _indent(above) + text.lstrip()
            if lines[number - 1] == text:
                break
            continue
        # ``pass`` in the place of the broken line keeps the block around it.
        lines[number - 1] = _indent(text) + "pass" if text.strip() != "pass" else ""
        broken.append(number)
    return _single_lines(lines, broken)


def _single_lines(lines: list[str], broken: list[int]) -> Code:
    """Keep every line that is a statement by itself: the last resort for cells that are mostly no Python."""
    body: list[ast.stmt] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        tree = _tree("\n".join(_translate([text])))
        if isinstance(tree, ast.Module):
            body += (ast.increment_lineno(statement, number - 1) for statement in tree.body)
        else:
            broken.append(number)
    return Code(tuple(body), tuple(sorted(set(broken))))


def _tree(text: str) -> ast.Module | SyntaxError:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):
        return SyntaxError("unreadable", ("", 1, 0, ""))


def _translate(lines: list[str]) -> list[str]:
    """Return as many lines, with every magic and shell line turned into Python."""
    out: list[str] = []
    state = _State()
    may_be_cell_magic = True
    position = 0
    while position < len(lines):
        line = lines[position]
        stripped = line.lstrip()
        if not state.begins or not stripped:
            state.read(line)
            out.append(line)
            position += 1
            continue
        if may_be_cell_magic and stripped.startswith("%%") and len(stripped) > 2:
            name, rest, body = _cell_magic(stripped, lines[position + 1 :])
            if not _runs_python(name, body):
                return [*out, _call("run_cell_magic", name, rest, "\n".join(body)), *[""] * len(body)]
            # What stands behind %%timeit is code as well: its setup.
            setup = _line_magic(f"%{name} {rest}") if name == "timeit" and rest else ""
            good = setup and isinstance(_tree(setup), ast.Module)
            out.append(setup if good else _call("run_cell_magic", name, rest, ""))
            position += 1
            continue
        # Comments may stand above a cell magic: hosting services write form fields there.
        may_be_cell_magic = may_be_cell_magic and stripped.startswith("#")
        end = position + 1
        if stripped[0] in "%!" or _AUTOMAGIC.match(stripped) or _ASSIGNMENT.match(stripped):
            while lines[end - 1].endswith("\\") and end < len(lines):
                end += 1
        text = "\n".join([stripped, *lines[position + 1 : end]])
        python = _python(text)
        if python is None:
            state.read(line)
            out.append(line)
            position += 1
            continue
        out.append(_indent(line) + python)
        out.extend([""] * (end - position - 1))
        position = end
    return out


class _State:
    """Where the next line stands: at the beginning of a statement, or inside brackets, text or a continued line."""

    def __init__(self) -> None:
        self.depth = 0
        self.quote = ""
        self.continued = False

    @property
    def begins(self) -> bool:
        return not (self.depth or self.quote or self.continued)

    def read(self, line: str) -> None:
        position = 0
        if self.quote:
            close = _CLOSER[self.quote].match(line)
            if not close:
                return
            position, self.quote = close.end(), ""
        comment = False
        while token := _TOKEN.search(line, position):
            text = token[0]
            position = token.end()
            if text in _CLOSER:
                close = _CLOSER[text].match(line, position)
                if not close:
                    self.quote = text
                    return
                position = close.end()
            elif text in "([{":
                self.depth += 1
            elif text in ")]}":
                self.depth = max(self.depth - 1, 0)
            elif text[0] == "#":
                comment = True
        self.continued = line.endswith("\\") and not comment


def _python(text: str) -> str | None:
    """Return the Python for one logical line that is none, or None where it is Python already."""
    first = text[0]
    if first == "!":
        return _call("system", _joined(text.lstrip("!")))
    if _HELP.match(text):
        return "pass"
    if first == "%":
        return _line_magic(text)
    if first in ",;/?":
        return "pass"
    if _AUTOMAGIC.match(text) and not isinstance(_tree(text), ast.Module):
        return _line_magic("%" + text)
    assignment = _ASSIGNMENT.match(text)
    if assignment:
        target, kind, rest = assignment.groups()
        python = _call("getoutput", _joined(rest)) if kind == "!" else _line_magic("%" + rest)
        return f"{target} = {python}"
    return None


def _line_magic(text: str) -> str:
    magic = _MAGIC.match(text)
    if not magic:
        return "pass"
    name, rest = magic[1], _joined(magic[2]).strip()
    if name in _PYTHON_LINES:
        return rest[_OPTIONS.match(rest + " ").end() :].strip() or "pass"
    return _call("run_line_magic", name, rest)


def _cell_magic(first: str, body: list[str]) -> tuple[str, str, list[str]]:
    if first.startswith("%%!"):
        return "system", "", [first[3:], *body]
    magic = _MAGIC.match(first)
    return (magic[1], magic[2].strip(), body) if magic else ("", "", body)


def _runs_python(name: str, body: list[str]) -> bool:
    if name in PYTHON_CELLS:
        return True
    return name not in _OPAQUE_CELLS and isinstance(_tree("\n".join(_translate(body))), ast.Module)


def _call(method: str, *arguments: str) -> str:
    return f"get_ipython().{method}({', '.join(map(repr, arguments))})"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _joined(text: str) -> str:
    """Join continued lines as a shell does."""
    return text.replace("\\\n", " ") if "\\\n" in text else text
