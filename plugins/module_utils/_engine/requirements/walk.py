# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk through the statements of a notebook in order, knowing which of them it can do without."""

from __future__ import annotations

import ast
import re
import typing as t

from ..notebook.syntax import parse
from .names import is_hosted

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..notebook.load import Notebook

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_HOSTS = ("colab", "kaggle", "databricks", "paperspace", "binder")
_HOSTED_NAME = re.compile(
    r"\w*colab\w*|(?:_*(?:is|in|on|at|running|env)_\w*)?(?:kaggle|databricks|paperspace|binder)(?:_env)?", re.IGNORECASE
)
_HOSTED_WORD = re.compile(rf"[^\s/]*(?:{'|'.join(_HOSTS)})[^\s/]*", re.IGNORECASE)
_MESSAGES = (
    "print",
    "warn",
    "warning",
    "error",
    "info",
    "debug",
    "display",
    "ImportError",
    "RuntimeError",
    "Exception",
)
_INSTALLS = re.compile(r"\binstall\b")
_DEFERRED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Walker:
    """Visits statements; subclasses override ``imported``, ``call``, ``assigned``.

    cell, file: where the present statement stands. optional: how many guards are around it.
    deep: look into expressions too; statements alone are much cheaper to walk.
    """

    def __init__(self) -> None:
        self.cell: int | None = None
        self.file: str | None = None
        self.optional = 0
        self.deep = True
        self.hosted_names: set[str] = set()
        self.may_ask_host = True

    # --- what subclasses may want to know
    def imported(self, node: ast.Import | ast.ImportFrom) -> None:
        """An import statement."""

    def call(self, node: ast.Call) -> None:
        """A call, anywhere in an expression; only when deep."""

    def assigned(self, node: ast.Assign) -> None:
        """An assignment with ``=``."""

    # --- the walk
    def begin(self, index: int, source: str, *, deep: bool) -> None:
        """Enter a cell."""
        self.cell = index
        self.deep = deep
        lowered = source.lower()
        self.may_ask_host = bool(self.hosted_names) or any(name in lowered for name in _HOSTS)

    def block(self, body: Iterable[ast.stmt], *, optional: bool = False) -> None:
        self.optional += optional
        for statement in body:
            handler = _HANDLERS.get(type(statement))
            if handler is not None:
                getattr(self, handler)(statement)
            elif self.deep:
                self.expression(statement)
        self.optional -= optional

    def expression(self, node: ast.AST | None) -> None:
        if node is None or not self.deep:
            return
        pending = [node]
        calls = []
        while pending:
            item = pending.pop()
            if type(item) in _LEAVES:
                continue
            if isinstance(item, ast.Call):
                calls.append(item)
            for inner in vars(item).values():
                if isinstance(inner, list):
                    pending += inner
                elif type(inner) not in _LEAVES:
                    pending.append(inner)
        if len(calls) > 1:
            calls.sort(key=_position)
        for item in calls:
            self.call(item)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.imported(node)

    def _assign(self, node: ast.Assign) -> None:
        if self.may_ask_host and is_hosted_test(node.value, self.hosted_names):
            self.hosted_names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        self.assigned(node)
        self.expression(node.value)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.expression(decorator)
        self.block(node.body)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.expression(item.context_expr)
        self.block(node.body, optional=any(_suppresses_imports(item.context_expr) for item in node.items))

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self.expression(node.iter)
        self.block(node.body)
        self.block(node.orelse)

    def _while(self, node: ast.While) -> None:
        self.expression(node.test)
        self.block(node.body)
        self.block(node.orelse)

    def _if(self, node: ast.If) -> None:
        self.expression(node.test)
        then, otherwise = branches(node.test, self.hosted_names)
        self.block(node.body, optional=not then)
        self.block(node.orelse, optional=not otherwise)

    def _try(self, node: ast.Try) -> None:
        body, handlers = self.guards(node)
        self.block(node.body, optional=body)
        self.block(node.orelse, optional=body)
        for handler in node.handlers:
            self.block(handler.body, optional=handlers if catches_imports(handler) else False)
        self.block(node.finalbody)

    def guards(self, node: ast.Try) -> tuple[bool, bool]:
        """Say whether the body of a ``try`` and its import handlers are optional."""
        return imports_host(node.body), False

    def _match(self, node: t.Any) -> None:
        self.expression(node.subject)
        for case in node.cases:
            self.block(case.body)


# What holds no call; positions stand among the fields as numbers.
_LEAVES = frozenset({ast.Name, ast.Constant, ast.Load, ast.Store, ast.alias, str, bytes, int, type(None), bool})


def _position(node: ast.Call) -> tuple[int, int]:
    return node.lineno, node.col_offset


# Names, so that subclasses may override what they name.
_HANDLERS = {
    ast.Import: "_import",
    ast.ImportFrom: "_import",
    ast.Assign: "_assign",
    ast.FunctionDef: "_function",
    ast.AsyncFunctionDef: "_function",
    ast.ClassDef: "_function",
    ast.With: "_with",
    ast.AsyncWith: "_with",
    ast.For: "_for",
    ast.AsyncFor: "_for",
    ast.While: "_while",
    ast.If: "_if",
    ast.Try: "_try",
    ast.Match: "_match",
}
if hasattr(ast, "TryStar"):
    _HANDLERS[ast.TryStar] = "_try"


def statements(notebook: Notebook) -> Iterator[tuple[int, str, tuple[ast.stmt, ...]]]:
    """Yield index, source and statements of every code cell."""
    for cell in notebook.cells:
        if cell.type == "code" and cell.source.strip():
            yield cell.index, cell.source, parse(cell.source).body


def imports_in(body: Iterable[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of a block, nested ones too, but not those of functions and classes."""
    pending = list(body)
    while pending:
        item = pending.pop(0)
        if isinstance(item, (ast.Import, ast.ImportFrom)):
            yield item
        elif not isinstance(item, _DEFERRED):
            pending += [one for one in ast.iter_child_nodes(item) if isinstance(one, (ast.stmt, ast.ExceptHandler))]


def catches_imports(handler: ast.ExceptHandler) -> bool:
    """Tell whether an ``except`` takes a failed import."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or _last_name(kind) in _IMPORT_ERRORS for kind in kinds)


def imports_host(body: Iterable[ast.stmt]) -> bool:
    """Tell whether a block begins with an import that only a hosting service can answer."""
    for node in imports_in(body):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        if any(is_hosted(module) for module in modules):
            return True
    return False


def raises(body: Iterable[ast.stmt]) -> bool:
    """Tell whether a handler raises or exits: then what failed was needed."""
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Call) and _last_name(node.func) in ("exit", "quit", "_exit"))
        for statement in body
        for node in ast.walk(statement)
    )


def installs(body: Iterable[ast.stmt]) -> bool:
    """Tell whether a handler installs what failed; a message that says how to is no installation."""
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Call) and _last_name(node.func) not in _MESSAGES:
            texts = (item.value for item in ast.walk(node) if isinstance(item, ast.Constant))
            if any(isinstance(text, str) and _INSTALLS.search(text) for text in texts):
                return True
    return False


def is_hosted_test(test: ast.AST, hosted_names: set[str]) -> bool:
    """Tell whether an expression asks if a hosting service runs the notebook."""
    for node in ast.walk(test):
        if isinstance(node, ast.Constant) and node is not test:
            # A path, an address or a sentence that merely contains the word is no question.
            if isinstance(node.value, str) and _HOSTED_WORD.fullmatch(node.value):
                return True
            continue
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name and (name in hosted_names or _HOSTED_NAME.fullmatch(name)):
            return True
    return False


def branches(test: ast.AST, hosted_names: set[str]) -> tuple[bool, bool]:
    """Say which branches of an ``if`` may run outside hosting services on a current Python on Linux."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        then, otherwise = branches(test.operand, hosted_names)
        return otherwise, then
    if isinstance(test, ast.Constant):
        return bool(test.value), not test.value
    text = ast.unparse(test) if not isinstance(test, ast.Name) else test.id
    if text.endswith("TYPE_CHECKING"):
        return False, True
    if is_hosted_test(test, hosted_names):
        negated = isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.NotIn, ast.NotEq))
        return (True, False) if negated else (False, True)
    if text.startswith(("sys.version_info", "sys.platform", "os.name", "platform.system")):
        return _evaluate(test)
    return True, True


def _evaluate(test: ast.AST) -> tuple[bool, bool]:
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        if isinstance(test, ast.Call) and ast.unparse(test.func) == "sys.platform.startswith":
            return _either(any(isinstance(a, ast.Constant) and str(a.value) in "linux" for a in test.args))
        return True, True
    right = test.comparators[0]
    operator = type(test.ops[0])
    value = right.value if isinstance(right, ast.Constant) else None
    if isinstance(value, str) and operator in (ast.Eq, ast.NotEq):
        here = value in ("linux", "posix", "Linux")
        return _either(here if operator is ast.Eq else not here)
    if isinstance(right, ast.Tuple) and right.elts and isinstance(right.elts[0], ast.Constant):
        value = right.elts[0].value
        minor = right.elts[1].value if len(right.elts) > 1 and isinstance(right.elts[1], ast.Constant) else 0
        if value == 3 and isinstance(minor, int) and minor > 9:
            return True, True
    if isinstance(value, int) and operator in (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq):
        modern = operator in (ast.Gt, ast.GtE) or (operator is ast.Eq and value == 3)
        return _either(modern)
    return True, True


def _either(then: bool) -> tuple[bool, bool]:
    return then, not then


def _suppresses_imports(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and _last_name(node.func) == "suppress"
        and any(_last_name(argument) in _IMPORT_ERRORS for argument in node.args)
    )


def _last_name(node: ast.AST | None) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
