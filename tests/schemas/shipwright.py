# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of Shipwright's Build, BuildRun and BuildStrategy, from the types of 0.20 (github.com/shipwright-io/build,
pkg/apis/build/v1beta1). Of volumes only the sources that builds of ours name, and of a security context what they set."""

from __future__ import annotations

_TEXTS = {"*": str}
_QUANTITIES = {"*": object}  # text or a number
_RESOURCES = {"limits": _QUANTITIES, "requests": _QUANTITIES, "claims": [object]}
_KEY = {"name": str, "key!": str, "optional": bool}
_ENV = [
    {
        "name!": str,
        "value": str,
        "valueFrom": {
            "secretKeyRef": _KEY, "configMapKeyRef": _KEY, "fieldRef": {"apiVersion": str, "fieldPath!": str},
            "resourceFieldRef": object,
        },
    }
]  # fmt: skip
_ITEMS = [{"key!": str, "path!": str, "mode": int}]
_VOLUME = {
    "name!": str,
    "configMap": {"name": str, "items": _ITEMS, "defaultMode": int, "optional": bool},
    "secret": {"secretName": str, "items": _ITEMS, "defaultMode": int, "optional": bool},
    "emptyDir": {"medium": str, "sizeLimit": object},
    "persistentVolumeClaim": {"claimName!": str, "readOnly": bool},
    "projected": object,
    "csi": object,
}
_SECURITY = {
    "runAsUser": int, "runAsGroup": int, "runAsNonRoot": bool, "privileged": bool, "allowPrivilegeEscalation": bool,
    "readOnlyRootFilesystem": bool, "procMount": str, "seccompProfile": object, "seLinuxOptions": object,
    "capabilities": {"add": [str], "drop": [str]},
}  # fmt: skip
_STEP = {
    "name!": str, "image": str, "command": [str], "args": [str], "workingDir": str, "env": _ENV, "resources": _RESOURCES,
    "imagePullPolicy": str, "securityContext": _SECURITY,
    "volumeMounts": [
        {
            "name!": str, "mountPath!": str, "readOnly": bool, "subPath": str, "subPathExpr": str, "mountPropagation": str,
            "recursiveReadOnly": str,
        }
    ],
}  # fmt: skip
_STRATEGY = {
    "steps!": [_STEP],
    "parameters": [{"name!": str, "description!": str, "type": str, "default": str, "defaults": [str]}],
    "securityContext": {"runAsUser!": int, "runAsGroup!": int},
    "volumes": [{**_VOLUME, "overridable": bool, "description": str}],
}
_REFERENCE = {"name!": str, "key!": str, "format": str}
_VALUE = {"value": str, "configMapValue": _REFERENCE, "secretValue": _REFERENCE}
_PARAMETERS = [{"name!": str, **_VALUE, "values": [_VALUE]}]
_IMAGE = {
    "image!": str, "insecure": bool, "pushSecret": str, "annotations": _TEXTS, "labels": _TEXTS, "timestamp": str,
    "vulnerabilityScan": object, "platforms": [{"os!": str, "arch!": str}],
}  # fmt: skip
_LIFETIMES = {"ttlAfterFailed": str, "ttlAfterSucceeded": str}
_STEP_RESOURCES = [{"name!": str, "resources!": _RESOURCES}]
_PLACEMENT = {"nodeSelector": _TEXTS, "tolerations": [object], "schedulerName": str, "runtimeClassName": str}
_BUILD = {
    "source": object,
    "trigger": object,
    "strategy!": {"name!": str, "kind": str, "stepResources": _STEP_RESOURCES},
    "paramValues": _PARAMETERS,
    "output!": _IMAGE,
    "timeout": str,
    "env": _ENV,
    "retention": {"failedLimit": int, "succeededLimit": int, "atBuildDeletion": bool, **_LIFETIMES},
    "volumes": [_VOLUME],
    **_PLACEMENT,
}
_BUILD_RUN = {
    "build!": {"name": str, "spec": _BUILD},
    "source": object,
    "serviceAccount": str,
    "timeout": str,
    "paramValues": _PARAMETERS,
    "output": _IMAGE,
    "state": str,
    "env": _ENV,
    "retention": _LIFETIMES,
    "volumes": [_VOLUME],
    "stepResources": _STEP_RESOURCES,
    **_PLACEMENT,
}

TABLES = {
    ("shipwright.io/v1beta1", "BuildStrategy"): {"spec": _STRATEGY},
    ("shipwright.io/v1beta1", "Build"): {"spec!": _BUILD},
    ("shipwright.io/v1beta1", "BuildRun"): {"spec!": _BUILD_RUN},
}
