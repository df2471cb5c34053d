# SPDX-License-Identifier: GPL-3.0-or-later
"""What a success restarts or refreshes, in the job's own namespace, and how Argo CD is told that a wave is over."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import MANAGER, Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

from ..told import status
from ..told.case import Case
from ..told.record import Record

ANNOTATION = "mlops.dev/on-success-trigger"
MARK = "mlops.dev/triggered-by"
WAVE = "argocd.argoproj.io/sync-wave"
_COMPLETE, _FAILED, _TIME = "mlops.dev/wave-complete", "mlops.dev/wave-failed", "mlops.dev/completion-time"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"  # as `kubectl rollout restart` does it
_REFRESH = "argocd.argoproj.io/refresh"
_MERGE = "application/merge-patch+json"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_KEYS = {"apiVersion", "kind", "name", "namespace", "action"}
_LONGEST, _MOST = 8192, 20  # characters, triggers
_REMEDY = f"correct the annotation {ANNOTATION}"


@dataclass(frozen=True)
class Kind:
    """actions: that it knows. place: where the annotations of its pods are, none where its own are meant."""

    resource: Resource
    actions: tuple[str, ...] = ("restart",)
    place: tuple[str, ...] = ("spec", "template", "metadata", "annotations")


_KINDS = {
    (one.resource.api_version, one.resource.kind): one
    for one in (
        *(Kind(Resource("apps", "v1", f"{kind.lower()}s", kind, True)) for kind in ("Deployment", "StatefulSet", "DaemonSet")),
        Kind(
            Resource("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService", True),
            place=("spec", "predictor", "annotations"),
        ),
        Kind(Resource("argoproj.io", "v1alpha1", "applications", "Application", True), ("sync", "refresh"), ()),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Trigger:
    """kind, name: of the object that something is done to."""

    kind: Kind
    name: str

    @property
    def title(self) -> str:
        return f"{self.kind.resource.kind} {self.name}"


def of(case: Case) -> tuple[Trigger, ...]:
    """Return the triggers of a job. Raises EngineError for what cannot be meant, or is not allowed, before anything is run."""
    text = (case.metadata.get("annotations") or {}).get(ANNOTATION)
    if not text or not text.strip():
        return ()
    if not case.settings.reach.triggers:
        raise EngineError(
            f"The job has the annotation {ANNOTATION}, and this operator pulls no triggers: leave it out, or have whoever runs the"
            " operator set NOTEBOOK_OPERATOR_TRIGGERS to on."
        )
    entries = _entries(text)
    if len(entries) > _MOST:
        raise EngineError(
            f"The annotation {ANNOTATION} names {len(entries)} objects, and may name {_MOST}: leave some out."
        )
    return tuple(_trigger(number, entry, case.namespace) for number, entry in enumerate(entries))


def pull(case: Case, triggers: tuple[Trigger, ...]) -> None:
    """Do what a success triggers, once for each verdict: a process that takes over asks for what is there already.

    What fails is an event, and changes no verdict.
    """
    mark = f"{case.metadata['uid']}.{case.metadata['generation']}.{case.record.began}"
    for one in triggers:
        try:
            done = _pull(case, one, mark)
        except ClusterError as error:
            case.record.say("TriggerFailed", f"{one.title} was not triggered: {error.message}", warning=True)
        else:
            if done:
                case.record.say("Triggered", f"{one.title} was told that the notebook passed.")


def tell_wave(cluster: Cluster, found: dict, record: Record, passed: bool) -> None:
    """Say in annotations of a job that belongs to a sync wave that it is over. Nothing of its spec changes."""
    metadata = found["metadata"]
    wave = (metadata.get("annotations") or {}).get(WAVE)
    if wave is None:
        return
    told = {_COMPLETE: wave if passed else None, _FAILED: None if passed else wave, _TIME: status.now()}
    path = JOBS.path(metadata["namespace"], metadata["name"])
    try:
        _patch(cluster, path, {"metadata": {"uid": metadata["uid"], "annotations": told}})
    except ClusterError as error:
        record.say("WaveNotTold", f"Annotations cannot say that the wave is over: {error.message}", warning=True)


def _entries(text: str) -> list:
    import yaml

    try:
        found = yaml.safe_load(text) if len(text) <= _LONGEST else None
    except (yaml.YAMLError, RecursionError, ValueError):
        found = None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise EngineError(
            f"The annotation {ANNOTATION} is no YAML list of objects with apiVersion, kind, name and action: correct it."
        )
    return found


def _trigger(number: int, entry: dict, own: str) -> Trigger:
    unknown = sorted(str(key) for key in set(entry) - _KEYS)
    where = f"Entry {number} of the annotation {ANNOTATION}"
    if unknown:
        raise EngineError(f"{where} has {unknown[0][:60]}, which no trigger has: leave it out.")
    kind = _KINDS.get((str(entry.get("apiVersion")), str(entry.get("kind"))))
    if kind is None:
        known = ", ".join(f"{name} of {version}" for version, name in _KINDS)
        raise EngineError(
            f"{where} is about {str(entry.get('kind'))[:60]} of {str(entry.get('apiVersion'))[:60]}: there is {known}."
        )
    if entry.get("namespace") not in (None, own):
        raise EngineError(
            f"{where} is about the namespace {str(entry['namespace'])[:63]}, and a job triggers things of its own namespace"
            f" {own} only: {_REMEDY}."
        )
    if entry.get("action") not in kind.actions:
        raise EngineError(
            f"{where} has the action {str(entry.get('action'))[:60]}, and {kind.resource.kind} has {' and '.join(kind.actions)}: {_REMEDY}."
        )
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise EngineError(f"{where} has the name {str(name)[:60]!r}, which no object has: {_REMEDY}.")
    return Trigger(kind, name)


def _pull(case: Case, one: Trigger, mark: str) -> bool:
    """Return whether there was something to do."""
    path = one.kind.resource.path(case.namespace, one.name)
    if one.kind.place:
        body: dict = {MARK: mark, _RESTARTED: case.record.began}
        for field in reversed(one.kind.place):
            body = {field: body}
        _patch(case.cluster, path, body)
        return True
    # What Argo CD has done with the annotation it takes away; the mark stays.
    before = case.cluster.get(path)["metadata"].get("annotations") or {}
    if before.get(MARK) == mark:
        return False
    _patch(case.cluster, path, {"metadata": {"annotations": {MARK: mark, _REFRESH: "normal"}}})
    return True


def _patch(cluster: Cluster, path: str, body: dict) -> None:
    query = {"fieldManager": MANAGER}
    cluster.request("PATCH", path, query=query, body=body, content_type=_MERGE, repeat=True)
