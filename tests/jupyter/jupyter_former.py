# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have brought into a cluster: the operator before this one, and the Gateway API."""

from __future__ import annotations

from jupyter_support import PLURAL

DEPLOYMENTS = "deployments.apps"


def leave(team) -> None:
    """What the operator before this one leaves in a namespace for one notebook."""
    owner = team.find(PLURAL, "old")["metadata"]
    reference = {
        "apiVersion": "squonk.it/v2",
        "kind": "JupyterNotebook",
        "name": "old",
        "uid": owner["uid"],
        "controller": True,
    }
    metadata = {"namespace": "team", "labels": {"app": "old"}, "ownerReferences": [reference]}
    for part in ("config", "bp", "startup"):
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**metadata, "name": f"{part}-old"},
            "data": {"x": "y"},
        }
        team.server.system.create("configmaps", body)
    mounts = [{"name": "startup", "mountPath": "/usr/local/bin"}]
    spec = {
        "selector": {"matchLabels": {"deployment": "old"}},
        "template": {
            "metadata": {"labels": {"deployment": "old"}},
            "spec": {
                "containers": [{"name": "notebook", "image": "jupyter/lab:1", "volumeMounts": mounts}],
                "volumes": [{"name": "startup", "configMap": {"name": "startup-old"}}],
            },
        },
    }
    metadata = {**metadata, "name": "old"}
    team.server.system.create(
        DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )
    path = {"path": "/old", "pathType": "Prefix", "backend": {"service": {"name": "old", "port": {"number": 8888}}}}
    spec = {"rules": [{"host": "hub.example.com", "http": {"paths": [path]}}]}
    notes = {"annotations": {"kubernetes.io/ingress.class": "nginx"}}
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {**metadata, **notes}, "spec": spec}
    team.server.system.create("ingresses.networking.k8s.io", body)
    spec = {"selector": {"deployment": "old"}, "ports": [{"name": "8888-tcp", "port": 8888}]}
    team.server.system.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def gateways(server) -> None:
    """Bring HTTPRoutes into the cluster, as the Gateway API does."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
    names = {"kind": "HTTPRoute", "plural": "httproutes"}
    spec = {"group": "gateway.networking.k8s.io", "scope": "Namespaced", "names": names, "versions": [version]}
    body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    body["metadata"] = {"name": "httproutes.gateway.networking.k8s.io"}
    server.system.create("customresourcedefinitions.apiextensions.k8s.io", body)
