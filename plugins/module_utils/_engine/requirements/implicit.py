# SPDX-License-Identifier: GPL-3.0-or-later
"""Needs that no import names: what functions, magics and addresses make a library import late."""

from __future__ import annotations

import ast
import re
import typing as t

from . import implicit_data as data
from . import names
from .transitive import provided

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .found import Need

_WORD = re.compile(r"[A-Za-z_]\w+")
_ADDRESS = re.compile(r"([a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?)://")
_FAMILIES = {top: [(re.compile(p), dists) for p, dists in rules] for top, rules in data.FAMILIES.items()}
# Parts of the words that the families of functions have in common.
_PARTS = ("draw", "plot", "Plot", "Display", "explore", "graphics", "mosaic", "sampledata")
_EXCEL = {".xls": "xlrd", ".xlsb": "pyxlsb", ".ods": "odfpy"}
_NO_FRAMEWORK = re.compile(r"(?:Tokenizer(?:Fast)?|Processor|Config|FeatureExtractor)$")
_WORDS = (
    frozenset(name.rpartition(".")[2] for name in data.FUNCTIONS)
    | frozenset(data.METHODS)
    | frozenset(name for name, _unused in data.KEYWORDS)
    | frozenset(data.SCHEMES)
    | data.STYLER_COLOURS
    | frozenset(
        "read_excel ExcelFile ExcelWriter to_excel read_parquet to_parquet style kde density from_pretrained pipeline"
        " open_dataset open_dataarray load_dataset to_netcdf engine create_engine extension fetch_openml data backend"
        " options run_line_magic run_cell_magic magic use set_output load_ext interpolate corr scheme"
        " bivariate hvplot import_module __import__ importorskip BeautifulSoup load load_metric hdf5 draw".split()
    )
)


class _Candidate(t.NamedTuple):
    need: Need
    modules: frozenset[str]  # one of them must be imported; empty = no condition
    unless: frozenset[str]  # none of them may be imported
    always: bool  # required even where another requirement brings it along


class Implied:
    """Collects what uses imply; whether it counts is decided at the end, when all imports are known.

    make: turns (module, distribution, reason, line) into a Need that stands at the present place.
    """

    def __init__(self, make: Callable[[str, str, str, int | None], Need]) -> None:
        self._make = make
        self._aliases: dict[str, str] = {}
        self._stars: list[str] = []
        self._modules: set[str] = set()
        self._candidates: list[_Candidate] = []

    # --- names
    def triggers(self, source: str) -> bool:
        """Tell whether a cell holds a word for which its expressions must be looked at."""
        return any(part in source for part in _PARTS) or not _WORDS.isdisjoint(_WORD.findall(source))

    def bind(self, name: str, dotted: str) -> None:
        if name == "*":
            self._stars.append(dotted.removesuffix(".*"))
        else:
            self._aliases[name] = dotted

    def is_bound(self, name: str) -> bool:
        return name in self._aliases

    def unbind(self, name: str) -> None:
        self._aliases.pop(name, None)

    def dotted(self, node: ast.AST) -> str | None:
        """Return the dotted name of a function as its library calls it; None for a method of some object."""
        attributes = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root = self._aliases.get(node.id)
        if root is None:
            if attributes:
                return None
            return node.id if node.id.startswith("__") else self._starred(node.id)
        return ".".join([root, *reversed(attributes)])

    def _starred(self, name: str) -> str | None:
        """Return the dotted name of a function of which a rule speaks and that ``from MODULE import *`` may bring."""
        for module in self._stars:
            rules = _FAMILIES.get(module, ())
            if f"{module}.{name}" in data.FUNCTIONS or any(pattern.match(name) for pattern, _unused in rules):
                return f"{module}.{name}"
        return None

    # --- what the walk meets
    def imported(self, full: str, line: int | None) -> None:
        """Note an import; full is the dotted module, with the name that is taken from it."""
        parts = full.split(".")
        prefixes = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
        self._modules.update(prefixes)
        for prefix in prefixes:
            dists = data.IMPORTS.get(prefix)
            if dists:
                self._add(dists, prefix, line)
        others = data.ONE_OF.get(parts[0])
        if others:
            self._add(others[1], f"{parts[0]} without any of {', '.join(others[0].split())}", line, unless=others[0])

    def called(self, node: ast.Call, dotted: str | None, line: int | None) -> None:
        if dotted is not None:
            self._function(node, dotted, line)
        elif isinstance(node.func, ast.Attribute):
            self._method(node, node.func, line)
        if node.keywords:
            self._keywords(node, line)

    def _keywords(self, node: ast.Call, line: int | None) -> None:
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        for keyword in node.keywords:
            value = _constant(keyword.value)
            rule = data.KEYWORDS.get((keyword.arg, value)) if isinstance(value, (bool, str)) else None
            if rule and (not rule[0] or function in rule[0].split()):
                self._add(rule[2], f"{function}({keyword.arg}={value!r})", line, rule[1])

    def magic(self, name: str, rest: str, line: int | None, *, cell: bool) -> None:
        words = rest.split()
        sign = "%%" if cell else "%"
        if name in ("load_ext", "reload_ext") and words:
            self._extension(words[0].strip("'\""), line)
        elif name == "matplotlib" and not (words and words[0] in ("--list", "-l")):
            self._add("matplotlib", "%matplotlib", line, always=True)
            backend = data.BACKENDS.get(words[0].strip("'\"")) if words else None
            if backend:
                self._add(backend, f"%matplotlib {words[0]}", line)
        elif name == "sql":
            self._address(rest, f"{sign}sql", line)
        elif data.MAGICS.get(name):
            self._add(data.MAGICS[name], sign + name, line, always=True)

    def _extension(self, name: str, line: int | None) -> None:
        dists = data.EXTENSIONS.get(name)
        if dists is None:
            dists = names.distribution_of(name) or ""
        if name == "sql" and self._modules & {"jupysql"}:
            dists = "jupysql"
        if dists:
            self._add(dists, f"%load_ext {name}", line, always=True)

    # --- rules
    def _function(self, node: ast.Call, dotted: str, line: int | None) -> None:
        dists = data.FUNCTIONS.get(dotted)
        top, _unused, rest = dotted.partition(".")
        if dists:
            self._add(dists, dotted, line)
        else:
            for pattern, family in _FAMILIES.get(top, ()):
                if pattern.match(rest):
                    self._add(family, dotted, line)
        last = dotted.rpartition(".")[2]
        if top == "pandas" and last in ("read_excel", "ExcelFile", "ExcelWriter"):
            self._add(self._engine(node) or self._excel(node), dotted, line)
        elif last == "read_parquet" and top in ("pandas", "modin"):
            self._add(self._engine(node) or "pyarrow", dotted, line)
        elif top == "xarray" and last in (
            "open_dataset",
            "open_dataarray",
            "load_dataset",
            "open_mfdataset",
            "load_dataarray",
        ):
            self._dataset(node, dotted, line)
        elif top == "skimage" and dotted.startswith("skimage.data.") and last not in data.SKIMAGE_OWN:
            self._add("pooch", dotted, line)
        elif top == "transformers" and (last in ("from_pretrained", "pipeline")):
            self._framework(dotted, line)
        elif dotted == "igraph.plot" and not any(keyword.arg == "target" for keyword in node.keywords):
            self._add("pycairo", dotted, line)
        elif top in ("holoviews", "panel", "hvplot", "geoviews") and last == "extension":
            self._extensions(node, dotted, line)
        elif last == "create_engine" or dotted in ("sqlalchemy.engine.url.URL.create",):
            for text in _texts(node):
                self._address(text, dotted, line)
        elif dotted == "bs4.BeautifulSoup":
            for text in _texts(node)[-1:]:
                self._add(data.PARSERS.get(text, ""), f"BeautifulSoup(..., {text!r})", line)
        elif dotted in ("evaluate.load", "datasets.load_metric"):
            for text in _texts(node)[:1]:
                self._add(data.EVALUATED.get(text, ""), f"{dotted}({text!r})", line)
        elif dotted in ("mdtraj.load", "mdtraj.iterload", "mdtraj.open"):
            if any(text.endswith((".h5", ".hdf5")) for text in _texts(node)):
                self._add("tables", f"{dotted} of HDF5", line)
        elif dotted == "matplotlib.use" and _texts(node) and _texts(node)[0] in data.BACKENDS:
            self._add(data.BACKENDS[_texts(node)[0]], dotted, line)
        if top in data.READERS:
            for text in _texts(node):
                scheme = _ADDRESS.match(text)
                if scheme and scheme[1] in data.SCHEMES:
                    self._add(data.SCHEMES[scheme[1]], f"{dotted} of {scheme[0]}", line)

    def _method(self, node: ast.Call, func: ast.Attribute, line: int | None) -> None:
        method = func.attr
        owner = func.value.attr if isinstance(func.value, ast.Attribute) else None
        given = {keyword.arg: _constant(keyword.value) for keyword in node.keywords}
        if method in ("plot", "choropleth") and "scheme" in given:
            self._add("mapclassify", f".{method}(scheme=...)", line, "geopandas momepy libpysal osmnx esda")
        if (method, given.get("method")) in data.NUMERIC_METHODS:
            dists = data.NUMERIC_METHODS[method, given["method"]]
            self._add(dists, f".{method}(method={given['method']!r})", line, "pandas")
        rule = data.METHODS.get(method)
        if rule:
            self._add(rule[1], f".{method}()", line, rule[0], unless="".join(rule[2:]))
        if owner == "style" and method in data.STYLER:
            self._add("jinja2", f".style.{method}()", line, "pandas")
            if method in data.STYLER_COLOURS:
                self._add("matplotlib", f".style.{method}()", line, "pandas")
        elif owner == "plot":
            self._add("matplotlib", f".plot.{method}()", line, "pandas geopandas xarray")
            if method in ("kde", "density"):
                self._add("scipy", f".plot.{method}()", line, "pandas")
        elif owner == "hvplot" and method in ("kde", "density", "bivariate"):
            self._add("scipy", f".hvplot.{method}()", line, "hvplot")
        elif method == "to_excel":
            self._add(self._engine(node) or "openpyxl", ".to_excel()", line, "pandas")
        elif method == "to_parquet":
            self._add(self._engine(node) or "pyarrow", ".to_parquet()", line, "pandas geopandas dask")
        elif method == "to_netcdf":
            engine = self._engine(node)
            self._add(
                engine or "netcdf4", ".to_netcdf()", line, "xarray", unless="" if engine else "h5netcdf netCDF4 scipy"
            )
        elif method == "from_pretrained":
            self._framework(".from_pretrained()", line)

    def _dataset(self, node: ast.Call, dotted: str, line: int | None) -> None:
        engine = self._engine(node)
        if engine:
            self._add(engine, dotted, line)
        elif any(text.rstrip("/").endswith(".zarr") for text in _texts(node)):
            self._add("zarr", dotted, line)
        elif any(text.endswith((".grib", ".grb", ".grib2", ".grb2")) for text in _texts(node)):
            self._add("cfgrib", dotted, line)
        else:
            self._add("netcdf4", dotted, line, unless="h5netcdf netCDF4")
        if any(keyword.arg == "chunks" for keyword in node.keywords):
            self._add("dask", f"{dotted}(chunks=...)", line)

    def _framework(self, dotted: str, line: int | None) -> None:
        owner = dotted.rpartition(".")[0].rpartition(".")[2]
        if not _NO_FRAMEWORK.search(owner):
            self._add("torch", dotted, line, "transformers", unless="tensorflow flax jax torch")

    def _extensions(self, node: ast.Call, dotted: str, line: int | None) -> None:
        for text in _texts(node):
            if text in ("matplotlib", "plotly"):
                self._add(text, f"{dotted}({text!r})", line)
            elif text == "ipywidgets" and dotted.startswith("panel"):
                self._add("ipywidgets-bokeh", f"{dotted}({text!r})", line)

    def _engine(self, node: ast.Call) -> str | None:
        for keyword in node.keywords:
            if keyword.arg == "engine" and isinstance(keyword.value, ast.Constant):
                return data.ENGINES.get(keyword.value.value)
        return None

    def _excel(self, node: ast.Call) -> str:
        for text in _texts(node)[:1]:
            for suffix, dists in _EXCEL.items():
                if text.lower().endswith(suffix):
                    return dists
        return "openpyxl"

    def _address(self, text: str, reason: str, line: int | None) -> None:
        for driver in _ADDRESS.findall(text):
            if driver in data.DRIVERS:
                self._add(data.DRIVERS[driver], f"{reason} of {driver}://", line)

    def _add(
        self, dists: str, reason: str, line: int | None, modules: str = "", *, unless: str = "", always: bool = False
    ) -> None:
        reason = reason if reason.startswith("%") else f"implicit: {reason}"
        for dist in dists.split():
            module = data.IMPORT_NAMES.get(dist, dist.replace("-", "_"))
            need = self._make(module, dist, reason, line)
            self._candidates.append(_Candidate(need, frozenset(modules.split()), frozenset(unless.split()), always))

    # --- the end
    def finish(self, distributions: set[str]) -> list[Need]:
        """Return the needs that count beside the distributions imported, each with its place."""
        present: set[str] = set()
        for name in distributions:
            present |= provided(name)
        kept = []
        for candidate in self._candidates:
            need = candidate.need
            if candidate.modules and self._modules.isdisjoint(candidate.modules):
                continue
            if not self._modules.isdisjoint(candidate.unless):
                continue
            if need.distribution in (distributions if candidate.always else present):
                continue
            kept.append(need)
            if not need.optional:
                distributions = distributions | {need.distribution}
                present |= provided(need.distribution)
        return kept


def _constant(node: ast.expr) -> object:
    value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    return value if isinstance(value, (str, bool, int)) else None


def _texts(node: ast.Call) -> list[str]:
    """Return the literal texts among a call's arguments; of an f-string its literal beginning."""
    found = []
    for item in (*node.args, *(keyword.value for keyword in node.keywords)):
        if isinstance(item, ast.JoinedStr) and item.values:
            item = item.values[0]
        for one in item.elts if isinstance(item, (ast.List, ast.Tuple)) else [item]:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                found.append(one.value)
    return found
