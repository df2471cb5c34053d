# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces: what each one is given when it begins, and how it is emptied when it ends."""

from __future__ import annotations

from ..errors import ApiError
from .actor import Actor, itself, key_of

FINALIZER = "kubernetes"


class NamespaceController(Actor):
    name = "namespace-controller"
    watches = {"namespaces": itself}

    def observe(self, event: str, plural: str, obj: dict) -> None:
        """The last object of an ending namespace, or a default that somebody deleted, wakes its namespace."""
        if event == "DELETED" and (namespace := obj["metadata"].get("namespace")):
            self.enqueue(("", namespace))

    def reconcile(self, namespace: str, name: str) -> None:
        found = self.system.find("namespaces", None, name)
        if found is None:
            return
        if found["metadata"].get("deletionTimestamp"):
            self._end(found)
        else:
            self._begin(name)

    def _begin(self, name: str) -> None:
        for plural, obj in self._defaults(name):
            if self.system.find(plural, name, obj["metadata"]["name"]) is None:
                self._create(plural, obj)

    def _create(self, plural: str, obj: dict) -> None:
        try:
            self.system.create(plural, obj)
        except ApiError as error:
            if error.code != 409:
                raise

    def _defaults(self, name: str):
        with open(self.server.ca_file, encoding="utf-8") as file:
            ca = file.read()
        accounts = ["default", "builder", "deployer"] if self.server.profile == "openshift" else ["default"]
        for account in accounts:
            metadata = {"name": account, "namespace": name}
            yield "serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        yield "configmaps", config_map(name, "kube-root-ca.crt", {"ca.crt": ca})
        if self.server.profile == "openshift":
            yield "configmaps", config_map(name, "openshift-service-ca.crt", {"service-ca.crt": ca})
            everyone = {"kind": "Group", "name": f"system:serviceaccounts:{name}"}
            yield role_binding(name, "system:image-pullers", "system:image-puller", everyone)
            for account, role in (("builder", "system:image-builder"), ("deployer", "system:deployer")):
                subject = {"kind": "ServiceAccount", "name": account, "namespace": name}
                yield role_binding(name, f"{role}s", role, subject)

    def _end(self, found: dict) -> None:
        name = found["metadata"]["name"]
        if found.get("status", {}).get("phase") != "Terminating":
            found.setdefault("status", {})["phase"] = "Terminating"
            found = self.system.update_status("namespaces", found)
        remaining = 0
        for resource in self.server.registry.all():
            if not resource.namespaced or resource.group.startswith(("authorization", "metrics")):
                continue
            for one in self.server.store.snapshot(resource, name)[0]:
                remaining += 1
                if not one.obj["metadata"].get("deletionTimestamp"):
                    self._delete(resource.qualified, one.obj)
        if remaining:
            return  # each deletion wakes this namespace again, by `observe`
        if FINALIZER in (found.get("spec") or {}).get("finalizers", []):
            found["spec"]["finalizers"] = [entry for entry in found["spec"]["finalizers"] if entry != FINALIZER]
            self.system.update("namespaces", found, subresource="finalize")

    def _delete(self, plural: str, obj: dict) -> None:
        namespace, name = key_of(obj)
        try:
            self.system.delete(plural, namespace, name)
        except ApiError as error:
            if error.code not in {404, 405}:
                raise


def config_map(namespace: str, name: str, data: dict[str, str]) -> dict:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def role_binding(namespace: str, name: str, role: str, subject: dict) -> tuple[str, dict]:
    group = "rbac.authorization.k8s.io"
    if subject["kind"] != "ServiceAccount":
        subject = {**subject, "apiGroup": group}
    return f"rolebindings.{group}", {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "subjects": [subject],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
    }
