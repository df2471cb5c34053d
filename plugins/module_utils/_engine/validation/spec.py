# SPDX-License-Identifier: GPL-3.0-or-later
"""What one call of the validation is asked, checked before anything runs."""

from __future__ import annotations

import fnmatch
import keyword
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..run.pod.launcher import Target
from ..values.base import Value
from ..values.environment import EnvironmentResult
from ..values.errors import EngineError
from ..values.execution import Limits
from ..values.resolution import Resolution

OVERRIDABLE = ("parameters", "timeout", "cell_timeout", "golden", "policies", "comparison")


@dataclass(frozen=True)
class Settings(Value):
    """How one notebook is run and judged.

    parameters: papermill parameters. timeout, cell_timeout: seconds, None = no limit.
    golden: path of the golden notebook relative to the source, or None.
    policies, comparison: options of the verdict and of the golden comparison.
    """

    parameters: dict = field(default_factory=dict)
    timeout: float | None = None
    cell_timeout: float | None = None
    golden: str | None = None
    policies: dict = field(default_factory=dict)
    comparison: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """One validation of many notebooks of one source.

    path: root of the source. environments: what ``notebook_environment`` returned.
    resolutions: what ``notebook_requirements`` returned, for tiers, provenance and the repair.
    refused: notebooks that were refused before, each ``{notebook, code, message}``: they get a failed verdict.
    defaults: settings of every notebook. overrides: ``{notebooks: [globs], <setting>: ...}``, later ones win;
    dictionaries are merged, other settings replaced.
    golden: directory relative to path that mirrors the notebooks, or None.
    repair: rounds of adding a missing module and running again. retries: runs again after an infrastructure failure.
    retry_delay: seconds before the first of them, doubled each time, retry_delay_most at most; None = the pipeline's own, no limit.
    rerun: work that has a verdict from before: ``never``, ``failed`` (where that is a failure) or ``always``.
    since: moment, in seconds since 1970, from which verdicts of the namespace count nevertheless: a call that was cut off began then.
    target: where notebooks whose environment is an image are run, None without a cluster.
    delegate: an operator runs and judges these. environment, secrets: variables handed to the notebooks; the values of
    secrets are hidden wherever text is shown.
    """

    path: Path
    environments: tuple[EnvironmentResult, ...]
    resolutions: tuple[Resolution, ...] = ()
    refused: tuple[dict, ...] = ()
    defaults: Settings = Settings()
    overrides: tuple[dict, ...] = ()
    golden: str | None = None
    exclude: tuple[str, ...] = ()
    environment: dict = field(default_factory=dict)
    secrets: dict = field(default_factory=dict)
    limits: Limits = Limits()
    workers: int = 1
    rerun: str = "never"
    since: float | None = None
    max_age: int = 90
    repair: int = 0
    retries: int = 1
    retry_delay: float | None = None
    retry_delay_most: float | None = None
    fail_on: str = "never"
    cache_dir: str | None = None
    target: Target | None = None
    delegate: bool = False

    def settings(self, notebook: str) -> Settings:
        """Return the settings of one notebook: the defaults with each override that names it."""
        chosen = self.defaults
        if self.golden and (self.path / self.golden / notebook).is_file():
            chosen = replace(chosen, golden=f"{self.golden}/{notebook}")
        for override in self.overrides:
            if _names(override, notebook):
                chosen = replace(chosen, **_merged(chosen, override))
        return chosen

    @property
    def notebooks(self) -> list[str]:
        """All notebooks of the call, in the order of their names."""
        named = {notebook for result in self.environments for notebook in result.notebooks}
        return sorted(named | {entry["notebook"] for entry in self.refused})


def check(spec: Spec) -> None:
    """Refuse what cannot be meant, before anything runs.

    Raises EngineError for a source that is no directory, an override that names no notebook or has an unknown
    setting, a golden notebook that is not there, and numbers out of range.
    """
    if not spec.path.is_dir():
        raise EngineError(f"There is no directory {spec.path}: give the root of the notebooks as path.")
    for name, number, least in (("workers", spec.workers, 1), ("repair", spec.repair, 0), ("retries", spec.retries, 0)):
        if number < least:
            raise EngineError(f"{name} is {number}: give a whole number of at least {least}.")
    _check_times(spec.defaults.timeout, spec.defaults.cell_timeout)
    _check_parameters(spec.defaults.parameters)
    _check_variables(spec.environment)
    if spec.golden and not ((spec.path / spec.golden).is_dir() and _below(spec.path, spec.golden)):
        raise EngineError(
            f"There is no directory {spec.golden} below {spec.path}: golden names the directory of golden notebooks."
        )
    for override in spec.overrides:
        _check_override(spec, override)
    for notebook in spec.notebooks:
        golden = spec.settings(notebook).golden
        if golden and not _inside(spec.path, golden):
            raise EngineError(
                f"The golden notebook {golden} of {notebook} is not a file below {spec.path}.", code="golden_missing"
            )


def _check_times(timeout: float | None, cell_timeout: float | None, of: str = "") -> None:
    for name, seconds in (("timeout", timeout), ("cell_timeout", cell_timeout)):
        if seconds is not None and seconds < 0:
            raise EngineError(f"{name}{of} is {seconds:g}: give a number of seconds above 0, or 0 for no limit.")


def _check_parameters(parameters: dict) -> None:
    for name in parameters:
        if not str(name).isidentifier() or keyword.iskeyword(name):
            raise EngineError(
                f"The parameter {name!r} is no name of Python: parameters become variables of the notebook."
            )


def _check_variables(variables: dict) -> None:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name + value:
            raise EngineError(
                f"The variable {name!r} cannot be set: its name is empty, or holds = or a null character."
            )


def _check_override(spec: Spec, override: dict) -> None:
    unknown = sorted(set(override) - {"notebooks", *OVERRIDABLE})
    if unknown:
        raise EngineError(f"An override has the unknown setting {unknown[0]}: use {', '.join(OVERRIDABLE)}.")
    for name in ("parameters", "policies", "comparison"):
        if not isinstance(override.get(name) or {}, dict):
            raise EngineError(
                f"{name} of the override for {override.get('notebooks')} is no dictionary: give names and values."
            )
    of = f" of the override for {override.get('notebooks')}"
    _check_times(override.get("timeout"), override.get("cell_timeout"), of)
    _check_parameters(override.get("parameters") or {})
    if not any(_names(override, notebook) for notebook in spec.notebooks):
        raise EngineError(
            f"The override for {override.get('notebooks')} names none of the notebooks: give paths or globs relative to the source."
        )


def _names(override: dict, notebook: str) -> bool:
    patterns = override.get("notebooks") or []
    return any(
        fnmatch.fnmatchcase(notebook, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns)
    )


def _merged(base: Settings, override: dict) -> dict:
    given = {name: value for name, value in override.items() if name in OVERRIDABLE and value is not None}
    for name, value in given.items():
        if isinstance(value, dict):
            given[name] = {**getattr(base, name), **value}
    for name in ("timeout", "cell_timeout"):
        if name in given:
            given[name] = float(given[name]) or None
    return given


def _inside(root: Path, relative: str) -> bool:
    return (root / relative).is_file() and _below(root, relative)


def _below(root: Path, relative: str) -> bool:
    return (root / relative).resolve().is_relative_to(root.resolve())
