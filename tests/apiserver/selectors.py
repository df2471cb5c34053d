# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors, as functions on objects."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import errors
from .resources import ResourceType
from .values import dig

Selector = Callable[[dict], bool]

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=,()]*)$")
_EXISTS = re.compile(r"^(?P<not>!?)\s*(?P<key>[^\s!=,()]+)$")

# The fields that each resource may be selected by, besides metadata.name and metadata.namespace.
_FIELDS = {
    ("", "pods"): {
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    },
    ("", "events"): {
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type",
    },
    ("", "namespaces"): {"status.phase"},
    ("", "nodes"): {"spec.unschedulable"},
    ("", "secrets"): {"type"},
    ("", "services"): {"spec.clusterIP", "spec.type"},
    ("", "replicationcontrollers"): {"status.replicas"},
    ("apps", "replicasets"): {"status.replicas"},
    ("batch", "jobs"): {"status.successful"},
    ("certificates.k8s.io", "certificatesigningrequests"): {"spec.signerName"},
    ("build.openshift.io", "builds"): {"status", "podName"},
    ("image.openshift.io", "imagestreams"): {"spec.dockerImageRepository", "status.dockerImageRepository"},
    ("route.openshift.io", "routes"): {"spec.path", "spec.host", "spec.to.name"},
}  # fmt: skip


def everything(_obj: dict) -> bool:
    return True


def _split(text: str) -> list[str]:
    """Requirements are parted by commas outside of parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _requirement(text: str) -> Callable[[dict], bool]:
    if match := _SET.match(text):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUALITY.match(text):
        key, value = match["key"], match["value"]
        if match["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.match(text):
        key, absent = match["key"], bool(match["not"])
        return lambda labels: (key in labels) != absent
    raise errors.bad_request(f'unable to parse requirement: found "{text}", expected: a label selector')


def labels_selector(text: str) -> Selector:
    """From the text of a query, such as `app=x,tier in (a,b),!old`."""
    requirements = [_requirement(part) for part in _split(text)]

    def matches(obj: dict) -> bool:
        labels = dig(obj, "metadata", "labels", default={})
        return all(requirement(labels) for requirement in requirements)

    return matches if requirements else everything


def matches_labels(selector: dict | None, labels: dict) -> bool:
    """Whether a metav1.LabelSelector selects the labels; none selects nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for entry in selector.get("matchExpressions") or []:
        key, operator, values = entry["key"], entry["operator"], entry.get("values") or []
        good = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[operator]
        if not good:
            return False
    return True


def _field(obj: dict, path: str) -> str:
    if path == "source":
        return dig(obj, "source", "component", default="") or obj.get("reportingComponent", "")
    if path == "podName":
        return f"{obj['metadata']['name']}-build"
    if path == "status" and obj.get("kind") == "Build":
        return dig(obj, "status", "phase", default="")
    if path == "status.successful":
        return str(dig(obj, "status", "succeeded", default=0))
    value = dig(obj, *path.split("."), default="")
    return str(value).lower() if isinstance(value, bool) else str(value)


def fields_selector(text: str, resource: ResourceType, selectable: tuple[str, ...] = ()) -> Selector:
    """From the text of a query; a field that the resource does not offer is a 400, as on a real server."""
    known = {"metadata.name", "metadata.namespace", *selectable, *_FIELDS.get(resource.key, ())}
    requirements = []
    for part in _split(text):
        match = re.match(r"^(?P<path>[^!=]+?)\s*(?P<op>==|=|!=)\s*(?P<value>.*)$", part)
        if not match:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if match["path"] not in known:
            message = (
                f'Unable to find "{resource.api_version}, Resource={resource.plural}" that match label selector "", '
            )
            message += f'field selector "{text}": field label not supported: {match["path"]}'
            raise errors.bad_request(message)
        requirements.append((match["path"], match["op"] != "!=", match["value"]))

    def matches(obj: dict) -> bool:
        return all((_field(obj, path) == value) == equal for path, equal, value in requirements)

    return matches if requirements else everything


def exact_name(text: str) -> str | None:
    """The name that a field selector asks for, which is what authorisation looks at."""
    match = re.search(r"(?:^|,)metadata\.name==?([^,]+)", text)
    return match[1] if match else None


def query_selector(query: dict[str, str], resource: ResourceType, selectable: tuple[str, ...] = ()) -> Selector:
    by_label = labels_selector(query.get("labelSelector", ""))
    by_field = fields_selector(query.get("fieldSelector", ""), resource, selectable)
    if by_label is everything and by_field is everything:
        return everything
    return lambda obj: by_label(obj) and by_field(obj)
