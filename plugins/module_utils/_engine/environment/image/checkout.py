# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository that the cluster fetches: whether it may be named so, which commit it is, and the lines that draw on it."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import dataclasses
import os
import re
import subprocess
from dataclasses import dataclass

from ...values import repository
from ...values.errors import EngineError
from ..lines import Line, without_credentials
from ..strategy import GitSource

_SECONDS = 30
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ANONYMOUS = ("http://", "https://", "git://")


@dataclass(frozen=True)
class Checkout:
    """One commit of a repository. context_dir: the directory in it that counts, "" for all. secret: name, or None."""

    url: str
    commit: str
    context_dir: str = ""
    secret: str | None = None

    @property
    def identity(self) -> dict:
        """What of it is part of a content key."""
        return {"url": self.url, "commit": self.commit, "directory": self.context_dir}


def require_sound(source: GitSource) -> None:
    """Raise EngineError for what must not, or cannot, be handed to git; no credentials are in its words."""
    repository.require_sound(source.url, source.ref, source.context_dir or "", directory_name="source.context_dir")


def checkout(source: GitSource) -> Checkout:
    """Return the commit that a source stands for now; a branch or tag is looked up from here, without credentials.

    Raises EngineError (``source_unavailable``).
    """
    directory = os.path.normpath(source.context_dir) if source.context_dir else "."
    commit = source.ref if source.ref and _COMMIT.fullmatch(source.ref) else _looked_up(source)
    return Checkout(source.url, commit, "" if directory == "." else directory, source.secret)


def draws_on_it(lines: tuple[Line, ...]) -> bool:
    """Return whether a line names a file or directory of the repository."""
    return any(line.path for line in lines)


def detached(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return lines whose paths are text only: nothing of them is looked for on this machine."""
    return tuple(
        dataclasses.replace(line, path=None, canonical=f"{line.canonical} {line.path}") if line.path else line
        for line in lines
    )


def _looked_up(source: GitSource) -> str:
    """Ask the repository. With a branch and a tag of one name the branch counts, as it does for git-checkout(1)."""
    shown = without_credentials(source.url)
    if not source.url.startswith(_ANONYMOUS):
        raise _unknown(source, f"{shown} is not to be had without credentials")
    # No credentials of this machine are offered, and no protocol is followed that could run commands.
    env = {
        **os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GIT_ALLOW_PROTOCOL": "http:https:git",
        "LC_ALL": "C",
    }  # fmt: skip
    command = ["git", "-c", "credential.helper=", "ls-remote", "--", source.url]
    try:
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise _unknown(source, "git is not installed here") from None
    except subprocess.TimeoutExpired:
        raise _unknown(source, f"{shown} did not answer within {_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        words = " ".join(without_credentials(error.stderr).split())[-300:]
        raise _unknown(source, f"{shown} cannot be asked from here ({words.rstrip('.')})") from None
    refs = dict(reversed(line.split("\t", 1)) for line in done.stdout.splitlines() if "\t" in line)
    ref = source.ref or "HEAD"
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"):
        if name in refs:
            return refs[name]
    raise EngineError(f"{shown} has no branch or tag {ref}: correct source.ref.", "source_unavailable")


def _unknown(source: GitSource, why: str) -> EngineError:
    return EngineError(
        f"Requirement lines name files of the repository, and which commit {source.ref or 'its default branch'} stands for is"
        f" not known: {why}; give the commit as source.ref.",
        "source_unavailable",
    )
