# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair of a missing module: add what provides it to the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..environment.make import make
from ..environment.venv import VenvStrategy
from ..values.resolution import Provenance, Resolution
from .spec import Spec
from .work import Work


def repair(broken: list[Work], spec: Spec, progress: Callable[[dict], None]) -> tuple[list[Work], list[Work]]:
    """Make environments with the missing distribution for works that failed on an import.

    Returns the works to run again, and those given up: what would be added was added before, or does not install, or
    their environment is of a strategy of another collection, which only its own module can make.
    """
    fresh = [work for work in broken if work.failed.distribution not in work.found]
    if not fresh or fresh[0].environment.environment.strategy != VenvStrategy.name:
        return [], broken
    grown = {work.notebook: _grown(work) for work in fresh}
    environment = fresh[0].environment.environment
    results = make(
        list(grown.values()),
        strategy=environment.strategy,
        base=environment.python_version.rpartition(".")[0],
        source=str(spec.path),
        cache_dir=spec.cache_dir,
        progress=progress,
    )
    built = {notebook: result for result in results if result.environment for notebook in result.notebooks}
    again = [
        replace(
            work,
            environment=built[work.notebook],
            resolution=grown[work.notebook],
            found=(*work.found, work.failed.distribution),
        )
        for work in fresh
        if work.notebook in built
    ]
    retried = {work.notebook for work in again}
    return again, [work for work in broken if work.notebook not in retried]


def _grown(work: Work) -> Resolution:
    line = work.failed.distribution
    base = work.resolution or Resolution(
        notebook=work.notebook, tier="base", requirements=work.environment.requirements
    )
    origin = Provenance(
        requirement=line, tier=base.tier, reason=f"repair: import {work.failed.module}", cell=work.failed.cell
    )
    return replace(base, requirements=(*work.environment.requirements, line), provenance=(*base.provenance, origin))
