# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to OpenShift by user name and password, with the real `openshift` package over HTTPS."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError

pytest.importorskip("openshift", reason="the optional package openshift is not installed")
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture
def user(server) -> dict:
    server.users.add("ann", password="the-password-of-ann")
    return {"host": server.url, "ca_cert": server.ca_file, "username": "ann", "password": "the-password-of-ann"}


def test_a_password_buys_a_token_that_is_given_back(server, user):
    with Cluster(user) as cluster:
        assert cluster.create(REVIEWS, REVIEW)["status"]["userInfo"]["username"] == "ann"
        token = cluster.credentials["authorization"].removeprefix("Bearer ")
    with (
        Cluster({**user, "username": "", "password": "", "api_key": token}) as cluster,
        pytest.raises(ClusterError) as caught,
    ):
        cluster.create(REVIEWS, REVIEW)
    assert caught.value.status == 401


def test_a_password_goes_before_the_token_of_a_kubeconfig(server, user):
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": server.url, "certificate-authority": server.ca_file}}],
        "users": [{"name": "u", "user": {"token": "an-old-token-that-has-expired"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    options = {name: user[name] for name in ("username", "password")}
    with Cluster({**options, "kubeconfig": kubeconfig}) as cluster:
        assert cluster.create(REVIEWS, REVIEW)["status"]["userInfo"]["username"] == "ann"


def test_a_token_that_expires_is_bought_anew(server, user):
    with Cluster(user) as cluster:
        server.tokens.revoke(cluster.credentials["authorization"].removeprefix("Bearer "))
        assert cluster.create(REVIEWS, REVIEW)["status"]["userInfo"]["username"] == "ann"


def test_a_wrong_password_is_told_without_repeating_it(user):
    with pytest.raises(ClusterError) as caught:
        Cluster({**user, "password": "not-the-password"})
    assert caught.value.code == "cluster_unauthorized"
    assert "'ann'" in caught.value.message and "not-the-password" not in caught.value.message


def test_a_server_without_that_login_is_told(user, apiserver):
    plain = apiserver(profile="kubernetes", pods="none")
    with pytest.raises(ClusterError) as caught:
        Cluster({**user, "host": plain.url, "ca_cert": plain.ca_file})
    assert caught.value.code == "cluster_config" and "api_key" in caught.value.message


def test_a_ca_that_did_not_sign_the_login_is_told(user):
    with pytest.raises(ClusterError) as caught:
        Cluster({**user, "ca_cert": None})
    assert caught.value.code == "cluster_certificate"


def test_without_the_package_it_is_named(user, monkeypatch):
    monkeypatch.setitem(sys.modules, "openshift.helper", None)
    with pytest.raises(ClusterError) as caught:
        Cluster(user)
    assert "pip install openshift" in caught.value.message
