# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirement lines of the declared tier: checked (PEP 508), free of secrets, with their provenance."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ...values.errors import EngineError
from ...values.resolution import Provenance
from .tree import invalid

VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
URL = re.compile(r"[a-z][a-z0-9.]*(?:\+[a-z]+)?://[^\s;'\"]+", re.IGNORECASE)


def requirement(text: str, where: str) -> str:
    """Return one PEP 508 requirement as it stands, less outer blanks.

    Raises EngineError (``requirements_invalid``) naming ``where`` for what does not parse.
    """
    text = text.strip()
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        raise EngineError(
            "The Python package packaging is missing: install it for the Python that runs the module.",
            code="missing_library",
        ) from None
    try:
        Requirement(VARIABLE.sub("x", text))
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0].rstrip(".:")
        problem = f"is no requirement: {text!r} ({reason}); write NAME, NAME==VERSION or NAME @ URL."
        raise invalid(where, problem) from None
    check_url(text, where)
    return text


def check_url(text: str, where: str) -> None:
    """Refuse a URL that does not parse, and one that carries a password or token in the clear.

    A resolution is shown, stored and cached, so a secret may only stand in it as ``${NAME}``.
    """
    for match in URL.finditer(text):
        url = match.group()
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - the property raises for a malformed port
        except ValueError:
            raise invalid(where, f"holds a malformed URL: {url.split('@')[-1]}; correct it.") from None
        user = parts.username or ""
        # ssh takes a plain user name (git@host); over HTTP the name alone may be a token.
        secret = parts.password if parts.password is not None else ("" if "ssh" in parts.scheme else user)
        if VARIABLE.sub("", secret) and secret != "git":
            problem = (
                "holds a password or token in a URL: write ${NAME} in its place and set that environment variable."
            )
            raise invalid(where, problem)


def declared(requirement_line: str, file: str | None, line: int | None, cell: int | None = None) -> Provenance:
    """Return the provenance of a declared line."""
    return Provenance(requirement=requirement_line, tier="declared", reason="declared", file=file, line=line, cell=cell)


def at(file: str, line: int | None) -> str:
    """Return ``FILE:LINE``, or ``FILE`` where the line is not known."""
    return f"{file}:{line}" if line else file
