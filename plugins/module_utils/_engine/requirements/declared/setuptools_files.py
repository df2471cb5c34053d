# SPDX-License-Identifier: GPL-3.0-or-later
"""setup.cfg and setup.py (setuptools). setup.py is parsed, never run."""

from __future__ import annotations

import ast
import configparser
import posixpath
import re

from ...values.resolution import Unresolved
from ..found import Found
from . import requirements_txt
from .pep508 import at, declared, requirement
from .tree import Tree, invalid, line_of


def read_cfg(tree: Tree, relative: str, where: str | None = None) -> Found:
    """Return ``install_requires`` and ``python_requires`` of setup.cfg; ``file:`` is followed.

    Raises EngineError (``requirements_invalid``) naming file and line.
    """
    text = tree.read(relative, where)
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next(
            (number for number, _unused in getattr(error, "errors", ())), None
        )
        raise invalid(
            at(relative, line), "is not valid: each entry is KEY = VALUE below a [section]; correct it."
        ) from None
    python = parser.get("options", "python_requires", fallback=None)
    value = parser.get("options", "install_requires", fallback="").strip()
    if value.startswith("file:"):
        found = _files(tree, relative, text, value)
        return Found(found.provenance, (), found.warnings, found.unresolved, python)
    start = line_of(text, "^install_requires") or 1
    provenance = []
    for entry in (part.split(" #")[0].strip() for part in value.replace(";\n", "\n").splitlines()):
        if entry and not entry.startswith("#"):
            number = line_of(text, rf"(^|[\s=]){re.escape(entry)}", start)
            provenance.append(declared(requirement(entry, at(relative, number)), relative, number))
    return Found(tuple(provenance), python_requires=python)


def _files(tree: Tree, relative: str, text: str, value: str) -> Found:
    where = at(relative, line_of(text, "file:"))
    provenance, warnings, unresolved = [], [], []
    for name in value.removeprefix("file:").split(","):
        found = requirements_txt.read(tree, tree.locate(name.strip(), posixpath.dirname(relative), where), where)
        provenance += found.provenance
        warnings += found.warnings
        unresolved += found.unresolved
    return Found(tuple(provenance), (), tuple(warnings), tuple(unresolved))


def read_py(tree: Tree, relative: str, where: str | None = None) -> Found:
    """Return the literal ``install_requires`` and ``python_requires`` of the ``setup()`` call in setup.py.

    A list that is computed is reported as unresolved. Raises EngineError (``requirements_invalid``) where
    the file does not parse.
    """
    text = tree.read(relative, where)
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise invalid(
            at(relative, line), "is not valid Python 3: correct it, or declare in requirements.txt."
        ) from None
    names = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    keywords = {keyword.arg: keyword.value for call in _setup_calls(module) for keyword in call.keywords}
    python = _literal(keywords.get("python_requires"), names)
    found = _install_requires(relative, keywords.get("install_requires"), names)
    return Found(found.provenance, (), (), found.unresolved, python if isinstance(python, str) else None)


def _setup_calls(module: ast.Module) -> list[ast.Call]:
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    return [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", None)) == "setup"]


def _install_requires(relative: str, node: ast.expr | None, names: dict[str, ast.expr]) -> Found:
    if node is None:
        return Found()
    elements = _elements(node, names)
    if elements is None:
        reason = (
            f"{at(relative, node.lineno)} computes install_requires, and setup.py is never run: declare it in a file."
        )
        return Found(unresolved=(Unresolved("install_requires", reason, line=node.lineno, file=relative),))
    provenance = []
    for element in elements:
        # One string may hold several lines.
        for entry in (part.split(" #")[0].strip() for part in element.value.splitlines()):
            if entry and not entry.startswith("#"):
                where = at(relative, element.lineno)
                provenance.append(declared(requirement(entry, where), relative, element.lineno))
    return Found(tuple(provenance))


def _elements(node: ast.expr | None, names: dict[str, ast.expr]) -> list[ast.Constant] | None:
    """Return the string constants of a literal list, through names and ``+``; None where it is computed."""
    if isinstance(node, ast.Name):
        rest = {name: value for name, value in names.items() if name != node.id}
        return _elements(names.get(node.id), rest)
    if isinstance(node, ast.Constant):
        return [node] if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _elements(node.left, names), _elements(node.right, names)
        return None if left is None or right is None else left + right
    if not isinstance(node, (ast.List, ast.Tuple)):
        return None
    parts = [_elements(element, names) for element in node.elts]
    return None if None in parts else [constant for part in parts for constant in part]


def _literal(node: ast.expr | None, names: dict[str, ast.expr]) -> object:
    node = names.get(node.id) if isinstance(node, ast.Name) else node
    return node.value if isinstance(node, ast.Constant) else None
