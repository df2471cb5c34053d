# SPDX-License-Identifier: GPL-3.0-or-later
"""The SecurityContextConstraints of a fresh OpenShift."""

from __future__ import annotations

GROUP = "security.openshift.io"
_VOLUMES = "configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret".split()
_V2 = {
    "allowPrivilegeEscalation": False,
    "requiredDropCapabilities": ["ALL"],
    "allowedCapabilities": ["NET_BIND_SERVICE"],
    "seccompProfiles": ["runtime/default"],
}
_V1 = {"allowPrivilegeEscalation": True, "requiredDropCapabilities": ["KILL", "MKNOD", "SETUID", "SETGID"]}
_HOST_NETWORK = {"allowHostNetwork": True, "allowHostPorts": True, "supplementalGroups": {"type": "MustRunAs"}}
VARIANTS = {
    "anyuid": {
        "priority": 10,
        "allowPrivilegeEscalation": True,
        "requiredDropCapabilities": ["MKNOD"],
        "runAsUser": {"type": "RunAsAny"},
        "fsGroup": {"type": "RunAsAny"},
        "groups": ["system:cluster-admins"],
    },
    "restricted-v2": _V2,
    "restricted": _V1,
    "nonroot-v2": {**_V2, "runAsUser": {"type": "MustRunAsNonRoot"}, "fsGroup": {"type": "RunAsAny"}},
    "nonroot": {**_V1, "runAsUser": {"type": "MustRunAsNonRoot"}, "fsGroup": {"type": "RunAsAny"}},
    "hostmount-anyuid": {
        "allowPrivilegeEscalation": True,
        "requiredDropCapabilities": ["MKNOD"],
        "allowHostDirVolumePlugin": True,
        "runAsUser": {"type": "RunAsAny"},
        "fsGroup": {"type": "RunAsAny"},
        "volumes": [*_VOLUMES, "hostPath", "nfs"],
    },
    "hostnetwork-v2": {**_V2, **_HOST_NETWORK},
    "hostnetwork": {**_V1, **_HOST_NETWORK},
    "hostaccess": {
        **_V1,
        **_HOST_NETWORK,
        **{"allowHostPID": True, "allowHostIPC": True, "allowHostDirVolumePlugin": True},
        "supplementalGroups": {"type": "RunAsAny"},
        "volumes": [*_VOLUMES, "hostPath"],
    },
    "privileged": {
        **{f"allow{name}": True for name in ("HostNetwork", "HostPorts", "HostPID", "HostIPC", "HostDirVolumePlugin")},
        **{"allowPrivilegedContainer": True, "allowPrivilegeEscalation": True, "allowedCapabilities": ["*"]},
        **{field: {"type": "RunAsAny"} for field in ("runAsUser", "fsGroup", "seLinuxContext")},
        **{"seccompProfiles": ["*"], "volumes": ["*"]},
        "users": ["system:admin", "system:serviceaccount:openshift-infra:build-controller"],
        "groups": ["system:cluster-admins", "system:nodes", "system:masters"],
    },
}


def constraints() -> list[dict]:
    """Every SecurityContextConstraints object."""
    return [_constraint(name, fields) for name, fields in VARIANTS.items()]


def _constraint(name: str, fields: dict) -> dict:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "SecurityContextConstraints",
        "metadata": {"name": name},
        **dict.fromkeys(("priority", "defaultAddCapabilities", "allowedCapabilities"), None),
        **dict.fromkeys(("allowPrivilegedContainer", "readOnlyRootFilesystem", "allowHostDirVolumePlugin"), False),
        **dict.fromkeys(("allowHostNetwork", "allowHostPorts", "allowHostPID", "allowHostIPC"), False),
        "runAsUser": {"type": "MustRunAsRange"},
        "seLinuxContext": {"type": "MustRunAs"},
        "fsGroup": {"type": "MustRunAs"},
        "supplementalGroups": {"type": "RunAsAny"},
        "volumes": _VOLUMES,
        "users": [],
        "groups": [],
        **fields,
    }
