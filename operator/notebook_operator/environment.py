# SPDX-License-Identifier: GPL-3.0-or-later
"""The image that a notebook runs in: the one that the job names, or one that is built with what the notebook needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.builders import BUILDERS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import digest_in
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import (
    BuildOptions,
    ImageOptions,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.ladder import Options, resolve
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import (
    Build,
    Environment,
    EnvironmentResult,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import entry

from . import pod
from .question import Question

_TIMEOUT = 900.0  # seconds
_CONTAINERFILES = ("Containerfile", "Dockerfile")
# Keys of strategyConfig that the engine has under names of its own.
_BUILD = {
    "serviceAccount": "service_account",
    "settingsConfigMap": "settings_config_map",
    "settingsSecret": "settings_secret",
    "builderImage": "builder_image",
}
_CONTEXT = {"repository": "repository", "pushSecret": "push_secret", "sharedNamespace": "shared_namespace"}


def is_built(spec: dict) -> bool:
    """Return whether an image has to be built first."""
    return bool((spec["podConfig"].get("buildConfig") or {}).get("enabled"))


def given(question: Question) -> EnvironmentResult:
    """Return the environment that is the image of the job, as it is."""
    reference = question.pod_config["containerImage"]
    key = _key(question, reference)
    image = Environment("image", reference, digest_in(reference) or "", key, True, "prebuilt", "python3")
    return EnvironmentResult(key, (question.relative,), (), Build(key, "Cached"), image)


def resolved(question: Question, root: Path) -> Resolution:
    """Return what the notebook needs. Raises EngineError."""
    config = question.pod_config["buildConfig"]
    file = config.get("requirementsFile")
    sources = config.get("requirementsSources", ())
    options = Options(
        requirements_file=question.below(file, "buildConfig.requirementsFile") if file else None,
        requirements_sources=tuple(question.below(one, "buildConfig.requirementsSources") for one in sources),
        generate=config.get("autoGenerateRequirements", True),
        fallback=config.get("fallbackStrategy", "warn"),
    )
    return resolve(root, [question.relative], options=options).resolutions[0]


def built(
    question: Question,
    resolution: Resolution,
    root: Path,
    cluster: Cluster,
    namespace: str,
    cache_dir: str,
    progress: Callable[[dict], None],
) -> EnvironmentResult:
    """Return the environment that is built, or found by its content key. A build that failed is a result.

    Raises EngineError where no build can begin.
    """
    config = question.pod_config["buildConfig"]
    context, build = _settings(config.get("strategyConfig", {}))
    (result,) = make(
        [resolution],
        strategy=config.get("strategy", "s2i"),
        source=str(root),
        base=config.get("baseImage"),
        timeout=pod.seconds(config.get("timeout")) or _TIMEOUT,
        cache_dir=cache_dir,
        progress=progress,
        strategies=[kind(lambda code: entry(code).retryable) for kind in BUILDERS],
        clean=clean,
        cluster=cluster,
        namespace=namespace,
        image=ImageOptions(containerfile=_containerfile(question, config, root)),
        build=build,
        **context,
    )
    return replace(result, key=_key(question, result.key))


def _containerfile(question: Question, config: dict, root: Path) -> str | None:
    if config.get("dockerfile"):
        return question.below(config["dockerfile"], "buildConfig.dockerfile")
    there = (name for name in _CONTAINERFILES if (root / name).is_file())
    return next(there, None) if config.get("preferDockerfile") else None


def _settings(config: dict[str, str]) -> tuple[dict, BuildOptions]:
    known = {**_BUILD, **_CONTEXT}
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise EngineError(f"strategyConfig knows no {unknown[0]}: use {', '.join(sorted(known))}.")
    context = {_CONTEXT[name]: value for name, value in config.items() if name in _CONTEXT}
    return context, BuildOptions(**{_BUILD[name]: value for name, value in config.items() if name in _BUILD})


def _key(question: Question, environment: str) -> str:
    """Return a key of the environment with all that is said of its pod: memory that was raised makes another run."""
    return hashlib.sha256(f"{environment} {pod.digest(question.pod_config)}".encode()).hexdigest()[:32]
