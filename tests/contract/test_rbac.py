# SPDX-License-Identifier: GPL-3.0-or-later
"""Authentication and authorisation."""

from __future__ import annotations

import pytest

RBAC = "rbac.authorization.k8s.io"
READ_MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}


def review(cluster, kind: str, spec: dict, token: str) -> dict:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    return cluster.good("POST", f"/apis/authorization.k8s.io/v1/{kind.lower()}s", body, token=token)["status"]


def test_a_bad_token_is_unauthorized_and_none_is_anonymous(cluster, maps):
    status, _headers, found = cluster.call("GET", maps, token="not-a-good-token-of-this-server")
    assert (status, found["reason"]) == (401, "Unauthorized")
    status, _headers, found = cluster.call("GET", maps, token="")
    assert status in (401, 403)
    if status == 403:
        assert 'User "system:anonymous" cannot list resource "configmaps"' in found["message"]


def test_a_role_gives_what_it_says_and_no_more(cluster, namespace, maps, make_map, account):
    token = account([READ_MAPS])
    assert cluster.call("GET", maps, token=token)[0] == 200
    status, _headers, found = cluster.call("POST", maps, make_map("a"), token=token)
    assert (status, found["reason"]) == (403, "Forbidden")
    assert 'cannot create resource "configmaps" in API group "" in the namespace' in found["message"]
    status, _headers, found = cluster.call("GET", "/api/v1/nodes", token=token)
    assert status == 403 and 'cannot list resource "nodes" in API group "" at the cluster scope' in found["message"]
    assert cluster.call("GET", "/api/v1/namespaces/default/configmaps", token=token)[0] == 403


def test_an_apply_that_makes_an_object_needs_create_too(cluster, maps, make_map, account):
    token = account([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]}])

    def apply():
        path, kind = f"{maps}/new?fieldManager=tests", "application/apply-patch+yaml"
        return cluster.call("PATCH", path, make_map("new"), kind, token=token)

    status, _headers, found = apply()
    assert status == 403 and 'cannot create resource "configmaps"' in found["message"]
    cluster.good("POST", maps, make_map("new"))
    assert apply()[0] in (200, 409)


def test_names_and_subresources_are_minded(cluster, namespace, maps, make_map, account):
    token = account(
        [
            {**READ_MAPS, "resourceNames": ["mine"]},
            {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get"]},
        ]
    )
    for name in ("mine", "other"):
        cluster.good("POST", maps, make_map(name))
    assert cluster.call("GET", f"{maps}/mine", token=token)[0] == 200
    assert cluster.call("GET", f"{maps}/other", token=token)[0] == 403
    assert cluster.call("GET", maps, token=token)[0] == 403
    assert cluster.call("GET", f"{maps}?fieldSelector=metadata.name%3Dmine", token=token)[0] == 200
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    assert cluster.call("GET", f"{deployments}/x", token=token)[0] == 403
    assert cluster.call("GET", f"{deployments}/x/scale", token=token)[0] == 404


def test_reviews_agree_with_what_happens(cluster, namespace, account):
    token = account([READ_MAPS])
    for verb, resource, allowed in (
        ("list", "configmaps", True),
        ("delete", "configmaps", False),
        ("list", "secrets", False),
    ):
        spec = {"resourceAttributes": {"namespace": namespace, "verb": verb, "resource": resource}}
        assert review(cluster, "SelfSubjectAccessReview", spec, token)["allowed"] is allowed
    found = review(cluster, "SelfSubjectRulesReview", {"namespace": namespace}, token)
    assert any(
        rule["resources"] == ["configmaps"] and set(rule["verbs"]) == {"get", "list"} for rule in found["resourceRules"]
    )
    assert isinstance(found["incomplete"], bool)


def test_who_am_i(cluster, namespace, account):
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    found = cluster.good("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, token=account([]))[
        "status"
    ]["userInfo"]
    assert (
        found["username"].startswith(f"system:serviceaccount:{namespace}:")
        and f"system:serviceaccounts:{namespace}" in found["groups"]
    )


@pytest.mark.parametrize("wanted", ["secrets", "*"])
def test_nobody_grants_what_they_lack(cluster, namespace, account, wanted):
    token = account([READ_MAPS, {"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": ["create"]}])
    path, api = f"/apis/{RBAC}/v1/namespaces/{namespace}", {"apiVersion": f"{RBAC}/v1"}
    role = {
        **api,
        "kind": "Role",
        "metadata": {"name": "more"},
        "rules": [{"apiGroups": [""], "resources": [wanted], "verbs": ["get"]}],
    }
    status, _headers, found = cluster.call("POST", f"{path}/roles", role, token=token)
    assert status == 403 and "attempting to grant RBAC permissions not currently held" in found["message"]
    role["rules"] = [READ_MAPS]
    assert cluster.call("POST", f"{path}/roles", role, token=token)[0] == 201
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {**api, "kind": "RoleBinding", "metadata": {"name": "more"}, "roleRef": reference, "subjects": []}
    assert cluster.call("POST", f"{path}/rolebindings", binding, token=token)[0] == 403


def test_view_reads_but_no_secrets(cluster, namespace, maps, account):
    token = account([])
    name = cluster.good("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, token=token)["status"][
        "userInfo"
    ]["username"].split(":")[3]
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "view"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    cluster.good("POST", f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings", binding)
    assert cluster.call("GET", maps, token=token)[0] == 200
    assert cluster.call("GET", f"/api/v1/namespaces/{namespace}", token=token)[0] == 200
    assert cluster.call("GET", f"/api/v1/namespaces/{namespace}/secrets", token=token)[0] == 403


def test_impersonation_is_a_permission(cluster, namespace, maps, account):
    assert cluster.call("GET", maps, headers={"Impersonate-User": "nobody"})[0] == 403
    name = f"system:serviceaccount:{namespace}:default"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    found = cluster.call("POST", path, body, headers={"Impersonate-User": name})[2]["status"]["userInfo"]
    assert found["username"] == name and "system:serviceaccounts" in found["groups"]
    status, _headers, refused = cluster.call("POST", path, body, token=account([]), headers={"Impersonate-User": name})
    assert status == 403 and 'cannot impersonate resource "serviceaccounts"' in refused["message"]


def test_a_token_lives_as_long_as_its_account(cluster, namespace, account):
    token = account([])
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    user = cluster.good("POST", path, {}, token=token)["status"]["userInfo"]["username"]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    reviewed = cluster.good("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)["status"]
    assert reviewed["authenticated"] and reviewed["user"]["username"] == user
    cluster.good("DELETE", f"/api/v1/namespaces/{namespace}/serviceaccounts/{user.split(':')[3]}")
    if cluster.server:  # a real server may know the account for some seconds yet
        assert cluster.call("POST", path, {}, token=token)[0] == 401


def test_who_may_not_ask_is_not_told_what_there_is(cluster, namespace, account):
    token = account([])
    for path in ("/apis/nobody.example.test/v1/things", f"/apis/apps/v1/namespaces/{namespace}/nonsense/x"):
        status, _headers, answer = cluster.call("GET", path, token=token)
        assert (status, answer["reason"]) == (403, "Forbidden"), answer
        assert cluster.call("GET", path)[0] == 404
