# SPDX-License-Identifier: GPL-3.0-or-later
"""From an import name to the distribution that provides it.

Our own table comes first, then the table of pipreqs where that is installed (used as data, its code is never
imported), then the rule that holds for most of the index: the distribution has the name of its module.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import sys
from pathlib import Path

from . import names_data
from .popular import SAME_NAME
from .transitive import DEPENDENCIES

_STDLIB = frozenset(sys.stdlib_module_names) | names_data.OTHER_STDLIB
_SEPARATORS = re.compile(r"[-_.]+")
# Words that distributions add to the name of their module.
_AFFIXES = frozenset("python python2 python3 py django flask apache sdk api client lib wrapper ng".split())
_API_VERSION = re.compile(r"_v\d\w*$")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def canonical(name: str) -> str:
    """Return the name of a distribution in its one normal form (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def is_stdlib(module: str) -> bool:
    """Tell whether the standard library of any Python provides the top-level module."""
    return module.partition(".")[0] in _STDLIB


def is_base(module: str) -> bool:
    """Tell whether every environment with ipykernel has the module already."""
    return module.partition(".")[0] in names_data.BASE


def is_hosted(module: str) -> bool:
    """Tell whether only a hosting service (Colab, Kaggle, Databricks, ...) or an application provides the module."""
    parts = module.split(".")
    return any(".".join(parts[:length]) in names_data.HOSTED for length in range(1, len(parts) + 1))


def known_distribution(module: str) -> str | None:
    """Return the distribution that a table names for a dotted module, canonical; None where no table has it."""
    mine = names_data.MODULES
    if "." in module:
        parts = module.split(".")
        for length in range(len(parts), 1, -1):
            found = mine.get(".".join(parts[:length]))
            if found:
                return canonical(found)
        if parts[:2] == ["google", "cloud"] and len(parts) > 2:
            return "google-cloud-" + canonical(_API_VERSION.sub("", parts[2]))
        if parts[0] == "llama_index" and parts[1] in names_data.LLAMA_KINDS and parts[2:] and parts[2].islower():
            return canonical("-".join(parts[:3]))
        module = parts[0]
    found = mine.get(module)
    if found is None:
        found = _pipreqs_mapping().get(module)
    return canonical(found) if found else None


def is_popular(module: str) -> bool:
    """Tell whether a table knows the module, so that its name is no mere guess at a distribution."""
    top = module.partition(".")[0]
    return known_distribution(module) is not None or top in SAME_NAME or canonical(top) in DEPENDENCIES


@functools.lru_cache(maxsize=4096)
def distribution_of(module: str) -> str | None:
    """Return the distribution most likely to provide the dotted module, in canonical form.

    None for the standard library, for what hosting services inject, and for names that cannot be a distribution.
    """
    top = module.partition(".")[0]
    if is_stdlib(top) or is_hosted(module):
        return None
    known = known_distribution(module)
    if known:
        return known
    if not _PLAIN.match(top) or top.startswith("_") or top in names_data.SHARED:
        return None
    return canonical(top)


def conda_distribution(package: str) -> str | None:
    """Return the distribution on the Python index for a conda package; None where it is no Python distribution."""
    name = package.lower()
    if name in names_data.CONDA:
        return names_data.CONDA[name]
    # conda's r-*, lib*, *-devel and _internal packages are not Python.
    if name.startswith(("r-", "_")) or name.endswith(("-dev", "-devel")):
        return None
    return canonical(name)


@functools.lru_cache(maxsize=1)
def _pipreqs_mapping() -> dict[str, str]:
    """Return what can be trusted of pipreqs' table: entries whose distribution resembles the module.

    Much of that table was collected by crawling and names whatever project once contained a directory of that name
    (``demo``, ``http``, ``models``), so an entry without resemblance is worse than the module's own name.
    """
    try:
        spec = importlib.util.find_spec("pipreqs")
        if spec is None or not spec.submodule_search_locations:
            return {}
        text = (Path(next(iter(spec.submodule_search_locations))) / "mapping").read_text(encoding="utf-8")
    except (OSError, ValueError, ImportError):
        return {}
    table: dict[str, str] = {}
    for line in text.splitlines():
        module, _unused, distribution = line.strip().partition(":")
        if distribution and "." not in distribution and _resembles(module.lower(), distribution.lower()):
            table.setdefault(module, distribution)
    return table


def _resembles(module: str, distribution: str) -> bool:
    words = [word for word in _SEPARATORS.split(distribution) if word not in _AFFIXES]
    core = "".join(words)
    return module.replace("_", "") in (core, f"py{core}", core.removeprefix("py"), core.removesuffix("py"))
