# SPDX-License-Identifier: GPL-3.0-or-later
"""One generation of a job, from its spec to the verdict in its status.

Each step is found again by the content of its work: an image by its key, a run by its Job, a verdict in the memory of the
namespace. So a process that takes over begins at the first step, and comes to where the last one was without doing anything twice.
"""

from __future__ import annotations

import base64
import logging
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.apply import put
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import MANAGER, Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import CONFIG_MAPS, SECRETS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import KEY, MANAGED_BY
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.batches import Target
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import kept
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.pipeline import validate
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.spec import Spec
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.work import plan
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import EnvironmentResult
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.judge import refuse

from . import environment, source, status
from .question import Question
from .record import Record
from .settings import Settings

_PHASES = ("Pending", "Initializing", "Building", "BuildComplete", "ValidationRunning")
_LOG = logging.getLogger(__name__)


def reconcile(cluster: Cluster, settings: Settings, found: dict, stop: Stop) -> None:
    """Bring a job to its verdict, and say so in its status.

    found: the job. stop: asked for where the job changes or goes; what runs for it is removed then.
    Raises ClusterError where the cluster may answer another time (``transient``), or does not let the status be written.
    """
    record = Record(cluster, found, stop)
    try:
        _Job(cluster, settings, found, stop, record).run()
    except Stopped:
        return
    except ClusterError as error:
        if error.transient:
            raise
        _refuse(record, found, error)
    except EngineError as error:
        _refuse(record, found, error)


def give_up(cluster: Cluster, found: dict, stop: Stop, error: Exception) -> None:
    """End a job by an error of the operator's own, of which its log has the traceback. Raises ClusterError."""
    said = f"The operator failed by an error of its own ({type(error).__name__}): see its log, and report it."
    _refuse(Record(cluster, found, stop), found, EngineError(said, "operator_silent"))


def wait_for_cluster(cluster: Cluster, found: dict, stop: Stop, error: ClusterError) -> None:
    """Say that the job waits for the cluster. Raises ClusterError where that cannot be said either."""
    told = {"Degraded": ("True", "ClusterUnavailable", error.message)}
    Record(cluster, found, stop).write(told, phase="Pending", message=error.message)


def _refuse(record: Record, found: dict, error: EngineError) -> None:
    try:
        _end(record, refuse(found["spec"]["notebook"]["path"], error.code, error.message), "normalized")
    except Stopped:
        return


def _end(record: Record, outcome: Verdict, comparison: str, **more) -> None:
    reason, message = status.outcome(outcome)
    record.write(status.ended(outcome), last=True, **status.verdict_status(outcome, comparison), **more)
    passed = outcome.status == "succeeded"
    record.say("ValidationSucceeded" if passed else "ValidationFailed", f"{reason}: {message}", warning=not passed)


class _Job:
    def __init__(self, cluster: Cluster, settings: Settings, found: dict, stop: Stop, record: Record):
        self._cluster, self._settings, self._stop, self._record = cluster, settings, stop, record
        self._metadata, self._spec = found["metadata"], found["spec"]
        self._namespace = self._metadata["namespace"]

    def run(self) -> None:
        question = Question.of(self._spec)
        with tempfile.TemporaryDirectory(prefix="notebook-") as directory:
            place = Path(directory)
            self._say_working("Initializing", "Fetching", f"The source {question.repository.url} is fetched.")
            root, golden = self._fetch(question, place)
            made, resolution = self._environment(question, root, place)
            self._validate(question, root, golden, made, resolution, str(place / "cache"))

    def _say_working(self, phase: str, reason: str, message: str, build: tuple | None = None, **more) -> None:
        if self._record.phase in _PHASES[_PHASES.index(phase) + 1 :]:
            return  # a process before this one was further
        told = status.working(reason, message)
        if build or not environment.is_built(self._spec):
            told["BuildReady"] = build or ("True", "ImageGiven", "The job names the image.")
        self._record.write(told, phase=phase, message=message, **more)

    # --- the source

    def _fetch(self, question: Question, place: Path) -> tuple[Path, str | None]:
        tree, golden = place / "source", question.golden_repository
        self._checkout(question.repository, tree)
        root = question.root(tree)
        if golden is None:
            return root, None
        other = tree if golden == question.repository else place / "golden"
        if other is not tree:
            self._checkout(golden, other)
        return root, question.place_golden(root, other)

    def _checkout(self, repository: source.Repository, directory: Path) -> None:
        secret = self._secret(repository.secret) if repository.secret else {}
        commit = source.fetch(repository, directory, secret, self._stop, self._settings.fetch_seconds)
        _LOG.info("%s/%s: %s is at %s", self._namespace, self._metadata["name"], repository.url, commit)

    def _secret(self, name: str) -> dict[str, bytes]:
        found = self._cluster.find(SECRETS.path(self._namespace, name))
        if found is None:
            raise EngineError(
                f"There is no Secret {name} in the namespace {self._namespace}: make it, or correct credentialsSecret.",
                "source_unavailable",
            )
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    # --- the environment

    def _environment(self, question: Question, root: Path, place: Path) -> tuple[EnvironmentResult, Resolution | None]:
        if not environment.is_built(self._spec):
            return environment.given(question), None
        strategy, began = self._spec["podConfig"]["buildConfig"].get("strategy", "s2i"), status.now()
        building = "What the notebook needs is found out, and an image with it is built or found."
        self._say_working(
            "Building", "Building", building, ("False", "Building", building),
            buildStatus={"phase": "Running", "strategy": strategy, "startTime": began},
        )  # fmt: skip
        try:
            return self._built(question, root, place, strategy, began)
        except EngineError as error:
            if not (isinstance(error, ClusterError) and error.transient):
                told = {"phase": "Failed", "strategy": strategy, "startTime": began, "message": error.message}
                self._say_build_failed(error.message, {**told, "completionTime": status.now()})
            raise

    def _built(
        self, question: Question, root: Path, place: Path, strategy: str, began: str
    ) -> tuple[EnvironmentResult, Resolution]:
        resolution = environment.resolved(question, root)
        for words in resolution.warnings:
            self._record.say("Requirements", words, warning=True)
        said = threading.Event()

        def progress(_event: dict) -> None:
            if not said.is_set():  # nothing is said of an image that is there
                said.set()
                self._record.say("BuildStarted", f"An image is built by the strategy {strategy}.")

        made = environment.built(
            question, resolution, root, self._cluster, self._namespace, str(place / "cache"), progress
        )
        self._say_built(made, strategy, began)
        return made, resolution

    def _say_built(self, made: EnvironmentResult, strategy: str, began: str) -> None:
        told = status.build_status(made, strategy, began)
        if made.environment is None:
            self._say_build_failed(made.build.message or "The build failed.", told)
            return
        reason = "ImageReused" if made.build.phase == "Cached" else "BuildComplete"
        message = f"The image is {made.environment.reference}."
        self._say_working("BuildComplete", reason, message, ("True", reason, message), buildStatus=told)
        self._record.say(reason, message)

    def _say_build_failed(self, message: str, told: dict) -> None:
        self._say_working("Building", "BuildFailed", message, ("False", "BuildFailed", message), buildStatus=told)
        self._record.say("BuildFailed", told.get("message", message), warning=True)

    # --- the run

    def _validate(
        self, question: Question, root: Path, golden: str | None, made: EnvironmentResult, resolution, cache_dir: str
    ) -> None:
        # An image that is named by a tag may be another one tomorrow.
        fixed = made.environment is None or bool(made.environment.digest)
        spec = Spec(
            path=root,
            environments=(made,),
            resolutions=(resolution,) if resolution else (),
            defaults=replace(question.settings, golden=golden),
            exclude=question.excluded,
            environment=question.variables,
            limits=question.limits,
            rerun=question.rerun if fixed else "always",
            max_age=self._settings.verdict_days,
            retries=question.retries,
            cache_dir=cache_dir,
            target=Target(
                self._cluster,
                self._namespace,
                question.pod,
                gives_uid=self._cluster.discovery.is_openshift() is True,
                owners=(self._record.owner,),
                stop=self._stop,
                on_pod=self._say_running,
            ),
        )  # fmt: skip
        self._stop.check()
        outcome = validate(spec, lambda _event: None)
        (verdict,) = outcome.verdicts
        for words in outcome.warnings:
            self._record.say("VerdictNotKept", words, warning=True)
        lasts = not verdict.retryable and made.environment is not None and not outcome.warnings
        self._finish(verdict, plan(spec)[question.relative].key if lasts else None)

    def _say_running(self, _request: str, pod: str) -> None:
        """Say which pod runs the notebook; what cannot be said now is no reason to stop it."""
        message = f"The notebook runs in the pod {pod}."
        try:
            self._say_working("ValidationRunning", "Running", message, validationPodName=pod)
            self._record.say("ValidationRunning", message)
        except (Stopped, ClusterError) as error:
            _LOG.info("%s/%s: %s", self._namespace, self._metadata["name"], error)

    def _finish(self, verdict: Verdict, key: str | None) -> None:
        """key: under which the namespace keeps the verdict, None where it does not."""
        executed = Path(verdict.executed).read_bytes() if verdict.executed else None
        verdict = replace(verdict, executed=None)
        asked = self._asked_key()
        if key and asked:
            self._keep(asked, verdict, executed)
        more = {"verdict": {"configMap": kept.name_of(asked or key)}} if key else {}
        comparison = (self._spec.get("comparisonConfig") or {}).get("strategy", "normalized")
        self._stop.check()
        _end(self._record, verdict, comparison, **more)

    def _asked_key(self) -> str | None:
        """Return the key under which a caller of the collection looks for the verdict, None where it was none."""
        labels = self._metadata.get("labels") or {}
        return labels.get(KEY) if labels.get(MANAGED_BY) == MANAGER else None

    def _keep(self, key: str, verdict: Verdict, executed: bytes | None) -> None:
        manifest = kept.pack(key, self._namespace, verdict, executed)
        if manifest:
            put(self._cluster, manifest, CONFIG_MAPS)
