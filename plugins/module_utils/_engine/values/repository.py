# SPDX-License-Identifier: GPL-3.0-or-later
"""How a git repository may be named that somebody else fetches."""

from __future__ import annotations

import re

from .errors import EngineError

# What git-clone(1) and OpenShift's builder take both ("GIT URLS"): a URL, or user@host:path.
_URL = re.compile(r"(?:https?|ssh|git)://(?!-)\S+|(?:[\w.][\w.-]*@)?(?!-)[\w.-]+:(?!/|:)\S+")
_REF = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./+@-]*")
# An https address takes tokens as users too; of ssh the user alone is no secret.
_CREDENTIALS = re.compile(r"https?://[^/]*@|[a-z+]+://[^/@]*:[^/]*@", re.IGNORECASE)


def require_sound(url: str, ref: str | None, directory: str, *, directory_name: str = "source.path") -> None:
    """Raise EngineError for what must not, or cannot, be handed to git; no credentials are in its words.

    directory: in the repository, "" for all of it; directory_name: of the option that names it.
    """
    if _CREDENTIALS.match(url):
        raise EngineError(
            "source.url holds credentials, which everybody who may read the objects of the namespace would see: leave them out,"
            " and name a Secret that holds them with source.secret."
        )
    if not _URL.fullmatch(url):
        raise EngineError(f"source.url is {url!r}, which no cluster can fetch: give an https, ssh or git address.")
    if ref is not None and not _REF.fullmatch(ref):
        raise EngineError(f"source.ref is {ref!r}: give the name of a branch or tag, or a commit.")
    require_below(directory, directory_name)


def require_below(directory: str, name: str) -> None:
    """Raise EngineError for a directory that leaves the place it is relative to. name: of the option."""
    if directory.startswith(("/", "~")) or ".." in directory.split("/") or "\0" in directory:
        raise EngineError(f"{name} is {directory!r}: give a directory below it, as a relative path without '..'.")
