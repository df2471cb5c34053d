# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of OpenShift's BuildConfig and ImageStream, from the API reference (github.com/openshift/api, build/v1 and image/v1)."""

from __future__ import annotations

from .core import CONFIG_MAP, SECRET, TEXTS

_NAMED = {"name": str}
_REFERENCE = {
    "kind": str, "namespace": str, "name": str, "uid": str, "apiVersion": str, "resourceVersion": str, "fieldPath": str,
}  # fmt: skip
_ENV = [
    {
        "name!": str,
        "value": str,
        "valueFrom": {
            "secretKeyRef": {"name": str, "key!": str, "optional": bool},
            "configMapKeyRef": {"name": str, "key!": str, "optional": bool},
            "fieldRef": {"apiVersion": str, "fieldPath!": str},
        },
    }
]
_VOLUMES = [
    {
        "name!": str,
        "source!": {
            "type!": str,
            "secret": SECRET,
            "configMap": CONFIG_MAP,
            "csi": object,
        },
        "mounts!": [{"destinationPath!": str}],
    }
]
_STRATEGY = {
    "type": str,
    "dockerStrategy": {
        "from": _REFERENCE, "pullSecret": _NAMED, "noCache": bool, "env": _ENV, "forcePull": bool, "dockerfilePath": str,
        "buildArgs": _ENV, "imageOptimizationPolicy": str, "volumes": _VOLUMES,
    },
    "sourceStrategy": {
        "from!": _REFERENCE, "pullSecret": _NAMED, "env": _ENV, "scripts": str, "incremental": bool, "forcePull": bool,
        "volumes": _VOLUMES,
    },
}  # fmt: skip
_SOURCE = {
    "type": str,
    "binary": {"asFile": str},
    "dockerfile": str,
    "git": {"uri!": str, "ref": str, "httpProxy": str, "httpsProxy": str, "noProxy": str},
    "images": [
        {
            "from!": _REFERENCE, "as": [str], "paths": [{"sourcePath!": str, "destinationDir!": str}], "pullSecret": _NAMED,
        }
    ],
    "contextDir": str,
    "sourceSecret": _NAMED,
    "secrets": [{"secret!": _NAMED, "destinationDir": str}],
    "configMaps": [{"configMap!": _NAMED, "destinationDir": str}],
}  # fmt: skip
_BUILD_CONFIG = {
    "triggers": [object],
    "runPolicy": str,
    "serviceAccount": str,
    "source": _SOURCE,
    "revision": object,
    "strategy!": _STRATEGY,
    "output": {"to": _REFERENCE, "pushSecret": _NAMED, "imageLabels": [{"name!": str, "value": str}]},
    "resources": {"limits": TEXTS, "requests": TEXTS, "claims": [object]},
    "postCommit": {"command": [str], "args": [str], "script": str},
    "completionDeadlineSeconds": int,
    "nodeSelector": TEXTS,
    "mountTrustedCA": bool,
    "successfulBuildsHistoryLimit": int,
    "failedBuildsHistoryLimit": int,
}
_IMPORT = {"insecure": bool, "scheduled": bool, "importMode": str}
_IMAGE_STREAM = {
    "lookupPolicy": {"local!": bool},
    "dockerImageRepository": str,
    "tags": [
        {
            "name!": str, "annotations": TEXTS, "from": _REFERENCE, "reference": bool, "generation": int,
            "importPolicy": _IMPORT, "referencePolicy": {"type!": str},
        }
    ],
}  # fmt: skip

TABLES = {
    ("build.openshift.io/v1", "BuildConfig"): {"spec!": _BUILD_CONFIG},
    ("image.openshift.io/v1", "ImageStream"): {"spec": _IMAGE_STREAM},
}
