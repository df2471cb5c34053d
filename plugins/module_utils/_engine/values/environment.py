# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notebook runs in, and the build that made it."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Value


@dataclass(frozen=True)
class Environment(Value):
    """A usable environment.

    kind: ``venv`` or ``image``.
    reference: directory of the virtual environment, or image reference by digest.
    digest: ``sha256:...`` of the frozen content (the installed set, or the image).
    key: content key; same key = same environment.
    cached: it was found, not built.
    strategy: name of the strategy that made it.
    python: interpreter to start inside it, an absolute path for ``venv``.
    python_version: ``3.11.2``.
    """

    kind: str
    reference: str
    digest: str
    key: str
    cached: bool
    strategy: str
    python: str
    python_version: str | None = None


@dataclass(frozen=True)
class Build(Value):
    """How an environment came to be, or why it did not.

    phase: ``Complete``, ``Failed``, ``Cancelled``, ``Cached`` or ``Planned`` (check mode); of a build of OpenShift that has
    not ended, or ended otherwise, its own.
    reason: a code of the taxonomy table when it failed, else None.
    message: one sentence, with the installer's own words shortened.
    log_tail: the last lines of the log, sanitised.
    log: path of the whole log kept.
    duration: seconds.
    stages: seconds by stage name.
    """

    name: str
    phase: str
    reason: str | None = None
    message: str | None = None
    log_tail: tuple[str, ...] = ()
    log: str | None = None
    duration: float = 0.0
    stages: dict | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Image(Value):
    """The image that a build put out.

    reference: by digest, as pods pull it. digest: ``sha256:...``. pullspec: by tag, as the build named it.
    """

    reference: str
    digest: str
    pullspec: str


@dataclass(frozen=True)
class EnvironmentResult(Value):
    """One distinct environment of a call, and the notebooks that share it.

    environment is None when the build failed or is only planned. warnings: what to know about it.
    """

    key: str
    notebooks: tuple[str, ...]
    requirements: tuple[str, ...]
    build: Build
    environment: Environment | None = None
    warnings: tuple[str, ...] = ()
