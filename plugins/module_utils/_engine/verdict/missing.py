# SPDX-License-Identifier: GPL-3.0-or-later
"""Which module an error speaks of, and what provides it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from ..notebook.outputs import terminal_text
from ..values.execution import CellError, RunResult

# Modules that the standard library had once (PEP 594, PEP 632, and imp): https://docs.python.org/3/whatsnew/
_REMOVED = frozenset(
    "aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp mailcap msilib nis nntplib ossaudiodev"
    " pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib".split()
)

_NO_MODULE = re.compile(r"No module named '?([A-Za-z_][\w.]*)'?")
_NAMESPACE = re.compile(r"cannot import name '(\w+)' from '([\w.]+)' \(unknown location\)")

# How packages ask for what they need only sometimes. Group 1 names it; where there is none, the name follows.
_OPTIONAL: tuple[tuple[re.Pattern, str | None], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"Missing optional dependency '([\w.-]+)'", None),
        (r"`?Import ([\w.-]+)`? failed", None),
        (r"tried using: '([\w.-]+)'", None),
        (r"IProgress not found", "ipywidgets"),
        (r"tree builder with the features you requested: (lxml|html5lib)", None),
        (r"\.style['`]? accessor requires (jinja2)", None),
        (r"Mime type rendering requires (nbformat)", None),
        (r"requires the (\w+) package(?: to be installed)?", None),
        (r"requires the PyTorch library but it was not found", "torch"),
        (r"requires the (\w+) library but it was not found", None),
        (r"Using URI string without sqlalchemy installed", "sqlalchemy"),
        (r"Install ([\w-]+) to access \w+", None),
        (r"[Pp]lease (?:run )?`?(?:pip|conda) install (?:-\w+ )*[`'\"]?([A-Za-z][\w.-]*)", None),
        (r"`?(?:pip|conda) install (?:-\w+ )*[`'\"]?([A-Za-z][\w.-]*)", None),
        (
            r"(?:^|: |\. )[`'\"]?([A-Za-z][\w-]*)[`'\"]? (?:must be|is not|needs to be|isn't|has to be) installed\b",
            None,
        ),
        (r"(?:^|: |\. )[`'\"]?([A-Za-z][\w-]*)[`'\"]? not found, please install it", None),
        (r"(?:^|: |\. )[`'\"]?([a-z][\w-]*)[`'\"]? is required (?:for|to)\b", None),
        (r"\brequires [`'\"]?([a-z][\w-]*)[`'\"]?(?: to be installed| package|\.?$)", None),
        (r"[Pp]lease install (?:the )?[`'\"]?([A-Za-z][\w.-]*)", None),
    )
)
_OPTIONAL_ERRORS = (
    "ImportError",
    "ModuleNotFoundError",
    "AttributeError",
    "FeatureNotFound",
    "RuntimeError",
    "ValueError",
    "NameError",
)
_LOOSE_ERRORS = ("ImportError", "ModuleNotFoundError")
_FIRST_LOOSE = 12  # from this rule on only import errors are believed

# Words that the rules above may take for a name.
_NO_NAME = frozenset(
    "a an it its the this that and or package packages dependency dependencies library module version python".split()
)

# A traceback's last line: "pkg.errors.SomeError: text".
_LAST_LINE = re.compile(
    r"^((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|NotFound|Exit|Interrupt)\b)(?:: (.*))?$", re.MULTILINE
)


@dataclass(frozen=True)
class Missing:
    """A module that an import asked for.

    distribution: what is likely to provide it, None where nothing can be named.
    state: ``absent`` (add the distribution), ``lacking`` (it is installed, in a version without this module) or
    ``stdlib`` (it belonged to the standard library, so that nothing on the index provides it).
    """

    module: str
    distribution: str | None
    state: str = "absent"


def error_text(error: CellError | None) -> str:
    """Return ``ename: evalue``; where a display hook hid both, what the end of the traceback says."""
    if error is None:
        return ""
    if error.ename and error.ename not in ("None", "NoneType"):
        return f"{error.ename}: {terminal_text(error.evalue)}".rstrip(": ")
    text = terminal_text("\n".join(error.traceback))
    found = list(_LAST_LINE.finditer(text))
    return found[-1].group() if found else text.strip()[-500:]


def missing_module(result: RunResult) -> str | None:
    """Return the module that the run's error misses, dotted as the error names it, or None."""
    return module_of(error_text(result.error))


def module_of(text: str) -> str | None:
    """Return the module that ``ename: evalue`` misses, or None."""
    name = text.partition(":")[0].rpartition(".")[2]
    if name in _LOOSE_ERRORS or "ModuleNotFoundError" in text:
        found = _NO_MODULE.search(text)
        if found:
            return found.group(1)
        found = _NAMESPACE.search(text)
        if found:
            return f"{found.group(2)}.{found.group(1)}"
    if name not in _OPTIONAL_ERRORS:
        return None
    if name == "ImportError" and "cannot import name" in text:
        return None
    message = text.partition(":")[2].strip()
    rules = _OPTIONAL if name in _LOOSE_ERRORS else _OPTIONAL[:_FIRST_LOOSE]
    for pattern, given in rules:
        found = pattern.search(message)
        if found:
            module = given or found.group(1).rstrip(".-")
            if module.lower() not in _NO_NAME:
                return module
    return None


def explain(module: str, distribution_of: Callable[[str], str | None]) -> Missing:
    """Return what is known of a missing module.

    distribution_of: from a dotted import name to the distribution that is likely to provide it.
    Python imports parents first, so an error that names ``a.b`` means that ``a`` is there: where no other distribution
    than that of ``a`` provides ``a.b``, the one installed lacks it.
    """
    top = module.partition(".")[0]
    if top in _REMOVED or top.lstrip("_") in sys.stdlib_module_names:
        return Missing(module, None, "stdlib")
    distribution = distribution_of(module)
    if "." in module and top not in ("google", "azure") and distribution == distribution_of(top):
        return Missing(module, distribution, "lacking")
    return Missing(module, distribution)
