# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one batch: an Indexed Job with a pod for each notebook, and what its pods mount."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from ...cluster.objects import labels, owner_reference
from ...values.execution import RunRequest
from ...values.unprivileged import SEALED, pod_security
from .bundle import Bundle
from .inside import BATCH, RESULTS, SOURCE, WORK
from .options import PodOptions

NOTEBOOK, DELIVERY = "notebook", "results"
COMPONENT = "validation"
_PROGRAM, _SCRATCH = "/program", "/tmp"  # noqa: S108 (in the pod)
_KEPT = 86400  # seconds for which a Job stays whose caller is gone


def job(
    name: str, namespace: str, key: str, image: str, requests: Sequence[RunRequest], parts: int, workers: int,
    options: PodOptions, *, gives_uid: bool, secret: bool,
) -> dict:  # fmt: skip
    """Return the Job, suspended until what its pods mount is there.

    key: of the batch. parts: of the source. workers: pods at once. gives_uid: the cluster itself chooses a UID (OpenShift).
    secret: there is a Secret of the batch's name, whose entries are variables of the notebooks.
    """
    known = {**options.labels, **labels(COMPONENT, key)}
    queue = {"kueue.x-k8s.io/queue-name": options.queue} if options.queue else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name, "namespace": namespace, "labels": {**known, **queue}, "annotations": options.annotations,
        },
        "spec": {
            "suspend": True,
            "completionMode": "Indexed",
            "completions": len(requests),
            "parallelism": min(workers, len(requests)),
            "backoffLimitPerIndex": 0,
            "maxFailedIndexes": len(requests),
            "ttlSecondsAfterFinished": _KEPT,
            "template": {
                "metadata": {"labels": known, "annotations": options.annotations},
                "spec": _pod(name, image, requests, parts, options, gives_uid, secret),
            },
        },
    }  # fmt: skip


def _pod(name, image, requests, parts: int, options: PodOptions, gives_uid: bool, secret: bool) -> dict:
    limits = [request.timeout for request in requests]
    common = {"image": image, "workingDir": WORK, "securityContext": SEALED}
    mounts = [_mount("program", _PROGRAM), _mount("results", RESULTS)]
    env_from = [*options.env_from, *([{"secretRef": {"name": name}}] if secret else [])]
    notebook = {
        "name": NOTEBOOK,
        "command": ["python3", f"{_PROGRAM}/inside.py", "run"],
        "env": [{"name": "HOME", "value": WORK}],
        **common,
        **({"envFrom": env_from} if env_from else {}),
        **({"resources": options.resources} if options.resources else {}),
        "volumeMounts": [
            *mounts, _mount("batch", BATCH), _mount("source", SOURCE), _mount("work", WORK), _mount("scratch", _SCRATCH),
            *options.volume_mounts,
        ],
    }  # fmt: skip
    delivery = {
        "name": DELIVERY,
        "command": ["python3", f"{_PROGRAM}/inside.py", "deliver"],
        **common,
        "workingDir": "/",
        "volumeMounts": [mounts[0], {**mounts[1], "readOnly": True}],
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(gives_uid),
        "initContainers": [notebook],
        "containers": [delivery],
        "volumes": [*_volumes(name, parts), *options.volumes],
        # The runner itself keeps to the time; this ends what the runner cannot.
        **({"activeDeadlineSeconds": int(max(limits)) + 300} if all(limits) else {}),
        **_placement(options),
    }


def _placement(options: PodOptions) -> dict:
    wanted = {
        "serviceAccountName": options.service_account,
        "nodeSelector": options.node_selector,
        "tolerations": list(options.tolerations),
        "affinity": options.affinity,
        "priorityClassName": options.priority_class,
        "runtimeClassName": options.runtime_class,
        "imagePullSecrets": [{"name": one} for one in options.image_pull_secrets],
    }
    return {name: value for name, value in wanted.items() if value}


def _volumes(name: str, parts: int) -> list[dict]:
    sources = [{"configMap": {"name": part_name(name, number)}} for number in range(parts)]
    return [
        {"name": "program", "configMap": {"name": f"{name}-program"}},
        {"name": "batch", "configMap": {"name": f"{name}-batch"}},
        {"name": "source", "projected": {"sources": sources}},
        *({"name": volume, "emptyDir": {}} for volume in ("work", "results", "scratch")),
    ]


def _mount(name: str, path: str) -> dict:
    return {"name": name, "mountPath": path, **({"readOnly": True} if name in ("program", "batch", "source") else {})}


def part_name(name: str, number: int) -> str:
    """Return the name of the ConfigMap with one part of the source."""
    return f"{name}-source-{number}"


def mounted(
    owner: dict, requests: Sequence[RunRequest], bundle: Bundle, program: dict[str, str], secrets: dict
) -> list[dict]:
    """Return what the pods of a Job mount; all of it goes when the Job goes.

    program: name -> text of the files that work in the pods. secrets: variables of the notebooks that nobody may read.
    """
    name = owner["metadata"]["name"]
    batch = {"source": bundle.digest, "requests": [_told(request) for request in requests]}
    found = [
        _config_map(owner, f"{name}-program", data=program),
        _config_map(owner, f"{name}-batch", data={"batch.json": json.dumps(batch)}),
    ]
    for number, part in enumerate(bundle.parts):
        encoded = {f"part-{number:03}": base64.b64encode(part).decode()}
        found.append(_config_map(owner, part_name(name, number), binaryData=encoded))
    if secrets:
        found.append({**_config_map(owner, name), "kind": "Secret", "type": "Opaque", "stringData": secrets})
    return found


def _told(request: RunRequest) -> dict:
    fields = ("id", "notebook", "parameters", "timeout", "cell_timeout", "environment")
    return {**{name: getattr(request, name) for name in fields}, "limits": request.limits.as_dict()}


def _config_map(owner: dict, name: str, **content) -> dict:
    metadata = owner["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {one: value for one, value in metadata["labels"].items() if "kueue" not in one},
            "ownerReferences": [owner_reference(owner)],
        },
        **content,
    }
