# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment variables of a container, and fields and keys that refer to other objects."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit


class MissingReference(Exception):
    """Something that a pod refers to is not there (yet), in the words of the kubelet."""


def data_of(server, plural: str, namespace: str, name: str) -> dict[str, bytes]:
    """The decoded content of a ConfigMap or Secret."""
    found = server.system.find(plural, namespace, name)
    if found is None:
        kind = {"configmaps": "configmap", "secrets": "secret"}[plural]
        raise MissingReference(f'{kind} "{name}" not found')
    data = found.get("data") or {}
    if plural == "secrets":
        return {key: base64.b64decode(value or "") for key, value in data.items()}
    binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
    return {**{key: value.encode() for key, value in data.items()}, **binary}


def field_of(pod: dict, path: str, address: str) -> str:
    """A field of the downward API."""
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return (pod["metadata"].get(match[1]) or {}).get(match[2], "")
    if path in {"metadata.labels", "metadata.annotations"}:
        entries = (pod["metadata"].get(path.split(".")[1]) or {}).items()
        return "\n".join(f'{key}="{value}"' for key, value in sorted(entries))
    known = {"status.podIP": address, "status.podIPs": address, "status.hostIP": "10.0.0.1"}
    known["spec.nodeName"] = pod["spec"].get("nodeName", "")
    known["spec.serviceAccountName"] = pod["spec"].get("serviceAccountName", "")
    for name in ("name", "namespace", "uid"):
        known[f"metadata.{name}"] = pod["metadata"][name]
    return known.get(path, "")


def environment_of(server, pod: dict, container: dict, address: str) -> dict[str, str]:
    """The variables of a container, as the kubelet would set them."""
    url = urlsplit(server.url)
    values = {
        "HOSTNAME": pod["spec"].get("hostname") or pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": url.hostname or "",
        "KUBERNETES_SERVICE_PORT": str(url.port or ""),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(url.port or ""),
    }
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom") or []:
        for field, plural in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if reference := source.get(field):
                found = _optional(reference, lambda: data_of(server, plural, namespace, reference["name"]))  # noqa: B023
                prefix = source.get("prefix", "")
                values |= {prefix + key: value.decode() for key, value in (found or {}).items()}
    for variable in container.get("env") or []:
        value = _value(server, pod, container, variable, address)
        if value is not None:
            values[variable["name"]] = expand(value, values)
    return values


def _optional(reference: dict, read):
    try:
        return read()
    except MissingReference:
        if reference.get("optional"):
            return None
        raise


def _value(server, pod: dict, container: dict, variable: dict, address: str) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return variable.get("value") or ""
    if reference := source.get("fieldRef"):
        return field_of(pod, reference["fieldPath"], address)
    if reference := source.get("resourceFieldRef"):
        kind, name = reference["resource"].split(".", 1)
        return str(((container.get("resources") or {}).get(kind) or {}).get(name, "0"))
    for field, plural, kind in (("configMapKeyRef", "configmaps", "ConfigMap"), ("secretKeyRef", "secrets", "Secret")):
        if reference := source.get(field):
            return _optional(reference, lambda: _key(server, pod, plural, kind, reference))  # noqa: B023
    return ""


def _key(server, pod: dict, plural: str, kind: str, reference: dict) -> str:
    namespace = pod["metadata"]["namespace"]
    data = data_of(server, plural, namespace, reference["name"])
    if reference["key"] not in data:
        raise MissingReference(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
    return data[reference["key"]].decode()


def expand(text: str, values: dict[str, str]) -> str:
    """`$(NAME)` becomes the value of NAME; `$$(NAME)` and unknown names stay as they are (the former less one `$`)."""

    def replace(match: re.Match) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        return values.get(match[1], match[0])

    return re.sub(r"\$?\$\(([\w.-]+)\)", replace, text)
