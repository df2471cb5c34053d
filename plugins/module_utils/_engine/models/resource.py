# SPDX-License-Identifier: GPL-3.0-or-later
"""A model in the cluster: whether its platform is there, whether it is ready, and where it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..cluster.client import Cluster
from ..cluster.deadline import Deadline
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.goals import PENDING, REACHED, Goal, Outcome, condition
from ..cluster.wait import wait
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


def platform(cluster: Cluster, model: Model, known: Known) -> str:
    """Return how it was told that the platform is there; "" where only the image of the model can tell.

    Raises Failed where it is not.
    """
    if model.group == "apps":
        return ""
    _demand(cluster, model, (model.group,))
    if model.platform == "openshift-ai" and model.group == model.kind_of_platform.group:
        _demand(cluster, model, known.groups[model.platform])
    return f"The server serves {model.group}."


def _demand(cluster: Cluster, model: Model, groups: tuple[str, ...]) -> None:
    served = [cluster.discovery.serves(group) for group in groups]
    named = " or ".join(groups)
    if not any(served) and None in served:
        raise Failed(
            "model_forbidden",
            f"Whether the server serves {named} cannot be seen: discovery is denied, or a part of it is down.",
        )
    if not any(served):
        raise Failed(
            "model_platform_missing",
            f"The server does not serve {named}, so {model.platform} is not there: install it, or correct the platform of {model.title}.",
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


def url_of(cluster: Cluster, model: Model, found: dict, known: Known, deadline: Deadline) -> str:
    """Return where the model answers: what its status says, else its Service. Raises Failed where neither is there."""
    status = found.get("status") or {}
    told = status.get("url") or (status.get("address") or {}).get("url")
    if isinstance(told, str) and urlsplit(told).scheme in ("http", "https"):
        # The address of Seldon is that of its predictions.
        path = (model.predict_path or "").replace("{model}", model.served)
        return told.rstrip("/").removesuffix(path).rstrip("/")
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
    raise Failed(
        "model_unreachable",
        f"Neither the status of {model.kind} {model.title} nor a Service tells where it answers: give url.",
    )


def _selects(service: dict, labels: dict) -> bool:
    selector = service.get("spec", {}).get("selector") or {}
    return bool(selector) and selector.items() <= labels.items()


def refused(error: ClusterError) -> Failed:
    """Return the failure of a check that an API server's refusal means."""
    return Failed(_CODES.get(error.status, "model_unreachable" if error.transient else error.code), error.message)
