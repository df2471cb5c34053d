# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notebook asks for: its spec and annotations with all defaults, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .refusal import Refusal, invalid
from .settings import Settings
from .words import Image, amount, is_label, is_subdomain, label

INSTANCE = "data-manager.informaticsmatters.com/instance"
STOPPED = "notebooks.mlops.dev/stopped"
CULL_AFTER = "notebooks.mlops.dev/cull-after"
INTERFACES = ("lab", "classic")
# Labels of the pod that the operator finds it by.
OURS = ("app", "deployment", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by")
_DEFAULTS = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "10m", "memory": "256Mi"}}
_NAMES = {"storage": "ephemeral-storage"}  # what is stored beside the project lies on the node
_BODY_SIZE = re.compile(r"\d{1,9}[kKmMgG]?")
_PART = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_. ]*")
_SPAN = re.compile(r"(\d{1,8})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_NO = ("", "no", "false", "0")


@dataclass(frozen=True)
class Question:
    """What one notebook asks for.

    user, group, files_group: None = what the platform gives. stopped: why it is to be stopped, None = it is to run.
    cull_after: seconds; 0 = never.
    """

    name: str
    namespace: str
    image: Image
    image_text: str
    task: str | None
    interface: str
    account: str
    resources: Mapping[str, Mapping[str, str]]
    user: int | None
    group: int | None
    files_group: int | None
    claim: str | None
    project: str | None
    labels: Mapping[str, str]
    domain: str
    ingress_class: str
    tls_secret: str
    body_size: str
    stopped: str | None
    cull_after: int


def question(found: dict, settings: Settings) -> Question:
    """Read a JupyterNotebook. Raises Refusal."""
    metadata = found["metadata"]
    given = _known((found.get("spec") or {}).get("imDataManager") or {})
    name = metadata["name"]
    if not is_label(name):
        raise Refusal(
            "InvalidName",
            f"The name {name!r} cannot be that of a Service: at most 63 small letters, digits and '-', a letter first.",
        )
    text = given.get("image") or settings.image
    image = Image.of(text)
    if image is None:
        raise invalid("image", text, "write registry/path/name:tag, or name@digest")
    ids = given.get("securityContext") or {}
    claim, project = _project(given.get("project") or {})
    notes = metadata.get("annotations") or {}
    return Question(
        name=name,
        namespace=metadata["namespace"],
        image=image,
        image_text=text,
        task=given.get("taskId") or None,
        interface=_interface((given.get("notebook") or {}).get("interface") or "lab"),
        account=_name("serviceAccountName", given.get("serviceAccountName") or "default"),
        resources=_resources(given.get("resources") or {}),
        user=_id("securityContext.runAsUser", ids.get("runAsUser")),
        group=_id("securityContext.runAsGroup", ids.get("runAsGroup")),
        files_group=_id("securityContext.fsGroup", ids.get("fsGroup")),
        claim=claim,
        project=project,
        labels=_labels(given.get("labels") or ()),
        domain=_domain(given.get("ingressDomain") or settings.domain),
        ingress_class=_name("ingressClass", given.get("ingressClass") or settings.ingress_class),
        tls_secret=_name("ingressTlsSecret", given.get("ingressTlsSecret") or settings.tls_secret, empty=True),
        body_size=_body_size(given.get("ingressProxyBodySize") or "500m"),
        stopped=None if notes.get(STOPPED, "").lower() in _NO else notes[STOPPED],
        cull_after=_span(notes[CULL_AFTER]) if CULL_AFTER in notes else settings.cull_after,
    )


def _known(given: dict) -> dict:
    """A Data Manager may say null for what it has no value of."""
    return {name: value for name, value in given.items() if value is not None}


def _interface(text: str) -> str:
    if text not in INTERFACES:
        raise invalid("notebook.interface", text, f"choose one of {', '.join(INTERFACES)}")
    return text


def _name(field: str, text: str, *, empty: bool = False) -> str:
    if not (is_subdomain(text) or empty and not text):
        raise invalid(field, text, "give the name of an object: small letters, digits, '-' and '.'")
    return text


def _domain(text: str) -> str:
    if not text:
        raise Refusal(
            "NoDomain", "No host is named: set ingressDomain, or have the operator given JUPYTER_OPERATOR_DOMAIN."
        )
    if not is_subdomain(text):
        raise invalid("ingressDomain", text, "give a host such as notebooks.example.com")
    return text


def _body_size(text: str) -> str:
    if not _BODY_SIZE.fullmatch(text):
        raise invalid("ingressProxyBodySize", text, "write a size of nginx such as 500m, or 0 for no limit")
    return text


def _id(field: str, value: int | None) -> int | None:
    if value is not None and not 0 <= value < 2**31:
        raise invalid(field, value, "give a number from 0 to 2147483647")
    return value


def _project(given: dict) -> tuple[str | None, str | None]:
    claim, project = given.get("claimName") or None, given.get("id") or None
    if claim is not None:
        _name("project.claimName", claim)
    if project is not None:
        if claim is None:
            raise invalid("project.claimName", None, "name the claim that holds the project, or leave project.id out")
        if not all(_PART.fullmatch(part) for part in project.split("/")):
            raise invalid("project.id", project, "name a directory of the claim by letters, digits, '-', '_' and '.'")
    return claim, project


def _labels(given: list[str] | tuple) -> dict[str, str]:
    found = {}
    for text in given:
        pair = label(text)
        if pair is None:
            advice = "write key=value; a value has up to 63 letters, digits, '-', '_' and '.', and no further '='"
            raise invalid("labels", text, advice)
        if pair[0] in OURS:
            raise invalid("labels", text, "the operator sets this label itself; leave it out")
        found[pair[0]] = pair[1]
    return found


def _resources(given: dict) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"limits": {}, "requests": {}}
    for part, ours in found.items():
        for name, value in {**_DEFAULTS[part], **_known(given.get(part) or {})}.items():
            if amount(value) is None:
                raise invalid(f"resources.{part}.{name}", value, "write a quantity such as 500m or 2Gi")
            ours[_NAMES.get(name, name)] = value
    for name, limit in found["limits"].items():
        request = found["requests"].get(name)
        if request is None or amount(request) <= amount(limit):
            continue
        if name in _known(given.get("requests") or {}):
            raise invalid(f"resources.requests.{name}", request, f"ask for no more than the limit, which is {limit}")
        found["requests"][name] = limit
    return found


def _span(text: str) -> int:
    match = _SPAN.fullmatch(text.strip().lower())
    if match:
        return int(match[1]) * _SECONDS[match[2]]
    if text.strip().lower() in ("never", "off"):
        return 0
    raise Refusal(
        "InvalidSpec",
        f"The annotation {CULL_AFTER} is {text!r}: write seconds, a span such as 90m, 8h or 2d, or never.",
    )
