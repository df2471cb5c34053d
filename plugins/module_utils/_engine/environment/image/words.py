# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last lines of a build's log tell of its failure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..failures import explain

_NETWORK = re.compile(
    r"could not resolve host|no such host|connection (?:refused|reset|timed out)|i/o timeout|tls handshake timeout"
    r"|temporary failure in name resolution|network is unreachable|failed to connect to",
    re.IGNORECASE,
)
_DENIED = re.compile(r"unauthorized|authentication required|denied|forbidden|\b40[13]\b", re.IGNORECASE)
_INSTALLER = re.compile(
    r"\b(?:pip3?|uv)\b|no matching distribution|resolutionimpossible|could not find a version", re.IGNORECASE
)
_COMPLAINT = re.compile(r"error|fatal|failed|denied|not found|unauthorized|unable|could not|no such", re.IGNORECASE)
# What buildah says where it may not make a user namespace of its own, map IDs into it, or mount there.
_CONFINED = re.compile(
    r"(?P<words>unshare\(CLONE_NEWUSER\): [\w ]+|new[ug]idmap: [^\n]*?(?:not permitted|denied)"
    r"|(?:re)?mount(?:ing)? [^\n]{1,200}?: (?:operation not permitted|permission denied))",
    re.IGNORECASE,
)
# How buildah, and OpenShift's builder with it, says that a command has failed, after what the command said itself.
_ECHO = re.compile(
    r"\W*(?:error: )?(?:build error: )?(?:error )?(?:building at STEP .*|while running runtime: )?(?:subprocess )?"
    r"exit(?:ed with)? status \d+\W*",
    re.IGNORECASE,
)


def last_words(tail: Sequence[str]) -> str:
    """Return the last line that complains of more than an exit status, else the last line."""
    complaints = [line for line in tail if _COMPLAINT.search(line)]
    told = [line for line in complaints if not _ECHO.fullmatch(line)] or complaints or list(tail)
    return " ".join(told[-1].split())[:400] if told else ""


def closer(code: str, installs: bool, words: str, tail: Sequence[str]) -> tuple[str, str]:
    """Return a code and words that tell more than the step that failed does, where the log does.

    code: of the step. installs: whether the step installs requirements.
    """
    text = "\n".join(tail)
    if code in ("build_failed", "builder_image_unavailable") and (confined := _CONFINED.search(text)):
        return "build_pod_refused", (
            f"the cluster does not let buildah work rootless ({confined['words']}): have its pods allowed user namespaces, mounts"
            " in them, and the capabilities SETUID and SETGID"
        )
    if code in ("source_unavailable", "builder_image_unavailable", "image_push_failed") and _NETWORK.search(text):
        return "network_unavailable", words
    if code == "image_push_failed" and _DENIED.search(text):
        return "image_push_denied", words
    if code == "build_failed" and installs and _INSTALLER.search(text):
        told = explain([line for line in tail if not _ECHO.fullmatch(line)], ())
        if told.code != "dependency_install_failed":
            return told.code, told.message
    return code, words
