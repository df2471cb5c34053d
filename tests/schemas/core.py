# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of Kubernetes itself that the APIs of others take over (k8s.io/api/core/v1)."""

from __future__ import annotations

TEXTS = {"*": str}
_QUANTITIES = {"*": object}  # text or a number
RESOURCES = {"limits": _QUANTITIES, "requests": _QUANTITIES, "claims": [object]}
_KEY = {"name": str, "key!": str, "optional": bool}
ENV = [
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
CONFIG_MAP = {"name": str, "items": _ITEMS, "defaultMode": int, "optional": bool}
SECRET = {"secretName": str, "items": _ITEMS, "defaultMode": int, "optional": bool}
# Of volumes the sources that builds of ours name, and some of their neighbours.
VOLUME = {
    "name!": str,
    "configMap": CONFIG_MAP,
    "secret": SECRET,
    "emptyDir": {"medium": str, "sizeLimit": object},
    "persistentVolumeClaim": {"claimName!": str, "readOnly": bool},
    "projected": object,
    "csi": object,
}
MOUNTS = [
    {
        "name!": str, "mountPath!": str, "readOnly": bool, "subPath": str, "subPathExpr": str, "mountPropagation": str,
        "recursiveReadOnly": str,
    }
]  # fmt: skip
SECURITY = {
    "runAsUser": int, "runAsGroup": int, "runAsNonRoot": bool, "privileged": bool, "allowPrivilegeEscalation": bool,
    "readOnlyRootFilesystem": bool, "procMount": str, "seccompProfile": object, "seLinuxOptions": object,
    "capabilities": {"add": [str], "drop": [str]},
}  # fmt: skip
