# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements ladder: declared, generated, inline, base; the first tier that knows something is taken."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from ..notebook import discover, kernel, load
from ..values.base import Value
from ..values.errors import EngineError
from ..values.resolution import Provenance, Resolution, Unresolved
from . import additions, generated, imports, inline, pins, pipreqs_engine
from .coverage import covered, lacking, name_of
from .declared import script_block
from .declared.nearest import Declaration, Declarations, Nearby
from .declared.tree import Tree, invalid
from .found import Found
from .merge import merge

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..notebook.load import Notebook
    from .found import Need


@dataclass(frozen=True)
class Options:
    """How the ladder is climbed; the fields are the options of the module ``notebook_requirements``.

    python_2: answer, with a warning, for notebooks that ask for a kernel of Python 2, which nothing here can run.
    """

    requirements_file: str | None = None
    requirements_sources: tuple[str, ...] = ()
    generate: bool = False
    fallback: str = "warn"
    engine: str = "builtin"
    pin: str = "none"
    pin_python: str | None = None
    python_2: bool = False


@dataclass(frozen=True)
class Refusal(Value):
    """A notebook that has no resolution, and why; code is of the taxonomy table."""

    notebook: str
    code: str
    message: str


@dataclass(frozen=True)
class Outcome(Value):
    """What one call gives: a resolution or a refusal for every notebook."""

    resolutions: tuple[Resolution, ...]
    refused: tuple[Refusal, ...] = ()


def resolve(
    root: Path, notebooks: Sequence[str] | None = None, *, exclude: Sequence[str] = (), options: Options | None = None
) -> Outcome:
    """Return what each notebook below ``root`` needs.

    notebooks: paths or globs relative to root, None = all. exclude: globs to leave out.
    One notebook that cannot be resolved is refused and does not hold up the others. EngineError is raised where
    the caller named it by its path, where ``fallback`` is ``fail``, and where every notebook is refused; its
    details then hold ``resolutions`` and ``refused``. It is also raised for a root that is no directory, a pattern
    without a match and an explicit requirements file that is missing or broken.
    """
    root, options = Path(root), options or Options()
    _check_library()
    names = discover.find(root, notebooks, exclude)
    ladder = _Ladder(root, options)
    resolutions, refused, fatal = [], [], None
    named = {posixpath.normpath(pattern) for pattern in notebooks or ()}
    for name in names:
        try:
            resolutions.append(ladder.climb(name))
        except EngineError as error:
            refused.append(Refusal(name, error.code, error.message))
            if name in named or error.code == "requirements_missing":
                fatal = fatal or refused[-1]
    outcome = Outcome(tuple(resolutions), tuple(refused))
    fatal = fatal or (refused[0] if not resolutions else None)
    if fatal:
        more = f" ({len(refused) - 1} more refused: see refused.)" if len(refused) > 1 else ""
        raise EngineError(fatal.message + more, fatal.code, **outcome.as_dict())
    return replace(outcome, resolutions=tuple(pins.apply(resolutions, root, options.pin, options.pin_python)))


def _check_library() -> None:
    """Say once what every notebook would fail by. Raises EngineError (``missing_library``)."""
    try:
        import packaging.requirements
        import packaging.specifiers  # noqa: F401
    except ImportError:
        raise EngineError(
            "The Python package packaging is missing: install it for the Python that runs the module.",
            code="missing_library",
        ) from None


class _Ladder:
    """One call: the declared files are read once for all notebooks."""

    def __init__(self, root: Path, options: Options):
        self._root = root
        self._options = options
        self._declarations = Declarations(Tree(root))
        self._explicit = self._chosen_by_caller()

    def _chosen_by_caller(self) -> Declaration | None:
        options = self._options
        if options.requirements_file:
            return self._declarations.explicit(options.requirements_file)
        return self._declarations.first(options.requirements_sources)

    def climb(self, name: str) -> Resolution:
        """Return the resolution of one notebook. Raises EngineError with the reason where there is none."""
        notebook = load.load(self._root / name, name=name)
        kernel.check(notebook, python_2=self._options.python_2)
        cells = [(cell.index, cell.source) for cell in notebook.cells if cell.type == "code"]
        block, block_python = script_block.read(name, cells)
        engine = pipreqs_engine if self._options.engine == "pipreqs" else imports
        needs = engine.needs(notebook, self._root)
        installs = inline.find(notebook, self._root)
        directory = posixpath.dirname(name)
        near = Nearby()
        declaration = self._explicit or (Declaration(None, block) if block else None)
        if declaration is None:
            near = self._declarations.nearest(directory)
            declaration = near.declaration
        if declaration:
            tier, found = "declared", self._declared(declaration, needs, installs)
        else:
            tier, found = self._undeclared(name, needs, installs)
        python = (
            block_python,
            near.python_requires or found.python_requires,
            self._declarations.python(directory),
        )
        return Resolution(
            notebook=name,
            tier=tier,
            requirements=tuple(dict.fromkeys(entry.requirement for entry in found.provenance)),
            provenance=found.provenance,
            warnings=self._chain_warning() + _python_2_warning(notebook) + found.warnings,
            unresolved=found.unresolved + near.unresolved,
            python_requires=_joined(name, python),
            kernel=notebook.kernel,
            imports=_promised(needs, found.provenance),
        )

    def _chain_warning(self) -> tuple[str, ...]:
        sources = self._options.requirements_sources
        if self._options.requirements_file or not sources or self._explicit:
            return ()
        return (f"None of the requirements sources exists ({', '.join(sources)}): the usual files were looked for.",)

    def _declared(self, declaration: Declaration, needs: Sequence[Need], installs: Found) -> Found:
        """Return the declared lines, what the notebook installs itself, and what its imports show to be lacking."""
        source = declaration.file or "the notebook's script block"
        own = declaration.found
        added, warnings = additions.from_inline(own.provenance, installs.provenance, source)
        provenance = [*own.provenance, *added]
        locked = additions.is_hashed(provenance)
        for need in lacking(needs, covered(self._lines(provenance))):
            line = self._own_project(need) or need.distribution
            if locked:
                remedy = f"lock `{line}` there too."
            elif self._options.fallback == "auto":
                provenance.append(Provenance(line, "generated", need.reason, need.file, need.cell, need.line))
                remedy = f"`{line}` was added; declare it."
            else:
                remedy = f"add the line `{line}` there, or set fallback to auto."
            warnings.append(f"{_place(need)}, which {source} does not cover: {remedy}")
        return Found(
            provenance=tuple(provenance),
            warnings=own.warnings + installs.warnings + tuple(warnings),
            unresolved=own.unresolved + installs.unresolved + _unmapped(needs),
            python_requires=own.python_requires,
        )

    def _own_project(self, need: Need) -> str | None:
        """Return the line that installs the source itself, where it is a project that provides the module."""
        if not any((self._root / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
            return None
        for directory in (self._root, self._root / "src"):
            if (directory / need.module / "__init__.py").is_file() or (directory / f"{need.module}.py").is_file():
                return "./"
        return None

    def _lines(self, provenance: Sequence[Provenance]) -> list[str]:
        """The lines, and for a local project those that its own metadata declares."""
        lines = [entry.requirement for entry in provenance]
        for line in list(lines):
            path = line.removeprefix("-e ")
            if path.startswith("./"):
                directory = path[2:].partition(";")[0].partition("[")[0].strip().rstrip("/")
                lines += self._declarations.of_project(directory)
        return lines

    def _undeclared(self, name: str, needs: Sequence[Need], installs: Found) -> tuple[str, Found]:
        """Return ``(tier, found)`` where no file declares anything."""
        if self._options.generate or self._options.fallback == "auto":
            found = merge(generated.from_needs(needs), installs)
            tiers = {entry.tier for entry in found.provenance}
            return next((tier for tier in ("generated", "inline") if tier in tiers), "base"), found
        missing = lacking(needs, covered(entry.requirement for entry in installs.provenance))
        unresolved = installs.unresolved + _unmapped(needs)
        if any(name_of(entry.requirement) or not entry.requirement.startswith("--") for entry in installs.provenance):
            remedy = "install it there too, declare it in a file, or set generate to true."
            warnings = tuple(
                f"{_place(need)}, which the notebook's own installs do not cover: {remedy}" for need in missing
            )
            return "inline", replace(installs, warnings=installs.warnings + warnings, unresolved=unresolved)
        if not missing:
            return "base", replace(installs, unresolved=unresolved)
        text = _nothing_known(name, missing)
        if self._options.fallback == "fail":
            raise EngineError(text, "requirements_missing", imports=[need.module for need in missing])
        return "base", replace(installs, warnings=(*installs.warnings, text), unresolved=unresolved)


def _python_2_warning(notebook: Notebook) -> tuple[str, ...]:
    if not kernel.is_python_2(notebook):
        return ()
    return (
        f"{notebook.name} asks for the kernel {notebook.kernel}: its code was read, but only Python 3 kernels are run;"
        " set its kernel to python3.",
    )


def _place(need: Need) -> str:
    where = need.file or f"Cell {need.cell}"
    return f"{where} needs {need.distribution} ({need.reason})"


def _nothing_known(name: str, missing: Sequence[Need]) -> str:
    shown = "; ".join(f"cell {need.cell}: {need.reason}" for need in missing[:5])
    shown += f"; and {len(missing) - 5} more" if len(missing) > 5 else ""
    names = [need.distribution for need in missing]
    lines = ", ".join(f"`{name}`" for name in names)
    return (
        f"{name} declares no requirement but has needs ({shown}): add {lines} to a requirements.txt beside or above "
        f"it, set generate to true, or write `%pip install {' '.join(names)}` into its first cell."
    )


def _unmapped(needs: Sequence[Need]) -> tuple[Unresolved, ...]:
    return generated.from_needs([need for need in needs if not need.distribution]).unresolved


def _promised(needs: Sequence[Need], provenance: Sequence[Provenance]) -> dict[str, str]:
    """Return import name -> distribution for the imports that a line names the distribution of.

    Only plain import statements count, and lines without a marker: what is implied or conditional promises nothing.
    """
    names = {name_of(entry.requirement) for entry in provenance if ";" not in entry.requirement}
    return {
        need.module: need.distribution
        for need in needs
        if not need.optional and need.distribution in names and need.reason.startswith("import ")
    }


def _joined(name: str, parts: Sequence[str | None]) -> str | None:
    """Return all that is asked of Python as one specifier."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    # Old setup.py files write >=3.6.*, which setuptools once took.
    asked = list(dict.fromkeys(re.sub(r"([<>]=?\s*[\d.]+?)\.\*", r"\1", part) for part in parts if part))
    for part in asked:
        try:
            SpecifierSet(part)
        except InvalidSpecifier:
            raise invalid(
                name, f"is asked to run on Python {part!r}, which is no version range: write >=3.10, for instance."
            ) from None
    return ",".join(asked) or None
