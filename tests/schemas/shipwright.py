# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of Shipwright's Build, BuildRun and BuildStrategy, from the types of 0.20 (github.com/shipwright-io/build,
pkg/apis/build/v1beta1). Of volumes only the sources that builds of ours name, and of a security context what they set."""

from __future__ import annotations

from .core import ENV, MOUNTS, RESOURCES, SECURITY, TEXTS, VOLUME

_STEP = {
    "name!": str, "image": str, "command": [str], "args": [str], "workingDir": str, "env": ENV, "resources": RESOURCES,
    "imagePullPolicy": str, "securityContext": SECURITY,
    "volumeMounts": MOUNTS,
}  # fmt: skip
_STRATEGY = {
    "steps!": [_STEP],
    "parameters": [{"name!": str, "description!": str, "type": str, "default": str, "defaults": [str]}],
    "securityContext": {"runAsUser!": int, "runAsGroup!": int},
    "volumes": [{**VOLUME, "overridable": bool, "description": str}],
}
_REFERENCE = {"name!": str, "key!": str, "format": str}
_VALUE = {"value": str, "configMapValue": _REFERENCE, "secretValue": _REFERENCE}
_PARAMETERS = [{"name!": str, **_VALUE, "values": [_VALUE]}]
_IMAGE = {
    "image!": str, "insecure": bool, "pushSecret": str, "annotations": TEXTS, "labels": TEXTS, "timestamp": str,
    "vulnerabilityScan": object, "platforms": [{"os!": str, "arch!": str}],
}  # fmt: skip
_LIFETIMES = {"ttlAfterFailed": str, "ttlAfterSucceeded": str}
_STEP_RESOURCES = [{"name!": str, "resources!": RESOURCES}]
_PLACEMENT = {"nodeSelector": TEXTS, "tolerations": [object], "schedulerName": str, "runtimeClassName": str}
_BUILD = {
    "source": object,
    "trigger": object,
    "strategy!": {"name!": str, "kind": str, "stepResources": _STEP_RESOURCES},
    "paramValues": _PARAMETERS,
    "output!": _IMAGE,
    "timeout": str,
    "env": ENV,
    "retention": {"failedLimit": int, "succeededLimit": int, "atBuildDeletion": bool, **_LIFETIMES},
    "volumes": [VOLUME],
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
    "env": ENV,
    "retention": _LIFETIMES,
    "volumes": [VOLUME],
    "stepResources": _STEP_RESOURCES,
    **_PLACEMENT,
}

TABLES = {
    ("shipwright.io/v1beta1", "BuildStrategy"): {"spec": _STRATEGY},
    ("shipwright.io/v1beta1", "Build"): {"spec!": _BUILD},
    ("shipwright.io/v1beta1", "BuildRun"): {"spec!": _BUILD_RUN},
}
