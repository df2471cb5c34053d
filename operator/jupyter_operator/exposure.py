# SPDX-License-Identifier: GPL-3.0-or-later
"""The Service of a server, and how the world reaches it: by one host for all, at the path of its name."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Discovery, Resource

from .files import PORT
from .question import Question
from .refusal import Refusal
from .settings import Settings

INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress", True)
ROUTES = Resource("route.openshift.io", "v1", "routes", "Route", True)
HTTP_ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", True)
KINDS = {"ingress": INGRESSES, "route": ROUTES, "httproute": HTTP_ROUTES}


def choose(settings: Settings, discovery: Discovery) -> str:
    """Return how servers are exposed here: as it is set, else by what the cluster serves. Raises ClusterError."""
    if settings.exposure != "auto":
        return settings.exposure
    if discovery.serves(ROUTES.group, ROUTES.plural):
        return "route"
    if settings.gateway and discovery.serves(HTTP_ROUTES.group, HTTP_ROUTES.plural):
        return "httproute"
    return "ingress"


@dataclass(frozen=True)
class Exposure:
    """One server's way to the world. kind: ingress, route or httproute."""

    kind: str
    asked: Question
    settings: Settings

    @property
    def secure(self) -> bool:
        """Whether browsers speak TLS."""
        if self.settings.tls == "auto" and self.kind == "ingress":
            return bool(self.asked.tls_secret or self.settings.cert_issuer)
        return self.settings.tls != "none"

    def url(self, token: str) -> str:
        """Return the address with which one is logged in."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.asked.domain}/{self.asked.name}?token={token}"

    def manifest(self) -> tuple[Resource, dict, dict]:
        """Return kind, annotations and spec. Raises Refusal."""
        return {"ingress": self._ingress, "route": self._route, "httproute": self._http_route}[self.kind]()

    def _ingress(self) -> tuple[Resource, dict, dict]:
        asked, backend = self.asked, {"service": {"name": self.asked.name, "port": {"number": PORT}}}
        notes = {"nginx.ingress.kubernetes.io/proxy-body-size": asked.body_size}
        path = {"path": f"/{asked.name}", "pathType": "Prefix", "backend": backend}
        spec: dict = {
            "ingressClassName": asked.ingress_class,
            "rules": [{"host": asked.domain, "http": {"paths": [path]}}],
        }
        if self.secure:
            spec["tls"] = [{"hosts": [asked.domain]}]
            secret = asked.tls_secret if self.settings.tls == "auto" else ""
            if not secret and self.settings.tls == "auto":
                # One certificate for all servers of the host: authorities count how many there are.
                secret = f"jupyter-{asked.domain.replace('.', '-')}-tls"
                notes["cert-manager.io/cluster-issuer"] = self.settings.cert_issuer
            if secret:
                spec["tls"][0]["secretName"] = secret
        return INGRESSES, notes, spec

    def _route(self) -> tuple[Resource, dict, dict]:
        asked = self.asked
        spec: dict = {
            "host": asked.domain,
            "path": f"/{asked.name}",
            "to": {"kind": "Service", "name": asked.name, "weight": 100},
            "port": {"targetPort": "8888-tcp"},
        }
        if self.secure:
            spec["tls"] = {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
            if self.settings.tls == "auto" and asked.tls_secret:
                spec["tls"]["externalCertificate"] = {"name": asked.tls_secret}
        # Saving a large notebook takes longer than the router's 30 seconds.
        return ROUTES, {"haproxy.router.openshift.io/timeout": "300s"}, spec

    def _http_route(self) -> tuple[Resource, dict, dict]:
        asked = self.asked
        namespace, name, *listener = self.settings.gateway.split("/")
        parent = {"group": HTTP_ROUTES.group, "kind": "Gateway", "namespace": namespace, "name": name}
        if listener:
            parent["sectionName"] = listener[0]
        if asked.tls_secret and asked.tls_secret != self.settings.tls_secret:
            raise Refusal(
                "InvalidSpec",
                f"ingressTlsSecret is {asked.tls_secret!r}, and the listeners of a Gateway have the certificates here: leave it out.",
            )
        match = {"path": {"type": "PathPrefix", "value": f"/{asked.name}"}}
        backend = {"group": "", "kind": "Service", "name": asked.name, "port": PORT, "weight": 1}
        return HTTP_ROUTES, {}, {
            "parentRefs": [parent],
            "hostnames": [asked.domain],
            "rules": [{"matches": [match], "backendRefs": [backend]}],
        }  # fmt: skip


def service(asked: Question) -> dict:
    """Return the spec of the Service."""
    port = {"name": "8888-tcp", "port": PORT, "targetPort": PORT, "protocol": "TCP"}
    return {"type": "ClusterIP", "selector": {"deployment": asked.name}, "ports": [port]}


def network_policy(asked: Question, settings: Settings, openshift: bool, operator_namespace: str) -> dict:
    """Return the spec of the NetworkPolicy: no server reaches another one; the way in and the operator do.

    Its default takes the way in to be of another namespace, on OpenShift one of the router's.
    """
    name = "kubernetes.io/metadata.name"
    if settings.network_policy_peers:
        peers = list(settings.network_policy_peers)
    elif openshift:
        peers = [{"namespaceSelector": {"matchLabels": {"policy-group.network.openshift.io/ingress": ""}}}]
    else:
        others = [{"key": name, "operator": "NotIn", "values": [asked.namespace]}]
        peers = [{"namespaceSelector": {"matchExpressions": others}}]
    ours = {
        "namespaceSelector": {"matchLabels": {name: operator_namespace}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "jupyter-operator"}},
    }
    return {
        "podSelector": {"matchLabels": {"deployment": asked.name}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [*peers, ours], "ports": [{"protocol": "TCP", "port": PORT}]}],
    }
