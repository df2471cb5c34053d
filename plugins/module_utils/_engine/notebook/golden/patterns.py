# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions that users give: checked when given, and stopped when they never end."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import json
import re
import subprocess
import sys
from collections.abc import Sequence

from ...values.errors import EngineError

TIMEOUT = 10.0

# re cannot be interrupted inside its own process, so the work is done in another one that can be ended.
_CHILD = """
import json, re, sys
work = json.load(sys.stdin)
for number, (pattern, replacement) in enumerate(work["patterns"]):
    print(number, file=sys.stderr, flush=True)
    found = re.compile(pattern, re.MULTILINE)
    if replacement is None:
        work["texts"] = [bool(found.search(text)) for text in work["texts"]]
    else:
        work["texts"] = [found.sub(replacement, text) for text in work["texts"]]
json.dump(work["texts"], sys.stdout)
"""


def check_pattern(pattern: object, replacement: str | None = None, *, where: str) -> str:
    """Return the pattern if it is a regular expression, with a replacement that fits it.

    where: the option, as the user knows it. Raises EngineError that names the option, the pattern and the fault.
    """
    if not isinstance(pattern, str) or not pattern:
        raise EngineError(f"{where} must be a regular expression in a string, not {pattern!r}.")
    try:
        compiled = re.compile(pattern, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise EngineError(f"{where} is no regular expression: {pattern!r}: {error}.") from None
    if replacement is not None:
        try:
            compiled.sub(replacement, "")
        except (re.error, IndexError) as error:
            raise EngineError(
                f"The replacement {replacement!r} of {where} does not fit {pattern!r}: {error}."
            ) from None
    return pattern


def substitute(patterns: Sequence[tuple[str, str]], texts: Sequence[str], *, timeout: float = TIMEOUT) -> list[str]:
    """Return the texts with each (pattern, replacement) applied in turn.

    timeout: seconds for all of it; a pattern that backtracks without end raises EngineError.
    """
    if not patterns or not texts:
        return list(texts)
    return _run([list(pair) for pair in patterns], list(texts), timeout)


def found(pattern: str, text: str, *, timeout: float = TIMEOUT) -> bool:
    """Whether the pattern is found in the text, with the same bound on time as ``substitute``."""
    return _run([[pattern, None]], [text], timeout)[0]


def _run(patterns: list, texts: list, timeout: float) -> list:
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _CHILD],
            input=json.dumps({"patterns": patterns, "texts": texts}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        reached = (error.stderr or b"0").split()[-1]
        raise EngineError(
            f"The pattern {patterns[int(reached)][0]!r} took more than {timeout:g} s on the notebook's outputs: "
            "it backtracks too much, so write it without nested repeats."
        ) from None
    return json.loads(done.stdout)
