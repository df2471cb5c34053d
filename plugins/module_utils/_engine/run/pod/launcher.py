# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs many notebooks in pods: an Indexed Job for each image, one watch for all of them."""

from __future__ import annotations

import contextlib
import os
import queue
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.kinds import JOBS, PODS
from ...cluster.objects import KEY
from ...cluster.observe import observe
from ...cluster.pods import container_has_begun, container_has_ended, image_of
from ...values.execution import RunRequest, RunResult
from ...values.stop import Stopped
from .. import results
from . import manifests
from .batches import SELECTOR, Batch, Batches, Target, divide, is_over
from .bundle import pack
from .delivery import receive
from .further import commands, log_tail
from .outcome import Seen, failure, look, refusal

__all__ = ["Target", "run_all"]
_LONGEST = 7 * 86400.0  # seconds
_READERS = 4  # threads that take results over
_INDEX = "batch.kubernetes.io/job-completion-index"
_JOB = "batch.kubernetes.io/job-name"


def run_all(
    requests: Sequence[tuple[str, RunRequest]],
    target: Target,
    *,
    workers: int,
    on_result: Callable[[RunResult], None],
    before_removal: Callable[[], None] | None = None,
) -> None:
    """Run notebooks of one source, each with the image beside it, about ``workers`` at a time, the first ones first.

    What an earlier call began that ended half-way is taken up. KeyboardInterrupt ends all pods, and so does the target's stop,
    which raises Stopped. before_removal: called when all of a Job have their results, which is then removed: what a call that is
    killed has not kept by then, the next one finds in the Job.
    Raises EngineError where nothing can begin; what happens to a notebook is a result, never an exception.
    """
    if requests:
        _Launcher(requests, target, workers, on_result, before_removal).run()


class _Launcher:
    def __init__(self, requests, target: Target, workers: int, on_result, before_removal):
        self.target, self.cluster, self.on_result = target, target.cluster, on_result
        self.requests, self.workers, self.before_removal = list(requests), workers, before_removal
        self.jobs = Batches(target)
        self.batches: dict[str, Batch] = {}
        self.ended: queue.Queue = queue.Queue()
        self.timers: set[threading.Timer] = set()
        self.lock = threading.Lock()
        self.deadline = Deadline.after(_LONGEST)
        self.over = False

    def run(self) -> None:
        if self.target.stop:
            self.target.stop.check()
            self.target.stop.listen(lambda: self.ended.put((Stopped(),)))
        self.readers = ThreadPoolExecutor(_READERS)
        try:
            self._begin()
            threading.Thread(target=self._observe, daemon=True).start()
            for batch in self.batches.values():
                self._later(self._ask_for_pods, batch)
            while any(batch.left for batch in self.batches.values()):
                self._settle(*self.ended.get())
        except BaseException:
            self._end_all()
            raise
        finally:
            self.over = True
            for timer in list(self.timers):
                timer.cancel()
            self.readers.shutdown(cancel_futures=True)

    def _guarded(self, function, *arguments) -> None:
        """Call a function in another thread; what it raises is raised in the thread that waits."""
        try:
            function(*arguments)
        except Exception as error:
            self.ended.put((error,))

    def _begin(self) -> None:
        """Take up what is there of these notebooks, and start Jobs for the others."""
        taken, rest = self.jobs.take_up(self.requests)
        self.batches = {batch.name: batch for batch in taken}
        carried = rest and not self.target.source
        bundle = pack(rest[0][1].source, rest[0][1].exclude) if carried else None  # all are of one source
        for batch in divide(rest, self.target.round):
            self.batches[batch.name] = batch
            share = round(self.workers * len(batch.requests) / len(self.requests))
            self.jobs.start(batch, bundle, max(1, share))

    # --- what the watch tells

    def _observe(self) -> None:
        keys = ",".join(sorted(batch.key for batch in self.batches.values()))
        try:
            observe(
                self.cluster, PODS, f"{SELECTOR},{KEY} in ({keys})", self.deadline, namespace=self.target.namespace,
                on_change=self._change, on_gone=self._gone,
                going=lambda: not self.over and any(batch.left for batch in self.batches.values()),
            )  # fmt: skip
        except Exception as error:
            self.ended.put((error,))  # for the thread that waits

    def _change(self, pod: dict) -> None:
        labels = pod["metadata"].get("labels") or {}
        batch = self.batches.get(labels.get(_JOB))
        told = labels.get(_INDEX) or (pod["metadata"].get("annotations") or {}).get(_INDEX)
        if batch is None or told is None or int(told) not in batch.requests:
            return
        index = int(told)
        first = index not in batch.seen
        with self.lock:
            seen = batch.seen.setdefault(index, Seen(pod["metadata"]["name"]))
            what = look(seen, pod)
        if first and self.target.on_pod:
            self.target.on_pod(batch.requests[index].id, seen.pod)
        if self.target.on_image and not seen.image:
            seen.image = image_of(pod, manifests.NOTEBOOK)
            if seen.image:
                self.target.on_image(batch.requests[index].id, seen.image)
        if what == "deliver":
            self.readers.submit(self._guarded, self._read, batch, index, pod)
        elif what == "failed":
            self.readers.submit(self._guarded, self._failed, batch, index, pod)
        elif what == "held":
            self._later(self._give_up, batch, index)

    def _gone(self, name: str) -> None:
        for batch in self.batches.values():
            for index, seen in list(batch.seen.items()):
                if seen.pod == name and seen.waits:
                    seen.waits = False
                    self._fail(batch, index, "pod_lost", f"The pod {name} was deleted before its notebook had ended.")

    # --- what takes too long

    def _later(self, function, *arguments) -> None:
        timer = threading.Timer(self.target.options.patience, self._guarded, (function, *arguments))
        timer.daemon = True
        self.timers.add(timer)
        timer.start()

    def _give_up(self, batch: Batch, index: int) -> None:
        """End a notebook whose pod is still held up, unless it waits for a place that others will leave."""
        seen = batch.seen[index]
        with self.lock:
            if not seen.waits or not seen.held:
                return
            if seen.held[0] == "pod_unschedulable" and any(
                one.runs for b in self.batches.values() for one in b.seen.values()
            ):
                self._later(self._give_up, batch, index)
                return
            seen.waits = False
        reason, words = seen.held
        self._fail(batch, index, reason, f"The pod {seen.pod} cannot begin: {words.rstrip('.')}.")
        with contextlib.suppress(ClusterError):
            self.cluster.delete(PODS.path(self.target.namespace, seen.pod))

    def _ask_for_pods(self, batch: Batch) -> None:
        """End the notebooks that will never get a pod: the cluster refuses to make any, or the Job is over."""
        missing = sorted(batch.left - batch.seen.keys())
        if not missing:
            return
        queued = bool(self.target.options.queue)
        told = self._over(batch) or (
            None if batch.seen else refusal(self.cluster, self.target.namespace, batch.name, queued=queued)
        )
        if not told:
            self._later(self._ask_for_pods, batch)
            return
        for index in missing:
            with self.lock:
                if index in batch.seen:
                    continue
                batch.seen[index] = Seen("", waits=False)
            self._fail(batch, index, *told)

    def _over(self, batch: Batch) -> tuple[str, str] | None:
        """Tell that a Job has ended, or is gone, so that no more pods will come of it."""
        with contextlib.suppress(ClusterError):
            job = self.cluster.find(JOBS.path(self.target.namespace, batch.name))
            if job is None or is_over(job):
                self._look_again(batch)
                return "pod_lost", f"The Job {batch.name} is over, and there is no pod of this notebook."
        return None

    def _look_again(self, batch: Batch) -> None:
        """Hear of pods that the watch has not told of, because it was away or its events are on their way."""
        selector = f"{SELECTOR},{KEY}={batch.key}"
        for pod in self.cluster.items(PODS.path(self.target.namespace), {"labelSelector": selector}):
            self._change(pod)

    # --- the end of a notebook

    def _fail(self, batch: Batch, index: int, reason: str, message: str, tail: tuple[str, ...] = ()) -> None:
        seen = batch.seen.get(index)
        about = commands(reason, self.target.namespace, seen.pod if seen and seen.pod else batch.name)
        told = {"reason": reason, "message": message, "log_tail": tail, "commands": about}
        self.ended.put((batch, index, results.bare(batch.requests[index], **told)))

    def _failed(self, batch: Batch, index: int, pod: dict) -> None:
        begun = container_has_begun(pod, manifests.NOTEBOOK)
        tail = log_tail(self.cluster, self.target.namespace, pod["metadata"]["name"]) if begun else ()
        self._fail(batch, index, *failure(pod), tail)

    def _read(self, batch: Batch, index: int, pod: dict) -> None:
        request = batch.requests[index]
        path = PODS.path(self.target.namespace, pod["metadata"]["name"])

        def over() -> bool:
            found = self.cluster.find(path)
            return found is None or container_has_ended(found, manifests.DELIVERY)

        try:
            os.makedirs(request.output, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".part-", dir=request.output) as directory:
                seen = batch.seen[index]
                found = receive(self.cluster, path, directory, Deadline.after(600), over, at_once=seen.at_once)
                result = results.from_pod(request, directory, seen.digest, found)
            self.ended.put((batch, index, result))
        except (results.Corrupt, ClusterError, OSError) as error:
            self._fail(batch, index, "results_missing", f"{error}.".replace("..", "."))

    def _settle(self, batch, index: int = 0, result: RunResult | None = None) -> None:
        if isinstance(batch, Exception):
            raise batch
        if index not in batch.left:
            return
        batch.left.discard(index)
        self.on_result(result)
        if not batch.left:
            if self.before_removal:
                self.before_removal()
            self.jobs.end(batch)

    def _end_all(self) -> None:
        if self.target.options.on_cancel == "leave":
            return
        for batch in self.batches.values():
            if batch.left:
                self.jobs.end(batch)
