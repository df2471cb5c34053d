# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job asks, as far as it is known before its source is here."""

from __future__ import annotations

import posixpath
import shutil
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.options import PodOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.options import byte_count
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.spec import Settings
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import Limits

from . import fields, pod, policies
from .source import Repository

_RETRIES = 2
_LIMITS = {"memory": "memory", "file_size": "fileSize", "output": "output"}
_GOLDEN = ".golden-notebook"  # directory of the source for a golden notebook that comes from elsewhere


@dataclass(frozen=True)
class Question:
    """notebook, golden: paths relative to the root of their repositories. directory: of the source, "" for the root.

    settings: without the golden notebook. variables: of the notebook, by name and value.
    """

    repository: Repository
    notebook: str
    directory: str
    golden_repository: Repository | None
    golden: str | None
    settings: Settings
    limits: Limits
    exclude: tuple[str, ...]
    retries: int
    rerun: str
    pod_config: dict
    pod: PodOptions
    variables: dict[str, str]

    @classmethod
    def of(cls, spec: dict) -> Question:
        """Make the value of a job's spec. Raises EngineError for what cannot be meant, or is not acted on."""
        problem = fields.refused(spec)
        if problem:
            raise EngineError(problem)
        golden = spec.get("goldenNotebook")
        pod_config = spec["podConfig"]
        directory = _path(spec.get("directory", ""), "directory")
        notebook = _path(spec["notebook"]["path"], "notebook.path")
        if directory and not notebook.startswith(f"{directory}/"):
            raise EngineError(f"The notebook {notebook} is not below the directory {directory}: correct one of them.")
        found = cls(
            repository=_repository(spec["notebook"]["git"]),
            notebook=notebook,
            directory=directory,
            golden_repository=_repository(golden["git"]) if golden else None,
            golden=_path(golden["path"], "goldenNotebook.path") if golden else None,
            settings=Settings(
                parameters=spec.get("parameters", {}),
                timeout=pod.seconds(spec.get("timeout")),
                cell_timeout=pod.seconds(spec.get("cellTimeout")),
                policies=policies.policies(spec.get("validationConfig", {})),
                comparison=policies.comparison(spec.get("comparisonConfig", {})),
            ),
            limits=_limits(spec.get("limits", {})),
            exclude=tuple(spec.get("exclude", ())),
            retries=spec.get("retries", _RETRIES),
            rerun=spec.get("rerun", "never"),
            pod_config=pod_config,
            pod=pod.options(pod_config),
            variables=pod.variables(pod_config),
        )
        for repository in (found.repository, found.golden_repository):
            if repository:
                repository.check()
        return found

    @property
    def relative(self) -> str:
        """The notebook's path relative to the source."""
        return posixpath.relpath(self.notebook, self.directory or ".")

    def root(self, tree: Path) -> Path:
        """Return the source in a checkout. Raises EngineError where it, or the notebook in it, is not there."""
        root = tree / self.directory
        for path, what in ((root, "directory"), (root / self.relative, "notebook")):
            there = path.is_dir() if what == "directory" else path.is_file()
            if not there or not path.resolve().is_relative_to(tree.resolve()):
                name = self.directory if what == "directory" else self.notebook
                raise EngineError(
                    f"There is no {what} {name} in {self.repository.url} at {self.repository.ref}: correct the path or the ref.",
                    "notebook_not_found" if what == "notebook" else "source_unavailable",
                )
        return root

    def place_golden(self, root: Path, tree: Path) -> str:
        """Return the path of the golden notebook relative to the source, where it is copied to unless it is there.

        Raises EngineError (``golden_missing``) where there is none in the checkout tree.
        """
        found = tree / self.golden
        if not found.is_file() or not found.resolve().is_relative_to(tree.resolve()):
            raise EngineError(
                f"There is no golden notebook {self.golden} in {self.golden_repository.url} at {self.golden_repository.ref}:"
                " correct the path or the ref.",
                "golden_missing",
            )
        if found.resolve().is_relative_to(root.resolve()):
            return found.relative_to(root).as_posix()
        place = root / _GOLDEN
        place.mkdir()
        return f"{_GOLDEN}/{Path(shutil.copy(found, place)).name}"

    def below(self, path: str, name: str) -> str:
        """Return a path of the repository relative to the source. Raises EngineError where it is not in it."""
        wanted = _path(path, name)
        if self.directory and not wanted.startswith(f"{self.directory}/"):
            raise EngineError(
                f"{name} is {path}, which is not below the directory {self.directory}: correct one of them."
            )
        return posixpath.relpath(wanted, self.directory or ".")

    @property
    def excluded(self) -> tuple[str, ...]:
        """What runs do not see of the source."""
        return (*self.exclude, f"{_GOLDEN}/**")


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
