# SPDX-License-Identifier: GPL-3.0-or-later
"""What whoever runs the operator says, by environment variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase

PREFIX = "JUPYTER_OPERATOR_"
EXPOSURES = ("auto", "ingress", "route", "httproute")
TLS = ("auto", "router", "none")
_WHOLE = 2**31 - 1  # the largest id that Kubernetes takes


@dataclass(frozen=True)
class Settings:
    """Each field is the variable of its name in capitals behind JUPYTER_OPERATOR_; docs/jupyter-operator.md tells what each means."""

    namespaces: tuple[str, ...] = ("*",)
    workers: int = 10
    log_format: str = "text"
    health_port: int = 0
    health_address: str = "0.0.0.0"  # the kubelet asks at the address of the pod
    # where servers answer
    domain: str = ""
    exposure: str = "auto"
    ingress_class: str = "nginx"
    gateway: str = ""
    tls: str = "auto"
    tls_secret: str = ""
    cert_issuer: str = ""
    # pods
    image: str = "jupyter/minimal-notebook:notebook-6.3.0"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping = field(default_factory=dict)
    priority_class: str = ""
    service_account_tokens: bool = False
    # what notebooks may ask for
    allowed_images: tuple[str, ...] = ("*",)
    allowed_service_accounts: tuple[str, ...] = ("*",)
    allowed_domains: tuple[str, ...] = ("*",)
    allowed_users: tuple[tuple[int, int], ...] = ((1, _WHOLE),)
    allowed_groups: tuple[tuple[int, int], ...] = ((0, _WHOLE),)
    # who reaches servers
    network_policy: bool = True
    network_policy_peers: tuple = ()
    # idle servers; seconds
    cull_after: int = 0
    cull_interval: int = 60
    cull_connected: bool = False
    server_url: str = "http://{name}.{namespace}.svc:8888"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables; one that is empty counts as not there. Raises ValueError with a sentence."""
        given = {}
        for one in fields(cls):
            text = environment.get(PREFIX + one.name.upper(), "").strip()
            if text:
                given[one.name] = _READ[one.name](PREFIX + one.name.upper(), text)
        made = cls(**given)
        if made.exposure == "httproute" and not made.gateway:
            raise ValueError(f"{PREFIX}EXPOSURE is httproute: name the Gateway with {PREFIX}GATEWAY=namespace/name.")
        return made


def scope(settings: Settings) -> dict:
    """Return where kopf looks, as its arguments."""
    return {"clusterwide": True} if "*" in settings.namespaces else {"namespaces": settings.namespaces}


def matches(text: str, patterns: tuple[str, ...]) -> bool:
    """Return whether one of the globs fits."""
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _text(_name: str, text: str) -> str:
    return text


def _texts(_name: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number(least: int):
    def read(name: str, text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise ValueError(f"{name} is {text!r}: give a whole number of at least {least}.")
        return int(text)

    return read


def _one_of(choices: tuple[str, ...]):
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise ValueError(f"{name} is {text!r}: choose one of {', '.join(choices)}.")
        return text

    return read


def _truth(name: str, text: str) -> bool:
    known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"{name} is {text!r}: say yes or no.")
    return known[text.lower()]


def _pairs(name: str, text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in _texts(name, text)]
    if not all(sign for _key, sign, _value in pairs):
        raise ValueError(f"{name} is {text!r}: write key=value, with commas between them.")
    return {key.strip(): value.strip() for key, _sign, value in pairs}


def _json(kind: type, words: str):
    def read(name: str, text: str):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, kind):
            raise ValueError(f"{name} is not {words} in JSON: see docs/jupyter-operator.md.")
        return tuple(found) if kind is list else found

    return read


def _ranges(name: str, text: str) -> tuple[tuple[int, int], ...]:
    found = []
    for part in _texts(name, text):
        first, dash, last = part.partition("-")
        if not first.isdigit() or dash and not last.isdigit():
            raise ValueError(f"{name} is {text!r}: write ids and ranges such as 1000-1999, with commas between them.")
        found.append((int(first), int(last or first)))
    return tuple(found)


def _gateway(name: str, text: str) -> str:
    if not 2 <= len(text.split("/")) <= 3 or not all(text.split("/")):
        raise ValueError(f"{name} is {text!r}: write namespace/name, or namespace/name/listener.")
    return text


def _address(name: str, text: str) -> str:
    try:
        made = text.format(name="a", namespace="b")
    except (KeyError, IndexError, ValueError):
        made = ""
    if not made.startswith(("http://", "https://")):
        raise ValueError(
            f"{name} is {text!r}: write a URL, in which {{name}} and {{namespace}} stand for the server's."
        )
    return text.rstrip("/")


_READ = {
    "namespaces": _texts, "workers": _number(1), "log_format": _one_of(("text", "json")), "health_port": _number(1), "health_address": _text,
    "domain": _text, "exposure": _one_of(EXPOSURES), "ingress_class": _text, "gateway": _gateway,
    "tls": _one_of(TLS), "tls_secret": _text, "cert_issuer": _text,
    "image": _text, "node_selector": _pairs, "affinity": _json(dict, "an object"), "priority_class": _text,
    "service_account_tokens": _truth,
    "allowed_images": _texts, "allowed_service_accounts": _texts, "allowed_domains": _texts,
    "allowed_users": _ranges, "allowed_groups": _ranges,
    "network_policy": _truth, "network_policy_peers": _json(list, "a list"),
    "cull_after": _number(0), "cull_interval": _number(1), "cull_connected": _truth, "server_url": _address,
}  # fmt: skip
