# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults, and what the server itself writes into objects of certain kinds when they are created or updated."""

from __future__ import annotations

import base64
import binascii
import random
import uuid

from . import errors
from .values import clone, dig

_POD_OWNERS = {
    ("", "replicationcontrollers"), ("apps", "deployments"), ("apps", "replicasets"), ("apps", "statefulsets"),
    ("apps", "daemonsets"), ("batch", "jobs"), ("apps.openshift.io", "deploymentconfigs"),
}  # fmt: skip


def _fill(obj: dict, **defaults) -> None:
    for key, value in defaults.items():
        if obj.get(key) is None:
            obj[key] = clone(value)


def default(resource, obj: dict) -> None:
    """Set the defaults of the built-in kinds in place."""
    spec = obj.get("spec")
    if resource.custom:
        return
    function = _DEFAULTS.get(resource.key)
    if function and isinstance(spec, dict):
        function(spec)
    if resource.key in _POD_OWNERS and dig(obj, "spec", "template", "spec"):
        pod_spec(spec["template"]["spec"])
    if resource.key == ("batch", "cronjobs"):
        job = dig(obj, "spec", "jobTemplate", "spec", default={})
        if dig(job, "template", "spec"):
            pod_spec(job["template"]["spec"])
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
    _fill(spec, replicas=1, strategy={"type": "RollingUpdate"}, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    _fill(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        _fill(spec["strategy"], rollingUpdate={})
        _fill(spec["strategy"]["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")


def _stateful_set(spec: dict) -> None:
    _fill(
        spec,
        replicas=1,
        podManagementPolicy="OrderedReady",
        revisionHistoryLimit=10,
        updateStrategy={"type": "RollingUpdate"},
    )
    if spec["updateStrategy"].get("type") == "RollingUpdate":
        _fill(spec["updateStrategy"], rollingUpdate={"partition": 0})


def _daemon_set(spec: dict) -> None:
    _fill(
        spec,
        revisionHistoryLimit=10,
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
    )


def _job(spec: dict) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(spec, parallelism=1, completionMode="NonIndexed", suspend=False)
    _fill(spec, backoffLimit=2147483647 if spec.get("backoffLimitPerIndex") is not None else 6)
    _fill(spec, podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    for rule in dig(spec, "podFailurePolicy", "rules", default=[]):
        for condition in rule.get("onPodConditions") or []:
            _fill(condition, status="True")


def _cron_job(spec: dict) -> None:
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)


def _service(spec: dict) -> None:
    _fill(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    for port in spec.get("ports", []):
        _fill(port, protocol="TCP", targetPort=port.get("port"))


def _claim(spec: dict) -> None:
    _fill(spec, volumeMode="Filesystem")


def _volume(spec: dict) -> None:
    _fill(spec, volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")


def _network_policy(spec: dict) -> None:
    _fill(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"], podSelector={})


_DEFAULTS = {
    ("", "pods"): _pod,
    ("", "services"): _service,
    ("", "persistentvolumeclaims"): _claim,
    ("", "persistentvolumes"): _volume,
    ("apps", "deployments"): _deployment,
    ("apps", "replicasets"): lambda spec: _fill(spec, replicas=1),
    ("", "replicationcontrollers"): lambda spec: _fill(spec, replicas=1),
    ("apps", "statefulsets"): _stateful_set,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): _job,
    ("batch", "cronjobs"): _cron_job,
    ("networking.k8s.io", "networkpolicies"): _network_policy,
}


def _secret(obj: dict) -> None:
    _fill(obj, type="Opaque")
    plain = obj.pop("stringData", None) or {}
    if plain:
        obj["data"] = {
            **(obj.get("data") or {}),
            **{key: base64.b64encode(value.encode()).decode() for key, value in plain.items()},
        }
    for value in (obj.get("data") or {}).values():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as problem:
            message = 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0'
            raise errors.bad_request(message) from problem


def prepare_create(server, call, obj: dict) -> None:
    """What the server sets before a new object is admitted."""
    resource, metadata = call.resource, obj["metadata"]
    if resource.has_status and resource.key != ("image.openshift.io", "imagestreams"):
        obj.pop("status", None)
    key = resource.key
    if key == ("", "namespaces"):
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata.get("name", "")
        obj["spec"] = {**(obj.get("spec") or {}), "finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    elif key == ("", "pods"):
        obj["status"] = {"phase": "Pending", "qosClass": _quality(obj.get("spec") or {})}
    elif key == ("", "persistentvolumeclaims"):
        obj["status"] = {"phase": "Pending"}
    elif key == ("batch", "jobs") and isinstance(obj.get("spec"), dict):
        obj["status"] = {}
        _select_own_pods(obj)
    elif key == ("", "services") and isinstance(obj.get("spec"), dict):
        obj["status"] = {"loadBalancer": {}}
        _assign_address(server, obj["spec"])
    elif key == ("apiextensions.k8s.io", "customresourcedefinitions"):
        server.crds.prepare(obj)
    elif (
        resource.has_status
        and not resource.custom
        and key[0] in ("apps", "batch", "policy", "networking.k8s.io", "autoscaling")
    ):
        obj["status"] = {}


def prepare_update(server, call, obj: dict, old: dict) -> None:
    key = call.resource.key
    if key == ("", "services") and isinstance(obj.get("spec"), dict) and not call.subresource:
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if field in old.get("spec", {}):
                _fill(obj["spec"], **{field: old["spec"][field]})
    elif key == ("", "namespaces"):
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
        if call.subresource != "finalize":
            obj["spec"] = clone(old.get("spec", {}))
    elif (
        key == ("batch", "jobs")
        and "selector" in old.get("spec", {})
        and isinstance(obj.get("spec"), dict)
        and not call.subresource
    ):
        _keep_own_pods(obj, old)
    elif key == ("", "pods") and not call.subresource:
        _fill(
            obj["spec"],
            **{
                field: old["spec"][field]
                for field in ("nodeName", "serviceAccountName", "serviceAccount")
                if field in old["spec"]
            },
        )
    elif key == ("apiextensions.k8s.io", "customresourcedefinitions") and call.subresource != "status":
        server.crds.prepare(obj)


def _quality(spec: dict) -> str:
    resources = [one.get("resources") or {} for one in [*spec.get("containers", []), *spec.get("initContainers", [])]]
    if not any(one.get("limits") or one.get("requests") for one in resources):
        return "BestEffort"
    exact = all(
        {"cpu", "memory"} <= set(one.get("limits") or {}) and one.get("limits") == one.get("requests")
        for one in resources
    )
    return "Guaranteed" if exact else "Burstable"


def _select_own_pods(job: dict) -> None:
    spec = job["spec"]
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    own = str(uuid.uuid4())
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": own}}
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    name = job["metadata"].get("name", "")
    labels.update(
        {
            "batch.kubernetes.io/controller-uid": own,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": own,
            "job-name": name,
        }
    )


def _keep_own_pods(job: dict, old: dict) -> None:
    """A client that sends a whole Job again does not know the labels that the server added."""
    _fill(job["spec"], selector=old["spec"]["selector"])
    template = job["spec"].get("template")
    if isinstance(template, dict):
        labels = template.setdefault("metadata", {}).setdefault("labels", {})
        for name, value in dig(old, "spec", "template", "metadata", "labels", default={}).items():
            if name in (
                "batch.kubernetes.io/controller-uid",
                "batch.kubernetes.io/job-name",
                "controller-uid",
                "job-name",
            ):
                labels.setdefault(name, value)


def _assign_address(server, spec: dict) -> None:
    if spec.get("type") == "ExternalName":
        return
    used = {dig(one.obj, "spec", "clusterIP") for one in server.store.snapshot(server.registry.named("services"))[0]}
    while not spec.get("clusterIP"):
        address = f"172.30.{random.randrange(256)}.{random.randrange(1, 255)}"
        if address not in used:
            spec["clusterIP"] = address
    _fill(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
