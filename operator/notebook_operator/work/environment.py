# SPDX-License-Identifier: GPL-3.0-or-later
"""The image that a notebook runs in: the one that the job names, or one that is built with what the notebook needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import entry

from ..asked import pod
from ..asked.question import Question

_TIMEOUT = 900.0  # seconds
_REUSE = {"IfPresent": "if-exists", "Verify": "verify", "Never": "never"}
_CONTAINERFILES = ("Containerfile", "Dockerfile")
# Keys of strategyConfig that the engine has under names of its own.
_BUILD = {
    "serviceAccount": "service_account",
    "settingsConfigMap": "settings_config_map",
    "settingsSecret": "settings_secret",
    "builderImage": "builder_image",
}
_CONTEXT = {"repository": "repository", "pushSecret": "push_secret", "sharedNamespace": "shared_namespace"}


@dataclass(frozen=True)
class Place:
    """Where images are made. root: the source. cache_dir: for logs of builds."""

    cluster: Cluster
    namespace: str
    root: Path
    cache_dir: str


def given(question: Question, notebooks: Sequence[str]) -> EnvironmentResult:
    """Return the environment that is the image of the job, as it is."""
    reference = question.pod_config.get("imageRef") or question.pod_config["containerImage"]
    key = _key(question, reference)
    image = Environment("image", reference, digest_in(reference) or "", key, True, "prebuilt", "python3")
    return EnvironmentResult(key, tuple(notebooks), (), Build(key, "Cached"), image)


def resolved(
    question: Question, root: Path, notebooks: Sequence[str]
) -> tuple[tuple[Resolution, ...], tuple[dict, ...]]:
    """Return what the notebooks need, and those that are refused, each ``{notebook, code, message}``.

    Raises EngineError where that is so of the only one, or of what all of them need.
    """
    config = question.pod_config["buildConfig"]
    file = config.get("requirementsFile")
    sources = config.get("requirementsSources", ())
    options = Options(
        requirements_file=question.below(file, "buildConfig.requirementsFile") if file else None,
        requirements_sources=tuple(question.below(one, "buildConfig.requirementsSources") for one in sources),
        generate=config.get("autoGenerateRequirements", True),
        fallback=config.get("fallbackStrategy", "warn"),
    )
    try:
        found = resolve(root, notebooks, options=options).as_dict()
    except EngineError as error:
        if not question.many or "refused" not in error.details:
            raise
        found = error.details
    return tuple(Resolution.from_dict(one) for one in found["resolutions"]), tuple(found["refused"])


class Images:
    """The images of one job: what is there, and what has to be built. Raises EngineError where no build can begin."""

    def __init__(self, question: Question, place: Place):
        self._config, self._place = question.pod_config["buildConfig"], place
        self._question = question
        self._context, self._build = _settings(self._config.get("strategyConfig", {}))
        # They look up what is built upon once for all that is asked of them.
        self._strategies = [kind(lambda code: entry(code).retryable) for kind in BUILDERS]

    @property
    def strategy(self) -> str:
        """Its name."""
        return self._config.get("strategy", "s2i")

    def planned(self, resolutions: Sequence[Resolution], *, anew: bool) -> list[EnvironmentResult]:
        """Return an environment for each distinct need: its image where it is there, else ``Planned``.

        anew: the policy of reuse counts; else it was built for this job already.
        """
        reuse = _REUSE[self._config.get("reuse", "IfPresent")] if anew else "if-exists"
        return self._make(resolutions, reuse=reuse, check=True)

    def built(
        self, resolutions: Sequence[Resolution], progress: Callable[[dict], None], stop: Stop
    ) -> EnvironmentResult:
        """Return the one environment that these need, which is built. A build that failed is a result.

        stop: cancels the build, if it was begun here.
        """
        reuse = _REUSE[self._config.get("reuse", "IfPresent")]
        (result,) = self._make(resolutions, reuse=reuse, progress=progress, stop=stop)
        return result

    def keyed(self, result: EnvironmentResult) -> EnvironmentResult:
        """Return the environment under the key that runs in it have."""
        return replace(result, key=_key(self._question, result.key))

    def _make(self, resolutions: Sequence[Resolution], **more) -> list[EnvironmentResult]:
        config, place = self._config, self._place
        return make(
            resolutions,
            strategy=self.strategy,
            source=str(place.root),
            base=config.get("baseImage"),
            timeout=pod.seconds(config.get("timeout")) or _TIMEOUT,
            cache_dir=place.cache_dir,
            strategies=self._strategies,
            clean=clean,
            cluster=place.cluster,
            namespace=place.namespace,
            image=ImageOptions(containerfile=_containerfile(self._question, config, place.root)),
            build=self._build,
            **self._context,
            **more,
        )


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
    said = question.pod_config
    if question.results:  # what was left on another claim is not on this one
        said = {**said, "results": [question.results.claim, question.results.path]}
    return hashlib.sha256(f"{environment} {pod.digest(said)}".encode()).hexdigest()[:32]
