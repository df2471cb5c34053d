# SPDX-License-Identifier: GPL-3.0-or-later
"""Subresources that are more than a view of a part of their object."""

from __future__ import annotations

from datetime import datetime, timedelta

from . import errors
from .api import PATCH_TYPES, Call
from .auth import service_account_token
from .bodies import content_type, decode, number, parse
from .http import Request, Response
from .logs import LogOptions
from .patches import json_patch, merge_patch
from .selectors import matches_labels
from .values import dig, is_true, success
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
    return decode(request.body, content_type(request))


def _upgrade(_server, _call: Call, _request: Request) -> Response:
    raise errors.bad_request("Upgrade request required")


def _empty(_server, _call: Call, _request: Request) -> Response:
    return Response.json(200, {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []})


# Logs


def _at_least(least: int, query: dict[str, str], name: str) -> int | None:
    if name not in query:
        return None
    value = number(query, name)
    if value < least:
        why = f"must be greater than or equal to {least}"
        raise errors.bad_field("", "PodLogOptions", "", "invalid", name, value, why)
    return value


def _options(server, query: dict[str, str]) -> LogOptions:
    since, seconds = None, _at_least(1, query, "sinceSeconds")
    if seconds is not None:
        since = server.clock.now() - timedelta(seconds=seconds)
    elif query.get("sinceTime"):
        since = _moment(query["sinceTime"]).replace(microsecond=0)  # the kubelet is told whole seconds only
    follow, timestamps, previous = (is_true(query, name) for name in ("follow", "timestamps", "previous"))
    tail, limit = _at_least(0, query, "tailLines"), _at_least(1, query, "limitBytes")
    return LogOptions(follow, timestamps, tail, since, limit, previous)


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


def _container(pod: dict, request: Request) -> str:
    """The container whose log is meant, in the words of the real refusal.

    The contract probe asks for a log without any parameter where there are several containers, and wants one. Such a
    request gets the first one's, and a warning that a real server refuses it.
    """
    query = request.query
    spec, name = pod["spec"], query.get("container")
    names = [one["name"] for one in spec.get("containers", [])]
    initial = [one["name"] for one in spec.get("initContainers", [])]
    if name:
        if name not in names + initial + [one["name"] for one in spec.get("ephemeralContainers", [])]:
            raise errors.bad_request(f"container {name} is not valid for pod {pod['metadata']['name']}")
        return name
    if len(names) > 1:
        pod_name, listed = pod["metadata"]["name"], " ".join(names)
        text = f"a container name must be specified for pod {pod_name}, choose one of: [{listed}]"
        text += f" or one of the init containers: [{' '.join(initial)}]" if initial else ""
        if query:
            raise errors.bad_request(text)
        request.warnings.append(f"A real server answers 400: {text}")
    return names[0]


def _waiting(pod: dict, container: str) -> str:
    for kind in ("containerStatuses", "initContainerStatuses"):
        for one in dig(pod, "status", kind, default=[]):
            if one["name"] == container:
                return dig(one, "state", "waiting", "reason", default="ContainerCreating")
    return "ContainerCreating"


def _pod_log(server, call: Call, request: Request) -> Response:
    return _log(server, call.namespace, call.name, request)


def _log(server, namespace: str, name: str, request: Request) -> Response:
    pod = server.system.get("pods", namespace, name)
    container, options = _container(pod, request), _options(server, request.query)
    if not server.logs.exists(namespace, name, container):
        reason = _waiting(pod, container)
        if reason in ("ImagePullBackOff", "ErrImagePull"):
            reason = "trying and failing to pull image"
        raise errors.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
    if options.previous and not server.logs.has_previous(namespace, name, container):
        raise errors.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    return Response(200, server.logs.read(namespace, name, container, options), "text/plain")


def _build_log(server, call: Call, request: Request) -> Response:
    build = server.system.get("builds.build.openshift.io", call.namespace, call.name)
    if not is_true(request.query, "nowait"):
        state = _await_build(server, call)
        if state is None:
            raise errors.ApiError(504, "Timeout", f"timed out waiting for build {call.name} to start after 10s")
        build = state
    phase = dig(build, "status", "phase", default="New")
    if phase in ("New", "Pending") or server.system.find("pods", call.namespace, f"{call.name}-build") is None:
        raise errors.bad_request(f"build {call.name} is in phase {phase}; its log is not there yet")
    return _log(server, call.namespace, f"{call.name}-build", request)


def _await_build(server, call: Call) -> dict | None:
    """The build once it has left New and Pending, as the real server waits for up to ten seconds."""
    query = {"timeoutSeconds": str(server.build_log_seconds)}

    def of_build(obj: dict) -> bool:
        return obj["metadata"]["name"] == call.name

    for chunk in Watch(server, call.resource, call.namespace, query, of_build, lambda _state, _resource: b"x"):
        if chunk:
            build = server.system.find("builds.build.openshift.io", call.namespace, call.name)
            if build is None or dig(build, "status", "phase") not in (None, "New", "Pending"):
                return build
    return None


# Scale


def _scale_of(obj: dict, paths: dict) -> dict:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {key: obj["metadata"].get(key) for key in kept}
    spec, status = ({"replicas": dig(obj, *paths[part], default=0)} for part in ("spec", "status"))
    labels = dig(obj, "spec", "selector", "matchLabels", default={})
    if labels:
        status["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    head = {"kind": "Scale", "apiVersion": "autoscaling/v1"}
    return {**head, "metadata": metadata, "spec": spec, "status": status}


def _paths(server, call: Call) -> dict:
    scale = dig(server.crds.version(call.resource), "subresources", "scale", default={}) if call.resource.custom else {}
    return {
        "spec": scale.get("specReplicasPath", ".spec.replicas").lstrip(".").split("."),
        "status": scale.get("statusReplicasPath", ".status.replicas").lstrip(".").split("."),
    }


def _scale(server, call: Call, request: Request) -> Response:
    paths = _paths(server, call)
    stored = server.store.stored(call.resource, call.namespace, call.name)
    current = _scale_of(stored.obj, paths)
    if call.verb == "get":
        return Response.json(200, current)
    if call.verb == "patch":
        kind = PATCH_TYPES.get(content_type(request))
        body = parse(request.body, "yaml" if kind == "apply" else "")
        wanted = json_patch(current, body) if kind == "json" else merge_patch(current, body)
    else:
        wanted = _body(request)
    replicas = dig(wanted, "spec", "replicas", default=0)
    if not isinstance(replicas, int) or replicas < 0:
        why = "must be greater than or equal to 0"
        raise errors.bad_field("autoscaling", "Scale", call.name, "invalid", "spec.replicas", replicas, why)
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


def _evict(server, call: Call, request: Request) -> Response:
    options = _body(request).get("deleteOptions") or {}
    pod = server.system.get("pods", call.namespace, call.name)
    for budget in server.system.list("poddisruptionbudgets.policy", call.namespace):
        selected = matches_labels(dig(budget, "spec", "selector"), pod["metadata"].get("labels") or {})
        if selected and not dig(budget, "status", "disruptionsAllowed", default=1):
            raise errors.too_many_requests(10, "Cannot evict pod as it would violate the pod's disruption budget.")
    if not call.dry_run:
        server.api.delete(Call("delete", call.resource, call.namespace, call.name, user=call.user), options)
    return Response.json(201, success(code=201))


def _bind(server, call: Call, request: Request) -> Response:
    node = dig(_body(request), "target", "name")
    pod = server.system.get("pods", call.namespace, call.name)
    if pod["spec"].get("nodeName"):
        why = f'pod {call.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise errors.conflict("", "pods/binding", call.name, why)
    pod["spec"]["nodeName"] = node
    server.store.update(call.resource, pod)
    return Response.json(201, success(code=201))


def _token(server, call: Call, request: Request) -> Response:
    obj = _body(request)
    spec = dict(obj.get("spec") or {})
    status = service_account_token(server, call.namespace, call.name, spec)
    spec.setdefault("audiences", ["https://kubernetes.default.svc"])
    spec.setdefault("expirationSeconds", 3600)
    head = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
    metadata = {"name": call.name, "namespace": call.namespace}
    return Response.json(201, {**head, "metadata": metadata, "spec": spec, "status": status})


# Builds


def _instantiate(server, call: Call, request: Request) -> Response:
    return Response.json(201, server.builds.instantiate(call.namespace, call.name, _body(request)))


def _instantiate_binary(server, call: Call, request: Request) -> Response:
    made = server.builds.instantiate_binary(call.namespace, call.name, request.query, request.body)
    return Response.json(201, made)


def _clone_build(server, call: Call, request: Request) -> Response:
    return Response.json(201, server.builds.clone(call.namespace, call.name, _body(request)))


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
