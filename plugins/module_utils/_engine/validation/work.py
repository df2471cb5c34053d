# SPDX-License-Identifier: GPL-3.0-or-later
"""One notebook to validate, with everything that decides its verdict."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ..notebook.golden.options import GoldenOptions
from ..values.environment import EnvironmentResult
from ..values.errors import EngineError
from ..values.execution import RunRequest
from ..values.resolution import Resolution
from ..values.verdict import Verdict
from ..verdict.policies import Policies
from .memory import work_key
from .source import Source
from .spec import Settings, Spec


@dataclass(frozen=True)
class Work:
    """A notebook, its settings, the environment it runs in, and the key of the work.

    attempt: counts from 1, over infrastructure failures. found: lines that the repair added so far.
    failed: the verdict that the repair starts from.
    """

    notebook: str
    settings: Settings
    policies: Policies
    golden: dict | None
    golden_options: GoldenOptions
    environment: EnvironmentResult
    resolution: Resolution | None
    key: str
    attempt: int = 1
    found: tuple[str, ...] = ()
    failed: Verdict | None = None

    @property
    def image(self) -> str | None:
        """The image that it runs in, None where it runs on this machine."""
        found = self.environment.environment
        return found.reference if found and found.kind == "image" else None

    def request(self, spec: Spec, output: str) -> RunRequest:
        """Return the run to ask for, with its results in the directory output."""
        return RunRequest(
            id=self.key,
            python=self.environment.environment.python,
            source=str(spec.path),
            notebook=self.notebook,
            output=output,
            parameters=self.settings.parameters or None,
            timeout=self.settings.timeout,
            cell_timeout=self.settings.cell_timeout,
            # Pods have the secrets from an object of their own.
            environment={**spec.environment, **({} if self.image else spec.secrets)} or None,
            limits=spec.limits,
            exclude=spec.exclude,
        )


def plan(spec: Spec) -> dict[str, Work]:
    """Return the work of each notebook that has an environment, built or planned, by notebook.

    Raises EngineError for settings of a notebook that do not fit: policies, comparison, golden notebook.
    """
    source = Source(spec.path, spec.exclude)
    resolutions = {resolution.notebook: resolution for resolution in spec.resolutions}
    works = {}
    for result in spec.environments:
        for notebook in result.notebooks:
            works[notebook] = _work(spec, source, notebook, result, resolutions.get(notebook))
    return works


def _work(spec: Spec, source: Source, notebook: str, result: EnvironmentResult, resolution: Resolution | None) -> Work:
    settings = spec.settings(notebook)
    golden_text = (spec.path / settings.golden).read_bytes() if settings.golden else None
    key = work_key(
        notebook=notebook,
        source=_digest(source, spec.path, notebook),
        environment=result.key,
        settings=settings.as_dict(),
        golden=hashlib.sha256(golden_text).hexdigest() if golden_text else None,
        variables={**spec.environment, **spec.secrets},
        limits=spec.limits.as_dict(),
        tier=resolution.tier if resolution else None,
        repair=spec.repair,
        **_variables(spec, result),
    )
    return Work(
        notebook=notebook,
        settings=settings,
        policies=Policies.from_options(settings.policies),
        golden=_parse(golden_text, settings.golden) if golden_text else None,
        golden_options=GoldenOptions.from_options(settings.comparison),
        environment=result,
        resolution=resolution,
        key=key,
    )


def _variables(spec: Spec, result: EnvironmentResult) -> dict:
    """Return what a pod has of variables: their values, or the names of the objects that hold them."""
    if not spec.target or not result.environment or result.environment.kind != "image":
        return {}
    options = spec.target.options
    found = {"env": options.env, "env_from": options.env_from, "credentials": options.credentials}
    return {"pod": found} if any(found.values()) else {}


def _digest(source: Source, root: Path, notebook: str) -> str:
    try:
        return source.digest(notebook)
    except FileNotFoundError as error:
        raise EngineError(
            f"There is no notebook {notebook} in {root}: path must be the source that the environments were made for."
        ) from error


def _parse(text: bytes, name: str) -> dict:
    try:
        golden = json.loads(text)
        golden["cells"][:0]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"The golden notebook {name} is no notebook of format 4: make it anew from a good run.",
            code="notebook_invalid",
        ) from error
    return golden
