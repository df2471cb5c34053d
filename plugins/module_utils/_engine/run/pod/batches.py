# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of notebooks: new ones, and those that an earlier call left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from ...cluster.apply import apply
from ...cluster.client import MANAGER, Cluster
from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.kinds import JOBS
from ...cluster.objects import KEY, MANAGED_BY, is_owned_by
from ...cluster.pods import container
from ...cluster.removal import remove_this
from ...values.execution import RunRequest
from ...values.stop import Stop
from .. import program
from . import inside, manifests
from .bundle import Bundle
from .options import PodOptions, PodSource, ResultsClaim
from .outcome import Seen

SELECTOR = f"app.kubernetes.io/component={manifests.COMPONENT},{MANAGED_BY}={MANAGER}"
# What a Job is about, whether all that its pods mount is there, and which call is to remove it.
REQUESTS, COMPLETE, CALLER = (f"notebooks.mlops.dev/{name}" for name in ("requests", "complete", "caller"))
_PORTION = 800_000  # bytes; an object of Kubernetes may have 1 MiB
_ID = 16  # letters of a request's id that an annotation has
_STILLBORN = timedelta(hours=1)  # a Job that was never let go until then, never will be


@dataclass(frozen=True)
class Target:
    """Where pods run. gives_uid: the cluster chooses UIDs itself (OpenShift). secrets: variables that nobody may read.

    round: counts the times that the same notebooks are run, so that a new round has objects of its own.
    owners: entries of ``metadata.ownerReferences``; Jobs go with the last of them. stop: ends the run from another thread.
    on_pod: called with the id of a request and the name of its pod, as soon as that is seen. on_image: with the image by digest
    that its notebook runs in.
    source: where pods have it from, None: from the caller. results: where they are left besides.
    """

    cluster: Cluster
    namespace: str
    options: PodOptions = field(default_factory=PodOptions)
    gives_uid: bool = False
    secrets: dict[str, str] = field(default_factory=dict)
    round: int = 1
    owners: tuple[dict, ...] = ()
    stop: Stop | None = None
    on_pod: Callable[[str, str], None] | None = None
    on_image: Callable[[str, str], None] | None = None
    source: PodSource | None = None
    results: ResultsClaim | None = None


@dataclass
class Batch:
    """One Job. requests: by the index of their pod. left: indexes without a result. shared: it is about other notebooks too."""

    name: str
    key: str
    image: str
    requests: dict[int, RunRequest]
    job: dict | None = None
    shared: bool = False
    seen: dict[int, Seen] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)

    def __post_init__(self):
        self.left = set(self.requests)


class Batches:
    """The Jobs of one call."""

    def __init__(self, target: Target):
        self._target, self._cluster = target, target.cluster
        self._path = JOBS.path(target.namespace)
        self._caller = uuid.uuid4().hex

    def take_up(self, requests: Sequence[tuple[str, RunRequest]]) -> tuple[list[Batch], list[tuple[str, RunRequest]]]:
        """Return the Jobs of earlier calls that have some of these notebooks, and the notebooks that none of them has."""
        wanted = {(image, request.id[:_ID]): request for image, request in requests}
        batches = []
        for job in self._cluster.items(self._path, {"labelSelector": SELECTOR}) if self._target.round == 1 else ():
            batch = self._taken(job, wanted)
            if batch:
                batches.append(batch)
        return batches, [(image, one) for image, one in requests if (image, one.id[:_ID]) in wanted]

    def _taken(self, job: dict, wanted: dict[tuple[str, str], RunRequest]) -> Batch | None:
        metadata, status = job["metadata"], job.get("status") or {}
        notes = metadata.get("annotations") or {}
        if metadata.get("deletionTimestamp"):
            return None
        if COMPLETE not in notes:
            self._bury(job)
            return None
        image = container(job["spec"]["template"], manifests.NOTEBOOK)["image"]
        lost = _indexes(status.get("failedIndexes") or "")
        about = notes.get(REQUESTS, "").split(",")
        found = {
            index: wanted.pop((image, one))
            for index, one in enumerate(about)
            if index not in lost and (image, one) in wanted
        }
        if not found:
            return None
        ours: dict = {"annotations": {CALLER: self._caller}}
        if self._target.owners:
            there = metadata.get("ownerReferences") or []
            missing = [one for one in self._target.owners if not is_owned_by(job, one["uid"])]
            ours["ownerReferences"] = [*there, *missing]
        job = self._patch(metadata["name"], {"metadata": ours})
        return Batch(metadata["name"], metadata["labels"][KEY], image, found, job, shared=len(found) < len(about))

    def _bury(self, job: dict) -> None:
        """Remove a Job whose call ended before it let it go."""
        born = datetime.fromisoformat(job["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
        if datetime.now(timezone.utc) - born > _STILLBORN:
            with contextlib.suppress(ClusterError):
                remove_this(self._cluster, JOBS, job, Deadline.after(10))

    def start(self, batch: Batch, bundle: Bundle | None, workers: int) -> None:
        """Make the Job, what its pods mount, and let it go. workers: its pods at once. Raises ClusterError."""
        target, requests = self._target, list(batch.requests.values())
        wanted = manifests.job(
            batch.name, target.namespace, batch.key, batch.image, requests, len(bundle.parts) if bundle else 0, workers,
            target.options, gives_uid=target.gives_uid, secret=bool(target.secrets), source=target.source, results=target.results,
        )  # fmt: skip
        about = {REQUESTS: ",".join(request.id[:_ID] for request in requests), CALLER: self._caller}
        wanted["metadata"]["annotations"] = {**(wanted["metadata"].get("annotations") or {}), **about}
        if target.owners:
            wanted["metadata"]["ownerReferences"] = list(target.owners)
        try:
            batch.job = self._cluster.create(self._path, wanted)
        except ClusterError as error:
            if error.reason != "AlreadyExists":
                raise
            batch.job = self._cluster.get(f"{self._path}/{batch.name}")
        if COMPLETE in batch.job["metadata"]["annotations"]:
            return
        texts = {"program.py": _text(program), "inside.py": _text(inside)}
        owner = {"apiVersion": "batch/v1", "kind": "Job", **batch.job}
        for manifest in manifests.mounted(owner, requests, bundle, texts, target.secrets, target.source):
            apply(self._cluster, manifest)
        go = {} if target.options.queue else {"spec": {"suspend": False}}  # Kueue itself lets a Job go
        self._patch(batch.name, {"metadata": {"annotations": {COMPLETE: "true", CALLER: self._caller}}, **go})

    def end(self, batch: Batch) -> None:
        """Remove a Job and all that goes with it, unless another call has taken it up.

        One that may run notebooks of another call as well is left to the cluster, for a minute after its end.
        """
        with contextlib.suppress(ClusterError):
            found = self._cluster.find(f"{self._path}/{batch.name}") if batch.job else None
            ours = found and found["metadata"]["annotations"].get(CALLER) == self._caller
            if ours and batch.shared and not is_over(found):
                self._patch(batch.name, {"spec": {"ttlSecondsAfterFinished": 60}})
            elif ours:
                remove_this(self._cluster, JOBS, found, Deadline.after(10))

    def _patch(self, name: str, body: dict) -> dict:
        kind = "application/merge-patch+json"
        return self._cluster.request("PATCH", f"{self._path}/{name}", body=body, repeat=True, content_type=kind)


def is_over(job: dict) -> bool:
    """Return whether a Job has ended, so that no more pods come of it."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)


def divide(requests: Sequence[tuple[str, RunRequest]], number: int) -> list[Batch]:
    """Return the Jobs that these notebooks need, in their order. number: of the round."""
    by_image: dict[str, list[RunRequest]] = {}
    for image, request in requests:
        by_image.setdefault(image, []).append(request)
    batches = []
    for image, all_of_it in by_image.items():
        for some in _portions(all_of_it):
            text = json.dumps([image, number, [request.id for request in some]])
            key = hashlib.sha256(text.encode()).hexdigest()[:32]
            batches.append(Batch(f"notebook-run-{key}", key, image, dict(enumerate(some))))
    return batches


def _portions(requests: list[RunRequest]) -> list[list[RunRequest]]:
    """Return the requests in portions whose descriptions fit into one ConfigMap each; each begins with long ones."""
    sizes = {request.id: len(json.dumps(request.as_dict())) for request in requests}
    count = 1
    while count < len(requests) and any(
        sum(sizes[request.id] for request in requests[start::count]) > _PORTION for start in range(count)
    ):
        count += 1
    return [requests[start::count] for start in range(count)]


def _indexes(text: str) -> set[int]:
    """Return the numbers of a text such as ``1,3-5`` (Kubernetes API, JobStatus, ``failedIndexes``)."""
    ends = [[int(end) for end in part.split("-")] for part in text.split(",") if part]
    return {number for first, *last in ends for number in range(first, (last or [first])[0] + 1)}


def _text(module) -> str:
    """Return the source of a module, also from inside the zip file that Ansible ships."""
    return module.__loader__.get_source(module.__name__)
