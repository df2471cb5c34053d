# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces: nothing is created in one that is missing or ending; on OpenShift each new one gets its own ranges."""

from __future__ import annotations

import zlib

from ..errors import cause

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
FIRST_UID, BLOCK = 1000000000, 10000


def admit(context) -> None:
    if context.resource.key == ("", "namespaces"):
        if context.operation == "CREATE" and context.profile == "openshift":
            annotations = context.object["metadata"].setdefault("annotations", {})
            for name, value in security_ranges(context.name).items():
                annotations.setdefault(name, value)
        elif context.operation == "DELETE" and context.name in IMMORTAL:
            raise context.refuse("this namespace may not be deleted")
        return
    if context.operation != "CREATE" or not context.namespace or context.subresource:
        return
    if context.resource.group in {"authorization.k8s.io", "authorization.openshift.io"}:
        return  # reviews may be asked about any namespace
    namespace = context.system.get("namespaces", None, context.namespace)
    if namespace["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {context.namespace} because it is being terminated"
        refusal = context.refuse(why)
        message = f"namespace {context.namespace} is being terminated"
        refusal.details["causes"] = [cause("NamespaceTerminating", "metadata.namespace", message)]
        raise refusal


def security_ranges(name: str) -> dict[str, str]:
    """The annotations by which OpenShift gives a namespace its UIDs; here derived from its name, so repeatable."""
    block = zlib.crc32(name.encode()) % 90000 + 60
    first = FIRST_UID + block * BLOCK
    left, right = sorted((block % 1023, block // 1023 + 1)) if block % 1023 != block // 1023 + 1 else (0, 1)
    return {
        "openshift.io/sa.scc.mcs": f"s0:c{right},c{left}",
        "openshift.io/sa.scc.uid-range": f"{first}/{BLOCK}",
        "openshift.io/sa.scc.supplemental-groups": f"{first}/{BLOCK}",
    }
