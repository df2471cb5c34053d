# SPDX-License-Identifier: GPL-3.0-or-later
"""The step from environments to verdicts: the notebooks run in pods, and the status says how far they are."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.batches import Target
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.memory import Memory
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.pipeline import validate
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.spec import Spec
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.work import plan
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import PASSING
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stopped
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict

from ..process.metrics import observe
from ..told import lifecycle, status
from ..told.aggregate import carried
from ..told.case import Case
from .building import Environments

_TENTHS = 10
_PAUSE = 10.0  # seconds before it is said again that notebooks run again
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ran:
    """verdicts: in the order of the notebooks. keys: of what the namespace keeps, by notebook. pods: the last of each.

    images: by digest, as far as they are known.
    """

    verdicts: tuple[Verdict, ...]
    keys: dict[str, str]
    pods: dict[str, str]
    images: tuple[str, ...] = ()


class Running:
    """The run of all notebooks of a job.

    made: what they run in. golden: path of the golden notebook, or of their directory, relative to the source.
    refused: notebooks that are not run, each ``{notebook, code, message}``.
    """

    def __init__(self, case: Case, root: Path, golden: str | None, made: Environments, refused: tuple, cache_dir: str):
        self._case, self._lock = case, threading.Lock()
        self._spec = _spec(case, root, golden, made, refused, cache_dir, self._say_pod, self._note_image)
        self._total = len(self._spec.notebooks)
        self._ended, self._failed, self._told = 0, 0, 0
        self._seen: list[str] = []  # images
        self._begun: dict[str, str] = {}  # id of a run -> its pod
        self._again = -_PAUSE  # when it was told that notebooks run again

    def run(self) -> Ran:
        """Return the verdicts. Raises EngineError, ClusterError, and Stopped."""
        self._case.stop.check()
        with observe.run() as ended:
            outcome = validate(self._spec, self._count)
            ended(outcome.verdicts)
        for words in outcome.warnings:
            self._case.record.say("VerdictNotKept", words, warning=True)
        lasting = {one.notebook for one in outcome.verdicts if not one.retryable and one.code not in PASSING}
        images = {notebook for one in self._spec.environments if one.environment for notebook in one.notebooks}
        kept = lasting & images if not outcome.warnings else set()
        keys = {notebook: key for notebook, key in outcome.keys.items() if notebook in kept}
        pods = {notebook: self._begun[key] for notebook, key in outcome.keys.items() if key in self._begun}
        return Ran(outcome.verdicts, keys, pods, self._images())

    def so_far(self, make) -> Ran:
        """Return the verdicts that fell before a stop. make: gives the verdict on a notebook that has none."""
        memory, works = Memory(self._spec.cache_dir, self._spec.max_age), plan(self._spec)
        found = {notebook: memory.find(work.key) for notebook, work in works.items()}
        keys = {notebook: works[notebook].key for notebook, verdict in found.items() if verdict}
        # What cannot be run needs no time.
        idle = tuple(one for one in self._spec.environments if one.environment is None)
        outcome = validate(replace(self._spec, environments=idle), lambda _event: None)
        found |= {one.notebook: one for one in outcome.verdicts}
        verdicts = [found.get(one) or make(one) for one in self._spec.notebooks]
        pods = {one: self._begun[work.key] for one, work in works.items() if work.key in self._begun}
        return Ran(tuple(replace(one, cached=False) for one in verdicts), keys, pods, self._images())

    def _images(self) -> tuple[str, ...]:
        found = [one.environment for one in self._spec.environments if one.environment]
        named = [one.reference for one in found if one.digest]
        return tuple(dict.fromkeys(named if len(named) == len(found) else [*named, *self._seen]))

    def _note_image(self, _run: str, image: str) -> None:
        with self._lock:
            self._seen.append(image)

    def _count(self, event: dict) -> None:
        """Say how many have ended, at each tenth of them."""
        if event["event"] != "verdict" or not self._case.question.many:
            return
        with self._lock:
            self._ended += 1
            self._failed += event["status"] != "succeeded"
            tenth = self._ended * _TENTHS // self._total
            news, self._told = tenth > self._told and self._ended < self._total, tenth
            passed = self._ended - self._failed
        if news:
            message = f"{self._ended} of {self._total} notebooks have ended, {self._failed} of them failed."
            summary = {"total": self._total, "succeeded": passed, "failed": self._failed}
            self._say("Running", message, summary=summary)

    def _say_pod(self, run: str, pod: str) -> None:
        """Say which pod runs the notebook. Many are only begun to be run."""
        with self._lock:
            first, again = not self._begun, self._begun.get(run) not in (None, pod)
            self._begun[run] = pod
            news = time.monotonic() - self._again >= _PAUSE
            if again and news:
                self._again = time.monotonic()
        more = {"lastRetryTime": status.now()} if again else {}
        if not self._case.question.many:
            message = f"The notebook runs in the pod {pod}."
            self._say("Running", message, event=True, validationPodName=pod, **more)
        elif first:
            self._say("Running", f"{self._total} notebooks run in pods.", event=True)
        elif again and news:
            self._say("Running", f"Notebooks run again, the last of them in the pod {pod}.", **more)

    def _say(self, reason: str, message: str, *, event: bool = False, **more) -> None:
        """What cannot be said now is no reason to stop the run."""
        try:
            self._case.say_working("ValidationRunning", reason, message, **more)
            if event:
                self._case.record.say("ValidationRunning", message)
        except (Stopped, ClusterError) as error:
            _LOG.info("%s: %s", self._case.name, error)


def _spec(
    case: Case, root: Path, golden: str | None, made: Environments, refused: tuple, cache_dir: str, on_pod, on_image
) -> Spec:
    question = case.question
    # An image that is named by a tag may be another one tomorrow.
    fixed = all(one.environment is None or one.environment.digest for one in made.made)
    single = golden if golden and not question.mirrored else None
    return Spec(
        path=root,
        environments=made.made,
        resolutions=made.resolutions,
        refused=(*made.refused, *refused),
        defaults=replace(question.settings, golden=single),
        golden=golden if question.mirrored else None,
        exclude=question.excluded,
        environment=question.variables,
        limits=question.limits,
        workers=question.parallelism,
        rerun=question.rerun if fixed else "always",
        since=lifecycle.seconds(case.record.began) if case.record.resumed else None,
        max_age=case.settings.verdict_days,
        retries=question.retry.limit,
        retry_delay=question.retry.delay,
        retry_delay_most=question.retry.most,
        cache_dir=cache_dir,
        target=Target(
            case.cluster,
            case.namespace,
            replace(question.pod, labels={**carried(case.metadata), **question.pod.labels}),
            gives_uid=case.cluster.discovery.is_openshift() is True,
            owners=(case.record.owner,),
            stop=case.stop,
            on_pod=on_pod,
            on_image=on_image,
            results=question.results,
        ),
    )
