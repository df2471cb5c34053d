# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to its answer: who asks, for what, may they, and in which form is it given."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace

from . import auth, control, errors, oauth, openapi, subresources
from .api import PATCH_TYPES, Call
from .bodies import content_type, decode, number, parse
from .discovery import version_info
from .forms import Form, form_for
from .http import Request, Response
from .resources import ResourceType
from .reviews import REVIEWS
from .selectors import exact_name, query_selector
from .values import encode, is_true, success
from .watch import Watch

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_HEALTH = {"/healthz", "/livez", "/readyz"}


@dataclass(frozen=True)
class Target:
    """What a path below /api or /apis names."""

    resource: ResourceType
    namespace: str | None
    name: str | None
    subresource: str


class Router:
    def __init__(self, server):
        self._server = server

    def answer(self, request: Request) -> Response:
        path = request.path.rstrip("/") or "/"
        if path.startswith("/_control/"):
            return control.answer(self._server, request)
        if path.startswith(("/oauth/", "/.well-known/")):
            return oauth.answer(self._server, request)
        request.user = auth.authenticate(self._server, request.headers, request.certificate)
        request.user = auth.impersonate(self._server, request.user, request.headers)
        parts = [part for part in path.split("/") if part]
        depth = {"api": 2, "apis": 3}.get(parts[0] if parts else "")
        if depth is None or len(parts) <= depth:
            return self._not_a_resource(request, path)
        target = self._target(parts, depth, request)
        return self._resource(request, target)

    # Everything that is no resource

    def _not_a_resource(self, request: Request, path: str) -> Response:
        request.verb = {"GET": "get", "HEAD": "get", **_VERBS}.get(request.method, request.method.lower())
        self._server.rbac.require_url(request.user, request.verb, path)
        if path == "/version":
            return Response.json(200, version_info(self._server.version))
        if path in _HEALTH:
            return Response(200, b"ok", "text/plain; charset=utf-8")
        if path == "/":
            return Response.json(
                200, {"paths": ["/api", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]}
            )
        if path.startswith("/openapi/"):
            return openapi.answer(self._server, request, path)
        found = self._server.discovery.answer(path, request.headers.get("Accept") or "")
        if found is None:
            return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
        body, kind, etag = found
        headers = {"Vary": "Accept", "ETag": f'"{etag}"'} if etag else {}
        if etag and request.headers.get("If-None-Match") == f'"{etag}"':
            return Response(304, b"", kind, headers)
        return Response(200, encode(body), kind, headers)

    # Resources

    def _target(self, parts: list[str], depth: int, request: Request) -> Target:
        group, version = ("", parts[1]) if depth == 2 else (parts[1], parts[2])
        rest = parts[depth:]
        if rest[0] == "watch" and len(rest) > 1:
            rest = rest[1:]
            request.query["watch"] = "true"
        namespace = None
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = (rest + [None, None])[:3]
        resource = self._server.registry.lookup(group, version, plural)
        known = resource is not None and (namespace is None or resource.namespaced)
        if not known or (subresource and subresource not in resource.subresources):
            # As a real server does: who may not ask is not told whether there is such a thing.
            verb = self._verb(request, name, subresource)
            self._server.rbac.require(request.user, verb, group, plural, namespace, name, subresource or "")
            raise errors.no_route()
        return Target(resource, namespace, name, subresource or "")

    @staticmethod
    def _verb(request: Request, name: str | None, subresource: str | None) -> str:
        if request.method in ("GET", "HEAD"):
            if request.is_watch and not subresource:
                return "watch"
            return "get" if name else "list"
        verb = _VERBS.get(request.method)
        if verb is None:
            raise errors.method_not_allowed()
        return "deletecollection" if verb == "delete" and not name else verb

    def _resource(self, request: Request, target: Target) -> Response:
        verb = self._verb(request, target.name, target.subresource)
        applied = verb == "patch" and content_type(request).startswith("application/apply-patch")
        request.verb = "apply" if applied else verb
        request.dry_run = "All" in (request.query.get("dryRun") or "")
        resource, name = target.resource, target.name
        if verb in ("list", "watch", "deletecollection") and not name:
            name = exact_name(request.query.get("fieldSelector", ""))
        # A role in a namespace may speak of the namespace itself.
        namespace = target.name if resource.key == ("", "namespaces") and target.name else target.namespace
        self._server.rbac.require(
            request.user, verb, resource.group, resource.plural, namespace, name, target.subresource
        )
        if not target.subresource and (verb not in resource.verbs or (verb in ("update", "patch") and not name)):
            raise errors.method_not_allowed()
        if resource.namespaced and not target.namespace and verb not in ("list", "watch"):
            raise errors.method_not_allowed()
        call = self._call(request, target, verb)
        handler = subresources.find(call)
        if handler:
            return handler(self._server, call, request)
        if verb in ("get", "list", "watch"):
            return getattr(self, f"_{verb}")(request, call)
        return self._write(request, call)

    def _call(self, request: Request, target: Target, verb: str) -> Call:
        query = request.query
        dry_run = query.get("dryRun")
        if dry_run not in (None, "", "All"):
            raise errors.bad_option("CreateOptions", "unsupported", "dryRun", dry_run, ("All",))
        manager = query.get("fieldManager") or (request.headers.get("User-Agent") or "unknown").partition("/")[0][:128]
        return Call(
            verb, target.resource, target.namespace, target.name, target.subresource, request.user, manager, dry_run == "All",
            is_true(query, "force"), query.get("fieldValidation") or "Warn", query, request.warnings,
        )  # fmt: skip

    # Reading

    def _get(self, request: Request, call: Call) -> Response:
        form = form_for(self._server, request, call.resource)
        found = self._server.views.get(call) or self._server.store.stored(call.resource, call.namespace, call.name)
        return Response(200, form.one(found, call.resource), form.content_type)

    def _list(self, request: Request, call: Call) -> Response:
        form = form_for(self._server, request, call.resource)
        query, resource = request.query, call.resource
        selector = query_selector(query, resource, self._server.crds.selectable(resource))
        states = self._server.views.list(call)
        version = self._server.store.version
        if states is None:
            states, version = self._server.store.snapshot(resource, call.namespace)
        metadata: dict = {}
        if query.get("continue"):
            version, start = self._continued(query["continue"])
            if version < self._server.store.compacted:
                message = "The provided continue parameter is too old to display a consistent list result."
                raise errors.expired(message)
            states = [state for state in states if state.place > start]
        elif number(query, "resourceVersion") > self._server.store.version:
            self._server.store.check_version(resource, number(query, "resourceVersion"))
        states = [state for state in states if selector(state.obj)]
        limit = number(query, "limit")
        if 0 < limit < len(states):
            left = len(states) - limit
            states = states[:limit]
            token = base64.urlsafe_b64encode(encode({"rv": version, "start": states[-1].place})).decode().rstrip("=")
            metadata = {"continue": token, "remainingItemCount": left}
            if query.get("labelSelector") or query.get("fieldSelector"):
                del metadata["remainingItemCount"]
        metadata = {"resourceVersion": str(version), **metadata}
        return Response(200, form.many(states, resource, metadata), form.content_type)

    @staticmethod
    def _continued(token: str) -> tuple[int, tuple[str, str]]:
        try:
            found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            return found["rv"], tuple(found["start"])
        except (ValueError, KeyError, TypeError) as problem:
            raise errors.bad_request("continue key is not valid: " + str(problem)) from problem

    def _watch(self, request: Request, call: Call) -> Response:
        form = form_for(self._server, request, call.resource)
        if call.name:
            request.query["fieldSelector"] = f"metadata.name={call.name}"
        selector = query_selector(request.query, call.resource, self._server.crds.selectable(call.resource))
        selector = self._server.views.limit(call, selector)
        watch = Watch(self._server, call.resource, call.namespace, request.query, selector, form.event)
        return Response(200, watch, form.content_type)

    # Writing

    def _write(self, request: Request, call: Call) -> Response:
        api, form = self._server.api, form_for(self._server, request, call.resource)
        if call.verb == "delete":
            return self._delete(request, call, form)
        if call.verb == "deletecollection":
            return self._delete_collection(request, call)
        if call.verb == "patch":
            kind, body = self._patch_body(request, call)
            found, created = api.patch(call, kind, body)
            return Response(201 if created else 200, form.one(found, call.resource), form.content_type)
        obj = decode(request.body, content_type(request))
        if call.verb == "update":
            return Response(200, form.one(api.update(call, obj), call.resource), form.content_type)
        if call.resource.key in REVIEWS:
            head = {"apiVersion": call.resource.api_version, "kind": call.resource.kind}
            obj = {**obj, **head, "metadata": obj.get("metadata") or {}}
            return Response.json(201, REVIEWS[call.resource.key](self._server, call, obj))
        special = self._server.views.create(call, obj)
        if special is not None:
            return Response.json(201, special)
        return Response(201, form.one(api.create(call, obj), call.resource), form.content_type)

    def _patch_body(self, request: Request, call: Call):
        kind = PATCH_TYPES.get(content_type(request))
        if not kind:
            raise errors.unsupported_media_type([name for name in PATCH_TYPES if "cbor" not in name])
        if kind == "apply":
            if not request.query.get("fieldManager"):
                raise errors.bad_option("PatchOptions", "required", "fieldManager", "is required for apply patch")
            return kind, decode(request.body, "application/yaml")
        if call.force:
            why = "may not be specified for non-apply patch"
            raise errors.bad_option("PatchOptions", "forbidden", "force", why)
        return kind, parse(request.body, "application/json")

    def _delete_options(self, request: Request, call: Call) -> dict:
        options, query = decode(request.body, content_type(request)) if request.body.strip() else {}, request.query
        if query.get("propagationPolicy"):
            options["propagationPolicy"] = query["propagationPolicy"]
        if query.get("gracePeriodSeconds"):
            options["gracePeriodSeconds"] = number(query, "gracePeriodSeconds")
        if query.get("orphanDependents"):
            options["orphanDependents"] = is_true(query, "orphanDependents")
        if options.get("dryRun"):
            call.dry_run = request.dry_run = True
        policy = options.get("propagationPolicy")
        if policy not in (None, "Background", "Foreground", "Orphan"):
            known = ("Foreground", "Background", "Orphan", "nil")
            raise errors.bad_option("DeleteOptions", "unsupported", "propagationPolicy", policy, known)
        return options

    def _delete(self, request: Request, call: Call, form: Form) -> Response:
        special = self._server.views.delete(call)
        if special is not None:
            return Response.json(200, special)
        found = self._server.api.delete(call, self._delete_options(request, call))
        resource = call.resource
        kept = self._server.store.find(resource, call.namespace, call.name) is not None and not call.dry_run
        if kept or resource.key == ("", "pods"):  # of pods the kubelet may have been quicker than this look
            return Response(200, form.one(found, resource), form.content_type)
        details = {"name": call.name, "group": resource.group, "kind": resource.plural}
        details |= {"uid": found.obj["metadata"]["uid"]}
        return Response.json(200, success(details={key: value for key, value in details.items() if value}))

    def _delete_collection(self, request: Request, call: Call) -> Response:
        options = self._delete_options(request, call)
        selector = query_selector(request.query, call.resource, self._server.crds.selectable(call.resource))
        gone = []
        for state in self._server.store.snapshot(call.resource, call.namespace)[0]:
            if selector(state.obj):
                one = replace(call, verb="delete", namespace=state.place[0] or None, name=state.place[1])
                try:
                    gone.append(self._server.api.delete(one, options))
                except errors.ApiError as problem:
                    if problem.code != 404:
                        raise
        form, metadata = (
            form_for(self._server, request, call.resource),
            {"resourceVersion": str(self._server.store.version)},
        )
        return Response(200, form.many(gone, call.resource, metadata), form.content_type)
