# SPDX-License-Identifier: GPL-3.0-or-later
"""Version notations of other tools, as PEP 440 specifiers."""

from __future__ import annotations

import re

_OPERATOR = re.compile(r"^(===|~=|==|!=|<=|>=|<|>)\s*(.+)$")


def poetry(text: str) -> str | None:
    """Return Poetry's notation (caret, tilde, wildcard, bare version) as a PEP 440 specifier.

    "" is any version; None where it cannot be said (alternatives with ``||``).
    Rules: Poetry documentation, "Dependency specification".
    """
    if "|" in text:
        return None
    # A blank between operator and version binds; between clauses it separates like a comma.
    clauses = re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[\^~<>=!\d])", text.strip())
    converted = [_poetry_clause(clause) for clause in clauses if clause]
    return ",".join(clause for clause in converted if clause)


def _poetry_clause(clause: str) -> str:
    clause = clause.strip()
    if clause in ("*", "latest"):
        return ""
    if clause.startswith("^"):
        return _between(clause[1:].strip(), _caret_position)
    if clause.startswith("~") and not clause.startswith("~="):
        return _between(clause[1:].strip(), lambda release: min(1, len(release) - 1))
    operator = _OPERATOR.match(clause)
    return f"{operator.group(1)}{operator.group(2)}" if operator else f"=={clause}"


def _caret_position(release: list[int]) -> int:
    """Index of the number that a caret holds fixed: the first that is not zero."""
    return next((index for index, number in enumerate(release) if number), len(release) - 1)


def _between(version: str, position) -> str:
    release = [int(number) for number in re.match(r"\d*(?:\.\d+)*", version).group().split(".") if number]
    if not release:
        return f"=={version}"
    held = position(release)
    upper = [*release[:held], release[held] + 1, *[0] * (len(release) - held - 1)]
    return f">={version},<{'.'.join(map(str, upper))}"


def conda(text: str) -> str | None:
    """Return conda's version notation as a PEP 440 specifier; "" is any version, None = it cannot be said.

    ``=1.2`` and ``1.2`` after one equals sign match by prefix, ``==1.2`` exactly, the build string is dropped.
    Rules: conda documentation, "Package match specifications".
    """
    text = text.strip()
    if "|" in text:
        return None
    fuzzy = re.match(r"^=\s*([^=<>!~,\s]+)(?:\s*=\s*\S+|\s+\S+)?$", text)
    if fuzzy:
        exact = bool(re.search(r"=\s*\S+\s*=|=\s*\S+\s+\S", text))
        return _prefix(fuzzy.group(1), exact)
    clauses = [clause.strip() for clause in re.sub(r"(?<=[\w*])\s+[\w*]+$", "", text).split(",") if clause.strip()]
    converted = [_conda_clause(clause) for clause in clauses]
    return ",".join(clause for clause in converted if clause)


def _conda_clause(clause: str) -> str:
    operator = _OPERATOR.match(clause)
    if not operator:
        version = clause.lstrip("= ")
        return _prefix(version, exact=not version.endswith("*"))
    sign, version = operator.groups()
    if sign == "==":
        return _prefix(version.partition("=")[0], exact=True)
    # conda allows >=1.2.*, PEP 440 does not.
    return f"{sign}{version.removesuffix('.*')}" if sign not in ("!=",) else f"{sign}{version}"


def _prefix(version: str, exact: bool) -> str:
    version = version.strip()
    if version in ("*", ""):
        return ""
    if version.endswith("*"):
        return f"=={version[:-1].rstrip('.')}.*"
    return f"=={version}" if exact else f"=={version}.*"


def python(version: str) -> str:
    """Return a bare Python version as a specifier: ``3.11`` allows every 3.11.x."""
    return f"=={version}.*" if version.count(".") < 2 else f"=={version}"
