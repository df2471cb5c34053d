# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server changes in objects and refuses by policy: Pod Security, SCC, quota, limits, namespaces."""

from __future__ import annotations

import pytest

STAND_IN = {"profile": "openshift"}
IMAGE = "registry.example.com/never/pulled:1"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod_body(name: str, context: dict | None = None, **spec) -> dict:
    container = {"name": "main", "image": IMAGE, "securityContext": context or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def post(cluster, namespace: str, body: dict, plural: str = "pods", token: str | None = None, dry: bool = False):
    group = body["apiVersion"]
    prefix = "/api/v1" if group == "v1" else f"/apis/{group}"
    path = f"{prefix}/namespaces/{namespace}/{plural}" + ("?dryRun=All" if dry else "")
    return cluster.call("POST", path, body, token=token)


def enforce(cluster, namespace: str, **levels: str) -> None:
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode, level in levels.items()}
    path, kind = f"/api/v1/namespaces/{namespace}", "application/merge-patch+json"
    assert cluster.call("PATCH", path, {"metadata": {"labels": labels}}, content_type=kind)[0] == 200


@pytest.fixture
def member(cluster, namespace):
    """Token of somebody with the role `edit` in the namespace and nothing else."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "member"}}
    assert post(cluster, namespace, account, "serviceaccounts")[0] == 201
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "member"},
        "subjects": [{"kind": "ServiceAccount", "name": "member", "namespace": namespace}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
    }
    assert post(cluster, namespace, binding, "rolebindings")[0] == 201
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/member/token"
    status, _headers, answer = cluster.call("POST", path, request)
    assert status == 201, answer
    return answer["status"]["token"]


def test_the_restricted_level_names_everything_that_is_missing(cluster, namespace):
    enforce(cluster, namespace, enforce="restricted")
    body = pod_body(
        "plain",
        {"runAsNonRoot": False, "seccompProfile": {"type": "Unconfined"}, "capabilities": {"add": ["SYS_TIME"]}},
    )
    status, _headers, answer = post(cluster, namespace, body)
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert answer["message"].startswith('pods "plain" is forbidden: violates PodSecurity "restricted:latest": ')
    for part in (
        'allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false)',
        'unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]; container "main" '
        'must not include "SYS_TIME" in securityContext.capabilities.add)',
        'runAsNonRoot != true (container "main" must not set securityContext.runAsNonRoot=false)',
        'seccompProfile (container "main" must not set securityContext.seccompProfile.type to "Unconfined")',
    ):
        assert part in answer["message"], answer["message"]


def test_a_pod_that_keeps_to_the_restricted_level_is_let_in(cluster, namespace):
    enforce(cluster, namespace, enforce="restricted")
    assert post(cluster, namespace, pod_body("good", RESTRICTED), dry=True)[0] == 201


@pytest.mark.parametrize(
    ("spec", "context", "part"),
    [
        ({"hostNetwork": True, "hostPID": True}, {}, "host namespaces (hostNetwork=true, hostPID=true)"),
        ({"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}, {}, 'hostPath volumes (volume "host")'),
        ({}, {"privileged": True}, 'privileged (container "main" must not set securityContext.privileged=true)'),
        (
            {},
            {"capabilities": {"add": ["NET_ADMIN"]}},
            'non-default capabilities (container "main" must not include "NET_ADMIN" in securityContext.capabilities.add)',
        ),
    ],
)
def test_the_baseline_level_refuses_the_host(cluster, namespace, spec, context, part):
    enforce(cluster, namespace, enforce="baseline")
    status, _headers, answer = post(cluster, namespace, pod_body("host", context, **spec))
    assert status == 403, answer
    assert 'violates PodSecurity "baseline:latest": ' in answer["message"]
    assert part in answer["message"]
    assert post(cluster, namespace, pod_body("ordinary"), dry=True)[0] == 201


def test_a_workload_is_let_in_with_a_warning(cluster, namespace):
    enforce(cluster, namespace, enforce="restricted", warn="restricted")
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod_body("x")["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}
    status, headers, answer = post(cluster, namespace, body, "deployments")
    assert status == 201, answer
    assert 'would violate PodSecurity \\"restricted:latest\\": allowPrivilegeEscalation != false' in headers["Warning"]


def test_quota_counts_objects(cluster, namespace):
    hard = {"count/configmaps": "3"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": hard}}
    assert post(cluster, namespace, quota, "resourcequotas")[0] == 201
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/few"
    cluster.until(path, lambda found: ((found or {}).get("status") or {}).get("used"))
    answers = []
    for number in range(4):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}"}}
        answers.append(post(cluster, namespace, body, "configmaps"))
    status, _headers, answer = answers[-1]
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert (
        "exceeded quota: few, requested: count/configmaps=1, used: count/configmaps=3, limited: count/configmaps=3"
        in answer["message"]
    )


def test_quota_wants_requests_to_be_named(cluster, namespace):
    hard = {"requests.memory": "1Gi"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "memory"}, "spec": {"hard": hard}}
    assert post(cluster, namespace, quota, "resourcequotas")[0] == 201
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/memory"
    cluster.until(path, lambda found: ((found or {}).get("status") or {}).get("used"))
    status, _headers, answer = post(cluster, namespace, pod_body("silent", RESTRICTED))
    assert status == 403
    assert "failed quota: memory: must specify requests.memory for: " in answer["message"]
    body = pod_body("greedy", RESTRICTED)
    body["spec"]["containers"][0]["resources"] = {"requests": {"memory": "2Gi"}}
    status, _headers, answer = post(cluster, namespace, body)
    assert status == 403
    assert (
        "exceeded quota: memory, requested: requests.memory=2Gi, used: requests.memory=0, limited: requests.memory=1Gi"
        in answer["message"]
    )


def test_limit_ranges_fill_in_and_bound(cluster, namespace):
    limit = {
        "type": "Container",
        "default": {"memory": "256Mi"},
        "defaultRequest": {"memory": "128Mi"},
        "max": {"memory": "1Gi"},
    }
    body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": [limit]}}
    assert post(cluster, namespace, body, "limitranges")[0] == 201
    status, _headers, answer = post(cluster, namespace, pod_body("filled", RESTRICTED), dry=True)
    assert status == 201, answer
    resources = answer["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "256Mi"}, "requests": {"memory": "128Mi"}}
    big = pod_body("big", RESTRICTED)
    big["spec"]["containers"][0]["resources"] = {"limits": {"memory": "2Gi"}}
    status, _headers, answer = post(cluster, namespace, big)
    assert status == 403
    assert "maximum memory usage per Container is 1Gi, but limit is 2Gi" in answer["message"]


def test_pods_get_a_service_account_and_its_token(cluster, namespace):
    cluster.until(f"/api/v1/namespaces/{namespace}/serviceaccounts/default", bool)
    answer = post(cluster, namespace, pod_body("token", RESTRICTED), dry=True)[2]
    assert answer["spec"]["serviceAccountName"] == "default"
    mounts = [mount["mountPath"] for mount in answer["spec"]["containers"][0]["volumeMounts"]]
    assert mounts == ["/var/run/secrets/kubernetes.io/serviceaccount"]
    answer = post(cluster, namespace, pod_body("none", RESTRICTED, automountServiceAccountToken=False), dry=True)[2]
    assert "volumeMounts" not in answer["spec"]["containers"][0]
    status, _headers, answer = post(
        cluster, namespace, pod_body("nobody", RESTRICTED, serviceAccountName="nobody"), dry=True
    )
    assert status == 403
    assert (
        f'error looking up service account {namespace}/nobody: serviceaccount "nobody" not found' in answer["message"]
    )


def test_a_namespace_begins_with_its_defaults_and_ends_empty(cluster, namespace):
    cluster.until(f"/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt", bool)
    found = cluster.call("GET", f"/api/v1/namespaces/{namespace}")[2]
    assert found["status"]["phase"] == "Active"
    assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == namespace
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    assert post(cluster, namespace, held, "configmaps")[0] == 201
    assert cluster.call("DELETE", f"/api/v1/namespaces/{namespace}")[0] == 200
    cluster.until(f"/api/v1/namespaces/{namespace}", lambda found: found["status"]["phase"] == "Terminating")
    late = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}}
    status, _headers, answer = post(cluster, namespace, late, "configmaps")
    assert (status, answer["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    assert "because it is being terminated" in answer["message"]
    path, patch = f"/api/v1/namespaces/{namespace}/configmaps/held", {"metadata": {"finalizers": None}}
    assert cluster.call("PATCH", path, patch, content_type="application/merge-patch+json")[0] == 200
    cluster.until(f"/api/v1/namespaces/{namespace}", lambda found: found is None)


def needs_openshift(cluster) -> None:
    if not cluster.openshift:
        pytest.skip("SecurityContextConstraints are OpenShift's.")


def uid_range(cluster, namespace: str) -> range:
    annotations = cluster.call("GET", f"/api/v1/namespaces/{namespace}")[2]["metadata"]["annotations"]
    first, size = (int(part) for part in annotations["openshift.io/sa.scc.uid-range"].split("/"))
    return range(first, first + size)


def test_a_member_gets_a_user_of_the_namespace(cluster, namespace, member):
    needs_openshift(cluster)
    users = uid_range(cluster, namespace)
    status, _headers, answer = post(cluster, namespace, pod_body("mine"), token=member, dry=True)
    assert status == 201, answer
    assert answer["metadata"]["annotations"]["openshift.io/scc"] == "restricted-v2"
    context = answer["spec"]["containers"][0]["securityContext"]
    assert context["runAsUser"] == users[0]
    assert (context["runAsNonRoot"], context["allowPrivilegeEscalation"], context["capabilities"]["drop"]) == (
        True,
        False,
        ["ALL"],
    )
    general = answer["spec"]["securityContext"]
    assert (general["fsGroup"], general["seccompProfile"]) == (users[0], {"type": "RuntimeDefault"})
    assert general["seLinuxOptions"]["level"].startswith("s0:c")


def test_a_member_may_not_choose_the_user(cluster, namespace, member):
    needs_openshift(cluster)
    users = uid_range(cluster, namespace)
    status, _headers, answer = post(cluster, namespace, pod_body("chosen", {"runAsUser": 1000}), token=member)
    assert (status, answer["reason"]) == (403, "Forbidden")
    message = answer["message"]
    assert message.startswith(
        'pods "chosen" is forbidden: unable to validate against any security context constraint: ['
    )
    assert 'provider "anyuid": Forbidden: not usable by user or serviceaccount' in message
    words = f"provider restricted-v2: .containers[0].runAsUser: Invalid value: 1000: must be in the ranges: [{users[0]}, {users[-1]}]"
    assert words in message


def test_a_role_can_allow_another_constraint(cluster, namespace, member):
    needs_openshift(cluster)
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "anyuid"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:openshift:scc:anyuid"},
    }
    assert post(cluster, namespace, binding, "rolebindings")[0] == 201
    status, _headers, answer = post(cluster, namespace, pod_body("chosen", {"runAsUser": 1000}), token=member, dry=True)
    assert status == 201, answer
    assert answer["metadata"]["annotations"]["openshift.io/scc"] == "anyuid"
    assert answer["spec"]["containers"][0]["securityContext"]["runAsUser"] == 1000


def test_the_constraint_that_a_pod_requires_is_the_only_one(cluster, namespace, member):
    needs_openshift(cluster)
    body = pod_body("required")
    body["metadata"]["annotations"] = {"openshift.io/required-scc": "nonroot-v2"}
    status, _headers, answer = post(cluster, namespace, body, token=member)
    assert status == 403
    assert '[provider "nonroot-v2": Forbidden: not usable by user or serviceaccount]' in answer["message"]


def test_quota_of_storage_is_for_claims(cluster, namespace):
    hard = {"requests.storage": "1Gi"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "disk"}, "spec": {"hard": hard}}
    assert post(cluster, namespace, quota, "resourcequotas")[0] == 201
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/disk"
    cluster.until(path, lambda found: ((found or {}).get("status") or {}).get("used"))
    assert post(cluster, namespace, pod_body("diskless", RESTRICTED), dry=True)[0] == 201
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "big"}, "spec": spec}
    status, _headers, answer = post(cluster, namespace, claim, "persistentvolumeclaims")
    assert status == 403
    assert "exceeded quota: disk, requested: requests.storage=2Gi" in answer["message"]
