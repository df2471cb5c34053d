# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notebook's code needs: imports, and what the use of them implies."""

from __future__ import annotations

import ast
import functools
import os
import re
import typing as t
import warnings
from pathlib import Path

from ..notebook import load
from ..notebook.syntax import parse
from ..values.errors import EngineError
from . import names, names_data
from .found import Need
from .implicit import Implied
from .local import LocalModules, submodules
from .walk import Walker, catches_imports, imports_host, imports_in, installs, raises, statements

if t.TYPE_CHECKING:
    from ..notebook.load import Notebook

_MAX_LOCAL_FILES = 200
_MAX_LOCAL_BYTES = 1024**2
_DYNAMIC = ("importlib.import_module", "__import__", "pytest.importorskip", "pt.importorskip")


def needs(notebook: Notebook, root: Path) -> tuple[Need, ...]:
    """Return what the code of the notebook needs, one entry a module and distribution, in the order met.

    The standard library, what ipykernel brings, and modules of the source tree are left out; the imports of local
    modules count. ``distribution`` is None for names that look like a missing local file.
    """
    reader = _Reader(LocalModules(notebook, root), notebook)
    for index, source, body in statements(notebook):
        reader.read_cell(index, source, body)
    reader.local_files()
    return reader.result()


class _Reader(Walker):
    """Collects needs over the cells of one notebook and the local files that they import."""

    def __init__(self, local: LocalModules, notebook: Notebook) -> None:
        super().__init__()
        self.local = local
        self.notebook = notebook
        self.found: list[Need] = []
        self.implied = Implied(self._need)
        self.pending: list[tuple[str, int | None, bool]] = []
        # name -> index in found, for imports that are guarded; a use outside any guard makes them required
        self.guarded: dict[str, list[int]] = {}
        self.used: set[str] = set()

    def read_cell(self, index: int, source: str, body: tuple[ast.stmt, ...]) -> None:
        self.begin(index, source, deep="%" in source or ".py" in source or self.implied.triggers(source))
        self.block(body)
        if self.guarded:
            self._uses(body)

    def local_files(self) -> None:
        """Follow the local modules that were imported, and those that they import."""
        seen: set[str] = set()
        self.deep = self.may_ask_host = True
        while self.pending and len(seen) < _MAX_LOCAL_FILES:
            path, cell, optional = self.pending.pop(0)
            if path in seen:
                continue
            seen.add(path)
            body = _file_body(path, *_stamp(path))
            self.cell, self.file = cell, self.local.relative(path)
            self._path = path
            self.block(body, optional=optional)
        self.file = None

    def result(self) -> tuple[Need, ...]:
        for name, indexes in self.guarded.items():
            if name in self.used:
                for index in indexes:
                    need = self.found[index]
                    self.found[index] = Need(
                        need.module, need.distribution, need.reason, need.cell, need.line, need.file
                    )
        required = {need.distribution for need in self.found if need.distribution and not need.optional}
        unique: dict[tuple[str, str | None], Need] = {}
        for need in (*self.found, *self.implied.finish(required)):
            key = (need.module, need.distribution)
            if key not in unique or (unique[key].optional and not need.optional):
                unique[key] = need
        return tuple(unique.values())

    # --- what the walk meets
    def _bind(self, name: str, dotted: str) -> None:
        # The first of several alternatives is the one that a complete environment takes.
        if not (self.optional and self.implied.is_bound(name)):
            self.implied.bind(name, dotted)

    def imported(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom):
            if node.level:
                if self.file:
                    self.pending += ((path, self.cell, bool(self.optional)) for path in submodules(self._path, node))
                return
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                self._bind(alias.asname or alias.name, full)
                self._module(node.module or "", node, full, alias.asname or alias.name)
            return
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            self._bind(bound, alias.name if alias.asname else bound)
            self._module(alias.name, node, alias.name, bound)

    def _module(self, module: str, node: ast.AST, full: str, bound: str | None = None) -> None:
        """Note one import; full is the module with the name taken from it, which may be a submodule."""
        top = module.partition(".")[0]
        if not top or names.is_stdlib(top) or names.is_base(top) or names.is_hosted(full):
            return
        own = self.local.project_of(top)
        files = None if own else self.local.files(full)
        if files is None and not own and "." in module and self.local.file(module) is not None:
            files = [self.local.file(module) or ""]
        if files is not None:
            self.pending += ((path, self.cell, bool(self.optional)) for path in files if path)
            return
        self.implied.imported(full, self._at(node))
        distribution = own or names.distribution_of(full)
        if top.lower() in names_data.GENERIC or (self.local.clones and not own and not names.is_popular(full)):
            distribution = None
        self.found.append(self._need(top, distribution, f"import {module}", self._at(node)))
        if self.optional and bound:
            self.guarded.setdefault(bound, []).append(len(self.found) - 1)

    def call(self, node: ast.Call) -> None:
        dotted = self.implied.dotted(node.func)
        if dotted in _DYNAMIC and node.args and isinstance(node.args[0], ast.Constant):
            name = node.args[0].value
            if isinstance(name, str) and _MODULE_NAME.match(name):
                self._module(name, node, name)
            return
        method = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if method in ("run_line_magic", "run_cell_magic", "magic"):
            self._magic(node, method)
        elif method == "system" and node.args and isinstance(node.args[0], ast.Constant):
            for name in _PYTHON_SCRIPT.findall(str(node.args[0].value)):
                self._script(name)
        self.implied.called(node, dotted, self._at(node))

    def assigned(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.implied.unbind(target.id)

    def _magic(self, node: ast.Call, method: str) -> None:
        texts = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        if method == "magic" and texts:
            texts = texts[0].lstrip("%").split(None, 1)
        name, rest = (texts + ["", ""])[:2]
        if name in ("run", "run_path") and rest.split()[:1]:
            self._script(rest.split()[0].strip("'\""))
        if method == "run_cell_magic" and name in ("writefile", "file") and rest.endswith(".py") and len(texts) > 2:
            stem = os.path.basename(rest.split()[-1]).removesuffix(".py")
            self._text(texts[2] if self._mentioned(stem) else "", node.lineno)
        self.implied.magic(name, rest, self._at(node), cell=method == "run_cell_magic")

    def _script(self, name: str) -> None:
        for candidate in (name, name + ".py"):
            path = os.path.normpath(os.path.join(self.local.folders[0], candidate))
            if (
                candidate.endswith((".py", ".ipynb"))
                and path.startswith(self.local.root + os.sep)
                and os.path.isfile(path)
            ):
                self.pending.append((path, self.cell, bool(self.optional)))
                return

    def _mentioned(self, name: str) -> bool:
        """Tell whether another cell speaks of a file that this one writes: else nothing here runs it."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return any(
            cell.type == "code" and cell.index != self.cell and word.search(cell.source) for cell in self.notebook.cells
        )

    def _text(self, source: str, line: int) -> None:
        body = _parsed(source)
        for statement in body:
            ast.increment_lineno(statement, line)
        self.block(body)

    def guards(self, node: ast.Try) -> tuple[bool, bool]:
        """Decide which of several alternatives is needed: the first that is not there already."""
        handlers = [handler for handler in node.handlers if catches_imports(handler)]
        if not handlers:
            return False, False
        if imports_host(node.body):
            return True, False
        if any(installs(handler.body) for handler in handlers):
            return False, False
        ours = self._distributions(node.body)
        instead = set().union(*(self._distributions(handler.body) for handler in handlers))
        if ours and instead:
            return False, not instead <= ours
        if any(raises(handler.body) for handler in handlers):
            return False, False
        # Either the first choice is there anyway, or the code can do without it.
        return bool(ours) or not any(True for _unused in imports_in(node.body)), True

    def _distributions(self, body: list[ast.stmt]) -> set[str]:
        """Return the distributions that the imports of a block need; empty when they are there anyway."""
        found = set()
        for node in imports_in(body):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            for module in modules:
                top = module.partition(".")[0]
                if not top or names.is_stdlib(top) or names.is_base(top) or self.local.file(top) is not None:
                    continue
                if names.is_hosted(module):
                    continue
                found.add(names.distribution_of(module) or top)
        return found

    def _uses(self, body: tuple[ast.stmt, ...]) -> None:
        """Note names that top-level statements use outside every guard and function."""
        for statement in body:
            if isinstance(statement, (ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.With)):
                self.used.update(
                    node.id
                    for node in ast.walk(statement)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self.guarded
                )

    # --- what comes out
    def _at(self, node: ast.AST) -> int | None:
        return getattr(node, "lineno", None)

    def _need(self, module: str, distribution: str | None, reason: str, line: int | None) -> Need:
        return Need(module, distribution, reason, self.cell, line, self.file, bool(self.optional))


_PYTHON_SCRIPT = re.compile(
    r"(?:\bpython[\d.]*|\{sys\.executable\}['\"]?)[ \t]+(?:-[uBOW][ \t]+)*([^\s'\"-][^\s'\"]*\.py)\b"
)
_MODULE_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*\Z")


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=64)
def _file_body(path: str, _changed: int, size: int) -> tuple[ast.stmt, ...]:
    """Return the statements of a local file, read once for the notebooks that share it."""
    if path.endswith(".ipynb"):
        return _notebook_body(path)
    if not 0 < size <= _MAX_LOCAL_BYTES:
        return ()
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _parsed(file.read())
    except OSError:
        return ()


def _notebook_body(path: str) -> tuple[ast.stmt, ...]:
    """Return the statements of a notebook that another one runs with %run."""
    try:
        cells = load.load(Path(path)).cells
    except EngineError:
        return ()
    return tuple(statement for cell in cells if cell.type == "code" for statement in parse(cell.source).body)


def _parsed(source: str) -> tuple[ast.stmt, ...]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(ast.parse(source).body)
    except (SyntaxError, ValueError, RecursionError):
        return ()
