# SPDX-License-Identifier: GPL-3.0-or-later
"""The step from the source to environments: the image that the job names, or images that are found or built."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import EnvironmentResult
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution

from ..process.metrics import observe
from ..told import status
from ..told.case import Case
from . import environment
from .builds import BUILDS
from .clock import interruptible
from .quotas import PLACES

_WARNINGS = 10  # events
_BUILT = ("BuildComplete", "ValidationRunning")


@dataclass(frozen=True)
class Environments:
    """made: with the notebooks that share each. resolutions: () where the job names the image. refused: of notebooks."""

    made: tuple[EnvironmentResult, ...]
    resolutions: tuple[Resolution, ...] = ()
    refused: tuple[dict, ...] = ()


def environments(case: Case, root: Path, notebooks: Sequence[str], cache_dir: str) -> Environments:
    """Return what the notebooks run in. A build that failed is a result. Raises EngineError, and Stopped."""
    if not case.question.is_built:
        return Environments((environment.given(case.question, notebooks),))
    return _Building(case, environment.Place(case.cluster, case.namespace, root, cache_dir)).run(notebooks)


class _Building:
    def __init__(self, case: Case, place: environment.Place):
        self._case, self._place = case, place
        self._strategy = case.spec["podConfig"]["buildConfig"].get("strategy", "s2i")
        self._began = status.now()
        self._again = case.record.phase in _BUILT  # a process before this one had the images

    def run(self, notebooks: Sequence[str]) -> Environments:
        told = self._say_building()
        try:
            return self._made(notebooks)
        except EngineError as error:
            if not (isinstance(error, ClusterError) and error.transient):
                self._say_failed(
                    error.message, {**told, "phase": "Failed", "message": error.message, "completionTime": status.now()}
                )
            raise

    def _say_building(self) -> dict:
        message = "What is needed is found out, and images with it are built or found."
        told = {"phase": "Running", "strategy": self._strategy, "startTime": self._began}
        self._case.say_working("Building", "Building", message, ("False", "Building", message), buildStatus=told)
        return told

    def _say_queued(self) -> None:
        message = "The build waits for its turn: there are as many in the namespace as it may have at once."
        told = {**status.working("BuildQueued", message), "BuildReady": ("False", "BuildQueued", message)}
        build = {"phase": "Pending", "strategy": self._strategy, "startTime": self._began}
        self._case.record.write(told, phase="Pending", message=message, buildStatus=build)

    def _made(self, notebooks: Sequence[str]) -> Environments:
        resolutions, refused = environment.resolved(self._case.question, self._place.root, notebooks)
        self._warn([words for one in resolutions for words in one.warnings])
        images = environment.Images(self._case.question, self._place)
        needs = {one.notebook: one for one in resolutions}
        made = []
        for result in images.planned(resolutions, anew=not self._again) if resolutions else ():
            self._case.stop.check()
            if result.build.phase == "Planned":
                result = self._build(images, result.key, [needs[notebook] for notebook in result.notebooks])
            else:
                observe.image_reused()
            made.append(result)
        if made:
            self._say_made(made)
        return Environments(tuple(images.keyed(one) for one in made), resolutions, refused)

    def _build(self, images: environment.Images, key: str, resolutions: Sequence[Resolution]) -> EnvironmentResult:
        """Build one image, beside others of other jobs, and together with those that need the same."""
        said = threading.Event()

        def progress(_event: dict) -> None:
            if not said.is_set():
                said.set()
                self._case.record.say("BuildStarted", f"An image is built by the strategy {self._strategy}.")

        where, limit = (self._case.cluster.host, self._case.namespace), self._case.settings.builds_per_namespace
        with (
            BUILDS.waiting(*where, self._strategy, key) as stop,
            PLACES.place(where, limit, self._case.stop, self._say_queued),
        ):
            self._say_building()
            with observe.build(self._strategy) as ended:
                made = interruptible(lambda: images.built(resolutions, progress, stop), self._case.stop)
                ended(made.build)
            return made

    def _warn(self, warnings: Sequence[str]) -> None:
        for words in list(dict.fromkeys(warnings))[:_WARNINGS]:
            self._case.record.say("Requirements", words, warning=True)

    def _say_made(self, made: Sequence[EnvironmentResult]) -> None:
        told = status.build_status(made, self._strategy, self._began)
        failed = [one for one in made if one.environment is None]
        if failed:
            words = failed[0].build.message or "The build failed."
            if len(made) > 1:
                words = f"{len(failed)} of {len(made)} images cannot be built; the first: {words}"
            self._say_failed(words, told)
            return
        reason = "ImageReused" if all(one.build.phase == "Cached" for one in made) else "BuildComplete"
        first = made[0].environment.reference
        message = f"The image is {first}." if len(made) == 1 else f"There are {len(made)} images; the first is {first}."
        self._case.say_working("BuildComplete", reason, message, ("True", reason, message), buildStatus=told)
        self._case.record.say(reason, message)

    def _say_failed(self, message: str, told: dict) -> None:
        self._case.say_working("Building", "BuildFailed", message, ("False", "BuildFailed", message), buildStatus=told)
        self._case.record.say("BuildFailed", told.get("message", message), warning=True)
