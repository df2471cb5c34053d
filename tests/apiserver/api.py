# SPDX-License-Identifier: GPL-3.0-or-later
"""What a write goes through, whoever makes it: decode, defaults, field management, admission, validation, store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from . import errors, patches, strategies, validation
from .apply import Manager, apply, track_update
from .auth import SYSTEM, User
from .resources import ResourceType
from .states import Stored
from .values import clone, random_suffix, timestamp

PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
    "application/apply-patch+cbor": "",
}


@dataclass
class Call:
    """One call to the API, after routing and authorisation."""

    verb: str
    resource: ResourceType
    namespace: str | None = None
    name: str | None = None
    subresource: str = ""
    user: User = SYSTEM
    manager: str = "kube-apiserver"
    dry_run: bool = False
    force: bool = False
    field_validation: str = "Ignore"
    query: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass
class AdmissionContext:
    """What the admission plug-ins see; they change `object` in place or raise an ApiError."""

    operation: str
    resource: ResourceType
    namespace: str | None
    name: str
    object: dict
    old: dict | None
    user: User
    subresource: str
    dry_run: bool
    store: object
    system: object
    profile: str
    warnings: list[str]
    authorize: object

    def refuse(self, why: str) -> errors.ApiError:
        """The 403 to raise."""
        return errors.forbidden(self.resource.group, self.resource.plural, self.name, why)


class Api:
    """The write side of the server; reading needs only the store."""

    def __init__(self, server):
        self.server, self.store = server, server.store

    # Verbs

    def create(self, call: Call, obj: dict) -> Stored:
        obj = clone(obj)
        self._identify(call, obj)
        metadata = obj["metadata"]
        if metadata.get("resourceVersion"):
            raise errors.ApiError(500, "InternalError", "resourceVersion should not be set on objects to be created")
        call = replace(call, name=metadata.get("name"))
        self._conform(call, obj)
        strategies.prepare_create(self.server, call, obj)
        self._track(call, None, obj)
        return self._insert(call, obj)

    def update(self, call: Call, obj: dict) -> Stored:
        obj = clone(obj)
        self._identify(call, obj)
        old = self.store.stored(call.resource, call.namespace, call.name)
        return self._replace(call, obj, old)

    def patch(self, call: Call, kind: str, body) -> tuple[Stored, bool]:
        """The new state and whether it was created; a patch without a resourceVersion is tried again on a conflict."""
        if kind == "apply":
            return self._apply(call, body)
        for attempt in range(5):
            old = self.store.stored(call.resource, call.namespace, call.name)
            try:
                return self._replace(call, self._patched(call, old, kind, body), old, unconditional=attempt < 4), False
            except _Moved:
                continue
        raise errors.conflict(call.resource.group, call.resource.plural, call.name)

    def delete(self, call: Call, options: dict) -> Stored:
        policy = options.get("propagationPolicy")
        if options.get("orphanDependents") is not None and policy is None:
            policy = "Orphan" if options["orphanDependents"] else "Background"
        finalizers = {"Foreground": ("foregroundDeletion",), "Orphan": ("orphan",)}.get(policy, ())
        with self.store.lock:  # what the preconditions are checked on is what goes
            found = self.store.stored(call.resource, call.namespace, call.name)
            self._check_preconditions(call, found, options)
            self._admit("DELETE", call, {}, found.obj)
            if call.dry_run:
                return found
            grace = self._grace(call, found.obj, options)
            return self.store.remove(call.resource, call.namespace, call.name, grace, finalizers)

    # Steps

    def _identify(self, call: Call, obj: dict) -> None:
        """The object must be of the kind, in the namespace and of the name that the path says."""
        resource, metadata = call.resource, obj.get("metadata")
        if obj.get("apiVersion", resource.api_version) != resource.api_version:
            message = f"the API version in the data ({obj.get('apiVersion')}) does not match the expected API version ({resource.api_version})"
            raise errors.bad_request(message)
        if obj.get("kind", resource.kind) != resource.kind:
            given, wanted = (
                f"{obj.get('apiVersion', resource.api_version)}, Kind={kind}"
                for kind in (obj.get("kind"), resource.kind)
            )
            raise errors.bad_request(
                f"no kind {given} is registered for the resource {resource.plural}; expected {wanted}"
            )
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
        if metadata is None:
            metadata = obj["metadata"] = {}
        if not isinstance(metadata, dict):
            raise errors.bad_request("json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta")
        self._place(call, metadata)
        for key in [key for key, value in metadata.items() if value is None]:
            del metadata[key]

    @staticmethod
    def _place(call: Call, metadata: dict) -> None:
        if call.resource.namespaced:
            if metadata.get("namespace") not in (None, "", call.namespace):
                why = "the namespace of the provided object does not match the namespace sent on the request"
                raise errors.bad_request(why)
            metadata["namespace"] = call.namespace
        else:
            metadata.pop("namespace", None)
        if call.name:
            if metadata.get("name") not in (None, "", call.name):
                given = metadata["name"]
                why = f"the name of the object ({given}) does not match the name on the URL ({call.name})"
                raise errors.bad_request(why)
            metadata["name"] = call.name
        elif not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"][:58] + random_suffix()

    def _conform(self, call: Call, obj: dict) -> None:
        """Types, unknown fields, pruning and defaults."""
        schema = self.server.schemas.schema(call.resource)
        problems = schema.conform(obj, call.resource)
        if problems and call.field_validation == "Strict":
            kind, text = call.resource.kind, f"strict decoding error: {', '.join(problems)}"
            raise errors.bad_request(
                f'{kind} in version "{call.resource.version}" cannot be handled as a {kind}: {text}'
            )
        if call.field_validation == "Warn":
            call.warnings.extend(problems)
        strategies.default(call.resource, obj)

    def _track(self, call: Call, old: dict | None, obj: dict) -> None:
        manager = Manager(call.manager, "Update", call.resource.api_version, self._managed_subresource(call))
        shapes = self.server.schemas.shapes(call.resource)
        track_update(shapes, old, obj, manager, call.resource.has_status, self._now())

    @staticmethod
    def _managed_subresource(call: Call) -> str:
        return call.subresource if call.subresource in ("status", "scale") else ""

    def _now(self) -> str:
        return timestamp(self.server.clock.now())

    def _admit(self, operation: str, call: Call, obj: dict, old: dict | None) -> None:
        name = call.name or obj.get("metadata", {}).get("name", "")
        context = AdmissionContext(
            operation, call.resource, call.namespace, name, obj, old, call.user, call.subresource, call.dry_run,
            self.store, self.server.system, self.server.profile, call.warnings, self.server.rbac.allowed,
        )  # fmt: skip
        for plugin in self.server.admission:
            plugin(context)

    def _insert(self, call: Call, obj: dict) -> Stored:
        resource, metadata = call.resource, obj["metadata"]
        if resource.namespaced and not self.server.namespace_exists(call.namespace):
            raise errors.not_found("", "namespaces", call.namespace)
        with self.store.lock:  # else two at once could both pass a quota, or a namespace end in between
            if metadata.get("name") and self.store.find(resource, call.namespace, metadata["name"]):
                raise errors.already_exists(resource.group, resource.plural, metadata["name"])
            self._admit("CREATE", call, obj, None)
            validation.check_create(self.server, call, obj)
            if not call.dry_run:
                return self.store.insert(resource, obj)
        metadata["creationTimestamp"] = self._now()
        return Stored(obj, self.store.version)

    def _replace(self, call: Call, obj: dict, old: Stored, unconditional: bool = False) -> Stored:
        before = old.seen_as(call.resource)
        given = obj["metadata"].get("resourceVersion")
        if given and given != before["metadata"]["resourceVersion"]:
            raise errors.conflict(call.resource.group, call.resource.plural, call.name)
        uid = obj["metadata"].get("uid")
        if uid and uid != before["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['metadata']['uid']}"
            raise errors.conflict(call.resource.group, call.resource.plural, call.name, why)
        obj = self._settled(call, obj, before)
        self._track(call, before, obj)
        return self._commit_update(call, obj, old, unconditional)

    def _settled(self, call: Call, obj: dict, before: dict) -> dict:
        self._conform(call, obj)
        managed = obj["metadata"].get("managedFields")
        obj = self.store.settle(call.resource, obj, before, call.subresource)
        if managed is not None:  # settling drops empty ones, which mean something here
            obj["metadata"]["managedFields"] = managed
        strategies.prepare_update(self.server, call, obj, before)
        return obj

    def _commit_update(self, call: Call, obj: dict, old: Stored, unconditional: bool) -> Stored:
        before = old.seen_as(call.resource)
        self._admit("UPDATE", call, obj, before)
        validation.check_update(self.server, call, obj, before)
        if call.dry_run:
            return Stored(self.store.settle(call.resource, obj, before, call.subresource), old.version)
        with self.store.lock:
            if self.store.find(call.resource, call.namespace, call.name) is not old and unconditional:
                raise _Moved
            obj["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
            return self.store.replace(call.resource, obj, call.subresource)

    def _patched(self, call: Call, old: Stored, kind: str, body) -> dict:
        live = old.seen_as(call.resource)
        if kind == "json":
            obj = patches.json_patch(live, body)
        elif kind == "merge":
            obj = clone(patches.merge_patch(live, body))
        else:
            if call.resource.custom:
                raise errors.unsupported_media_type(
                    [name for name in PATCH_TYPES if "strategic" not in name and "cbor" not in name]
                )
            obj = clone(patches.strategic_merge(self.server.schemas.shapes(call.resource), live, body))
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
            raise errors.bad_request("the patched object is not an object")
        given = (body.get("metadata") or {}).get("resourceVersion") if isinstance(body, dict) else None
        if obj["metadata"].get("name") != call.name:
            where, given = (call.resource.group, call.resource.kind, call.name), obj["metadata"].get("name")
            raise errors.bad_field(*where, "invalid", "metadata.name", given, "field is immutable")
        if given is None and kind != "json":
            obj["metadata"].pop("resourceVersion", None)
        self._identify(call, obj)
        return obj

    def _apply(self, call: Call, config: dict) -> tuple[Stored, bool]:
        config = clone(config)
        self._identify(call, config)
        for problem in self.server.schemas.schema(call.resource).conform(config, call.resource, whole=False):
            raise errors.undeclared(config, problem)
        if config["metadata"].get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        manager = Manager(call.manager, "Apply", call.resource.api_version, self._managed_subresource(call))
        shapes = self.server.schemas.shapes(call.resource)
        for attempt in range(5):
            old = self.store.find(call.resource, call.namespace, call.name)
            if old is None and (call.subresource or config["metadata"].get("uid")):
                raise errors.not_found(call.resource.group, call.resource.plural, call.name)
            live = old.seen_as(call.resource) if old else None
            wanted = apply(shapes, live, config, manager, call.force, call.resource.has_status, self._now())
            try:
                return self._apply_to(call, live, old, wanted, attempt < 4), old is None
            except _Moved:
                continue
            except errors.ApiError as problem:  # somebody else created it meanwhile
                if problem.reason != "AlreadyExists" or attempt == 4:
                    raise
        raise errors.conflict(call.resource.group, call.resource.plural, call.name)

    def _apply_to(self, call: Call, live: dict | None, old: Stored | None, obj: dict, unconditional: bool) -> Stored:
        given = obj["metadata"].pop("resourceVersion", None)
        if live is None:
            # An apply that makes the object needs both verbs, as a real server has it.
            resource = call.resource
            self.server.rbac.require(call.user, "create", resource.group, resource.plural, call.namespace, call.name)
            self._conform(call, obj)
            strategies.prepare_create(self.server, call, obj)
            return self._insert(call, obj)
        if given != live["metadata"]["resourceVersion"]:
            raise errors.conflict(call.resource.group, call.resource.plural, call.name)
        return self._commit_update(call, self._settled(call, obj, live), old, unconditional)

    # Deletion

    def _check_preconditions(self, call: Call, found: Stored, options: dict) -> None:
        wanted, metadata = options.get("preconditions") or {}, found.obj["metadata"]
        for key, words in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(key) and wanted[key] != metadata[key]:
                why = f"Precondition failed: {words} in precondition: {wanted[key]}, {words} in object meta: {metadata[key]}"
                raise errors.conflict(call.resource.group, call.resource.plural, call.name, why)

    def _grace(self, call: Call, obj: dict, options: dict) -> int:
        """Seconds that a pod gets to end; it is the kubelet (a pod actor) that removes it then."""
        if call.resource.key != ("", "pods") or not obj.get("spec", {}).get("nodeName") or self.server.pods == "none":
            return 0
        if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return 0
        given = options.get("gracePeriodSeconds")
        return int(obj["spec"].get("terminationGracePeriodSeconds", 30) if given is None else given)


class _Moved(Exception):
    """The object changed between reading and writing it."""
