# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that a fresh cluster has: namespaces, its node, default roles and bindings, OpenShift's configuration."""

from __future__ import annotations

from .actors.kubelet import NODE
from .admission import scc_defaults
from .values import timestamp

_RBAC = "rbac.authorization.k8s.io"
_SCC = "system:openshift:scc:"
_VERBS = {"read": "get list watch", "write": "create delete deletecollection patch update"}
_VERBS["all"] = " ".join(_VERBS.values())


def _rules(table: str) -> list[dict]:
    """A line: `verbs group: resources`, with the verbs as read, write, all, or parted by commas."""
    found = []
    for line in table.strip().splitlines():
        start, _colon, resources = line.partition(":")
        verbs, group = start.split()
        known = _VERBS.get(verbs, verbs.replace(",", " ")).split()
        found.append({"apiGroups": ["" if group == "core" else group], "resources": resources.split(), "verbs": known})
    return found


_VIEW = """
    read core: bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims persistentvolumeclaims/status
    read core: pods pods/log pods/status replicationcontrollers replicationcontrollers/scale replicationcontrollers/status
    read core: resourcequotas resourcequotas/status serviceaccounts services services/status
    read discovery.k8s.io: endpointslices
    read apps: controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status
    read apps: replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status
    read autoscaling: horizontalpodautoscalers horizontalpodautoscalers/status
    read batch: cronjobs cronjobs/status jobs jobs/status
    read policy: poddisruptionbudgets poddisruptionbudgets/status
    read networking.k8s.io: ingresses ingresses/status networkpolicies"""
_EDIT = """
    read core: pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy
    impersonate core: serviceaccounts
    write core: pods pods/attach pods/exec pods/portforward pods/proxy configmaps events persistentvolumeclaims
    write core: replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy
    create core: pods/eviction serviceaccounts/token
    write apps: daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale
    write autoscaling: horizontalpodautoscalers
    write batch: cronjobs jobs
    write policy: poddisruptionbudgets
    write networking.k8s.io: ingresses networkpolicies
    all coordination.k8s.io: leases"""
_ADMIN = """
    create authorization.k8s.io: localsubjectaccessreviews
    all rbac.authorization.k8s.io: rolebindings roles"""
_VIEW_OPENSHIFT = """
    read build.openshift.io: buildconfigs buildconfigs/webhooks builds builds/log
    read image.openshift.io: imagestreamimages imagestreammappings imagestreams imagestreamtags imagetags imagestreams/status
    get project.openshift.io: projects
    read route.openshift.io: routes routes/status
    read apps.openshift.io: deploymentconfigs deploymentconfigs/log deploymentconfigs/scale deploymentconfigs/status
    read template.openshift.io: processedtemplates templateinstances templates
    read quota.openshift.io: appliedclusterresourcequotas"""
_EDIT_OPENSHIFT = """
    write build.openshift.io: buildconfigs buildconfigs/webhooks builds
    create build.openshift.io: buildconfigs/instantiate buildconfigs/instantiatebinary builds/clone
    update build.openshift.io: builds/details
    all image.openshift.io: imagestreamimages imagestreammappings imagestreams imagestreams/secrets imagestreamtags imagetags
    create image.openshift.io: imagestreamimports
    get,update image.openshift.io: imagestreams/layers
    write route.openshift.io: routes
    create route.openshift.io: routes/custom-host
    write apps.openshift.io: deploymentconfigs deploymentconfigs/scale
    create apps.openshift.io: deploymentconfigs/instantiate deploymentconfigs/rollback
    write template.openshift.io: processedtemplates templateinstances templates"""
_ADMIN_OPENSHIFT = """
    delete,get,patch,update project.openshift.io: projects
    create security.openshift.io: podsecuritypolicyreviews podsecuritypolicyselfsubjectreviews podsecuritypolicysubjectreviews"""
_BASIC = """
    create authorization.k8s.io: selfsubjectaccessreviews selfsubjectrulesreviews
    create authentication.k8s.io: selfsubjectreviews"""
_PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC]
_KUBERNETES_ROLES = {
    "system:basic-user": _BASIC,
    "system:auth-delegator": """
        create authentication.k8s.io: tokenreviews
        create authorization.k8s.io: subjectaccessreviews""",
}
_OPENSHIFT_ROLES = {
    "basic-user": """
        list project.openshift.io: projectrequests
        list,watch project.openshift.io: projects
        delete,get,list,watch oauth.openshift.io: useroauthaccesstokens
        create authorization.k8s.io: selfsubjectaccessreviews selfsubjectrulesreviews""",
    "self-provisioner": "create project.openshift.io: projectrequests",
    "system:image-puller": "get image.openshift.io: imagestreams/layers",
    "system:image-pusher": "get,update image.openshift.io: imagestreams/layers",
    "system:image-builder": """
        get,update image.openshift.io: imagestreams/layers
        create image.openshift.io: imagestreams
        update build.openshift.io: builds/details
        get build.openshift.io: builds""",
    "system:deployer": """
        get,list,patch,update,watch core: replicationcontrollers replicationcontrollers/scale
        create,get,list,watch core: pods
        get core: pods/log""",
}


def _role(name: str, rules: list[dict], labels: dict | None = None, aggregate: str = "") -> dict:
    metadata = {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})}}
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}
    if aggregate:
        label = {f"{_RBAC}/aggregate-to-{aggregate}": "true"}
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": label}]}
    return role


def _urls(urls: list[str], verb: str = "get") -> dict:
    return {"nonResourceURLs": urls, "verbs": [verb]}


def _binding(name: str, role: str, *groups: str) -> dict:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": group} for group in groups],
    }


def _user_facing(openshift: bool) -> list[dict]:
    """view, edit and admin, each put together from the roles with its label."""
    to = f"{_RBAC}/aggregate-to-"
    parts = {"view": (_VIEW, _VIEW_OPENSHIFT), "edit": (_EDIT, _EDIT_OPENSHIFT), "admin": (_ADMIN, _ADMIN_OPENSHIFT)}
    labels = {"admin": {}, "edit": {f"{to}admin": "true"}, "view": {f"{to}edit": "true"}}
    roles = []
    for name, (plain, own) in parts.items():
        roles.append(_role(name, [], labels[name], name))
        roles.append(_role(f"system:aggregate-to-{name}", _rules(plain), {f"{to}{name}": "true"}))
        if openshift:
            roles.append(_role(f"system:openshift:aggregate-to-{name}", _rules(own), {f"{to}{name}": "true"}))
    return roles


def _roles(openshift: bool) -> list[dict]:
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    roles = [
        _role("cluster-admin", [everything, _urls(["*"], "*")]),
        *_user_facing(openshift),
        *(_role(name, _rules(table)) for name, table in _KUBERNETES_ROLES.items()),
        _role("system:discovery", [_urls(_DISCOVERY)]),
        _role("system:public-info-viewer", [_urls(_PUBLIC)]),
        _role(
            "system:service-account-issuer-discovery",
            [_urls(["/.well-known/openid-configuration", "/openid/v1/jwks"])],
        ),
    ]
    if openshift:
        roles += [_role(name, _rules(table)) for name, table in _OPENSHIFT_ROLES.items()]
        oneself = {"apiGroups": ["user.openshift.io"], "resources": ["users"], "resourceNames": ["~"], "verbs": ["get"]}
        next(role for role in roles if role["metadata"]["name"] == "basic-user")["rules"].append(oneself)
        use = {"apiGroups": [scc_defaults.GROUP], "resources": ["securitycontextconstraints"], "verbs": ["use"]}
        roles += [_role(f"{_SCC}{name}", [{**use, "resourceNames": [name]}]) for name in scc_defaults.VARIANTS]
    return roles


def _bindings(openshift: bool) -> list[dict]:
    everyone = ("system:authenticated", "system:unauthenticated")
    bindings = [
        _binding("cluster-admin", "cluster-admin", "system:masters"),
        _binding("system:basic-user", "system:basic-user", "system:authenticated"),
        _binding("system:discovery", "system:discovery", "system:authenticated"),
        _binding("system:public-info-viewer", "system:public-info-viewer", *everyone),
    ]
    if openshift:
        bindings += [
            _binding("basic-users", "basic-user", "system:authenticated"),
            _binding("self-provisioners", "self-provisioner", "system:authenticated:oauth"),
            _binding("cluster-admins", "cluster-admin", "system:cluster-admins"),
            _binding(f"{_SCC}restricted-v2", f"{_SCC}restricted-v2", "system:authenticated"),
        ]
    return bindings


def openshift_version(kubernetes: str) -> str:
    """OpenShift 4.N carries Kubernetes 1.(N+13)."""
    return f"4.{int(kubernetes.partition('.')[2]) - 13}.0"


def _conditions(now: str, **states: str) -> list[dict]:
    return [{"type": kind, "status": status, "lastTransitionTime": now} for kind, status in states.items()]


def _openshift(server, now: str) -> list[tuple[str, dict]]:
    version = openshift_version(server.version)
    release = {"version": version, "image": "quay.io/openshift-release-dev/ocp-release@sha256:" + "0" * 64}
    times = {"startedTime": now, "completionTime": now}
    cluster_version = {
        "desired": release,
        "history": [{"state": "Completed", "verified": True, **times, **release}],
        "observedGeneration": 1,
        "versionHash": "",
        "conditions": _conditions(now, Available="True", Failing="False", Progressing="False"),
        "availableUpdates": None,
    }
    infrastructure = {
        "infrastructureName": "stand-in",
        "platform": "None",
        "apiServerURL": server.url,
        "controlPlaneTopology": "SingleReplica",
        "infrastructureTopology": "SingleReplica",
    }
    operator = {
        "versions": [{"name": "operator", "version": version}],
        "conditions": _conditions(now, Available="True", Progressing="False", Degraded="False"),
    }
    registry = {"internalRegistryHostname": "image-registry.openshift-image-registry.svc:5000"}
    channel = {"channel": "stable", "clusterID": "00000000-0000-4000-8000-000000000000"}
    return [
        _config("ClusterVersion", "version", channel, cluster_version),
        _config("Image", "cluster", {}, registry),
        _config("Infrastructure", "cluster", {"platformSpec": {"type": "None"}}, infrastructure),
        _config("Ingress", "cluster", {"domain": "apps.example.test"}, {}, "ingresses"),
        _config("ClusterOperator", "image-registry", {}, operator),
    ]


def _config(kind: str, name: str, spec: dict, status: dict, plural: str = "") -> tuple[str, dict]:
    body = {"apiVersion": "config.openshift.io/v1", "kind": kind, "metadata": {"name": name}}
    return f"{plural or kind.lower() + 's'}.config.openshift.io", {**body, "spec": spec, "status": status}


def _node(server, now: str) -> dict:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    capacity = {"cpu": "16", "memory": "64Gi", "pods": "500"}
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": {**labels, "node-role.kubernetes.io/worker": ""}},
        "spec": {},
        "status": {
            "conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "capacity": capacity,
            "allocatable": capacity,
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "kubeletVersion": f"v{server.version}.0",
            },
        },
    }


def _storage_class() -> dict:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": annotations},
        "provisioner": "stand-in.example.test/hostpath",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def objects(server) -> list[tuple[str, dict]]:
    """(resource name, object) in the order of their creation."""
    openshift, now = server.profile == "openshift", timestamp(server.clock.now())
    namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"]
    if openshift:
        namespaces += ["openshift", "openshift-config", "openshift-image-registry"]
    found = [(f"clusterroles.{_RBAC}", role) for role in _roles(openshift)]
    found += [(f"clusterrolebindings.{_RBAC}", binding) for binding in _bindings(openshift)]
    found += [("nodes", _node(server, now)), ("storageclasses.storage.k8s.io", _storage_class())]
    if openshift:
        found += [(f"securitycontextconstraints.{scc_defaults.GROUP}", one) for one in scc_defaults.constraints()]
        found += _openshift(server, now)
    found += [
        ("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}) for name in namespaces
    ]
    return found
