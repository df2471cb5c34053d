# SPDX-License-Identifier: GPL-3.0-or-later
"""OwnerReferencesPermissionEnforcement, which OpenShift turns on: who has an object block the deletion of its owner must be
allowed to update the owner's finalizers (Kubernetes, "Admission Control")."""

from __future__ import annotations

# Their roles have what each of them needs.
CONTROLLERS = tuple(
    f"system:serviceaccount:{namespace}:"
    for namespace in ("kube-system", "openshift-infra", "shipwright-build", "tekton-pipelines")
)


def admit(context) -> None:
    if context.profile != "openshift" or context.operation not in ("CREATE", "UPDATE") or context.subresource:
        return
    if context.user.name.startswith(CONTROLLERS):
        return
    for version, kind, name in _blocking(context.object) - _blocking(context.old or {}):
        group, plural = version.rpartition("/")[0], kind.lower() + "s"  # of all that own here
        if not context.authorize(context.user, "update", group, f"{plural}/finalizers", context.namespace, name):
            why = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on"
            raise context.refuse(f"{why}: , <nil>")


def _blocking(obj: dict) -> set[tuple[str, str, str]]:
    owners = (obj.get("metadata") or {}).get("ownerReferences") or ()
    return {(one["apiVersion"], one["kind"], one["name"]) for one in owners if one.get("blockOwnerDeletion")}
