# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of Tekton's TaskRun in v1 and v1beta1, from the types of Pipelines (github.com/tektoncd/pipeline, pkg/apis/pipeline/v1,
v1beta1 and pod). Parameters, sidecars and references to Tasks elsewhere are not looked into."""

from __future__ import annotations

from .core import ENV, MOUNTS, RESOURCES, SECURITY, TEXTS, VOLUME

_POD_SECURITY = {
    "runAsUser": int, "runAsGroup": int, "runAsNonRoot": bool, "fsGroup": int, "fsGroupChangePolicy": str,
    "supplementalGroups": [int], "seccompProfile": object, "seLinuxOptions": object, "sysctls": [object],
}  # fmt: skip
_CONTAINER = {
    "image": str, "command": [str], "args": [str], "workingDir": str, "envFrom": [object], "env": ENV,
    "volumeMounts": MOUNTS, "volumeDevices": [object], "imagePullPolicy": str, "securityContext": SECURITY,
}  # fmt: skip
_STEP = {
    "name!": str, **_CONTAINER, "script": str, "timeout": str, "workspaces": [object], "onError": str,
    "stdoutConfig": {"path": str}, "stderrConfig": {"path": str}, "ref": object, "params": [object], "results": [object],
    "when": [object],
}  # fmt: skip
_POD_TEMPLATE = {
    "nodeSelector": TEXTS, "env": ENV, "tolerations": [object], "affinity": object, "securityContext": _POD_SECURITY,
    "volumes": [VOLUME], "runtimeClassName": str, "automountServiceAccountToken": bool, "dnsPolicy": str, "dnsConfig": object,
    "enableServiceLinks": bool, "priorityClassName": str, "schedulerName": str, "imagePullSecrets": [{"name": str}],
    "hostAliases": [object], "hostNetwork": bool, "topologySpreadConstraints": [object], "hostUsers": bool,
}  # fmt: skip
_RESULTS = [{"name!": str, "type": str, "properties": object, "description": str, "value": object}]


def _task_run(resources: str) -> dict:
    """resources: what a step calls its own."""
    sized = {resources: RESOURCES}
    return {
        "params": [object],
        "serviceAccountName": str,
        "taskRef": object,
        "taskSpec": {
            "params": [object],
            "displayName": str,
            "description": str,
            "steps": [{**_STEP, **sized}],
            "volumes": [VOLUME],
            "stepTemplate": {**_CONTAINER, **sized},
            "sidecars": [object],
            "workspaces": [object],
            "results": _RESULTS,
        },
        "status": str,
        "statusMessage": str,
        "retries": int,
        "timeout": str,
        "podTemplate": _POD_TEMPLATE,
        "workspaces": [object],
        "debug": object,
        "computeResources": RESOURCES,
    }


TABLES = {
    ("tekton.dev/v1", "TaskRun"): {
        "spec!": {**_task_run("computeResources"), "stepSpecs": [object], "sidecarSpecs": [object]}
    },
    ("tekton.dev/v1beta1", "TaskRun"): {
        "spec!": {
            **_task_run("resources"),
            "stepOverrides": [object],
            "sidecarOverrides": [object],
            "resources": object,
        },
    },
}
