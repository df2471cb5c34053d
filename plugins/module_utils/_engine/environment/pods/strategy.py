# SPDX-License-Identifier: GPL-3.0-or-later
"""What the strategies have in common that make images by runs of ours in pods, and push them to a registry."""

from __future__ import annotations

import abc
import contextlib
import time
from collections.abc import Sequence
from typing import ClassVar

from ...cluster.apply import apply
from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.discovery import Resource
from ...cluster.errors import ClusterError
from ...cluster.goals import Outcome
from ...cluster.kinds import CONFIG_MAPS
from ...cluster.pods import failed, said
from ...cluster.removal import remove
from ...values.environment import Environment
from ...values.errors import EngineError
from ..buildlog import BuildLog
from ..image.base import BaseImage, by_digest
from ..image.registry import digest_of, inspect
from ..image.strategy import ImageStrategy, namespace_of
from ..image.words import closer, last_words
from ..strategy import Context, Detection, Plan
from .attempts import Attempts
from .following import Ended, Following
from .record import contents, image_of, keep_image, record, record_name

PATIENCE = 60.0  # seconds for a quota, a secret or an image to come
_DELAY = 10.0  # seconds before a run that may pass is started again
_DIGEST_LENGTH = 71  # sha256: and 64 hexadecimal digits


class PodStrategy(ImageStrategy):
    """One kind of run; the subclass says which objects it is, how it stands and where its digest is.

    patience, delay: seconds. retries: how often a failure that may pass is tried again. reasons: those of the server for
    a run that failed which tell more than its pod, each with a code of the taxonomy.
    """

    pushes = True
    patience = PATIENCE
    delay = _DELAY
    retries = 1
    reasons: ClassVar[dict[str, str]] = {}

    def find(self, context: Context, key: str) -> Environment | None:
        """Return the image that the key's ConfigMap names."""
        reference = image_of(context.cluster, namespace_of(context), key)
        return self._environment(key, reference, cached=True) if reference else None

    def verify(self, context: Context, environment: Environment) -> str | None:
        """Return what is wrong: the record is gone, or the registry has not the image that it names."""
        gone = super().verify(context, environment)
        if gone or not self.pushes or digest_of(environment.reference):
            return gone
        return f"The image {environment.reference} is gone from its registry."

    def create(self, context: Context, plan: Plan, log: BuildLog, replace: bool = False) -> Environment:
        """Build, unless another run is at it: then that one is followed, and its image is ours too."""
        if not replace and (found := self.find(context, plan.key)):
            return found
        cluster, namespace = context.cluster, namespace_of(context)
        deadline = context.deadline()
        files = self.files(context, plan)
        kept = record(namespace, plan.key, self.name, self.base(context).reference, plan.requirements, files)
        for manifest in (kept, *self.prepare(context, plan, files)):
            apply(cluster, manifest, deadline=deadline)
        self.ready(context, plan, files, deadline)
        attempts = Attempts(cluster, self.resource(cluster), namespace, plan.key, self.judge, deadline)
        ended, ours = self._attempt(context, plan, files, attempts, log, replace)
        reference = by_digest(self.target(context, plan.key), self._digest_of(ended))
        keep_image(cluster, namespace, plan.key, reference, deadline)
        attempts.prune(context.build.keep_complete, context.build.keep_failed)
        return self._environment(plan.key, reference, cached=not ours)

    def delete(self, context: Context, key: str) -> bool:
        """Remove the ConfigMap and the runs; the image stays in the registry, which forgets it by its own rules."""
        cluster, namespace, deadline = context.cluster, namespace_of(context), Deadline.after(60)
        remove(cluster, self.resource(cluster), deadline, key=key, namespace=namespace, waiting=False)
        remove(cluster, CONFIG_MAPS, deadline, name=record_name(key), namespace=namespace, waiting=False)
        return True

    def target(self, context: Context, key: str) -> str:
        """Return what the image of a key is pushed to, by tag."""
        return f"{context.repository}:{key}"

    def files(self, context: Context, plan: Plan) -> dict[str, bytes]:
        """Return what the build sees: path -> content."""
        base, prepared = self.base(context), plan.details["context"]
        return contents(self.containerised(context, base, prepared, "Containerfile"))

    def prepare(self, context: Context, plan: Plan, files: dict[str, bytes]) -> Sequence[dict]:
        """Return the manifests that have to be there before a run."""
        return ()

    def ready(self, context: Context, plan: Plan, files: dict[str, bytes], deadline: Deadline) -> None:  # noqa: B027 (most need not wait)
        """Wait until a run can begin with what was prepared. Raises EngineError."""

    @abc.abstractmethod
    def resource(self, cluster: Cluster) -> Resource:
        """Return the resource of the runs, at the version to use."""

    @abc.abstractmethod
    def manifest(self, context: Context, plan: Plan, name: str, files: dict[str, bytes]) -> dict:
        """Return the run of that name."""

    @abc.abstractmethod
    def judge(self, run: dict) -> Outcome:
        """Tell how a run stands; where it failed, with the server's reason and message."""

    @abc.abstractmethod
    def selector(self, name: str) -> str:
        """Return the labels of the pods of a run."""

    @abc.abstractmethod
    def digest(self, ended: Ended) -> str | None:
        """Return the digest of the image that a run has pushed."""

    def _detect(self, context: Context) -> Detection:
        if self.pushes and not context.repository:
            return Detection(
                False, "no repository is named to push images to, such as registry.example.com/team/notebooks."
            )
        if context.git:
            return Detection(
                False, "it takes local files from source.path only: clone the repository there, or choose docker."
            )
        return self._offers(context.cluster)

    @abc.abstractmethod
    def _offers(self, cluster: Cluster) -> Detection:
        """Tell whether the cluster serves what the runs are."""

    def _inspect(self, context: Context, reference: str) -> BaseImage:
        return inspect(reference)

    def _environment(self, key: str, reference: str, cached: bool) -> Environment:
        return Environment(
            kind="image", reference=reference, digest=reference.partition("@")[2], key=key, cached=cached,
            strategy=self.name, python="python3",
        )  # fmt: skip

    def _attempt(self, context, plan, files, attempts: Attempts, log: BuildLog, anew: bool) -> tuple[Ended, bool]:
        """Bring a run about that succeeds; a failure that may pass is tried again."""
        left = self.retries
        while True:
            context.stop.check()
            run, ours = attempts.begin(lambda name: self.manifest(context, plan, name, files), anew)
            log.build = run["metadata"]["name"]
            if ours:
                context.stop.listen(lambda run=run: _remove_quietly(attempts, run))
            try:
                ended = self._follow(attempts, run, ours, log)
                if ended.state == "reached":
                    return ended, ours
                raise self._failure(ended, log)
            except EngineError as error:
                attempts.prune(context.build.keep_complete, context.build.keep_failed)
                if not left or not self._retryable(error.code) or self.delay >= attempts.deadline.left():
                    raise
                log.say(f"{error.message} It may pass: another build starts in {self.delay:g} s.")
                log.forget()
                left, anew = left - 1, False
                time.sleep(self.delay)

    def _follow(self, attempts: Attempts, run: dict, ours: bool, log: BuildLog) -> Ended:
        """Follow a run to its end; one of ours that does not get there is removed."""
        try:
            log.say(f"{log.build}: " + ("started" if ours else "made by another run"))
            return Following(attempts, run, self.selector(log.build), log, self.patience).run()
        except (EngineError, KeyboardInterrupt):
            if ours:
                attempts.remove(run, Deadline.after(10))
            raise

    def _failure(self, ended: Ended, log: BuildLog) -> EngineError:
        """Return why a run failed: the step, and its last words."""
        outcome, tail = self.judge(ended.run), log.tail()
        step, state = failed(ended.pod) if ended.pod else ("", {})
        step = self.step(step)
        words = last_words(tail) or state.get("message") or outcome.message or "no reason was given"
        code = self.reasons.get(outcome.reason) or _code(step, state, outcome, ended.pod, words)
        code, words = closer(code, step == "build", words, tail)
        where = f" in its step '{step}'" if step else ""
        return EngineError(f"{ended.run['metadata']['name']} failed{where}: {words.rstrip('.')}.", code)

    def step(self, container: str) -> str:
        """Return the step that a container is."""
        return container

    def _digest_of(self, ended: Ended) -> str:
        found = (self.digest(ended) or "").strip()
        if not found.startswith("sha256:") or len(found) != _DIGEST_LENGTH:
            name = ended.run["metadata"]["name"]
            raise EngineError(
                f"{name} succeeded, but did not say which image it made: look at its pod.", "image_output_invalid"
            )
        return found


def _remove_quietly(attempts: Attempts, run: dict) -> None:
    with contextlib.suppress(ClusterError):
        attempts.remove(run, Deadline.after(10))


def digest_said(ended: Ended, container: str) -> str | None:
    """Return the digest that a container left as its termination message."""
    return said(ended.pod, container) if ended.pod else None


def _code(step: str, state: dict, outcome: Outcome, pod: dict | None, words: str) -> str:
    if state.get("reason") == "OOMKilled":
        return "build_out_of_memory"
    if outcome.reason == "DeadlineExceeded":
        return "build_timeout"
    if (pod or {}).get("status", {}).get("reason") in ("Evicted", "Preempting", "NodeLost"):
        return "build_pod_lost"
    if step == "push":
        return "image_push_failed"
    if "initializing source" in words or "pinging container registry" in words:
        return "builder_image_unavailable"
    return "build_failed" if pod else "build_pod_lost"
