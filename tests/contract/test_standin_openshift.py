# SPDX-License-Identifier: GPL-3.0-or-later
"""What the openshift profile adds to the API: projects, the login, one's own tokens."""

from __future__ import annotations

import base64

import pytest

STAND_IN = {"profile": "openshift"}
PROJECTS = "/apis/project.openshift.io/v1"


@pytest.fixture
def jane(cluster):
    return cluster.server.users.add("jane", ("team",), "secret-of-jane")


def login(cluster, password: str = "secret-of-jane", **headers):
    basic = base64.b64encode(f"jane:{password}".encode()).decode()
    query = "client_id=openshift-challenging-client&response_type=token"
    connection, answer = cluster.open(
        "GET", f"/oauth/authorize?{query}", token="", headers={"Authorization": f"Basic {basic}", **headers}
    )
    connection.close()
    return answer


def test_a_login_gives_a_token(cluster, jane):
    found = cluster.call("GET", "/.well-known/oauth-authorization-server", token="")[2]
    assert found["authorization_endpoint"].endswith("/oauth/authorize")
    answer = login(cluster)
    assert answer.status == 302 and "#access_token=sha256~" in answer.getheader("Location").replace("%7E", "~")
    assert login(cluster, "wrong").status == 401
    assert cluster.call("GET", "/oauth/authorize", token="", headers={"X-Csrf-Token": "1"})[1][
        "WWW-Authenticate"
    ].startswith("Basic")


def test_one_can_end_ones_own_login(cluster, jane):
    token = login(cluster).getheader("Location").partition("access_token=")[2].partition("&")[0].replace("%7E", "~")
    path = "/apis/oauth.openshift.io/v1/useroauthaccesstokens"
    names = [item["metadata"]["name"] for item in cluster.good("GET", path, token=token)["items"]]
    import hashlib

    name = "sha256~" + base64.urlsafe_b64encode(
        hashlib.sha256(token.removeprefix("sha256~").encode()).digest()
    ).decode().rstrip("=")
    assert name in names
    cluster.good("DELETE", f"{path}/{name}", token=token)
    assert cluster.call("GET", path, token=token)[0] == 401


def test_a_project_belongs_to_who_asked_for_it(cluster, jane):
    body = {
        "apiVersion": "project.openshift.io/v1",
        "kind": "ProjectRequest",
        "metadata": {"name": "janes"},
        "displayName": "Hers",
    }
    made = cluster.good("POST", f"{PROJECTS}/projectrequests", body, token=jane)
    assert made["kind"] == "Project" and made["metadata"]["annotations"]["openshift.io/requester"] == "jane"
    assert [item["metadata"]["name"] for item in cluster.good("GET", f"{PROJECTS}/projects", token=jane)["items"]] == [
        "janes"
    ]
    assert cluster.good("GET", f"{PROJECTS}/projects/janes", token=jane)["status"]["phase"] == "Active"
    assert cluster.call("GET", "/api/v1/namespaces/janes/secrets", token=jane)[0] == 200
    assert cluster.call("GET", "/api/v1/namespaces", token=jane)[0] == 403
    assert cluster.call("POST", f"{PROJECTS}/projectrequests", body, token=jane)[0] == 409
    cluster.good("DELETE", f"{PROJECTS}/projects/janes", token=jane)
    cluster.until("/api/v1/namespaces/janes", lambda obj: obj is None)


def test_ones_own_user(cluster, jane):
    found = cluster.good("GET", "/apis/user.openshift.io/v1/users/~", token=jane)
    assert found["metadata"]["name"] == "jane" and "team" in found["groups"]


def test_the_version_of_the_cluster(cluster):
    found = cluster.good("GET", "/apis/config.openshift.io/v1/clusterversions/version")
    assert found["status"]["desired"]["version"] == "4.23.0" and found["status"]["history"][0]["state"] == "Completed"


def test_build_pods_are_exempt_from_pod_security(cluster):
    enforced = {"name": "sealed", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    cluster.server.system.create("namespaces", {"metadata": enforced})
    container = {"name": "a", "image": "a", "securityContext": {"privileged": True}}
    pod = {"metadata": {"name": "a", "namespace": "sealed"}, "spec": {"containers": [container]}}
    assert cluster.call("POST", "/api/v1/namespaces/sealed/pods", pod)[0] == 403
    controller = "system:serviceaccount:openshift-infra:build-controller"
    assert cluster.server.system.create("pods", pod, user=controller)["metadata"]["name"] == "a"
