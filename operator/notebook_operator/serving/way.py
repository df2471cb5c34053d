# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model servers the operator asks: Services of the model's own namespace, and hosts that whoever runs it has named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.resource import Failed

from ..hosts import Forbidden, Hosts, canonical

_SETTING = "NOTEBOOK_OPERATOR_MODEL_HOSTS"


class Way:
    """Whoever may write a model's object, or a job, tells the operator by it what to ask: so it asks nothing else than this.

    hosts: globs of further hosts.
    """

    def __init__(self, cluster: Cluster, hosts: Sequence[str]):
        self._cluster, self._hosts = cluster, Hosts(tuple(hosts))

    def refusal(self, url: str, namespace: str) -> str | None:
        """Return why a URL may not be asked for a model of the namespace, None where it may; ends a sentence that begins with it."""
        try:
            parts = urlsplit(url)
            host, user, _port = canonical(parts.hostname), parts.username, parts.port
        except ValueError:
            return "is no URL: correct it"
        if parts.scheme not in ("http", "https") or host is None:
            return "is no URL of http or https that names a host: correct it"
        if user is not None or parts.password is not None:
            return "holds credentials, which all who may read the job would see: leave them out"
        if _service(host, namespace) or self._hosts.match(host):
            return None
        return (
            f"is neither a Service of the namespace {namespace} nor a host that {_SETTING} names: have it added there"
        )

    def address(self, host: str, port: int, namespace: str) -> str:
        """Return the address to connect to. Raises Failed where it may not be asked, OSError where the name is not known."""
        name = canonical(host)
        service = _service(name or "", namespace)
        try:
            if service:
                return self._of_service(service, namespace, port)
            if name is None or not self._hosts.match(name):
                raise Forbidden(f"{host} is not a host that {_SETTING} names: have it added there.")
            return self._hosts.address(name, port)
        except Forbidden as error:
            raise Failed("model_forbidden", str(error)) from None

    def _of_service(self, name: str, namespace: str, port: int) -> str:
        """The cluster tells the address of a Service; names are looked up only for those that have none."""
        found = self._cluster.find(f"/api/v1/namespaces/{namespace}/services/{name}")
        if found is None:
            raise Failed(
                "model_unreachable", f"There is no Service {name} in the namespace {namespace}: correct the URL."
            )
        spec, host = found.get("spec") or {}, f"{name}.{namespace}.svc"
        if spec.get("type") == "ExternalName":
            outside = canonical(spec.get("externalName"))
            if outside is None or not self._hosts.match(outside):
                raise Forbidden(f"The Service {namespace}/{name} leads to {outside}, which {_SETTING} does not name.")
            return self._hosts.address(outside, port)
        if not spec.get("selector") and not self._hosts.match(host):
            raise Forbidden(
                f"The Service {namespace}/{name} has no selector, so that anything may be behind it: have {_SETTING} name {host}."
            )
        address = spec.get("clusterIP")
        if address in (None, "", "None"):
            return self._hosts.address(host, port)
        self._hosts.require(host, address)
        return address


def _service(host: str, namespace: str) -> str | None:
    """Return the name of the Service of the namespace that a host is, None where it is something else."""
    found = re.fullmatch(
        rf"([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.{re.escape(namespace)}(?:\.svc(?:\.cluster\.local)?)?", host
    )
    return found[1] if found else None
