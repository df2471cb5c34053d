# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that a fresh cluster has: namespaces, default roles and bindings, and OpenShift's configuration."""

from __future__ import annotations

_RBAC = "rbac.authorization.k8s.io"
_READ, _WRITE = ["get", "list", "watch"], ["create", "delete", "deletecollection", "patch", "update"]


def _rule(groups: str, resources: str, verbs: list[str]) -> dict:
    return {
        "apiGroups": ["" if one == "core" else one for one in groups.split()],
        "resources": resources.split(),
        "verbs": verbs,
    }


_VIEW = [
    _rule(
        "core",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale "
        "serviceaccounts services services/status bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
        "resourcequotas resourcequotas/status namespaces",
        _READ,
    ),
    _rule("discovery.k8s.io", "endpointslices", _READ),
    _rule("apps", "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale "
          "replicasets/status statefulsets statefulsets/scale statefulsets/status", _READ),
    _rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", _READ),
    _rule("batch", "cronjobs cronjobs/status jobs jobs/status", _READ),
    _rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", _READ),
    _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", _READ),
]  # fmt: skip
_EDIT = [
    _rule("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", _READ),
    _rule("core", "serviceaccounts", ["impersonate"]),
    _rule("core", "pods pods/attach pods/exec pods/portforward pods/proxy", _WRITE),
    _rule("core", "pods/eviction", ["create"]),
    _rule(
        "core",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        _WRITE,
    ),
    _rule("core", "serviceaccounts/token", ["create"]),
    _rule(
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
        _WRITE,
    ),
    _rule("autoscaling", "horizontalpodautoscalers", _WRITE),
    _rule("batch", "cronjobs jobs", _WRITE),
    _rule("policy", "poddisruptionbudgets", _WRITE),
    _rule("networking.k8s.io", "ingresses networkpolicies", _WRITE),
    _rule("coordination.k8s.io", "leases", [*_READ, *_WRITE]),
]
_ADMIN = [
    _rule("authorization.k8s.io", "localsubjectaccessreviews", ["create"]),
    _rule(_RBAC, "rolebindings roles", [*_READ, *_WRITE]),
]
_VIEW_OPENSHIFT = [
    _rule("build.openshift.io", "buildconfigs buildconfigs/webhooks builds builds/log", _READ),
    _rule(
        "image.openshift.io",
        "imagestreamimages imagestreammappings imagestreams imagestreamtags imagetags imagestreams/status",
        _READ,
    ),
    _rule("project.openshift.io", "projects", ["get"]),
    _rule("route.openshift.io", "routes routes/status", _READ),
    _rule(
        "apps.openshift.io",
        "deploymentconfigs deploymentconfigs/log deploymentconfigs/scale deploymentconfigs/status",
        _READ,
    ),
    _rule("template.openshift.io", "processedtemplates templateinstances templates", _READ),
    _rule("quota.openshift.io", "appliedclusterresourcequotas", _READ),
]
_EDIT_OPENSHIFT = [
    _rule("build.openshift.io", "buildconfigs buildconfigs/webhooks builds", _WRITE),
    _rule("build.openshift.io", "buildconfigs/instantiate buildconfigs/instantiatebinary builds/clone", ["create"]),
    _rule("build.openshift.io", "builds/details", ["update"]),
    _rule(
        "image.openshift.io",
        "imagestreamimages imagestreammappings imagestreams imagestreams/secrets imagestreamtags imagetags",
        [*_READ, *_WRITE],
    ),
    _rule("image.openshift.io", "imagestreamimports", ["create"]),
    _rule("image.openshift.io", "imagestreams/layers", ["get", "update"]),
    _rule("route.openshift.io", "routes", _WRITE),
    _rule("route.openshift.io", "routes/custom-host", ["create"]),
    _rule("apps.openshift.io", "deploymentconfigs deploymentconfigs/scale", _WRITE),
    _rule("apps.openshift.io", "deploymentconfigs/instantiate deploymentconfigs/rollback", ["create"]),
    _rule("template.openshift.io", "processedtemplates templateinstances templates", _WRITE),
]
_ADMIN_OPENSHIFT = [
    _rule("project.openshift.io", "projects", ["delete", "get", "patch", "update"]),
    _rule(
        "security.openshift.io",
        "podsecuritypolicyreviews podsecuritypolicyselfsubjectreviews podsecuritypolicysubjectreviews",
        ["create"],
    ),
]
_SELF = _rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", ["create"])
_WHOAMI = _rule("authentication.k8s.io", "selfsubjectreviews", ["create"])
_PUBLIC = {"nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"], "verbs": ["get"]}
_DISCOVERY = {
    "nonResourceURLs": [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ],
    "verbs": ["get"],
}


def _role(name: str, rules: list[dict], labels: dict | None = None, aggregate: str = "") -> dict:
    metadata = {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})}}
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}
    if aggregate:
        label = {f"{_RBAC}/aggregate-to-{aggregate}": "true"}
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": label}]}
    return role


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
        roles.append(_role(f"system:aggregate-to-{name}", plain, {f"{to}{name}": "true"}))
        if openshift:
            roles.append(_role(f"system:openshift:aggregate-to-{name}", own, {f"{to}{name}": "true"}))
    return roles


def _roles(openshift: bool) -> list[dict]:
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    roles = [
        _role("cluster-admin", [everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}]),
        *_user_facing(openshift),
        _role("system:basic-user", [_SELF, _WHOAMI]),
        _role("system:discovery", [_DISCOVERY]),
        _role("system:public-info-viewer", [_PUBLIC]),
        _role("system:auth-delegator", [
            _rule("authentication.k8s.io", "tokenreviews", ["create"]), _rule("authorization.k8s.io", "subjectaccessreviews", ["create"]),
        ]),
        _role("system:service-account-issuer-discovery", [{"nonResourceURLs": ["/.well-known/openid-configuration", "/openid/v1/jwks"], "verbs": ["get"]}]),
    ]  # fmt: skip
    if openshift:
        roles += [
            _role("basic-user", [
                {**_rule("user.openshift.io", "users", ["get"]), "resourceNames": ["~"]},
                _rule("project.openshift.io", "projectrequests", ["list"]),
                _rule("project.openshift.io", "projects", ["list", "watch"]),
                _rule("oauth.openshift.io", "useroauthaccesstokens", ["delete", "get", "list", "watch"]),
                _SELF,
            ]),
            _role("self-provisioner", [_rule("project.openshift.io", "projectrequests", ["create"])]),
            _role("system:image-puller", [_rule("image.openshift.io", "imagestreams/layers", ["get"])]),
            _role("system:image-pusher", [_rule("image.openshift.io", "imagestreams/layers", ["get", "update"])]),
            _role("system:image-builder", [
                _rule("image.openshift.io", "imagestreams/layers", ["get", "update"]), _rule("image.openshift.io", "imagestreams", ["create"]),
                _rule("build.openshift.io", "builds/details", ["update"]), _rule("build.openshift.io", "builds", ["get"]),
            ]),
            _role("system:deployer", [
                _rule("core", "replicationcontrollers replicationcontrollers/scale", ["get", "list", "patch", "update", "watch"]),
                _rule("core", "pods", ["create", "get", "list", "watch"]), _rule("core", "pods/log", ["get"]),
            ]),
        ]  # fmt: skip
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
        ]
    return bindings


def _config(kind: str, name: str, spec: dict, status: dict) -> dict:
    return {
        "apiVersion": "config.openshift.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
        "status": status,
    }


def openshift_version(kubernetes: str) -> str:
    """OpenShift 4.N carries Kubernetes 1.(N+13)."""
    return f"4.{int(kubernetes.partition('.')[2]) - 13}.0"


def _openshift(server) -> list[tuple[str, dict]]:
    version, now = openshift_version(server.version), server.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    image = "quay.io/openshift-release-dev/ocp-release@sha256:" + "0" * 64
    history = [
        {
            "state": "Completed",
            "startedTime": now,
            "completionTime": now,
            "version": version,
            "image": image,
            "verified": True,
        }
    ]
    conditions = [
        {"type": kind, "status": status, "lastTransitionTime": now}
        for kind, status in (("Available", "True"), ("Failing", "False"), ("Progressing", "False"))
    ]
    status = {
        "desired": {"version": version, "image": image},
        "history": history,
        "observedGeneration": 1,
        "versionHash": "",
        "conditions": conditions,
        "availableUpdates": None,
    }
    group = "config.openshift.io"
    registry = {"internalRegistryHostname": "image-registry.openshift-image-registry.svc:5000"}
    infrastructure = {
        "infrastructureName": "stand-in",
        "platform": "None",
        "apiServerURL": server.url,
        "controlPlaneTopology": "SingleReplica",
        "infrastructureTopology": "SingleReplica",
    }
    states = (("Available", "True"), ("Progressing", "False"), ("Degraded", "False"))
    operator = {
        "versions": [{"name": "operator", "version": version}],
        "conditions": [{"type": kind, "status": value, "lastTransitionTime": now} for kind, value in states],
    }
    return [
        (
            f"clusterversions.{group}",
            _config(
                "ClusterVersion",
                "version",
                {"channel": "stable", "clusterID": "00000000-0000-4000-8000-000000000000"},
                status,
            ),
        ),
        (f"images.{group}", _config("Image", "cluster", {}, registry)),
        (
            f"infrastructures.{group}",
            _config("Infrastructure", "cluster", {"platformSpec": {"type": "None"}}, infrastructure),
        ),
        (f"ingresses.{group}", _config("Ingress", "cluster", {"domain": "apps.example.test"}, {})),
        (f"clusteroperators.{group}", _config("ClusterOperator", "image-registry", {}, operator)),
    ]


def objects(server) -> list[tuple[str, dict]]:
    """(resource name, object) in the order of their creation."""
    openshift = server.profile == "openshift"
    found = [(f"clusterroles.{_RBAC}", role) for role in _roles(openshift)]
    found += [(f"clusterrolebindings.{_RBAC}", binding) for binding in _bindings(openshift)]
    namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"]
    if openshift:
        namespaces += ["openshift", "openshift-config", "openshift-image-registry"]
    found += [
        ("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}) for name in namespaces
    ]
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "stand-in.example.test/hostpath",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }
    found.append(("storageclasses.storage.k8s.io", storage))
    return found + (_openshift(server) if openshift else [])
