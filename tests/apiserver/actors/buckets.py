# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for what makes buckets: gives each ObjectBucketClaim a ConfigMap and a Secret of its name, as NooBaa and Rook do.

It binds at once, late (when a test lets it), not at all, or says that it has failed; see `Steering`.
"""

from __future__ import annotations

import base64
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .actor import Actor, itself, owner_reference

GROUP = "objectbucket.io"
PLURAL = f"objectbucketclaims.{GROUP}"
FINALIZER = f"{GROUP}/finalizer"
_STRING = {"type": "string"}
_STRINGS = {"type": "object", "additionalProperties": _STRING}


@dataclass
class Steering:
    """classes: the storage classes that are served. By pattern of the claim's name: `failing` (the message that an event
    gives, the phase is then Failed), `warned` (a warning, and no more), `silent`, and `late`, which bind when `go` is set.
    keys: what makes the key and secret of a bucket. made and deleted: buckets, in their order."""

    classes: tuple[str, ...] = ("buckets",)
    failing: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    go: threading.Event = field(default_factory=threading.Event)
    host: str = "s3.storage.svc"
    port: int = 443
    keys: Callable[[str], tuple[str, str]] = lambda bucket: (f"key-of-{bucket}", f"secret-of-{bucket}")
    made: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def definition() -> dict:
    """The definition of ObjectBucketClaim (kube-object-storage/lib-bucket-provisioner)."""
    spec = {"type": "object", "properties": {
        **dict.fromkeys(("storageClassName", "bucketName", "generateBucketName", "objectBucketName"), _STRING),
        "additionalConfig": {**_STRINGS, "nullable": True},
    }}  # fmt: skip
    status = {"type": "object", "properties": {"phase": _STRING}, "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {
        "name": "v1alpha1", "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    names = {"kind": "ObjectBucketClaim", "listKind": "ObjectBucketClaimList", "plural": "objectbucketclaims"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": PLURAL},
        "spec": {
            "group": GROUP, "scope": "Namespaced", "versions": [version],
            "names": {**names, "singular": "objectbucketclaim", "shortNames": ["obc", "obcs"]},
        },
    }  # fmt: skip


def install(server, **steering) -> Steering:
    """Let a server have the provisioner; what is returned steers it while it works."""
    server.system.create("customresourcedefinitions.apiextensions.k8s.io", definition())
    steers = Steering(**steering)
    server.add_actors(functools.partial(Provisioner, steers=steers))
    return steers


class Provisioner(Actor):
    name = "objectbucket-provisioner"
    watches = {PLURAL: itself}

    def __init__(self, server, activity, steers: Steering):
        super().__init__(server, activity)
        self._steers, self._said = steers, set()

    def reconcile(self, namespace: str, name: str) -> None:
        claim = self.system.find(PLURAL, namespace, name)
        if claim is None or claim["spec"].get("storageClassName") not in self._steers.classes:
            return
        if claim["metadata"].get("deletionTimestamp"):
            self._remove(claim)
        elif (claim.get("status") or {}).get("phase") not in ("Bound", "Failed") and not self._is(
            name, self._steers.silent
        ):
            self._begin(claim)

    def _is(self, name: str, patterns) -> str | None:
        return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)

    def _begin(self, claim: dict) -> None:
        name, uid = claim["metadata"]["name"], claim["metadata"]["uid"]
        if (pattern := self._is(name, self._steers.failing)) is not None:
            self.record(claim, "Warning", "ProvisionFailed", self._steers.failing[pattern])
            self._say(claim, "Failed")
        elif (pattern := self._is(name, self._steers.warned)) is not None:
            if uid not in self._said:
                self._said.add(uid)
                self.record(claim, "Warning", "ProvisionFailed", self._steers.warned[pattern])
            self._say(claim, "Pending")
        elif self._is(name, self._steers.late) and not self._steers.go.is_set():
            self._say(claim, "Pending")
            self.enqueue_later((claim["metadata"]["namespace"], name), 0.05)
        else:
            self._bind(claim)

    def _bind(self, claim: dict) -> None:
        metadata, spec = claim["metadata"], claim["spec"]
        bucket = spec.get("bucketName") or f"{spec['generateBucketName']}-{metadata['uid']}"
        # The finalizer comes first: a claim that is deleted half-made must not leave a bucket behind.
        metadata["finalizers"] = sorted({*metadata.get("finalizers", []), FINALIZER})
        spec |= {"bucketName": bucket, "objectBucketName": f"obc-{metadata['namespace']}-{metadata['name']}"}
        claim = self.system.update(PLURAL, claim)
        key, secret = self._steers.keys(bucket)
        about = {"BUCKET_NAME": bucket, "BUCKET_HOST": self._steers.host, "BUCKET_PORT": str(self._steers.port)}
        about |= {"BUCKET_REGION": "", "BUCKET_SUBREGION": ""}
        keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        data = {name: base64.b64encode(value.encode()).decode() for name, value in keys.items()}
        self._ensure("configmaps", "ConfigMap", claim, {"data": about})
        self._ensure("secrets", "Secret", claim, {"type": "Opaque", "data": data})
        self._steers.made.append(bucket)
        self._say(claim, "Bound")

    def _ensure(self, plural: str, kind: str, claim: dict, content: dict) -> None:
        metadata = {name: claim["metadata"][name] for name in ("name", "namespace")}
        if self.system.find(plural, metadata["namespace"], metadata["name"]) is None:
            metadata |= {"ownerReferences": [owner_reference(claim)], "finalizers": [FINALIZER]}
            self.system.create(plural, {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content})

    def _remove(self, claim: dict) -> None:
        metadata = claim["metadata"]
        if FINALIZER not in metadata.get("finalizers", []):
            return
        self._steers.deleted.append(claim["spec"]["bucketName"])
        for plural in ("configmaps", "secrets"):
            if self.system.find(plural, metadata["namespace"], metadata["name"]):
                self.system.patch(plural, metadata["namespace"], metadata["name"], {"metadata": {"finalizers": None}})
                self.system.delete(plural, metadata["namespace"], metadata["name"])
        rest = [one for one in metadata["finalizers"] if one != FINALIZER]
        self.system.patch(PLURAL, metadata["namespace"], metadata["name"], {"metadata": {"finalizers": rest}})

    def _say(self, claim: dict, phase: str) -> None:
        if (claim.get("status") or {}).get("phase") != phase:
            claim["status"] = {"phase": phase}
            self.system.update_status(PLURAL, claim)
