# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job asks, as far as it is known before its source is here."""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook import discover
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.options import PodOptions, ResultsClaim
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.options import byte_count
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.spec import Settings
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import Limits

from ..git.source import Repository
from . import fields, pod, policies, schedule
from .pod import Retry

_LIMITS = {"memory": "memory", "file_size": "fileSize", "output": "output"}
_GOLDEN = ".golden-notebook"  # directory of the source for golden notebooks that come from elsewhere
_PARALLELISM = 10
_SHOWN = 3  # notebooks that stand for all of them


@dataclass(frozen=True)
class Question:
    """notebooks: paths relative to the root of the repository; globs, too, where there may be ``many``.

    directory: of the source, "" for the root. golden: path of the golden notebook, or of the directory that mirrors them all.
    settings: without the golden notebook. variables: of the notebook, by name and value. total: seconds for all of it.
    asserting: a notebook without an assertion fails. results: the claim on which pods leave their results too.
    """

    repository: Repository
    notebooks: tuple[str, ...]
    many: bool
    directory: str
    golden_repository: Repository | None
    golden: str | None
    mirrored: bool
    settings: Settings
    limits: Limits
    exclude: tuple[str, ...]
    retry: Retry
    rerun: str
    total: float | None
    parallelism: int
    asserting: bool
    formats: tuple[str, ...]
    results: ResultsClaim | None
    pod_config: dict
    pod: PodOptions
    variables: dict[str, str]

    @classmethod
    def of(cls, spec: dict) -> Question:
        """Make the value of a job's spec. Raises EngineError for what cannot be meant, or is not acted on."""
        problem = fields.refused(spec)
        if problem:
            raise EngineError(problem)
        schedule.check(spec)
        golden, pod_config, artifacts = spec.get("goldenNotebook"), spec["podConfig"], spec.get("artifacts", {})
        config = spec.get("validationConfig")
        found = cls(
            repository=_repository(spec["notebook"]["git"]),
            notebooks=_notebooks(spec["notebook"]),
            many="paths" in spec["notebook"],
            directory=_path(spec.get("directory", ""), "directory"),
            golden_repository=_repository(golden["git"]) if golden else None,
            golden=_golden(golden) if golden else None,
            mirrored="directory" in (golden or {}),
            settings=Settings(
                parameters=spec.get("parameters", {}),
                timeout=pod.seconds(spec.get("timeout")),
                cell_timeout=pod.seconds(spec.get("cellTimeout")),
                policies=policies.policies(config),
                comparison=policies.comparison(spec.get("comparisonConfig", {})),
            ),
            limits=_limits(spec.get("limits", {})),
            exclude=tuple(spec.get("exclude", ())),
            retry=pod.retry(spec),
            rerun=spec.get("rerun", "never"),
            total=pod.seconds(spec.get("totalTimeout")),
            parallelism=spec.get("parallelism", _PARALLELISM),
            asserting=bool((config or {}).get("verifyAssertions")),
            formats=tuple(artifacts.get("formats", ())),
            results=pod.results(artifacts.get("claim")),
            pod_config=pod_config,
            pod=pod.options(pod_config),
            variables=pod.variables(pod_config),
        )
        found._check()
        return found

    def _check(self) -> None:
        policies.require(self.settings.policies, self.settings.comparison)
        for path in self.notebooks:
            if self.directory and not path.startswith(f"{self.directory}/"):
                raise EngineError(
                    f"The notebook {path} is not below the directory {self.directory}: correct one of them."
                )
        for repository in (self.repository, self.golden_repository):
            if repository:
                repository.check()

    @property
    def is_built(self) -> bool:
        """Whether an image has to be built first."""
        return bool((self.pod_config.get("buildConfig") or {}).get("enabled"))

    def root(self, tree: Path) -> Path:
        """Return the source in a checkout. Raises EngineError where it is not there."""
        root = tree / self.directory
        if not root.is_dir() or not root.resolve().is_relative_to(tree.resolve()):
            raise EngineError(self._gone(f"directory {self.directory}"), "source_unavailable")
        return root

    def find(self, root: Path) -> list[str]:
        """Return the notebooks, relative to the source. Raises EngineError (``notebook_not_found``)."""
        wanted = [self._relative(path) for path in self.notebooks]
        if not self.many:
            path = root / wanted[0]
            if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
                raise EngineError(self._gone(f"notebook {self.notebooks[0]}"), "notebook_not_found")
            return wanted
        try:
            return discover.find(root, wanted, self.exclude)
        except EngineError as error:
            place = f"{self.repository.url} at {self.repository.ref}"
            told = error.message.replace(f"the directory {root}", place).replace(str(root), place)
            raise EngineError(told, "notebook_not_found") from None

    def _gone(self, what: str) -> str:
        place = f"{self.repository.url} at {self.repository.ref}"
        return f"There is no {what} in {place}: correct the path or the ref."

    def place_golden(self, root: Path, tree: Path, notebooks: Sequence[str]) -> str:
        """Return the path of the golden notebook, or of their directory, relative to the source, where they are copied to
        unless they are there.

        Raises EngineError (``golden_missing``) where there is none in the checkout tree.
        """
        found = tree / self.golden
        inside = found.is_relative_to(root) and found.resolve().is_relative_to(root.resolve())
        names = notebooks if self.mirrored else [""]
        there = [name for name in names if _is_below(found / name, tree)]
        if not there:
            what = f"golden notebook in {self.golden or '.'}" if self.mirrored else f"golden notebook {self.golden}"
            raise EngineError(
                f"There is no {what} in {self.golden_repository.url} at {self.golden_repository.ref}: correct the path or"
                " the ref.",
                "golden_missing",
            )
        if inside:
            return found.relative_to(root).as_posix()
        if os.path.lexists(root / _GOLDEN):
            raise EngineError(f"The source has a {_GOLDEN} of its own, which the operator needs: rename it.")
        for name in there:
            place = root / _GOLDEN / (name or found.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found / name if name else found, place)
        return _GOLDEN if self.mirrored else f"{_GOLDEN}/{found.name}"

    def below(self, path: str, name: str) -> str:
        """Return a path of the repository relative to the source. Raises EngineError where it is not in it."""
        wanted = _path(path, name)
        if self.directory and not wanted.startswith(f"{self.directory}/"):
            raise EngineError(
                f"{name} is {path}, which is not below the directory {self.directory}: correct one of them."
            )
        return self._relative(wanted)

    def _relative(self, path: str) -> str:
        return posixpath.relpath(path, self.directory or ".")

    @property
    def excluded(self) -> tuple[str, ...]:
        """What runs do not see of the source."""
        return (*self.exclude, f"{_GOLDEN}/**")


def label(spec: dict) -> str:
    """Return what stands for the notebooks of a job's spec where a verdict is on all of them."""
    notebook = spec["notebook"]
    paths = [notebook["path"]] if notebook.get("path") else notebook.get("paths") or ["*.ipynb"]
    return ", ".join(paths[:_SHOWN]) + (" ..." if len(paths) > _SHOWN else "")


def _notebooks(given: dict) -> tuple[str, ...]:
    if "paths" in given:
        return tuple(_path(path, "notebook.paths") for path in given["paths"])
    return (_path(given["path"], "notebook.path"),)


def _golden(given: dict) -> str:
    if "directory" in given:
        return _path(given["directory"], "goldenNotebook.directory")
    return _path(given["path"], "goldenNotebook.path")


def _is_below(path: Path, tree: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(tree.resolve())


def _repository(git: dict) -> Repository:
    return Repository(git["url"], git["ref"], git.get("credentialsSecret"))


def _path(path: str, name: str) -> str:
    parts = path.split("/")
    if path.startswith(("/", "~", "-")) or ".." in parts or ".git" in parts or "\0" in path:
        raise EngineError(f"{name} is {path}, which leaves the source: give a relative path without '..'.")
    return posixpath.normpath(path) if path.strip("./") else ""


def _limits(given: dict) -> Limits:
    sizes = {ours: byte_count(given[name], f"limits.{name}") for ours, name in _LIMITS.items() if name in given}
    processes = {"processes": given["processes"] or None} if "processes" in given else {}
    cpu = pod.seconds(given.get("cpuTime"))
    return Limits(**sizes, **processes, cpu=max(1, int(cpu)) if cpu else None)
