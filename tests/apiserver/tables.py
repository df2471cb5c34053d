# SPDX-License-Identifier: GPL-3.0-or-later
"""The columns that kubectl shows for each resource."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .resources import ResourceType
from .values import dig, parse_time


@dataclass(frozen=True)
class Column:
    name: str
    value: Callable[[dict, datetime], object]
    type: str = "string"
    priority: int = 0
    format: str = ""

    def definition(self) -> dict:
        shown = {"name": self.name, "type": self.type, "format": self.format, "priority": self.priority}
        return {**shown, "description": self.name}


def age(text: str | None, now: datetime) -> str:
    """As duration.HumanDuration writes it, more or less."""
    if not text:
        return "<unknown>"
    seconds = max(0, int((now - parse_time(text[:19] + "Z")).total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 600:
        return f"{seconds // 60}m{seconds % 60}s" if seconds % 60 else f"{seconds // 60}m"
    if seconds < 7200:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 172800 else f"{seconds // 86400}d"


def _at(*path: str, default="<none>") -> Callable[[dict, datetime], object]:
    return lambda obj, _now: dig(obj, *path, default=default)


def _size(*fields: str) -> Callable[[dict, datetime], object]:
    return lambda obj, _now: sum(len(obj.get(field) or ()) for field in fields)


def _ready(obj: dict, _now: datetime) -> str:
    statuses = dig(obj, "status", "containerStatuses", default=[])
    return f"{sum(1 for one in statuses if one.get('ready'))}/{len(obj['spec']['containers'])}"


def _pod_state(obj: dict, _now: datetime) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for one in dig(obj, "status", "containerStatuses", default=[]):
        state = one.get("state") or {}
        reason = dig(state, "waiting", "reason") or dig(state, "terminated", "reason")
        if reason:
            return reason
    return dig(obj, "status", "reason") or dig(obj, "status", "phase", default="Unknown")


def _restarts(obj: dict, _now: datetime) -> int:
    return sum(one.get("restartCount", 0) for one in dig(obj, "status", "containerStatuses", default=[]))


def _replicas(obj: dict, _now: datetime) -> str:
    return f"{dig(obj, 'status', 'readyReplicas', default=0)}/{dig(obj, 'spec', 'replicas', default=0)}"


def _job_state(obj: dict, _now: datetime) -> str:
    true = [one["type"] for one in dig(obj, "status", "conditions", default=[]) if one.get("status") == "True"]
    for kind in ("Complete", "Failed"):
        if kind in true:
            return kind
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((kind for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if kind in true), "Running")


def _completions(obj: dict, _now: datetime) -> str:
    wanted = dig(obj, "spec", "completions")
    done = dig(obj, "status", "succeeded", default=0)
    return f"{done}/{wanted}" if wanted is not None else f"{done}/1 of {dig(obj, 'spec', 'parallelism', default=1)}"


def _duration(obj: dict, now: datetime) -> str:
    start = dig(obj, "status", "startTime")
    if not start:
        return ""
    end = dig(obj, "status", "completionTime")
    return age(start, parse_time(end) if end else now)


def _ports(obj: dict, _now: datetime) -> str:
    ports = dig(obj, "spec", "ports", default=[])
    return ",".join(f"{port.get('port')}/{port.get('protocol')}" for port in ports) or "<none>"


def _since(*path: str) -> Callable[[dict, datetime], object]:
    return lambda obj, now: age(dig(obj, *path), now)


def _role(obj: dict, _now: datetime) -> str:
    return f"{dig(obj, 'roleRef', 'kind')}/{dig(obj, 'roleRef', 'name')}"


_COLUMNS: dict[tuple[str, str], list[Column]] = {
    ("", "pods"): [
        Column("Ready", _ready), Column("Status", _pod_state), Column("Restarts", _restarts),
        Column("IP", _at("status", "podIP"), priority=1), Column("Node", _at("spec", "nodeName"), priority=1),
    ],
    ("", "configmaps"): [Column("Data", _size("data", "binaryData"), "integer")],
    ("", "secrets"): [Column("Type", _at("type")), Column("Data", _size("data"), "integer")],
    ("", "namespaces"): [Column("Status", _at("status", "phase"))],
    ("project.openshift.io", "projects"): [Column("Status", _at("status", "phase"))],
    ("", "nodes"): [Column("Version", _at("status", "nodeInfo", "kubeletVersion"))],
    ("", "services"): [
        Column("Type", _at("spec", "type")), Column("Cluster-IP", _at("spec", "clusterIP")),
        Column("External-IP", lambda _obj, _now: "<none>"), Column("Port(s)", _ports),
    ],
    ("", "events"): [
        Column("Last Seen", _since("lastTimestamp")), Column("Type", _at("type")), Column("Reason", _at("reason")),
        Column("Object", lambda obj, _now: f"{dig(obj, 'involvedObject', 'kind', default='').lower()}/{dig(obj, 'involvedObject', 'name', default='')}"),
        Column("Message", _at("message")),
    ],
    ("", "persistentvolumeclaims"): [
        Column("Status", _at("status", "phase")), Column("Volume", _at("spec", "volumeName", default="")),
        Column("Capacity", _at("status", "capacity", "storage", default="")), Column("StorageClass", _at("spec", "storageClassName", default="")),
    ],
    ("apps", "deployments"): [
        Column("Ready", _replicas), Column("Up-to-date", _at("status", "updatedReplicas", default=0), "integer"),
        Column("Available", _at("status", "availableReplicas", default=0), "integer"),
    ],
    ("apps", "statefulsets"): [Column("Ready", _replicas)],
    ("apps", "replicasets"): [
        Column("Desired", _at("spec", "replicas", default=0), "integer"), Column("Current", _at("status", "replicas", default=0), "integer"),
        Column("Ready", _at("status", "readyReplicas", default=0), "integer"),
    ],
    ("batch", "jobs"): [Column("Status", _job_state), Column("Completions", _completions), Column("Duration", _duration)],
    ("batch", "cronjobs"): [Column("Schedule", _at("spec", "schedule")), Column("Suspend", _at("spec", "suspend"))],
    ("rbac.authorization.k8s.io", "rolebindings"): [Column("Role", _role)],
    ("rbac.authorization.k8s.io", "clusterrolebindings"): [Column("Role", _role)],
    ("apiextensions.k8s.io", "customresourcedefinitions"): [Column("Created At", _at("metadata", "creationTimestamp"), "date")],
    ("build.openshift.io", "builds"): [
        Column("Type", _at("spec", "strategy", "type")), Column("From", lambda obj, _now: next(iter(dig(obj, "spec", "source", default={})), "")),
        Column("Status", _at("status", "phase")), Column("Started", _since("status", "startTimestamp")),
    ],
    ("build.openshift.io", "buildconfigs"): [
        Column("Type", _at("spec", "strategy", "type")), Column("Latest", _at("status", "lastVersion", default=0), "integer"),
    ],
    ("route.openshift.io", "routes"): [Column("Host/Port", _at("spec", "host")), Column("Services", _at("spec", "to", "name"))],
}  # fmt: skip

_NAME = Column("Name", lambda obj, _now: obj["metadata"]["name"], format="name")
_AGE = Column("Age", _since("metadata", "creationTimestamp"))
_NO_AGE = {("", "events"), ("apiextensions.k8s.io", "customresourcedefinitions")}


def _json_path(path: str) -> Callable[[dict], object]:
    """The simple paths of additionalPrinterColumns: names, indexes and one kind of filter."""
    tokens = re.findall(r"\['([^']+)'\]|\[(\d+)\]|\[\?\(@\.(\w+)==[\"']([^\"']*)[\"']\)\]|\.((?:\\.|[^.\[])+)", path)

    def read(obj: dict):
        value: object = obj
        for quoted, index, key, wanted, name in tokens:
            if index or key:
                items = value if isinstance(value, list) else []
                if index:
                    value = items[int(index)] if int(index) < len(items) else None
                else:
                    value = next((item for item in items if str(item.get(key)) == wanted), None)
            else:
                value = value.get(quoted or name.replace("\\", "")) if isinstance(value, dict) else None
        return value

    return read


def _printer(entry: dict) -> Column:
    read = _json_path(entry["jsonPath"])
    dates = entry.get("type") == "date"

    def value(obj: dict, now: datetime):
        found = read(obj)
        return age(found, now) if dates and isinstance(found, str) else found

    return Column(entry["name"], value, entry.get("type", "string"), entry.get("priority", 0), entry.get("format", ""))


def columns(resource: ResourceType, crd_version: dict) -> list[Column]:
    if resource.custom:
        own = [_printer(entry) for entry in crd_version.get("additionalPrinterColumns") or []]
        return [_NAME, *own] if own else [_NAME, _AGE]
    own = _COLUMNS.get((resource.group, resource.plural), [])
    if resource.key in _NO_AGE:
        return [_NAME, *own]
    return [_NAME, *(one for one in own if not one.priority), _AGE, *(one for one in own if one.priority)]


def row(listed: list[Column], obj: dict, now: datetime) -> list:
    return [column.value(obj, now) for column in listed]
