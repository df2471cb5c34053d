# SPDX-License-Identifier: GPL-3.0-or-later
"""The inline tier: what the notebook's own cells install."""

from __future__ import annotations

import ast
import posixpath
import re
import typing as t
from dataclasses import replace

from ..values.errors import EngineError
from ..values.resolution import Provenance, Unresolved
from . import installs, shell
from .constants import Constants
from .declared import conda as conda_specs
from .declared import requirements_txt
from .declared.tree import Tree
from .found import Found
from .names import canonical
from .names_data import STUBS
from .walk import Walker, statements

if t.TYPE_CHECKING:
    from pathlib import Path

    from ..notebook.load import Notebook
    from .installs import Install
    from .shell import Word

_INSTALL = re.compile(r"\binstall\b|\buv\s+add\b|\b(?:poetry|pdm)\s+add\b|easy_install")
_LINE_MAGICS = ("pip", "pip3", "conda", "mamba", "micromamba", "uv")
_SHELL_CELLS = ("bash", "sh", "script", "system", "sx", "cmd", "!", "zsh")
_SYSTEM = ("system", "getoutput", "getstatusoutput", "popen", "getoutput_pexpect", "system_piped", "system_raw")
_SUBPROCESS = ("run", "call", "check_call", "check_output", "Popen", "execute", "spawn")
_CREDENTIALS = re.compile(r"://[^/@\s]+@")
_MAX_LOOP = 50


def find(notebook: Notebook, root: Path) -> Found:
    """Return what the cells install: requirement lines and pip options, in their order.

    Commands that only a hosting service runs are optional. What holds a variable whose value cannot be read from
    the code, names a missing file or does not parse is unresolved, with its cell.
    """
    if not any(cell.type == "code" and _installs(cell.source) for cell in notebook.cells):
        return Found()
    reader = _Installs(notebook, root)
    for index, source, body in statements(notebook):
        reader.begin(index, source, deep=reader.concerns(source))
        reader.block(body)
    return reader.found()


class _Installs(Walker):
    def __init__(self, notebook: Notebook, root: Path) -> None:
        super().__init__()
        self._tree = Tree(root)
        self._name = notebook.name
        self._directory = posixpath.dirname(notebook.name)
        self._constants = Constants()
        self._clones: dict[str, str] = {}
        # files that cells write with %%writefile
        self._written: dict[str, str] = {}
        # functions of the notebook that install their argument: name -> parameter's position
        self._installers: dict[str, int] = {}
        self._function_of: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self._required: list[Provenance] = []
        self._optional: list[Provenance] = []
        self._warnings: list[str] = []
        self._unresolved: list[Unresolved] = []

    def found(self) -> Found:
        return Found(
            tuple(dict.fromkeys(self._required)),
            tuple(dict.fromkeys(self._optional)),
            tuple(dict.fromkeys(self._warnings)),
            tuple(dict.fromkeys(self._unresolved)),
        )

    def concerns(self, source: str) -> bool:
        """Tell whether a cell may install something, or move to where a later one does."""
        return (
            _installs(source)
            or any(name in source for name in self._installers)
            or "git clone" in source
            or source.lstrip().startswith(("%%writefile", "%%file"))
            or "chdir" in source
            or ("cd " in source and re.search(r"^\s*%?cd\s", source, re.MULTILINE) is not None)
        )

    # --- the walk
    def assigned(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._constants.assign(target.id, node.value)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self.expression(node.iter)
        values = self._constants.items(node.iter)
        if values is None or not isinstance(node.target, ast.Name):
            self._constants.forget(node.target)
            self.block(node.body)
        else:
            for value in values[:_MAX_LOOP]:
                self._constants.set(node.target.id, value)
                self.block(node.body)
        self.block(node.orelse)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        if isinstance(node, ast.ClassDef):
            super()._function(node)
            return
        saved = self._constants.copy()
        for argument in node.args.args:
            self._constants.forget_name(argument.arg)
        self._function_of.append(node)
        super()._function(node)
        self._function_of.pop()
        self._constants = saved

    def call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("run_line_magic", "magic"):
            self._line_magic(node, name)
        elif name == "run_cell_magic":
            self._cell_magic(node)
        elif name in _SYSTEM and node.args:
            self._argument(node, node.args[0], "!" if _is_ipython(node.func) else ast.unparse(node.func))
        elif name in _SUBPROCESS and node.args:
            self._argument(node, node.args[0], ast.unparse(node.func))
        elif name == "chdir" and node.args:
            self._move(self._constants.text(node.args[0]))
        elif name in self._installers:
            self._call_installer(node, name)
        elif "pip" in ast.unparse(node.func) and node.args:
            words = self._words(node.args[0])
            if words and words[0].text == "install":
                self._command((shell.Word("pip"), *words), node.lineno, f"{ast.unparse(node.func)}()")

    def _line_magic(self, node: ast.Call, method: str) -> None:
        texts = [self._constants.text(item) for item in node.args[:2]]
        if method == "magic" and texts and texts[0]:
            name, _unused, rest = texts[0].lstrip("%").partition(" ")
        else:
            name, rest = (texts + [None, None])[0], (texts + [None, ""])[1]
        if name == "cd":
            self._move((rest or "").strip().strip("'\""))
        elif name in _LINE_MAGICS and rest is not None:
            self._shell(f"{name} {rest}", node.lineno, f"%{name}")
        elif name in ("system", "sx") and rest:
            self._shell(rest, node.lineno, f"%{name}")

    def _cell_magic(self, node: ast.Call) -> None:
        texts = [self._constants.text(item) or "" for item in node.args[:3]]
        name, rest, body = (texts + ["", "", ""])[:3]
        if name == "script" and not re.search(r"\b(?:ba|z|k)?sh\b", rest):
            return
        if name in ("writefile", "file") and rest.split():
            self._written[self._place(rest.split()[-1].strip("'\""))] = body
        elif name in _SHELL_CELLS:
            self._shell(body, node.lineno + (body != "" and name != "system"), f"%%{name}")
        elif name in _LINE_MAGICS:
            self._shell(f"{name} {rest} {body}", node.lineno, f"%%{name}")

    def _argument(self, node: ast.Call, argument: ast.expr, how: str) -> None:
        words = self._words(argument)
        if words is not None:
            if words[0].text in ("bash", "sh", "/bin/bash", "/bin/sh") and len(words) > 2:
                self._shell(words[-1].text, node.lineno, how)
            else:
                self._command(words, node.lineno, how)
            return
        text = self._constants.text(argument, partly=True)
        if text:
            self._shell(text, node.lineno, how)

    def _words(self, argument: ast.expr) -> list[Word] | None:
        """Return the words of an argument list; None where the argument is no list."""
        parts = self._constants.parts(argument)
        if not parts:
            return None
        return [shell.Word(text) if known else shell.Word(text, (text.strip("{}"),)) for text, known in parts]

    def _call_installer(self, node: ast.Call, name: str) -> None:
        position = self._installers[name]
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if len(arguments) <= position:
            return
        for value in self._constants.items(arguments[position]) or [self._constants.text(arguments[position])]:
            word = shell.Word(value) if value is not None else shell.Word("", (ast.unparse(arguments[position]),))
            self._command((shell.Word("pip"), shell.Word("install"), word), node.lineno, f"{name}()")

    # --- commands
    def _shell(self, text: str, line: int, how: str) -> None:
        here = self._directory
        for command in shell.commands(text, self._constants.shown):
            words = [word.text for word in command.words]
            if words[0] == "cd" and len(words) > 1:
                self._move(words[1])
            elif words[:2] == ["git", "clone"]:
                self._clone(words[2:])
            else:
                self._command(command.words, line + command.line, how, command.redirected_bound)
        # A shell forgets where it went; only %cd stays.
        self._directory = here

    def _command(self, words: t.Sequence[Word], line: int, how: str, redirected: bool = False) -> None:
        install = installs.understand(words)
        if install is None:
            return
        how = f"{how} install" if how.startswith("%") and how[1:] in _LINE_MAGICS else f"{how} pip install"
        if how.startswith("! "):
            how = "!" + how[2:]
        shown = _CREDENTIALS.sub("://***@", " ".join(word.text for word in words))
        if install.conda:
            how = how.replace("pip install", "conda install")
        for note in install.notes:
            self._warnings.append(f"Cell {self.cell} installs with {note}.")
        if redirected and install.specs:
            self._warnings.append(
                f"Cell {self.cell} holds `{shown}` without quotes, which a shell takes for a redirection: the bound"
                " was taken as meant; put the requirement in quotes."
            )
        for word in install.variables:
            self._variable(word, shown, line)
        self._lines(install, line, how, shown)

    def _variable(self, word: Word, shown: str, line: int) -> None:
        if self._function_of:
            parameters = [argument.arg for argument in self._function_of[-1].args.args]
            for name in word.unresolved:
                if name in parameters:
                    self._installers[self._function_of[-1].name] = parameters.index(name)
                    return
        if not self.optional:
            self._unresolved.append(
                Unresolved(
                    shown,
                    f"Cell {self.cell} installs {word.text or word.unresolved[0]}, whose value is known only when the"
                    " notebook runs: write the requirement itself, or declare it in a file.",
                    self.cell,
                    line,
                )
            )

    def _lines(self, install: Install, line: int, how: str, shown: str) -> None:
        for option in install.options:
            self._line(option, line, how, shown)
        for name in install.files:
            self._file(name, line, how, shown, conda=install.conda)
        for path in install.editable:
            self._project(path, line, how, shown, "-e ")
        for spec in install.specs:
            if install.conda:
                self._conda(spec, line, how, shown)
            elif re.match(r"\.|/|~|file:", spec) or self._is_clone(spec):
                self._project(spec, line, how, shown, "")
            else:
                self._line(self._named(spec), line, how, shown)

    def _named(self, spec: str) -> str:
        """Return the requirement under the name that the index knows it by."""
        name = re.match(r"[\w.-]*", spec)[0]
        known = STUBS.get(canonical(name))
        if known is None:
            return spec
        self._warnings.append(f"Cell {self.cell} installs {name}, which is no distribution: {known} was taken.")
        return known

    def _conda(self, spec: str, line: int, how: str, shown: str) -> None:
        text, reason = conda_specs.convert(spec)
        if text is None:
            if not self.optional:
                self._unresolved.append(Unresolved(spec, f"{spec} {reason}.", self.cell, line))
        elif not re.match(r"python\b(?!-)", text):
            self._line(text, line, how, shown)

    def _file(self, name: str, line: int, how: str, shown: str, *, conda: bool) -> None:
        if conda:
            path = self._place(name)
            if not self._tree.is_file(path):
                self._line(f"-r {name}", line, how, shown)
                return
            for number, text in enumerate(self._tree.read(path).splitlines(), 1):
                if text.strip() and not text.lstrip().startswith(("#", "@")):
                    self._conda(text.strip(), number, how, shown)
            return
        # Notebooks are often started from the root, whatever their own directory.
        inside = self._tree.is_file(self._place(name))
        if not inside and self._place(name) in self._written:
            for text in self._written[self._place(name)].replace("\\\n", " ").splitlines():
                if text.strip() and not text.lstrip().startswith("#"):
                    self._line(text, line, how, shown)
            return
        self._line(f"-r {name}", line, how, shown, directory=self._directory if inside else "")

    def _project(self, path: str, line: int, how: str, shown: str, prefix: str) -> None:
        if re.match(r"(?:git|hg|svn|bzr)\+|\w+://", path):
            self._line(prefix + path, line, how, shown)
            return
        bare, bracket, extras = path.partition("[")
        clone = self._clone_at(bare)
        if clone:
            name = posixpath.basename(clone).removesuffix(".git")
            self._line(f"{name}{bracket}{extras} @ git+{clone}", line, how, shown)
            return
        self._line(prefix + (path if path.startswith((".", "/", "~", "file:")) else f"./{path}"), line, how, shown)

    def _line(self, text: str, line: int, how: str, shown: str, *, directory: str | None = None) -> None:
        """Check one line as a line of a requirements file beside the notebook, and keep it."""
        place = posixpath.join(self._directory if directory is None else directory, posixpath.basename(self._name))
        try:
            found = requirements_txt.read_lines(self._tree, place, [(line, text)])
        except EngineError as error:
            if not self.optional:
                message = _CREDENTIALS.sub("://***@", error.message).removeprefix(f"{place}:{line} ")
                reason = f"Cell {self.cell} {message}"
                self._unresolved.append(Unresolved(shown, reason, self.cell, line))
            return
        for entry in found.provenance:
            own = entry.file == place
            where = {"file": None, "line": line} if own else {}
            kept = replace(entry, tier="inline", reason=how, cell=self.cell, **where)
            (self._optional if self.optional else self._required).append(kept)
        self._warnings += found.warnings
        if not self.optional:
            self._unresolved += (replace(item, cell=self.cell, line=line, file=None) for item in found.unresolved)

    # --- places
    def _move(self, path: str | None) -> None:
        if path:
            self._directory = self._place(path)

    def _place(self, path: str) -> str:
        joined = posixpath.normpath(posixpath.join(self._directory, path))
        return "" if joined == "." else joined

    def _clone(self, words: list[str]) -> None:
        plain = [word for word in words if not word.startswith("-")]
        word = next((word for word in plain if "://" in word or re.match(r"[\w.-]+@[\w.-]+:", word)), None)
        if word:
            rest = plain[plain.index(word) + 1 :]
            address = word if "://" in word else "ssh://" + word.replace(":", "/", 1)
            target = rest[0] if rest else posixpath.basename(address.rstrip("/")).removesuffix(".git")
            self._clones[self._place(target)] = address.rstrip("/")

    def _clone_at(self, path: str) -> str | None:
        return self._clones.get(self._place(path))

    def _is_clone(self, spec: str) -> bool:
        return bool(self._clones) and self._clone_at(spec.partition("[")[0]) is not None


def _installs(source: str) -> bool:
    return ("install" in source or " add " in source) and _INSTALL.search(source) is not None


def _is_ipython(func: ast.expr) -> bool:
    return (
        isinstance(func, ast.Attribute)
        and isinstance(func.value, ast.Call)
        and getattr(func.value.func, "id", "") == "get_ipython"
    )
