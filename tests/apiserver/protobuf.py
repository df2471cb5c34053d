# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes' protobuf encoding, reading only, for the kinds that kubectl creates through its typed client.

A kind or field that is not in the tables is refused as a whole (LookupError): nothing may be lost silently.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timezone

_MAGIC = b"k8s\x00"

# Message: "number name type"; s text, i integer, b boolean, y bytes (as base64), t time, m map of texts, d map of bytes,
# any other word a message; a star means repeated, a minus that the field is left out.
_MESSAGES = {
    "ObjectMeta": """1 name s, 2 generateName s, 3 namespace s, 4 selfLink s, 5 uid s, 6 resourceVersion s, 7 generation i, 8 creationTimestamp t,
        9 deletionTimestamp t, 10 deletionGracePeriodSeconds i, 11 labels m, 12 annotations m, 13 ownerReferences OwnerReference*, 14 finalizers s*,
        17 managedFields -""",
    "OwnerReference": "1 kind s, 3 name s, 4 uid s, 5 apiVersion s, 6 controller b, 7 blockOwnerDeletion b",
    "Namespace": "1 metadata ObjectMeta, 2 spec -, 3 status -",
    "ConfigMap": "1 metadata ObjectMeta, 2 data m, 3 binaryData d, 4 immutable b",
    "Secret": "1 metadata ObjectMeta, 2 data d, 3 type s, 4 stringData m, 5 immutable b",
    "ServiceAccount": "1 metadata ObjectMeta, 2 secrets ObjectReference*, 3 imagePullSecrets LocalObjectReference*, 4 automountServiceAccountToken b",
    "ObjectReference": "1 kind s, 2 namespace s, 3 name s, 4 uid s, 5 apiVersion s, 6 resourceVersion s, 7 fieldPath s",
    "LocalObjectReference": "1 name s",
    "Role": "1 metadata ObjectMeta, 2 rules PolicyRule*",
    "ClusterRole": "1 metadata ObjectMeta, 2 rules PolicyRule*, 3 aggregationRule AggregationRule",
    "PolicyRule": "1 verbs s*, 2 apiGroups s*, 3 resources s*, 4 resourceNames s*, 5 nonResourceURLs s*",
    "AggregationRule": "1 clusterRoleSelectors LabelSelector*",
    "LabelSelector": "1 matchLabels m, 2 matchExpressions LabelSelectorRequirement*",
    "LabelSelectorRequirement": "1 key s, 2 operator s, 3 values s*",
    "RoleBinding": "1 metadata ObjectMeta, 2 subjects Subject*, 3 roleRef RoleRef",
    "ClusterRoleBinding": "1 metadata ObjectMeta, 2 subjects Subject*, 3 roleRef RoleRef",
    "Subject": "1 kind s, 2 apiGroup s, 3 name s, 4 namespace s",
    "RoleRef": "1 apiGroup s, 2 kind s, 3 name s",
    "SelfSubjectAccessReview": "1 metadata ObjectMeta, 2 spec AccessSpec, 3 status -",
    "SubjectAccessReview": "1 metadata ObjectMeta, 2 spec SubjectSpec, 3 status -",
    "LocalSubjectAccessReview": "1 metadata ObjectMeta, 2 spec SubjectSpec, 3 status -",
    "AccessSpec": "1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes",
    "SubjectSpec": "1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes, 3 user s, 4 groups s*, 6 uid s",
    "ResourceAttributes": "1 namespace s, 2 verb s, 3 group s, 4 version s, 5 resource s, 6 subresource s, 7 name s",
    "NonResourceAttributes": "1 path s, 2 verb s",
    "SelfSubjectRulesReview": "1 metadata ObjectMeta, 2 spec RulesSpec, 3 status -",
    "RulesSpec": "1 namespace s",
    "SelfSubjectReview": "1 metadata ObjectMeta, 2 status -",
    "TokenReview": "1 metadata ObjectMeta, 2 spec TokenReviewSpec, 3 status -",
    "TokenReviewSpec": "1 token s, 2 audiences s*",
    "TokenRequest": "1 metadata ObjectMeta, 2 spec TokenRequestSpec, 3 status -",
    "TokenRequestSpec": "1 audiences s*, 3 boundObjectRef BoundObjectReference, 4 expirationSeconds i",
    "BoundObjectReference": "1 kind s, 2 apiVersion s, 3 name s, 4 uid s",
    "DeleteOptions": "1 gracePeriodSeconds i, 2 preconditions Preconditions, 3 orphanDependents b, 4 propagationPolicy s, 5 dryRun s*",
    "Preconditions": "1 uid s, 2 resourceVersion s",
    "Eviction": "1 metadata ObjectMeta, 2 deleteOptions DeleteOptions",
    "ResourceQuota": "1 metadata ObjectMeta, 2 spec ResourceQuotaSpec, 3 status -",
    "ResourceQuotaSpec": "1 hard q, 2 scopes s*",
    "Scale": "1 metadata ObjectMeta, 2 spec ScaleSpec, 3 status -",
    "ScaleSpec": "1 replicas i",
    "Job": "1 metadata ObjectMeta, 2 spec JobSpec, 3 status -",
    "JobSpec": """1 parallelism i, 2 completions i, 3 activeDeadlineSeconds i, 4 selector LabelSelector, 5 manualSelector b,
        6 template PodTemplateSpec, 7 backoffLimit i""",
    "Deployment": "1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status -",
    "DeploymentSpec": """1 replicas i, 2 selector LabelSelector, 3 template PodTemplateSpec, 4 strategy DeploymentStrategy,
        5 minReadySeconds i, 7 paused b""",
    "DeploymentStrategy": "1 type s",
    "CronJob": "1 metadata ObjectMeta, 2 spec CronJobSpec, 3 status -",
    "CronJobSpec": "1 schedule s, 3 concurrencyPolicy s, 4 suspend b, 5 jobTemplate JobTemplateSpec",
    "JobTemplateSpec": "1 metadata ObjectMeta, 2 spec JobSpec",
    "PodTemplateSpec": "1 metadata ObjectMeta, 2 spec PodSpec",
    "PodSpec": """2 containers Container*, 3 restartPolicy s, 6 dnsPolicy s, 8 serviceAccountName s, 9 serviceAccount s, 10 nodeName s,
        11 hostNetwork b, 12 hostPID b, 13 hostIPC b, 14 securityContext Empty, 16 hostname s, 17 subdomain s, 19 schedulerName s,
        24 priorityClassName s""",
    "Container": """1 name s, 2 image s, 3 command s*, 4 args s*, 5 workingDir s, 6 ports ContainerPort*, 7 env EnvVar*, 8 resources Empty,
        13 terminationMessagePath s, 14 imagePullPolicy s, 16 stdin b, 17 stdinOnce b, 18 tty b, 20 terminationMessagePolicy s""",
    "ContainerPort": "1 name s, 2 hostPort i, 3 containerPort i, 4 protocol s, 5 hostIP s",
    "EnvVar": "1 name s, 2 value s",
    "Empty": "0 none -",
}  # fmt: skip


def _table(name: str) -> dict[int, tuple[str, str, bool]]:
    fields = {}
    for entry in _MESSAGES[name].split(","):
        number, field, kind = entry.split()
        fields[int(number)] = (field, kind.rstrip("*"), kind.endswith("*"))
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif key & 7 == 2:
            length, at = _varint(data, at)
            yield key >> 3, data[at : at + length]
            at += length
        else:
            raise LookupError(f"wire type {key & 7}")


def _pair(data: bytes) -> tuple[bytes, bytes]:
    found = dict(_fields(data))
    return found.get(1, b""), found.get(2, b"")


def _scalar(kind: str, value):
    if kind == "s":
        return value.decode()
    if kind == "b":
        return bool(value)
    if kind == "t":
        seconds = dict(_fields(value)).get(1)
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None
    return value - (1 << 64) if value >= 1 << 63 else value


def _message(name: str, data: bytes) -> dict:
    table, result = _table(name), {}
    for number, value in _fields(data):
        if number not in table:
            raise LookupError(f"field {number} of {name}")
        field, kind, repeated = table[number]
        if kind == "-":
            continue
        if kind in ("m", "d", "q"):
            key, item = _pair(value)
            text = (
                dict(_fields(item)).get(1, b"").decode()
                if kind == "q"
                else base64.b64encode(item).decode()
                if kind == "d"
                else item.decode()
            )
            result.setdefault(field, {})[key.decode()] = text
            continue
        decoded = _message(kind, value) if kind in _MESSAGES else _scalar(kind, value)
        if repeated:
            result.setdefault(field, []).append(decoded)
        elif decoded is not None and decoded != "":
            result[field] = decoded
    return result


def decode_object(body: bytes) -> dict:
    """The object in the envelope; LookupError for what the tables do not know."""
    if not body.startswith(_MAGIC):
        raise ValueError("the body does not start as Kubernetes' protobuf does")
    envelope = dict(_fields(body[len(_MAGIC) :]))
    api_version, kind = (part.decode() for part in _pair(envelope[1]))
    return {"apiVersion": api_version, "kind": kind, **_message(kind, envelope.get(2, b""))}
