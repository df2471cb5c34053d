# SPDX-License-Identifier: GPL-3.0-or-later
"""pipreqs' own import scan and name table, as a library: for those who want its answers without its faults.

pipreqs stops at the first cell that does not parse and asks an index for names; here it sees one cell at a time,
as plain Python, and its look-ups by network are never called. It knows no implicit needs, no guarded imports and
no namespaces: the builtin engine does.
"""

from __future__ import annotations

import ast
import tempfile
import typing as t
from pathlib import Path

from ..notebook import syntax
from ..values.errors import EngineError
from .found import Need
from .names import canonical

if t.TYPE_CHECKING:
    from types import ModuleType

    from ..notebook.load import Notebook


def needs(notebook: Notebook, root: Path) -> tuple[Need, ...]:
    """Return what pipreqs finds in the code cells, in their order; modules that lie beside the notebook are local.

    Raises EngineError where pipreqs is not installed.
    """
    pipreqs = _library()
    beside = [(root / notebook.name).parent, root]
    found: dict[str, Need] = {}
    with tempfile.TemporaryDirectory(prefix="mlops-notebooks-") as scratch:
        for cell in notebook.cells:
            if cell.type != "code":
                continue
            for module in _imports(pipreqs, Path(scratch) / f"cell-{cell.index}", cell.source):
                if module not in found and not any(_is_module(directory, module) for directory in beside):
                    distribution = canonical(pipreqs.get_pkg_names([module])[0])
                    found[module] = Need(module, distribution, f"import {module}", cell.index)
    return tuple(found.values())


def _library() -> ModuleType:
    try:
        from pipreqs import pipreqs
    except ImportError as error:
        missing = error.name or "pipreqs"
        advice = "install pipreqs for the Python that runs the module, or use the engine builtin"
        raise EngineError(
            f"The engine pipreqs needs the Python package {missing}: {advice}.", code="missing_library"
        ) from None
    return pipreqs


def _imports(pipreqs: ModuleType, directory: Path, source: str) -> list[str]:
    """Return the imports of one cell. The directory's name must be no module name: pipreqs takes it for a local one."""
    body = syntax.parse(source).body
    if not body:
        return []
    directory.mkdir()
    plain = ast.unparse(ast.Module(body=list(body), type_ignores=[]))
    # A lone surrogate in a string is legal in a notebook's JSON, but not in a file.
    (directory / "in-cell.py").write_text(plain, encoding="utf-8", errors="backslashreplace")
    return sorted(pipreqs.get_all_imports(str(directory)))


def _is_module(directory: Path, name: str) -> bool:
    return (directory / f"{name}.py").is_file() or (directory / name).is_dir()
