# SPDX-License-Identifier: GPL-3.0-or-later
"""Subresources that are more than a view of a part of their object."""

from __future__ import annotations

from datetime import datetime, timedelta

from . import errors
from .api import PATCH_TYPES, Call
from .auth import service_account_token
from .bodies import decode, parse
from .http import Request, Response
from .logs import LogOptions
from .patches import json_patch, merge_patch
from .values import clone, dig
from .watch import Watch


def find(call: Call):
    """The handler of the call's subresource, or None where the common verbs do."""
    resource = call.resource
    if call.subresource == "scale":
        return _scale
    if resource.group == "" and call.subresource in ("exec", "attach", "portforward", "proxy"):
        return _upgrade
    if resource.key == ("image.openshift.io", "imagestreams") and call.subresource in ("secrets", "layers"):
        return _empty
    return _HANDLERS.get((*resource.key, call.subresource))


def _body(request: Request) -> dict:
    return decode(request.body, (request.headers.get("Content-Type") or "").partition(";")[0].strip())


def _upgrade(_server, _call: Call, _request: Request, _rest: str) -> Response:
    raise errors.bad_request("Upgrade request required")


def _empty(_server, _call: Call, _request: Request, _rest: str) -> Response:
    return Response.json(200, {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []})


# Logs


def _options(server, query: dict[str, str]) -> LogOptions:
    def number(name: str, least: int) -> int | None:
        if name not in query:
            return None
        try:
            value = int(query[name])
        except ValueError as problem:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{query[name]}": invalid syntax') from problem
        if value < least:
            field_error = errors.cause(
                "FieldValueInvalid", name, f"Invalid value: {value}: must be greater than or equal to {least}"
            )
            raise errors.invalid("", "PodLogOptions", "", [field_error])
        return value

    since, seconds = None, number("sinceSeconds", 1)
    if seconds is not None:
        since = server.clock.now() - timedelta(seconds=seconds)
    elif query.get("sinceTime"):
        since = _moment(query["sinceTime"]).replace(microsecond=0)  # the kubelet is told whole seconds only
    true = {name for name in ("follow", "timestamps", "previous") if query.get(name, "").lower() in ("true", "1")}
    tail, limit = number("tailLines", 0), number("limitBytes", 1)
    return LogOptions("follow" in true, "timestamps" in true, tail, since, limit, "previous" in true)


def _moment(text: str) -> datetime:
    """RFC3339, down to microseconds."""
    whole, _unused, rest = text.replace("Z", "+00:00").partition(".")
    if rest:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        whole += f".{digits[:6]:0<6}" + rest[len(digits) :]
    try:
        return datetime.fromisoformat(whole)
    except ValueError as problem:
        raise errors.bad_request(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00"') from problem


def _container(pod: dict, query: dict[str, str]) -> str:
    """The container whose log is meant, in the words of the real refusal.

    Only a bare request (without any parameter, which no client sends) gets the first of several containers, and an
    empty log where there is none yet, for the contract probe asks so; a real server answers 400.
    """
    spec, name = pod["spec"], query.get("container")
    names = [one["name"] for one in spec.get("containers", [])]
    initial = [one["name"] for one in spec.get("initContainers", [])]
    if name:
        if name not in names + initial + [one["name"] for one in spec.get("ephemeralContainers", [])]:
            raise errors.bad_request(f"container {name} is not valid for pod {pod['metadata']['name']}")
        return name
    if len(names) > 1 and query:
        text = (
            f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: [{' '.join(names)}]"
        )
        raise errors.bad_request(text + (f" or one of the init containers: [{' '.join(initial)}]" if initial else ""))
    return names[0]


def _waiting(pod: dict, container: str) -> str:
    statuses = dig(pod, "status", "containerStatuses", default=[]) + dig(
        pod, "status", "initContainerStatuses", default=[]
    )
    state = next((one.get("state") or {} for one in statuses if one["name"] == container), {})
    return dig(state, "waiting", "reason", default="ContainerCreating")


def _pod_log(server, call: Call, request: Request, _rest: str) -> Response:
    return _log(server, call.namespace, call.name, request.query)


def _log(server, namespace: str, name: str, query: dict[str, str]) -> Response:
    pod = server.system.get("pods", namespace, name)
    container, options = _container(pod, query), _options(server, query)
    if not server.logs.exists(namespace, name, container):
        reason = _waiting(pod, container)
        if reason in ("ImagePullBackOff", "ErrImagePull"):
            reason = "trying and failing to pull image"
        if query:
            raise errors.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        return Response(200, b"", "text/plain")
    if options.previous and not server.logs.has_previous(namespace, name, container):
        raise errors.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    return Response(200, server.logs.read(namespace, name, container, options), "text/plain")


def _build_log(server, call: Call, request: Request, _rest: str) -> Response:
    build = server.system.get("builds.build.openshift.io", call.namespace, call.name)
    if request.query.get("nowait", "").lower() not in ("true", "1"):
        state = _await_build(server, call)
        if state is None:
            raise errors.ApiError(504, "Timeout", f"timed out waiting for build {call.name} to start after 10s")
        build = state
    phase = dig(build, "status", "phase", default="New")
    if phase in ("New", "Pending") or server.system.find("pods", call.namespace, f"{call.name}-build") is None:
        raise errors.bad_request(f"build {call.name} is in phase {phase}; its log is not there yet")
    query = {key: value for key, value in request.query.items() if key not in ("nowait", "version")}
    return _log(server, call.namespace, f"{call.name}-build", query)


def _await_build(server, call: Call) -> dict | None:
    """The build once it has left New and Pending, as the real server waits for up to ten seconds."""
    query = {"timeoutSeconds": str(server.build_log_seconds)}
    watch = Watch(
        server,
        call.resource,
        call.namespace,
        query,
        lambda obj: obj["metadata"]["name"] == call.name,
        lambda state, _resource: b"x",
    )
    for chunk in watch:
        if chunk:
            build = server.system.find("builds.build.openshift.io", call.namespace, call.name)
            if build is None or dig(build, "status", "phase") not in (None, "New", "Pending"):
                return build
    return None


# Scale


def _scale_of(obj: dict, paths: dict) -> dict:
    metadata = {
        key: obj["metadata"].get(key) for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    replicas = dig(obj, *paths["spec"], default=0)
    status = {"replicas": dig(obj, *paths["status"], default=0)}
    labels = dig(obj, "spec", "selector", "matchLabels", default={})
    if labels:
        status["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": replicas},
        "status": status,
    }


def _paths(server, call: Call) -> dict:
    scale = dig(server.crds.version(call.resource), "subresources", "scale", default={}) if call.resource.custom else {}
    return {
        "spec": scale.get("specReplicasPath", ".spec.replicas").lstrip(".").split("."),
        "status": scale.get("statusReplicasPath", ".status.replicas").lstrip(".").split("."),
    }


def _scale(server, call: Call, request: Request, _rest: str) -> Response:
    paths = _paths(server, call)
    stored = server.store.stored(call.resource, call.namespace, call.name)
    current = _scale_of(stored.obj, paths)
    if call.verb == "get":
        return Response.json(200, current)
    if call.verb == "patch":
        kind = PATCH_TYPES.get((request.headers.get("Content-Type") or "").partition(";")[0])
        body = parse(request.body, "yaml" if kind == "apply" else "")
        wanted = json_patch(current, body) if kind == "json" else merge_patch(current, body)
    else:
        wanted = _body(request)
    replicas = dig(wanted, "spec", "replicas", default=0)
    if not isinstance(replicas, int) or replicas < 0:
        bad = errors.cause(
            "FieldValueInvalid", "spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0"
        )
        raise errors.invalid("autoscaling", "Scale", call.name, [bad])
    change: dict = {}
    node = change
    for step in paths["spec"][:-1]:
        node = node.setdefault(step, {})
    node[paths["spec"][-1]] = replicas
    given = dig(wanted, "metadata", "resourceVersion")
    if given and call.verb == "update":
        change["metadata"] = {"resourceVersion": given}
    state, _created = server.api.patch(call, "merge", change)
    return Response.json(200, _scale_of(state.obj, paths))


# Pods and service accounts


def _evict(server, call: Call, request: Request, _rest: str) -> Response:
    options = _body(request).get("deleteOptions") or {}
    pod = server.system.get("pods", call.namespace, call.name)
    for budget in server.system.list("poddisruptionbudgets.policy", call.namespace):
        labels, wanted = pod["metadata"].get("labels") or {}, dig(budget, "spec", "selector", "matchLabels", default={})
        if all(labels.get(key) == value for key, value in wanted.items()) and not dig(
            budget, "status", "disruptionsAllowed", default=1
        ):
            raise errors.too_many_requests(10, "Cannot evict pod as it would violate the pod's disruption budget.")
    if not call.dry_run:
        server.api.delete(Call("delete", call.resource, call.namespace, call.name, user=call.user), options)
    return Response.json(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def _bind(server, call: Call, request: Request, _rest: str) -> Response:
    node = dig(_body(request), "target", "name")
    pod = server.system.get("pods", call.namespace, call.name)
    if pod["spec"].get("nodeName"):
        raise errors.conflict(
            "", "pods/binding", call.name, f'pod {call.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        )
    pod["spec"]["nodeName"] = node
    server.store.update(call.resource, pod)
    return Response.json(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def _token(server, call: Call, request: Request, _rest: str) -> Response:
    obj = _body(request)
    spec = dict(obj.get("spec") or {})
    status = service_account_token(server, call.namespace, call.name, spec)
    spec.setdefault("audiences", ["https://kubernetes.default.svc"])
    spec.setdefault("expirationSeconds", 3600)
    metadata = {"name": call.name, "namespace": call.namespace}
    return Response.json(
        201,
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        },
    )


# Builds


def _instantiate(server, call: Call, request: Request, _rest: str) -> Response:
    return Response.json(
        201, server.builds.instantiate(call.namespace, call.name, clone(_body(request)), call.user.name)
    )


def _instantiate_binary(server, call: Call, request: Request, _rest: str) -> Response:
    return Response.json(
        201,
        server.builds.instantiate_binary(call.namespace, call.name, dict(request.query), request.body, call.user.name),
    )


def _clone_build(server, call: Call, request: Request, _rest: str) -> Response:
    return Response.json(201, server.builds.clone(call.namespace, call.name, clone(_body(request)), call.user.name))


_HANDLERS = {
    ("", "pods", "log"): _pod_log,
    ("", "pods", "eviction"): _evict,
    ("", "pods", "binding"): _bind,
    ("", "serviceaccounts", "token"): _token,
    ("build.openshift.io", "builds", "log"): _build_log,
    ("build.openshift.io", "builds", "clone"): _clone_build,
    ("build.openshift.io", "buildconfigs", "instantiate"): _instantiate,
    ("build.openshift.io", "buildconfigs", "instantiatebinary"): _instantiate_binary,
}
