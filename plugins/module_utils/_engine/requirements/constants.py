# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of variables that can be read from the code without running it."""

from __future__ import annotations

import ast
import typing as t


class Constants:
    """Texts and lists of texts by the names they were assigned to."""

    def __init__(self, values: dict[str, str | list[str]] | None = None) -> None:
        self._values: dict[str, str | list[str]] = dict(values or {})

    def copy(self) -> Constants:
        return Constants(self._values)

    def assign(self, name: str, node: ast.expr) -> None:
        value: str | list[str] | None = self.text(node)
        if value is None:
            value = self.items(node)
        if value is None:
            self._values.pop(name, None)
        else:
            self._values[name] = value

    def set(self, name: str, value: str) -> None:
        self._values[name] = value

    def forget_name(self, name: str) -> None:
        self._values.pop(name, None)

    def forget(self, target: ast.expr) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self._values.pop(node.id, None)

    def shown(self, name: str) -> str | None:
        """Return a variable as a shell sees it in ``{name}``: None where it is not known."""
        if name == "sys.executable":
            return "python"
        value = self._values.get(name)
        if value is None:
            try:
                expression = ast.parse(name, mode="eval").body
            except (SyntaxError, ValueError):
                return None
            return None if isinstance(expression, ast.Name) else self.text(expression)
        return value if isinstance(value, str) else None

    def text(self, node: ast.expr, *, partly: bool = False) -> str | None:
        """Return the text of an expression; None where it is not known.

        partly: let unknown parts stand as ``{expression}``.
        """
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name) and isinstance(self._values.get(node.id), str):
            return t.cast("str", self._values[node.id])
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable":
            return "python"
        if isinstance(node, ast.JoinedStr):
            return self._all(
                [item.value if isinstance(item, ast.FormattedValue) else item for item in node.values], partly
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._all([node.left, node.right], partly)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return self._percent(node, partly)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return self._method(node, node.func, partly)
        return "{" + ast.unparse(node) + "}" if partly else None

    def _all(self, nodes: list[ast.expr], partly: bool) -> str | None:
        texts = [self.text(node, partly=partly) for node in nodes]
        return None if None in texts else "".join(t.cast("list[str]", texts))

    def _percent(self, node: ast.BinOp, partly: bool) -> str | None:
        pattern = self.text(node.left)
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        texts = [self.text(value, partly=partly) for value in values]
        if pattern is None or None in texts or pattern.count("%s") != len(texts):
            return None
        return pattern.replace("%s", "{}").format(*texts) if "{" not in pattern else None

    def _method(self, node: ast.Call, func: ast.Attribute, partly: bool) -> str | None:
        owner = self.text(func.value)
        if owner is not None and func.attr == "join" and len(node.args) == 1:
            items = self.items(node.args[0])
            if items is not None:
                return owner.join(items)
        elif owner is not None and func.attr == "format" and not node.keywords:
            texts = [self.text(item, partly=partly) for item in node.args]
            try:
                return None if None in texts else owner.format(*texts)
            except (IndexError, KeyError, ValueError):
                return None
        elif owner is not None and func.attr in ("strip", "lower") and not node.args:
            return getattr(owner, func.attr)()
        return "{" + ast.unparse(node) + "}" if partly else None

    def items(self, node: ast.expr) -> list[str] | None:
        """Return the texts of a list expression; None where one of them is not known."""
        if isinstance(node, ast.Name):
            value = self._values.get(node.id)
            return value if isinstance(value, list) else None
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            texts = [self.text(item) for item in node.elts]
            return None if None in texts else t.cast("list[str]", texts)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            if getattr(node.func.value, "id", "") == "shlex" and node.args:
                text = self.text(node.args[0])
                return text.split() if text is not None else None
            owner = self.text(node.func.value)
            return owner.split() if owner is not None and not node.args else None
        return None

    def parts(self, node: ast.expr) -> list[tuple[str, bool]] | None:
        """Return the members of a list as (text, known); None where the expression is no list."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.parts(node.left), self.parts(node.right)
            return None if left is None or right is None else left + right
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "list" and len(node.args) == 1:
            return self.parts(node.args[0])
        if not isinstance(node, (ast.List, ast.Tuple)):
            items = self.items(node)
            return None if items is None else [(text, True) for text in items]
        found: list[tuple[str, bool]] = []
        for item in node.elts:
            if isinstance(item, ast.Starred):
                found += self.parts(item.value) or [("{" + ast.unparse(item.value) + "}", False)]
                continue
            text = self.text(item)
            found.append((text, True) if text is not None else ("{" + ast.unparse(item) + "}", False))
        return found
