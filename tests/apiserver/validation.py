# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks after admission that users run into: names, labels, required and immutable fields, quantities."""

from __future__ import annotations

import re

from . import errors
from .errors import Causes
from .values import dig

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(rf"^{_LABEL}$")
_DNS_SUBDOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
_QUALIFIED = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_QUANTITY = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")
_DATA_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character "
    "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_NAMES = {("", "namespaces"), ("", "services"), ("project.openshift.io", "projects")}
_FREE_NAMES = {"rbac.authorization.k8s.io"} | {
    f"{one}.openshift.io" for one in ("authorization", "image", "oauth", "user")
}


def check_create(server, call, obj: dict) -> None:
    checks = Causes()
    _metadata(checks, call.resource, obj)
    _content(checks, server, call.resource, obj, None)
    _finish(call, obj, checks)
    server.rbac.check_escalation(call, obj, None)


def check_update(server, call, obj: dict, old: dict) -> None:
    checks = Causes()
    _metadata(checks, call.resource, obj)
    _content(checks, server, call.resource, obj, old)
    if not call.subresource:
        _immutable(checks, call.resource, obj, old)
    if old["metadata"].get("deletionTimestamp"):
        fresh = set(obj["metadata"].get("finalizers", [])) - set(old["metadata"].get("finalizers", []))
        if fresh:
            why = "no new finalizers can be added if the object is being deleted, found new finalizers"
            checks.forbidden("metadata.finalizers", f"{why} {sorted(fresh)}")
    _finish(call, obj, checks)
    server.rbac.check_escalation(call, obj, old)


def _finish(call, obj: dict, checks: Causes) -> None:
    if checks:
        raise errors.invalid(call.resource.group, call.resource.kind, obj["metadata"].get("name", ""), checks)


def _metadata(checks: Causes, resource, obj: dict) -> None:
    metadata = obj["metadata"]
    _name(checks, resource, metadata.get("name"))
    _labels(checks, "metadata.labels", metadata.get("labels") or {})
    for key in metadata.get("annotations") or {}:
        _qualified_name(checks, "metadata.annotations", key.lower())
    if sum(len(key) + len(str(value)) for key, value in (metadata.get("annotations") or {}).items()) > 262144:
        checks.too_long("metadata.annotations", 262144)
    for index, owner in enumerate(metadata.get("ownerReferences") or []):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                checks.invalid(
                    f"metadata.ownerReferences[{index}].{field}", owner.get(field) or "", f"{field} must not be empty"
                )


def _name(checks: Causes, resource, name: str | None) -> None:
    field, label = "metadata.name", resource.key in _LABEL_NAMES
    limit = 63 if label or resource.key == ("batch", "jobs") else 253
    if not name:
        checks.required(field, "name or generateName is required")
    elif resource.group in _FREE_NAMES:
        if "/" in name or "%" in name or name in (".", ".."):
            checks.invalid(field, name, "may not contain '/' or '%'")
    elif not (_DNS_LABEL if label else _DNS_SUBDOMAIN).match(name):
        checks.invalid(field, name, _LABEL_TEXT if label else _SUBDOMAIN_TEXT)
    elif len(name) > limit:
        checks.invalid(field, name, f"must be no more than {limit} characters")


def _qualified_name(checks: Causes, field: str, key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if not _QUALIFIED.match(name) or len(name) > 63 or (slash and not _DNS_SUBDOMAIN.match(prefix)):
        text = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
            "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
        checks.invalid(field, key, text)


def _labels(checks: Causes, field: str, labels: dict) -> None:
    for key, value in labels.items():
        _qualified_name(checks, field, key)
        if value and (len(value) > 63 or not _QUALIFIED.match(value)):
            text = (
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            )
            checks.invalid(field, value, text if len(value) <= 63 else "must be no more than 63 characters")


def _content(checks: Causes, server, resource, obj: dict, old: dict | None) -> None:
    schema = server.schemas.schema(resource)
    checks.extend(schema.validate(obj, old))
    if resource.custom:
        return
    name = server.schemas.types.type_of(resource)
    if name:
        _required(checks, server.schemas.types, name, obj, "")
    key, spec = resource.key, obj.get("spec")
    if key in (("", "configmaps"), ("", "secrets")):
        _data(checks, resource, obj)
    elif key == ("", "pods") and isinstance(spec, dict):
        _pod_spec(checks, "spec", spec)
    elif key == ("", "resourcequotas"):
        _quantities("spec.hard", dig(obj, "spec", "hard", default={}))
    elif key == ("", "persistentvolumeclaims"):
        _claim(checks, spec or {})
    elif key in (("apps", "deployments"), ("apps", "statefulsets"), ("apps", "replicasets"), ("apps", "daemonsets")):
        _workload(checks, spec or {})
    elif key == ("batch", "jobs"):
        _job(checks, "spec", spec or {})
    elif key == ("batch", "cronjobs"):
        if len(dig(obj, "spec", "schedule", default="").split()) != 5 and not dig(
            obj, "spec", "schedule", default="@"
        ).startswith("@"):
            checks.invalid("spec.schedule", obj["spec"]["schedule"], "expected exactly 5 fields")
        _job(checks, "spec.jobTemplate.spec", dig(obj, "spec", "jobTemplate", "spec", default={}))
    elif key == ("apiextensions.k8s.io", "customresourcedefinitions"):
        server.crds.check(checks, obj)


def _required(checks: Causes, types, name: str, value: dict, path: str) -> None:
    """Fields without which the real OpenAPI (and the real validation) does not accept an object."""
    for field, declared in types.fields(name).items():
        here = f"{path}.{field}" if path else field
        if here == "status":
            continue
        if field not in value:
            if field in types.required(name):
                checks.required(here)
            continue
        item = value[field]
        inner = declared[5:-1] if declared.startswith("list[") else declared
        if types.is_struct(inner):
            for index, one in enumerate(item if isinstance(item, list) else [item]):
                if isinstance(one, dict):
                    _required(checks, types, inner, one, f"{here}[{index}]" if isinstance(item, list) else here)


def _data(checks: Causes, resource, obj: dict) -> None:
    total = 0
    for field in ("data", "binaryData"):
        for key, value in (obj.get(field) or {}).items():
            total += len(key) + len(value or "")
            if not _DATA_KEY.match(key) or len(key) > 253:
                text = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
                    "regex used for validation is '[-._a-zA-Z0-9]+')"
                )
                checks.invalid(f"{field}[{key}]", key, text)
    limit = 1048576 * (4 / 3 if resource.plural == "secrets" else 1)
    if total > limit:
        checks.too_long("data" if resource.plural == "secrets" else "", 1048576)


def _quantities(field: str, amounts: dict) -> None:
    for name, amount in amounts.items():
        if not _QUANTITY.match(str(amount)):
            detail = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            raise errors.bad_request(f"unable to parse quantity's suffix: {field}[{name}]: {amount}: {detail}")


def _pod_spec(
    checks: Causes, path: str, spec: dict, policies: tuple[str, ...] = ("Always", "OnFailure", "Never")
) -> None:
    if spec.get("restartPolicy") not in policies:
        checks.unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), policies)
    if not spec.get("containers"):
        checks.required(f"{path}.containers")
    volumes = [volume.get("name") for volume in spec.get("volumes", [])]
    for index, name in enumerate(volumes):
        if name and volumes.index(name) != index:
            checks.duplicate(f"{path}.volumes[{index}].name", name)
    names: list[str] = []
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field, [])):
            _container(checks, f"{path}.{field}[{index}]", container, names, volumes)


def _container(checks: Causes, path: str, container: dict, names: list[str], volumes: list) -> None:
    name = container.get("name", "")
    if name and (not _DNS_LABEL.match(name) or len(name) > 63):
        checks.invalid(f"{path}.name", name, _LABEL_TEXT)
    if name in names:
        checks.duplicate(f"{path}.name", name)
    names.append(name)
    if not container.get("image"):
        checks.required(f"{path}.image")
    elif container["image"] != container["image"].strip():
        checks.invalid(f"{path}.image", container["image"], "must not have leading or trailing whitespace")
    for index, mount in enumerate(container.get("volumeMounts", [])):
        if mount.get("name") not in volumes:
            checks.not_found(f"{path}.volumeMounts[{index}].name", mount.get("name"))
    for kind in ("limits", "requests"):
        _quantities(f"{path}.resources.{kind}", dig(container, "resources", kind, default={}))
    policies = ("Always", "IfNotPresent", "Never")
    if container.get("imagePullPolicy") not in policies:
        checks.unsupported(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), policies)


def _claim(checks: Causes, spec: dict) -> None:
    if not spec.get("accessModes"):
        checks.required("spec.accessModes", "at least 1 access mode is required")
    if not dig(spec, "resources", "requests", "storage"):
        checks.required("spec.resources[storage]")
    else:
        _quantities("spec.resources.requests", spec["resources"]["requests"])


def _workload(checks: Causes, spec: dict) -> None:
    template = spec.get("template") or {}
    labels = dig(template, "metadata", "labels", default={})
    _labels(checks, "spec.template.labels", labels)
    wanted = dig(spec, "selector", "matchLabels", default={})
    if any(labels.get(key) != value for key, value in wanted.items()):
        why = "`selector` does not match template `labels`"
        checks.invalid("spec.template.metadata.labels", dict(sorted(labels.items())), why)
    if template.get("spec"):
        _pod_spec(checks, "spec.template.spec", template["spec"], ("Always",))
    if (spec.get("replicas") or 0) < 0:
        checks.invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")


def _job(checks: Causes, path: str, spec: dict) -> None:
    for field in ("parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished", "activeDeadlineSeconds"):
        if isinstance(spec.get(field), int) and spec[field] < 0:
            checks.invalid(f"{path}.{field}", spec[field], "must be greater than or equal to 0")
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        checks.required(f"{path}.completions", "when completion mode is Indexed")
    template = dig(spec, "template", "spec")
    if template:
        if template.get("restartPolicy") == "Always":
            checks.required(f"{path}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
        else:
            _pod_spec(checks, f"{path}.template.spec", template)


_IMMUTABLE = {
    ("batch", "jobs"): "spec.selector spec.template spec.completionMode spec.podFailurePolicy spec.manualSelector",
    ("apps", "deployments"): "spec.selector",
    ("apps", "replicasets"): "spec.selector",
    ("apps", "daemonsets"): "spec.selector",
    ("apps", "statefulsets"): "spec.selector spec.serviceName spec.volumeClaimTemplates spec.podManagementPolicy",
    ("", "secrets"): "type",
    ("", "services"): "spec.clusterIP",
    ("rbac.authorization.k8s.io", "rolebindings"): "roleRef",
    ("rbac.authorization.k8s.io", "clusterrolebindings"): "roleRef",
    ("", "persistentvolumeclaims"): "spec.accessModes spec.storageClassName spec.volumeMode",
    ("storage.k8s.io", "storageclasses"): "provisioner parameters",
}
_POD_MAY_CHANGE = {
    *("activeDeadlineSeconds", "tolerations", "schedulingGates"),
    *("terminationGracePeriodSeconds", "ephemeralContainers"),
}


def _immutable(checks: Causes, resource, obj: dict, old: dict) -> None:
    for field in _IMMUTABLE.get(resource.key, "").split():
        before, now = (dig(one, *field.split(".")) for one in (old, obj))
        suspended = field == "spec.template" and dig(old, "spec", "suspend") and not dig(old, "status", "startTime")
        if before != now and not suspended and not (before is None and field == "spec.storageClassName"):
            checks.invalid(field, now, "cannot change roleRef" if field == "roleRef" else "field is immutable")
    if resource.key in (("", "configmaps"), ("", "secrets")) and old.get("immutable"):
        for field in ("data", "binaryData", "immutable"):
            if obj.get(field) != old.get(field):
                checks.forbidden(field, "field is immutable when `immutable` is set")
    if resource.key == ("", "pods"):
        _pod_update(checks, obj.get("spec") or {}, old.get("spec") or {})


def _pod_update(checks: Causes, spec: dict, old: dict) -> None:
    def fixed(one: dict) -> dict:
        rest = {key: value for key, value in one.items() if key not in _POD_MAY_CHANGE}
        for field in ("containers", "initContainers"):
            if field in rest:
                rest[field] = [
                    {key: value for key, value in container.items() if key not in ("image", "imagePullPolicy")}
                    for container in rest[field]
                ]
        return rest

    if fixed(spec) != fixed(old):
        checks.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)",
        )
