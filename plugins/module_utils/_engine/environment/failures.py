# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installer's words mean: a code of the taxonomy, and one sentence."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from ..values.errors import EngineError
from .lines import Line, normalise

_NOT_FOUND = "A requirement does not exist under this name or version: correct the line"
# Both pip and uv end with the same status for very different failures, and pip prints the same last lines for an unknown
# distribution and for a dead network: the order decides. (code, pattern over the whole output, sentence)
_SIGNS = tuple(
    (code, re.compile(pattern, re.IGNORECASE), sentence)
    for code, pattern, sentence in (
        (
            "disk_full",
            r"no space left on device|errno 28\b|os error 28\b|disk quota exceeded|os error 122\b|errno 122\b",
            "The disk is full: free space where the cache lies, or choose another cache_dir",
        ),
        (
            "network_unavailable",
            r"retrying \(retry\(|name or service not known|temporary failure in name resolution|dns error"
            r"|connection refused|network is unreachable|failed to establish a new connection|connection reset"
            r"|error sending request|operation timed out|request failed after|could not resolve host"
            r"|network connectivity is disabled",
            "The package index cannot be reached: check the network, the proxy and the index URL",
        ),
        (
            "network_unavailable",
            r"certificate verify failed|invalid peer certificate|unknownissuer",
            "The package index shows a certificate that is not trusted: name its authority by SSL_CERT_FILE (and PIP_CERT)",
        ),
        (
            "network_unavailable",
            r"\b40[13] (client error|unauthorized|forbidden)|status code 40[13]|401 error|403 error|credentials not correct",
            "The package index refuses the credentials: give it ones that may read",
        ),
        (
            "environment_setup_failed",
            r"permission denied|errno 13\b|os error 13\b|read-only file system|externally-managed-environment",
            "The installer may not write where it has to: check the owner and the mode of the cache_dir",
        ),
        (
            "python_unsupported",
            r"requires a different python|require a different python version|current python version \([^)]*\) does not satisfy"
            r"|requires-python|requires python ?[<>=!~]|no wheels? with a matching python",
            "A requirement needs another version of Python: choose one with base, or another version of the requirement",
        ),
        (
            "dependency_build_failed",
            r"failed-wheel-build|failed to build|failed building wheel|metadata-generation-failed|subprocess-exited-with-error"
            r"|getting requirements to build|build backend (returned an error|failed)|failed to download and build",
            "A requirement has no wheel for this platform and does not build from source: choose a version that has a wheel,"
            " or install what its build needs",
        ),
        (
            "dependency_not_found",
            r"was not found in the|not found in the provided package locations",
            _NOT_FOUND,
        ),
        (
            "dependency_conflict",
            r"resolutionimpossible|conflicting dependencies|because you require \S+ and \S+|are incompatible|depends? on"
            r"|double requirement|but you('ll)? have .* which is incompatible|conflicting urls",
            "The requirements contradict each other: loosen or change the pins",
        ),
        (
            "dependency_not_found",
            r"no matching distribution found|could not find a version|there (is|are) no versions? of|only .* (is|are) available"
            r"|no versions? of|repository not found|404 (client error|not found)",
            _NOT_FOUND,
        ),
        (
            "requirements_invalid",
            r"invalid requirement|couldn't parse requirement|expected package name|hashes are required|--require-hashes mode",
            "The installer does not accept a requirement line: correct it",
        ),
    )
)
_UNKNOWN = ("dependency_install_failed", "The requirements could not be installed")
_HEADLINE = re.compile(
    r"^\s*(error|cause|warning: retrying|caused by)\b|^\s*[×╰├│]|conflict|requires|depends? on", re.IGNORECASE
)
_NOISE = re.compile(
    r"^\s*(\[notice\]|warning: |\+ |using python|resolved |prepared |downloaded? |[12]\. |to fix this|the conflict is caused by"
    r"|additionally, |error: no solution found when resolving|error: resolutionimpossible: for help)",
    re.IGNORECASE,
)
_CAUSE = re.compile(r"\s*(cause|caused by): ", re.IGNORECASE)
_PREFIX = re.compile(r"^((error|cause|caused by|hint): |[×╰├│─▶]+ ?)+", re.IGNORECASE)
_WORDS = re.compile(
    r"^\s*(error|cause|hint|×|╰|├|│|x )|no matching|could not find|because|conflict|caused by|requires|depends on|the user requested",
    re.IGNORECASE,
)


def explain(output: Sequence[str], lines: Sequence[Line]) -> EngineError:
    """Return the failure that an installer's output speaks of.

    output: what it printed. lines: the requirement lines it was given; the one at fault is named.
    """
    text = "\n".join(output)
    # A build's own output can hold any word: the installer's headlines speak first, but for a full disk.
    headlines = "\n".join(line for line in output if _HEADLINE.search(line))
    code, sentence = _match(text, _SIGNS[:1]) or _match(headlines, _SIGNS) or _match(text, _SIGNS) or _UNKNOWN
    words = _shorten(output)
    culprit = _culprit(words, lines) or _culprit(text, lines)
    message = (
        sentence + (f" (line '{culprit}')" if culprit else "") + (f". The installer says: {words}" if words else ".")
    )
    return EngineError(message, code=code, requirement=culprit)


def _match(text: str, signs) -> tuple[str, str] | None:
    return next(((code, sentence) for code, pattern, sentence in signs if pattern.search(text)), None)


def explain_os(error: OSError, place: str) -> EngineError:
    """Return the failure that an error of our own file operations below place means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError(
            f"The disk is full below {place}: free space there, or choose another cache_dir.", code="disk_full"
        )
    return EngineError(
        f"Cannot write below {place} ({error.strerror}): choose a cache_dir that you may write to.",
        code="environment_setup_failed",
    )


def complaints(output: Sequence[str]) -> list[str]:
    """Return the lines in which an installer reports an error, whatever its exit status says."""
    return [line for line in output if re.match(r"(ERROR: |error: )", line)]


def _shorten(output: Sequence[str], limit: int = 400) -> str:
    told = [line for line in output if _WORDS.search(line) and not _NOISE.search(line)]
    chosen = told or [line for line in output if line.strip() and not _NOISE.search(line)]
    words = ""
    for line in chosen[-6:]:
        text = _PREFIX.sub("", " ".join(line.split()))
        # uv tells a failure as a chain of causes, pip the parts of a conflict as a list.
        link = "" if not words else " " if words[-1] in ".:" else ": " if _CAUSE.match(line) else "; "
        words += link + text
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _culprit(text: str, lines: Sequence[Line]) -> str | None:
    """Return the requirement line that the text names, the one named first."""
    mentioned = [normalise(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z0-9]", text)]
    by_name = {line.name: line.text for line in reversed(lines) if line.name}
    return next((by_name[word] for word in mentioned if word in by_name), None)
