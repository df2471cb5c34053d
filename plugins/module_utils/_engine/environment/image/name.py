# SPDX-License-Identifier: GPL-3.0-or-later
"""The full name of an image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """A reference in full, as github.com/distribution/reference normalises it. what: the tag or the digest."""

    host: str
    repository: str
    what: str

    @classmethod
    def of(cls, reference: str) -> Name:
        """Return the name that a reference stands for: without a host it is one of docker.io."""
        name, _at, digest = reference.partition("@")
        head, slash, last = name.rpartition("/")
        last, _colon, tag = last.partition(":")
        name = f"{head}{slash}{last}"
        host, slash, path = name.partition("/")
        if not slash or not (set(host) & {".", ":"} or host == "localhost" or host != host.lower()):
            host, path = "docker.io", name
        host = "docker.io" if host == "index.docker.io" else host
        path = f"library/{path}" if host == "docker.io" and "/" not in path else path
        return cls(host, path, digest or tag or "latest")

    @property
    def full(self) -> str:
        """The name with its host, without tag and digest."""
        return f"{self.host}/{self.repository}"
