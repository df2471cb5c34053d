# SPDX-License-Identifier: GPL-3.0-or-later
"""The first step: the source of a job with its notebooks, and what they are compared with."""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import SECRETS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

from ..git import source
from ..told.case import Case

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """root: the source. notebooks, golden: relative to it; golden is a directory where that mirrors the notebooks."""

    root: Path
    notebooks: list[str]
    golden: str | None


def fetch(case: Case, place: Path) -> Source:
    """Fetch the source, and what the notebooks are compared with, below a directory. Raises EngineError, and Stopped."""
    question, tree = case.question, place / "source"
    _checkout(case, question.repository, tree)
    root = question.root(tree)
    notebooks = question.find(root)
    if question.golden_repository is None:
        return Source(root, notebooks, None)
    other = tree if question.golden_repository == question.repository else place / "golden"
    if other is not tree:
        _checkout(case, question.golden_repository, other)
    return Source(root, notebooks, question.place_golden(root, other, notebooks))


def _checkout(case: Case, repository: source.Repository, directory: Path) -> None:
    secret = _secret(case, repository.secret) if repository.secret else {}
    settings, reach = case.settings, case.settings.reach
    commit = source.fetch(
        repository, directory, secret, case.stop, settings.fetch_seconds,
        hosts=reach.git_hosts, megabytes=reach.fetch_megabytes,
    )  # fmt: skip
    _LOG.info("%s: %s is at %s", case.name, repository.url, commit)


def _secret(case: Case, name: str) -> dict[str, bytes]:
    found = case.cluster.find(SECRETS.path(case.namespace, name))
    if found is None:
        raise EngineError(
            f"There is no Secret {name} in the namespace {case.namespace}: make it, or correct credentialsSecret.",
            "source_unavailable",
        )
    return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
