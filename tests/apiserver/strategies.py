# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults, and what the server itself writes into objects of certain kinds when they are created or updated."""

from __future__ import annotations

import base64
import binascii
import random
import uuid

from . import errors
from .admission.pods import template_of
from .values import clone, dig


def _fill(obj: dict, **defaults) -> None:
    for key, value in defaults.items():
        if obj.get(key) is None:
            obj[key] = clone(value)


def default(resource, obj: dict) -> None:
    """Set the defaults of the built-in kinds in place."""
    spec = obj.get("spec")
    if resource.custom:
        return
    if isinstance(spec, dict):
        _fill(spec, **_FIXED.get(resource.key, {}))
        if resource.key in _COMPUTED:
            _COMPUTED[resource.key](spec)
    if template := dig(template_of(resource, obj), "spec"):
        pod_spec(template)
    if resource.key == ("", "secrets"):
        _secret(obj)
    if resource.group == "rbac.authorization.k8s.io" and "roleRef" in obj:
        _fill(obj["roleRef"], apiGroup="rbac.authorization.k8s.io")
        for subject in obj.get("subjects") or []:
            if subject.get("kind") in ("User", "Group"):
                _fill(subject, apiGroup="rbac.authorization.k8s.io")


def pod_spec(spec: dict) -> None:
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
    )
    if spec.get("serviceAccountName") and not spec.get("serviceAccount"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount") and not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        _container(container)
    for volume in spec.get("volumes", []):
        if set(volume) == {"name"}:
            volume["emptyDir"] = {}
        for kind in ("configMap", "secret", "projected", "downwardAPI"):
            if isinstance(volume.get(kind), dict):
                _fill(volume[kind], defaultMode=420)
        for item in dig(volume, "downwardAPI", "items", default=[]):
            if "fieldRef" in item:
                _fill(item["fieldRef"], apiVersion="v1")
        for source in dig(volume, "projected", "sources", default=[]):
            if "serviceAccountToken" in source:
                _fill(source["serviceAccountToken"], expirationSeconds=3600)


def _container(container: dict) -> None:
    _fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File", resources={})
    image = container.get("image", "")
    latest = "@" not in image and (":" not in image.rpartition("/")[2] or image.endswith(":latest"))
    _fill(container, imagePullPolicy="Always" if latest else "IfNotPresent")
    for port in container.get("ports", []):
        _fill(port, protocol="TCP")
    for variable in container.get("env", []):
        if dig(variable, "valueFrom", "fieldRef"):
            _fill(variable["valueFrom"]["fieldRef"], apiVersion="v1")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            _fill(container[probe], timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            if "httpGet" in container[probe]:
                _fill(container[probe]["httpGet"], scheme="HTTP", path="/")
    limits = dig(container, "resources", "limits")
    if limits:  # a limit without a request is a request too
        requests = container["resources"].setdefault("requests", {})
        for name, amount in limits.items():
            requests.setdefault(name, amount)


def _pod(spec: dict) -> None:
    pod_spec(spec)
    _fill(spec, enableServiceLinks=True)


def _deployment(spec: dict) -> None:
    _fill(spec, strategy={})
    _fill(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        _fill(spec["strategy"], rollingUpdate={})
        _fill(spec["strategy"]["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")


def _stateful_set(spec: dict) -> None:
    _fill(spec, updateStrategy={"type": "RollingUpdate"})
    if spec["updateStrategy"].get("type") == "RollingUpdate":
        _fill(spec["updateStrategy"], rollingUpdate={"partition": 0})


def _job(spec: dict) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(spec, parallelism=1)
    _fill(spec, backoffLimit=2147483647 if spec.get("backoffLimitPerIndex") is not None else 6)
    _fill(spec, podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    for rule in dig(spec, "podFailurePolicy", "rules", default=[]):
        for condition in rule.get("onPodConditions") or []:
            _fill(condition, status="True")


def _service(spec: dict) -> None:
    for port in spec.get("ports", []):
        _fill(port, protocol="TCP", targetPort=port.get("port"))


def _network_policy(spec: dict) -> None:
    _fill(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


_FIXED = {
    ("", "services"): {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"},
    ("", "persistentvolumeclaims"): {"volumeMode": "Filesystem"},
    ("", "persistentvolumes"): {"volumeMode": "Filesystem", "persistentVolumeReclaimPolicy": "Retain"},
    ("", "replicationcontrollers"): {"replicas": 1},
    ("apps", "deployments"): {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    ("apps", "replicasets"): {"replicas": 1},
    ("apps", "statefulsets"): {"replicas": 1, "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10},
    ("apps", "daemonsets"): {
        "revisionHistoryLimit": 10,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
    },
    ("batch", "jobs"): {"completionMode": "NonIndexed", "suspend": False},
    ("batch", "cronjobs"): {
        **{"concurrencyPolicy": "Allow", "suspend": False},
        **{"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1},
    },
    ("networking.k8s.io", "networkpolicies"): {"podSelector": {}},
}
_WITH_STATUS = {"apps", "batch", "policy", "networking.k8s.io", "autoscaling"}  # whose status is never missing
_KEPT = {
    ("", "services"): ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
    ("", "pods"): ("nodeName", "serviceAccountName", "serviceAccount"),
    ("batch", "jobs"): ("selector",),
}
_COMPUTED = {
    ("", "pods"): _pod,
    ("", "services"): _service,
    ("apps", "deployments"): _deployment,
    ("apps", "statefulsets"): _stateful_set,
    ("batch", "jobs"): _job,
    ("networking.k8s.io", "networkpolicies"): _network_policy,
}


def _secret(obj: dict) -> None:
    _fill(obj, type="Opaque")
    plain = obj.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    for value in (obj.get("data") or {}).values():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as problem:
            message = 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0'
            raise errors.bad_request(message) from problem


def prepare_create(server, call, obj: dict) -> None:
    """What the server sets before a new object is admitted."""
    resource, metadata, spec = call.resource, obj["metadata"], obj.get("spec")
    metadata["uid"] = str(uuid.uuid4())
    if resource.has_status and resource.key != ("image.openshift.io", "imagestreams"):
        obj.pop("status", None)
        if not resource.custom and resource.group in _WITH_STATUS:
            obj["status"] = {}
    if resource.key == ("", "namespaces"):
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata.get("name", "")
        obj["spec"], obj["status"] = {**(spec or {}), "finalizers": ["kubernetes"]}, {"phase": "Active"}
    elif resource.key == ("", "pods"):
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(spec or {})}
    elif resource.key == ("", "persistentvolumeclaims"):
        obj["status"] = {"phase": "Pending"}
    elif resource.key == ("batch", "jobs") and spec:
        _select_own_pods(obj)
    elif resource.key == ("", "services") and spec:
        obj["status"] = {"loadBalancer": {}}
        _assign_address(server, spec)
    elif resource.key == ("apiextensions.k8s.io", "customresourcedefinitions"):
        server.crds.prepare(obj)


def prepare_update(server, call, obj: dict, old: dict) -> None:
    """What a client may leave out when it sends an object again, and what it may not change."""
    key, spec, before = call.resource.key, obj.get("spec"), old.get("spec") or {}
    if key == ("", "namespaces"):
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
        if call.subresource != "finalize":
            obj["spec"] = clone(before)
    elif key == ("apiextensions.k8s.io", "customresourcedefinitions") and call.subresource != "status":
        server.crds.prepare(obj)
    elif spec and not call.subresource:
        _fill(spec, **{field: before[field] for field in _KEPT.get(key, ()) if field in before})
        if key == ("batch", "jobs"):
            _keep_own_pods(obj, old)


def qos_class(spec: dict) -> str:
    """Guaranteed, Burstable or BestEffort, by cpu and memory of all containers."""
    every = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    resources = [container.get("resources") or {} for container in every]
    if not any(entry.get("requests") or entry.get("limits") for entry in resources):
        return "BestEffort"
    for entry in resources:
        limits, requests = entry.get("limits") or {}, entry.get("requests") or {}
        if not {"cpu", "memory"} <= set(limits) or any(
            requests.get(k, limits[k]) != limits[k] for k in ("cpu", "memory")
        ):
            return "Burstable"
    return "Guaranteed"


def job_labels(name: str, uid: str) -> dict[str, str]:
    """What a Job's pods carry, in the new form and in the old one."""
    labels = {"controller-uid": uid, "job-name": name}
    return {**labels, **{f"batch.kubernetes.io/{key}": value for key, value in labels.items()}}


def _select_own_pods(job: dict) -> None:
    spec = job["spec"]
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    own = job["metadata"]["uid"]
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": own}}
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    labels.update(job_labels(job["metadata"].get("name", ""), own))


def _keep_own_pods(job: dict, old: dict) -> None:
    """A client that sends a whole Job again does not know the labels that the server added."""
    template = job["spec"].get("template")
    if isinstance(template, dict):
        known = dig(old, "spec", "template", "metadata", "labels", default={})
        own = {name: known[name] for name in job_labels("", "") if name in known}
        template.setdefault("metadata", {})["labels"] = {**own, **(template["metadata"].get("labels") or {})}


def _assign_address(server, spec: dict) -> None:
    if spec.get("type") == "ExternalName":
        return
    used = {dig(one.obj, "spec", "clusterIP") for one in server.store.snapshot(server.registry.named("services"))[0]}
    while not spec.get("clusterIP"):
        address = f"172.30.{random.randrange(256)}.{random.randrange(1, 255)}"
        if address not in used:
            spec["clusterIP"] = address
    _fill(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
