# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of both profiles, and what is in them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.detect import detect

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.apiserver.server import ApiServer  # noqa: E402

RBAC = "rbac.authorization.k8s.io"
ADMIN = "system:admin"


@dataclass
class Site:
    """A server with the namespace `mine`, and detection on it as some user."""

    server: ApiServer

    def create(self, plural: str, api_version: str, kind: str, name: str, namespace: str | None = None, **more) -> dict:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
        return self.server.system.create(
            plural, {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}
        )

    def grant(self, user: str, rules: list[dict], namespace: str | None = None) -> None:
        """A role with these rules for the user, for the whole cluster unless a namespace is named."""
        prefix, scope = ("", {"namespace": namespace}) if namespace else ("Cluster", {})
        name = f"{user}-{len(self.server.system.list(f'{prefix.lower()}roles.{RBAC}'))}"
        self.create(f"{prefix.lower()}roles.{RBAC}", f"{RBAC}/v1", f"{prefix}Role", name, rules=rules, **scope)
        self.create(
            f"{prefix.lower()}rolebindings.{RBAC}", f"{RBAC}/v1", f"{prefix}RoleBinding", name,
            subjects=[{"kind": "User", "name": user, "apiGroup": RBAC}],
            roleRef={"kind": f"{prefix}Role", "name": name, "apiGroup": RBAC}, **scope,
        )  # fmt: skip

    def deny_all(self) -> None:
        """Take from everybody what everybody may by default."""
        for binding in self.server.system.list(f"clusterrolebindings.{RBAC}"):
            if any(subject["name"].startswith("system:authenticated") for subject in binding.get("subjects") or ()):
                self.server.system.delete(f"clusterrolebindings.{RBAC}", None, binding["metadata"]["name"])

    def deploy(self, name: str, image: str, namespace: str = "mine") -> None:
        labels = {"app": name}
        container = {"name": "server", "image": image, "ports": [{"containerPort": 8000}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        self.create("deployments.apps", "apps/v1", "Deployment", name, namespace, spec=spec)

    def define(self, group: str, plural: str, kind: str, version: str = "v1") -> None:
        """A custom resource."""
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        versions = [{"name": version, "served": True, "storage": True, "schema": schema}]
        self.create(
            "customresourcedefinitions.apiextensions.k8s.io", "apiextensions.k8s.io/v1", "CustomResourceDefinition",
            f"{plural}.{group}", spec={"group": group, "scope": "Namespaced", "names": names, "versions": versions},
        )  # fmt: skip

    def detect(self, *gather: str, user: str | None = None, namespace: str | None = "mine", work: tuple = ("run",)):
        """Detect as the user, the administrator by default; `requests` then tells what that cost."""
        token = self.server.tokens.issue(user) if user else self.server.token
        auth = {"host": self.server.url, "ca_cert": self.server.ca_file, "api_key": token}
        self.server.journal.clear()
        with Cluster(auth) as cluster:
            return detect(cluster, list(gather), namespace, list(work))

    @property
    def requests(self) -> list[str]:
        return [f"{entry.method} {entry.path}" for entry in self.server.journal.entries()]


@pytest.fixture
def site():
    """`site("openshift", ...)` starts a server; the arguments are those of ApiServer."""
    running = []

    def start(profile: str, **options) -> Site:
        server = ApiServer(profile, pods="none", **options).start()
        running.append(server)
        made = Site(server)
        made.create("namespaces", "v1", "Namespace", "mine")
        return made

    yield start
    for server in running:
        server.stop()
