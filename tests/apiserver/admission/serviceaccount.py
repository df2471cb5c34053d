# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods get a service account and, unless they or it decline, its token as a projected volume."""

from __future__ import annotations

from ..values import random_suffix
from .pods import containers_of, is_new_pod

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def admit(context) -> None:
    if not is_new_pod(context):
        return
    spec = context.object.setdefault("spec", {})
    account_name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account_name
    account = _account(context, account_name)
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account["imagePullSecrets"]
    automount = spec.get("automountServiceAccountToken")
    if automount is None:
        automount = account.get("automountServiceAccountToken", True)
    if automount:
        _mount_token(context, spec)


def _account(context, account_name: str) -> dict:
    found = context.system.find("serviceaccounts", context.namespace, account_name)
    if found is not None:
        return found
    if account_name == "default":
        # The real server refuses until its controller has made it; here the pod waits for nothing.
        return {}
    where = f"{context.namespace}/{account_name}"
    raise context.refuse(f'error looking up service account {where}: serviceaccount "{account_name}" not found')


def _mount_token(context, spec: dict) -> None:
    targets = [
        container
        for _path, container in containers_of(spec)
        if all(mount.get("mountPath") != MOUNT_PATH for mount in container.get("volumeMounts") or [])
    ]
    if not targets:
        return
    name, field = "kube-api-access-" + random_suffix(), {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    if context.profile == "openshift":
        items = [{"key": "service-ca.crt", "path": "service-ca.crt"}]
        sources.append({"configMap": {"name": "openshift-service-ca.crt", "items": items}})
    volume = {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
    spec.setdefault("volumes", []).append(volume)
    for container in targets:
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
        container.setdefault("volumeMounts", []).append(mount)
