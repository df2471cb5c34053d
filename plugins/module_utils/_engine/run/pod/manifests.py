# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one batch: an Indexed Job with a pod for each notebook, and what its pods mount."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import posixpath
from collections.abc import Sequence

from ...cluster.objects import labels, owner_reference
from ...notebook.discover import exclusions
from ...values.execution import RunRequest
from ...values.unprivileged import SEALED, pod_security
from ..workspace import NEVER_COPIED
from . import fetch
from .bundle import Bundle
from .inside import BATCH, KEPT, RESULTS, SOURCE, WORK
from .options import PodOptions, PodSource, ResultsClaim

FETCH, NOTEBOOK, DELIVERY = "source", "notebook", "results"
COMPONENT = "validation"
_PROGRAM, _SCRATCH = "/program", "/tmp"  # noqa: S108 (in the pod)
# What the notebook's container has of ours, and how our volumes are named.
PLACES = (BATCH, _PROGRAM, RESULTS, _SCRATCH, SOURCE, WORK, "/dev/termination-log")
VOLUMES = frozenset({"batch", "credentials", "fetch", "kept", "program", "results", "scratch", "source", "work"})
# Variables of the user by which git finds its way out, as curl does (curl(1), "Environment").
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_KEPT = 86400  # seconds for which a Job stays whose caller is gone


def job(
    name: str, namespace: str, key: str, image: str, requests: Sequence[RunRequest], parts: int, workers: int,
    options: PodOptions, *, gives_uid: bool, secret: bool, source: PodSource | None = None, results: ResultsClaim | None = None,
) -> dict:  # fmt: skip
    """Return the Job, suspended until what its pods mount is there.

    key: of the batch. parts: of the source, where ``source`` does not say where else pods have it from. workers: pods at once.
    gives_uid: the cluster itself chooses a UID (OpenShift). results: where pods leave them too.
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
                "spec": _pod(name, image, requests, parts, options, gives_uid, secret, source, results),
            },
        },
    }  # fmt: skip


def _pod(
    name, image, requests, parts: int, options: PodOptions, gives_uid: bool, secret: bool, source, results
) -> dict:
    limits = [request.timeout for request in requests]
    common = {"image": image, "workingDir": WORK, "securityContext": SEALED}
    mounts = [_mount("program", _PROGRAM), _mount("results", RESULTS)]
    secrets = [*options.credentials, *([name] if secret else [])]
    env_from = [*options.env_from, *({"secretRef": {"name": one}} for one in secrets)]
    notebook = {
        "name": NOTEBOOK,
        "command": ["python3", f"{_PROGRAM}/inside.py", "run"],
        "env": [*options.env, {"name": "HOME", "value": WORK}],
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
    if results:
        delivery["env"] = [_variable("KEPT_BELOW", results.path)]
        delivery["volumeMounts"] += [_mount("batch", BATCH), _mount("kept", KEPT)]
    fetching = [_fetching(source, image, options, gives_uid)] if source and source.url else []
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Claims are often root's alone: the kubelet gives them to the group that all our pods have.
        "securityContext": {
            **pod_security(gives_uid),
            **({"fsGroup": 0, "fsGroupChangePolicy": "OnRootMismatch"} if results and not gives_uid else {}),
        },
        "initContainers": [*fetching, notebook],
        "containers": [delivery],
        "volumes": [*_volumes(name, parts, source, results), *options.volumes],
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


def _fetching(source: PodSource, image: str, options: PodOptions, gives_uid: bool) -> dict:
    """Return the container that fetches the source, and alone has the credentials."""
    told = {"HOME": fetch.HOME, "SOURCE_URL": source.url, "SOURCE_REF": source.ref or "HEAD"}
    told |= {"SOURCE_SECRET": source.secret} if source.secret else {}
    passwd = {"name": "program", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True}
    secret = {"name": "credentials", "mountPath": fetch.CREDENTIALS, "readOnly": True}
    return {
        "name": FETCH,
        "image": source.image or image,
        "command": ["sh", f"{_PROGRAM}/fetch.sh"],
        "workingDir": fetch.HOME,
        "securityContext": SEALED,
        "env": [
            *(one for one in options.env if one["name"].lower() in _PROXIES),
            *(_variable(name, value) for name, value in told.items()),
        ],
        "volumeMounts": [
            _mount("program", _PROGRAM), {"name": "source", "mountPath": SOURCE}, _mount("fetch", fetch.HOME),
            *([] if gives_uid else [passwd]), *([secret] if source.secret else []),
        ],
    }  # fmt: skip


def _variable(name: str, value: str) -> dict:
    """Return a variable of a container; ``$(NAME)`` stays what it is (Kubernetes, "Define Dependent Environment Variables")."""
    return {"name": name, "value": value.replace("$(", "$$(")}


def _volumes(name: str, parts: int, source: PodSource | None, results: ResultsClaim | None) -> list[dict]:
    found = [
        {"name": "program", "configMap": {"name": f"{name}-program"}},
        {"name": "batch", "configMap": {"name": f"{name}-batch"}},
        *({"name": volume, "emptyDir": {}} for volume in ("work", "results", "scratch")),
    ]
    if source and source.claim:
        found.append({"name": "source", "persistentVolumeClaim": {"claimName": source.claim}})
    elif source:
        found += [{"name": "source", "emptyDir": {}}, {"name": "fetch", "emptyDir": {"medium": "Memory"}}]
    else:
        carried = [{"configMap": {"name": part_name(name, number)}} for number in range(parts)]
        found.append({"name": "source", "projected": {"sources": carried}})
    if source and source.secret:
        # Optional, so that the container says what is missing: a pod that lacks a Secret waits for it without an end.
        found.append({"name": "credentials", "secret": {"secretName": source.secret, "optional": True}})
    if results:
        found.append({"name": "kept", "persistentVolumeClaim": {"claimName": results.claim}})
    return found


def _mount(name: str, path: str) -> dict:
    return {"name": name, "mountPath": path, **({"readOnly": True} if name in ("program", "batch", "source") else {})}


def part_name(name: str, number: int) -> str:
    """Return the name of the ConfigMap with one part of the source."""
    return f"{name}-source-{number}"


def mounted(
    owner: dict, requests: Sequence[RunRequest], bundle: Bundle | None, program: dict[str, str], secrets: dict,
    source: PodSource | None = None,
) -> list[dict]:  # fmt: skip
    """Return what the pods of a Job mount; all of it goes when the Job goes.

    bundle: the source, None where ``source`` says where else pods have it from. program: name -> text of the files that work
    in the pods. secrets: variables of the notebooks that nobody may read.
    """
    name = owner["metadata"]["name"]
    # Elsewhere may be another state of the source than the caller has: the verdict is about the notebook that was named.
    told = [{**_told(request), **({} if bundle else {"sha256": _digest(request)})} for request in requests]
    batch = {"requests": told, **({"source": bundle.digest} if bundle else {"tree": _tree(requests[0], source)})}
    if source and source.url:
        program = {**program, "fetch.sh": fetch.SCRIPT, "passwd": fetch.PASSWD}
    found = [
        _config_map(owner, f"{name}-program", data=program),
        _config_map(owner, f"{name}-batch", data={"batch.json": json.dumps(batch)}),
    ]
    for number, part in enumerate(bundle.parts if bundle else ()):
        encoded = {f"part-{number:03}": base64.b64encode(part).decode()}
        found.append(_config_map(owner, part_name(name, number), binaryData=encoded))
    if secrets:
        found.append({**_config_map(owner, name), "kind": "Secret", "type": "Opaque", "stringData": secrets})
    return found


def _tree(request: RunRequest, source: PodSource) -> dict:
    """Return which directory of the source's volume is its root, and what of it a run does not see."""
    root = posixpath.normpath(posixpath.join(fetch.TREE if source.url else ".", source.path or "."))
    return {"root": root, "exclude": exclusions(request.exclude), "never": sorted(NEVER_COPIED)}


def _told(request: RunRequest) -> dict:
    fields = ("id", "notebook", "parameters", "timeout", "cell_timeout", "environment")
    return {**{name: getattr(request, name) for name in fields}, "limits": request.limits.as_dict()}


def _digest(request: RunRequest) -> str:
    with open(os.path.join(request.source, request.notebook), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


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
