# SPDX-License-Identifier: GPL-3.0-or-later
"""A model in the cluster: whether its platform is there, whether it is ready, and where it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from ..cluster.client import Cluster
from ..cluster.deadline import Deadline
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.goals import PENDING, REACHED, Goal, Outcome, condition
from ..cluster.wait import wait
from .protocols import PLATFORMS
from .spec import Model

_ABSENT = Outcome("failed", "NotFound")
_CODES = {401: "model_forbidden", 403: "model_forbidden"}


class Failed(Exception):
    """A check that failed: code of the taxonomy table, and one sentence."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Known:
    """What is known about model servers: ``platform/serving_data.py``, handed in since rooms do not import each other.

    groups: API groups by platform, any of which will do. server_of: the platform that an image is, or None. ports: where a
    platform listens by default.
    """

    groups: dict[str, tuple[str, ...]]
    server_of: Callable[[str], str | None]
    ports: dict[str, tuple[int, ...]]


class Way(Protocol):
    """Which servers may be asked, for who asks at the word of others."""

    def refusal(self, url: str, namespace: str) -> str | None:
        """Return why a URL may not be asked for a model of the namespace, None where it may; ends a sentence that begins with it."""

    def address(self, host: str, port: int, namespace: str) -> str:
        """Return the address to connect to. Raises Failed where it may not be asked, OSError where the name is not known."""


def platform(cluster: Cluster, model: Model, known: Known) -> str:
    """Return how it was told that the platform is there; "" where only the image of the model can tell.

    Raises Failed where it is not.
    """
    return served(cluster, model.platform, model.group, known, f" of {model.title}")


def served(cluster: Cluster, name: str, group: str, known: Known, whose: str = "") -> str:
    """The same of a platform by its name and the API group of its models. whose: ends a sentence, such as `` of team/fraud``."""
    if group == "apps":
        return ""
    _demand(cluster, name, (group,), whose)
    if name == "openshift-ai" and group == PLATFORMS[name].group:
        _demand(cluster, name, known.groups[name], whose)
    return f"The server serves {group}."


def _demand(cluster: Cluster, name: str, groups: tuple[str, ...], whose: str) -> None:
    found = [cluster.discovery.serves(group) for group in groups]
    named = " or ".join(groups)
    if not any(found) and None in found:
        raise Failed(
            "model_forbidden",
            f"Whether the server serves {named} cannot be seen: discovery is denied, or a part of it is down.",
        )
    if not any(found):
        raise Failed(
            "model_platform_missing",
            f"The server does not serve {named}, so {name} is not there: install it, or correct the platform{whose}.",
        )


def ready(cluster: Cluster, model: Model, deadline: Deadline) -> dict:
    """Return the object of the model when it is ready. Raises Failed where it is not there, or not ready in time."""
    resource = _resource(cluster, model)
    what = f"{model.kind} {model.title}"
    last: list[dict] = []
    waited = wait(
        cluster, resource, [model.name], _goal(model), deadline, namespace=model.namespace,
        keep=lambda found: found, on_change=lambda found: last.__setitem__(slice(None), [found]),
    )  # fmt: skip
    outcome = waited.outcomes[model.name]
    if outcome.state == "reached":
        return waited.kept[model.name]
    if outcome.reason in ("NotFound", "Deleted"):
        raise Failed("model_not_found", f"There is no {what}: deploy it, or correct its name, namespace or platform.")
    if waited.trouble and not last:
        raise refused(waited.trouble)
    raise Failed("model_not_ready", f"The {what} is not ready after {model.timeout:g} s: {_why(last, model)}.")


def _resource(cluster: Cluster, model: Model) -> Resource:
    versions = (model.version,) if model.version else cluster.discovery.versions(model.group) or ()
    for version in versions:
        for resource in cluster.discovery.resources(model.group, version) or ():
            if resource.kind == model.kind:
                return resource
    named = f"{model.group}/{model.version}" if model.version else model.group
    raise Failed(
        "model_platform_missing",
        f"The server knows no {model.kind} of {named}: correct group, version and kind of {model.title}.",
    )


def _goal(model: Model) -> Goal:
    goals = {name: condition(name) for name in _conditions(model)}
    field, value = model.kind_of_platform.state or ("", None)

    def judge(found: dict) -> Outcome:
        status = found.get("status") or {}
        names = {one.get("type") for one in status.get("conditions") or ()}
        for name, goal in goals.items():
            if name in names:
                return goal.judge(found)
        return REACHED if field and status.get(field) == value else PENDING

    return Goal(judge, absent=_ABSENT)


def _conditions(model: Model) -> tuple[str, ...]:
    if model.kind == model.kind_of_platform.kind:
        return model.kind_of_platform.ready
    return ("Available",) if model.kind == "Deployment" else ("Ready", "Available")


def _why(last: list[dict], model: Model) -> str:
    status = last[0].get("status") or {} if last else {}
    for one in status.get("conditions") or ():
        if one.get("type") in _conditions(model) and one.get("status") != "True":
            return " ".join(f"{one.get('reason') or one['type']}: {one.get('message') or 'no message'}".split()).rstrip(
                "."
            )[:300]
    field = (model.kind_of_platform.state or ("",))[0]
    return f"its {field} is {status[field]}" if field in status else "it says nothing of its state"


def image_of(found: dict, model: Model, known: Known) -> tuple[bool, str]:
    """Return whether a Deployment runs an image that is known to be the platform, and a sentence."""
    containers = found.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or ()
    images = [container.get("image", "") for container in containers]
    named = next((image for image in images if known.server_of(image) == model.platform), None)
    if named:
        return True, f"It runs the image {named}."
    return (
        False,
        f"It runs {', '.join(images) or 'no image'}, which by its name is no image of {model.platform}; its answers tell.",
    )


def url_of(
    cluster: Cluster, model: Model, found: dict, known: Known, deadline: Deadline, way: Way | None = None
) -> str:
    """Return where the model answers: what its status says, else its Service. Raises Failed where neither is there.

    way: what may not be asked is no place of it.
    """
    refusal = None
    for told in _told(found.get("status") or {}):
        # The address of Seldon is that of its predictions.
        path = (model.predict_path or "").replace("{model}", model.served)
        url = told.rstrip("/").removesuffix(path).rstrip("/")
        why = way.refusal(url, model.namespace) if way else None
        if why is None:
            return url
        refusal = refusal or f"{url} {why}."
    services = f"/api/v1/namespaces/{model.namespace}/services"
    if model.kind == "Deployment":
        labels = found.get("spec", {}).get("template", {}).get("metadata", {}).get("labels") or {}
        matching = [one for one in cluster.items(services, deadline=deadline) if _selects(one, labels)]
    else:
        name = (model.kind_of_platform.service or "{name}").format(name=model.name)
        service = cluster.find(f"{services}/{name}", deadline=deadline)
        matching = [service] if service else []
    for service in matching:
        ports = [port.get("port") for port in service.get("spec", {}).get("ports") or ()]
        port = next(
            (port for port in known.ports.get(model.platform, ()) if port in ports), ports[0] if ports else None
        )
        if port:
            return f"http://{service['metadata']['name']}.{model.namespace}.svc:{port}"
    if refusal:
        raise Failed("model_forbidden", refusal)
    raise Failed(
        "model_unreachable",
        f"Neither the status of {model.kind} {model.title} nor a Service tells where it answers: give url.",
    )


def _told(status: dict) -> list[str]:
    address = status.get("address")
    urls = (status.get("url"), address.get("url") if isinstance(address, dict) else None)
    return [url for url in urls if isinstance(url, str) and _scheme(url) in ("http", "https")]


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def version_of(found: dict) -> str | None:
    """Return the version that the object tells of its model, None where it tells none."""
    labels = found.get("metadata", {}).get("labels") or {}
    components = (found.get("status") or {}).get("components")
    predictor = components.get("predictor") if isinstance(components, dict) else None
    revision = predictor.get("latestReadyRevision") if isinstance(predictor, dict) else None  # KServe
    told = labels.get("app.kubernetes.io/version") or revision
    return told if isinstance(told, str) else None


def resources_of(found: dict) -> dict[str, str]:
    """Return what the model's container asks for (``cpu``, ``memory``, ``gpu``), as far as the object says it."""
    for container in _containers(found.get("spec") or {}):
        given = container.get("resources") or {}
        amounts = {**(given.get("limits") or {}), **(given.get("requests") or {})}
        gpu = next((amount for name, amount in amounts.items() if name.endswith("/gpu")), None)
        asked = {"cpu": amounts.get("cpu"), "memory": amounts.get("memory"), "gpu": gpu}
        if any(asked.values()):
            return {name: str(amount) for name, amount in asked.items() if amount}
    return {}


def _containers(spec: dict) -> list[dict]:
    """Return the containers of a Deployment, or of an InferenceService, whose model is one under the name of its framework."""
    predictor = spec.get("predictor") or {}
    pod = (spec.get("template") or {}).get("spec") or predictor
    servers = [one for one in predictor.values() if isinstance(one, dict) and "resources" in one]
    return [*servers, *(pod.get("containers") or ())]


def _selects(service: dict, labels: dict) -> bool:
    selector = service.get("spec", {}).get("selector") or {}
    return bool(selector) and selector.items() <= labels.items()


def refused(error: ClusterError) -> Failed:
    """Return the failure of a check that an API server's refusal means."""
    return Failed(_CODES.get(error.status, "model_unreachable" if error.transient else error.code), error.message)
