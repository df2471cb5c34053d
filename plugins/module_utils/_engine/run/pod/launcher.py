# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs many notebooks in pods: an Indexed Job for each image, one watch for all of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ...cluster.apply import apply
from ...cluster.client import MANAGER, Cluster
from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.kinds import JOBS, PODS
from ...cluster.objects import KEY, MANAGED_BY
from ...cluster.observe import observe
from ...cluster.pods import container_has_ended
from ...cluster.removal import remove_this
from ...values.execution import RunRequest, RunResult
from .. import program, results
from . import inside, manifests
from .bundle import Bundle, pack
from .delivery import receive
from .options import PodOptions
from .outcome import Seen, failure, look, refusal

_LONGEST = 7 * 86400.0  # seconds
_PORTION = 800_000  # bytes; an object of Kubernetes may have 1 MiB
_READERS = 4  # threads that take results over
_INDEX = "batch.kubernetes.io/job-completion-index"
_JOB = "batch.kubernetes.io/job-name"


@dataclass(frozen=True)
class Target:
    """Where pods run. gives_uid: the cluster chooses UIDs itself (OpenShift). secrets: variables that nobody may read.

    round: counts the times that the same notebooks are run, so that a new round has objects of its own.
    """

    cluster: Cluster
    namespace: str
    options: PodOptions = field(default_factory=PodOptions)
    gives_uid: bool = False
    secrets: dict[str, str] = field(default_factory=dict)
    round: int = 1


@dataclass
class _Batch:
    """One Job. left: indexes without a result."""

    key: str
    image: str
    requests: list[RunRequest]
    left: set[int]
    job: dict | None = None
    seen: dict[int, Seen] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"notebook-run-{self.key}"


def run_all(
    requests: Sequence[tuple[str, RunRequest]],
    target: Target,
    *,
    workers: int,
    on_result: Callable[[RunResult], None],
) -> None:
    """Run notebooks of one source, each with the image beside it, about ``workers`` at a time.

    What an earlier call began that ended half-way is taken up. KeyboardInterrupt ends all pods.
    Raises EngineError where nothing can begin; what happens to a notebook is a result, never an exception.
    """
    if requests:
        _Launcher(requests, target, workers, on_result).run()


class _Launcher:
    def __init__(self, requests, target: Target, workers: int, on_result):
        self.target, self.cluster, self.on_result = target, target.cluster, on_result
        self.batches = {batch.name: batch for batch in _batches(requests, target)}
        self.total, self.workers = len(requests), workers
        self.ended: queue.Queue = queue.Queue()
        self.timers: set[threading.Timer] = set()
        self.lock = threading.Lock()
        self.deadline = Deadline.after(_LONGEST)

    def run(self) -> None:
        readers = ThreadPoolExecutor(_READERS)
        self.read_in = readers.submit
        try:
            first = next(iter(self.batches.values())).requests[0]  # all are of one source
            bundle = pack(first.source, first.exclude)
            for batch in self.batches.values():
                self._start(batch, bundle)
            threading.Thread(target=self._observe, daemon=True).start()
            for batch in self.batches.values():
                self._later(self._ask_for_pods, batch)
            for _number in range(self.total):
                self._settle(*self.ended.get())
        except BaseException:
            self._end_all()
            raise
        finally:
            for timer in list(self.timers):
                timer.cancel()
            readers.shutdown(cancel_futures=True)

    # --- the beginning of a batch

    def _start(self, batch: _Batch, bundle: Bundle) -> None:
        """Make the Job, what its pods mount, and let it go; all that is there already is taken as it is."""
        target = self.target
        share = max(1, round(self.workers * len(batch.requests) / self.total))
        wanted = manifests.job(
            batch.name, target.namespace, batch.key, batch.image, batch.requests, len(bundle.parts), share, target.options,
            gives_uid=target.gives_uid, secret=bool(target.secrets),
        )  # fmt: skip
        path = JOBS.path(target.namespace)
        try:
            batch.job = self.cluster.create(path, wanted)
        except ClusterError as error:
            if error.reason != "AlreadyExists":
                raise
            batch.job = self.cluster.get(f"{path}/{batch.name}")
        if (
            not batch.job["spec"].get("suspend")
            or target.options.queue
            and batch.job["metadata"].get("generation", 1) > 1
        ):
            return
        texts = {"program.py": _text(program), "inside.py": _text(inside)}
        owner = {"apiVersion": "batch/v1", "kind": "Job", **batch.job}
        for manifest in manifests.mounted(owner, batch.requests, bundle, texts, target.secrets):
            apply(self.cluster, manifest)
        if not target.options.queue:  # Kueue itself lets a Job go
            self.cluster.request(
                "PATCH", f"{path}/{batch.name}", body={"spec": {"suspend": False}}, repeat=True,
                content_type="application/merge-patch+json",
            )  # fmt: skip

    # --- what the watch tells

    def _observe(self) -> None:
        selector = f"app.kubernetes.io/component={manifests.COMPONENT},{MANAGED_BY}={MANAGER}"
        keys = ",".join(sorted(batch.key for batch in self.batches.values()))
        try:
            observe(
                self.cluster, PODS, f"{selector},{KEY} in ({keys})", self.deadline, namespace=self.target.namespace,
                on_change=self._change, on_gone=self._gone,
                going=lambda: any(batch.left for batch in self.batches.values()),
            )  # fmt: skip
        except Exception as error:
            self.ended.put((error,))  # for the thread that waits

    def _change(self, pod: dict) -> None:
        labels = pod["metadata"].get("labels") or {}
        batch = self.batches.get(labels.get(_JOB))
        told = labels.get(_INDEX) or (pod["metadata"].get("annotations") or {}).get(_INDEX)
        if batch is None or told is None:
            return
        index = int(told)
        with self.lock:
            seen = batch.seen.setdefault(index, Seen(pod["metadata"]["name"]))
            what = look(seen, pod)
        if what == "deliver":
            self.read_in(self._read, batch, index, pod)
        elif what == "failed":
            self.ended.put((batch, index, failure(batch.requests[index], pod)))
        elif what == "held":
            self._later(self._give_up, batch, index)

    def _gone(self, name: str) -> None:
        for batch in self.batches.values():
            for index, seen in list(batch.seen.items()):
                if seen.pod == name and seen.waits:
                    seen.waits = False
                    lost = {
                        "reason": "pod_lost",
                        "message": f"The pod {name} was deleted before its notebook had ended.",
                    }
                    self.ended.put((batch, index, results.bare(batch.requests[index], **lost)))

    # --- what takes too long

    def _later(self, function, *arguments) -> None:
        timer = threading.Timer(self.target.options.patience, function, arguments)
        timer.daemon = True
        self.timers.add(timer)
        timer.start()

    def _give_up(self, batch: _Batch, index: int) -> None:
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
        message = f"The pod {seen.pod} cannot begin: {words.rstrip('.')}."
        self.ended.put((batch, index, results.bare(batch.requests[index], reason=reason, message=message)))
        with contextlib.suppress(ClusterError):
            self.cluster.delete(PODS.path(self.target.namespace, seen.pod))

    def _ask_for_pods(self, batch: _Batch) -> None:
        """End the notebooks of a batch for which the cluster refuses to make any pod."""
        if batch.seen or not batch.left:
            return
        queued = bool(self.target.options.queue)
        told = refusal(self.cluster, self.target.namespace, batch.name, queued=queued)
        if not told:
            self._later(self._ask_for_pods, batch)
            return
        for index in sorted(batch.left):
            self.ended.put((batch, index, results.bare(batch.requests[index], reason=told[0], message=told[1])))

    # --- the end of a notebook

    def _read(self, batch: _Batch, index: int, pod: dict) -> None:
        request = batch.requests[index]
        path = PODS.path(self.target.namespace, pod["metadata"]["name"])

        def over() -> bool:
            found = self.cluster.find(path)
            return found is None or container_has_ended(found, manifests.DELIVERY)

        try:
            with tempfile.TemporaryDirectory(prefix="mlops-results-") as directory:
                receive(self.cluster, path, directory, Deadline.after(600), over)
                result = results.from_pod(request, directory, batch.seen[index].digest)
        except (results.Corrupt, ClusterError, OSError) as error:
            result = results.bare(request, reason="results_missing", message=f"{error}.".replace("..", "."))
        self.ended.put((batch, index, result))

    def _settle(self, batch, index: int = 0, result: RunResult | None = None) -> None:
        if isinstance(batch, Exception):
            raise batch
        batch.left.discard(index)
        self.on_result(result)
        if not batch.left:
            self._end(batch)

    def _end(self, batch: _Batch) -> None:
        if batch.job:
            with contextlib.suppress(ClusterError):
                remove_this(self.cluster, JOBS, batch.job, Deadline.after(10))

    def _end_all(self) -> None:
        if self.target.options.on_cancel == "leave":
            return
        for batch in self.batches.values():
            if batch.left:
                self._end(batch)


def _batches(requests, target: Target) -> list[_Batch]:
    by_image: dict[str, list[RunRequest]] = {}
    for image, request in requests:
        by_image.setdefault(image, []).append(request)
    batches = []
    for image, all_of_it in by_image.items():
        for some in _portions(sorted(all_of_it, key=lambda request: request.id)):
            text = json.dumps([image, target.round, [request.id for request in some]])
            key = hashlib.sha256(text.encode()).hexdigest()[:32]
            batches.append(_Batch(key, image, some, set(range(len(some)))))
    return batches


def _portions(requests: list[RunRequest]) -> Iterator[list[RunRequest]]:
    """Yield the requests in portions whose descriptions fit into one ConfigMap each."""
    some, size = [], 0
    for request in requests:
        weight = len(json.dumps(request.as_dict()))
        if some and size + weight > _PORTION:
            yield some
            some, size = [], 0
        some.append(request)
        size += weight
    yield some


def _text(module) -> str:
    """Return the source of a module, also from inside the zip file that Ansible ships."""
    return module.__loader__.get_source(module.__name__)
