# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deployment of a server."""

from __future__ import annotations

from . import files
from .question import INSTANCE, Question
from .settings import Settings

CONTAINER = "notebook"
TASK = "data-manager.informaticsmatters.com/task-id"
_HOME = "/home/jovyan"
_PROBES = {  # seconds between two, and how many may fail
    "startupProbe": (2, 300),  # a large image reads for minutes what it needs
    "readinessProbe": (10, 3),
    "livenessProbe": (30, 10),
}


def deployment(asked: Question, settings: Settings) -> dict:
    """Return the spec of the Deployment, without names that all children share."""
    labels = {INSTANCE: asked.name, **asked.labels, "deployment": asked.name}
    return {
        "replicas": 0 if asked.stopped else 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {"deployment": asked.name}},
        "template": {"metadata": {"labels": labels}, "spec": _pod(asked, settings)},
    }


def notes(asked: Question) -> dict[str, str]:
    """Return the annotations of the Deployment."""
    return {TASK: asked.task} if asked.task else {}


def _pod(asked: Question, settings: Settings) -> dict:
    ids = {"runAsUser": asked.user, "runAsGroup": asked.group, "fsGroup": asked.files_group}
    security = {name: number for name, number in ids.items() if number is not None}
    if "fsGroup" in security:
        security["fsGroupChangePolicy"] = "OnRootMismatch"  # a project may hold very many files
    places = {
        "nodeSelector": dict(settings.node_selector),
        "affinity": dict(settings.affinity),
        "priorityClassName": settings.priority_class,
    }
    return {
        "serviceAccountName": asked.account,
        "automountServiceAccountToken": settings.service_account_tokens,
        # A Service that is called jupyter would set JUPYTER_PORT to an address.
        "enableServiceLinks": False,
        "securityContext": {**security, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(asked)],
        "volumes": _volumes(asked),
        **{name: value for name, value in places.items() if value},
    }


def _container(asked: Question) -> dict:
    mounts = [
        {"name": "config", "mountPath": f"{files.DIRECTORY}/config", "readOnly": True},
        {"name": "secret", "mountPath": f"{files.DIRECTORY}/secret", "readOnly": True},
        {"name": "project", "mountPath": _HOME, **({"subPath": asked.project} if asked.project else {})},
    ]
    return {
        "name": CONTAINER,
        "image": asked.image_text,
        "imagePullPolicy": asked.image.pull_policy,
        "command": ["bash", files.START],
        "env": [{"name": name, "value": value} for name, value in _environment(asked).items()],
        "ports": [{"name": "8888-tcp", "containerPort": files.PORT, "protocol": "TCP"}],
        "resources": {part: dict(amounts) for part, amounts in asked.resources.items()},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
        **{name: _probe(asked, *numbers) for name, numbers in _PROBES.items()},
    }


def _environment(asked: Question) -> dict[str, str]:
    def labelled(end: str) -> str | None:
        return next((value for name, value in asked.labels.items() if name.endswith(end)), None)

    told = {
        "HOME": f"{_HOME}/.{asked.name}",
        "JUPYTER_ENABLE_LAB": "true" if asked.interface == "lab" else None,
        "DM_PROJECT_ID": asked.project,
        "DM_INSTANCE_ID": labelled("/instance-id"),
        "DM_INSTANCE_OWNER": labelled("/owner") or "Unknown",
    }
    return {name: value for name, value in told.items() if value is not None}


def _probe(asked: Question, seconds: int, failures: int) -> dict:
    # Says its version to whoever asks, and does not count as activity.
    place = {"path": f"/{asked.name}/api", "port": files.PORT, "scheme": "HTTP"}
    return {"httpGet": place, "periodSeconds": seconds, "failureThreshold": failures, "timeoutSeconds": 5}


def _volumes(asked: Question) -> list[dict]:
    project = {"persistentVolumeClaim": {"claimName": asked.claim}} if asked.claim else {"emptyDir": {}}
    return [
        {"name": "config", "configMap": {"name": files.name_of(asked.name)}},
        {"name": "secret", "secret": {"secretName": files.name_of(asked.name)}},
        {"name": "project", **project},
    ]
