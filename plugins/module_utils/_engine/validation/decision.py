# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether verdicts fail the play: the ``fail_on`` expression."""

from __future__ import annotations

from collections.abc import Sequence

from ..values.base import plain
from ..values.errors import EngineError
from ..values.verdict import Verdict

_WORDS = {"failed": "verdicts[?status == 'failed']", "never": None}


def compile_fail_on(expression: str):
    """Return ``matches(verdicts, summary) -> bool`` for a ``fail_on`` expression.

    expression: ``failed`` (any notebook failed), ``never``, or a JMESPath expression over
    ``{"verdicts": [...], "summary": {...}}``; it matches when its result is true in JMESPath's sense
    (https://jmespath.org/specification.html, "false" values: empty list, object or string, false, null).
    Raises EngineError for an expression that does not parse, and from ``matches`` for one that cannot be evaluated.
    """
    text = _WORDS.get(expression, expression)
    if text is None:
        return lambda verdicts, summary: False
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError as error:
        raise EngineError(
            "fail_on needs the Python package jmespath: install it for the interpreter that runs the module."
        ) from error
    try:
        compiled = jmespath.compile(text)
    except JMESPathError as error:
        raise EngineError(
            f"fail_on is no JMESPath expression ({_first_line(error)}): "
            "use failed, never, or an expression over verdicts and summary."
        ) from error

    def matches(verdicts: Sequence[Verdict], summary: dict) -> bool:
        try:
            found = compiled.search({"verdicts": plain(list(verdicts)), "summary": summary})
        except JMESPathError as error:
            raise EngineError(
                f"fail_on cannot be evaluated ({_first_line(error)}): check the expression {expression!r}."
            ) from error
        return found not in (None, False, "", [], {})

    return matches


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(":.")
