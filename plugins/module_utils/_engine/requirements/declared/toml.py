# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML on every supported Python."""

from __future__ import annotations

import re

from ...values.errors import EngineError
from .tree import invalid


def loads(text: str, file: str, first_line: int = 1) -> dict:
    """Return TOML text as a dict. ``first_line`` is the line of ``file`` at which the text begins.

    Raises EngineError (``requirements_invalid``) naming file and line for a syntax error.
    """
    try:
        import tomllib
    except ImportError:
        try:
            import tomli as tomllib
        except ImportError:
            raise EngineError(
                f"{file} is TOML, which Python 3.10 reads with the package tomli: install tomli.",
                code="missing_library",
            ) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(position.group(1)) + first_line - 1 if position else None
        reason = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise invalid(f"{file}:{line}" if line else file, f"is not valid TOML: {reason}; correct it.") from None


def key(name: str) -> str:
    """Return the regular expression for a line that begins with this key."""
    return rf"""^\s*["']?{re.escape(name)}["']?\s*[=.]"""


def item(value: str) -> str:
    """Return the regular expression for a line that holds this string, quoted."""
    return f"[\"']{re.escape(value)}[\"']"


def table(data: object, *names: str) -> dict:
    """Return the table at ``names``, or an empty one where it is missing or no table."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
