# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server serves: aggregated, without aggregation, hidden, or behind a server that is down."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Discovery
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from cluster_support import auth


def test_one_request_answers_for_all_groups(server, cluster):
    discovery = cluster.discovery
    assert discovery.serves("build.openshift.io", "buildconfigs") is True
    assert discovery.serves("batch", "jobs") is True
    assert discovery.serves("batch", "unicorns") is False
    assert discovery.serves("example.com") is False
    assert discovery.versions("apps") == ("v1",)
    assert discovery.find("apps/v1", "Deployment").plural == "deployments"
    assert server.journal.count() == 1


def test_the_core_group_is_asked_for_where_it_is_needed(server, cluster):
    pod = cluster.discovery.find("v1", "Pod")
    assert pod.path("team", "p", "log") == "/api/v1/namespaces/team/pods/p/log"
    assert cluster.discovery.find("v1", "Namespace").path(None, "team") == "/api/v1/namespaces/team"
    assert server.journal.count() == 1


def test_a_server_without_aggregation_is_asked_group_by_group_as_needed(apiserver):
    server = apiserver(profile="openshift", pods="none", aggregated_discovery=False)
    with Cluster(auth(server)) as cluster:
        server.journal.clear()
        assert cluster.discovery.serves("build.openshift.io") is True
        assert cluster.discovery.versions("example.com") == ()
        assert server.journal.count() == 1
        assert cluster.discovery.serves("build.openshift.io", "buildconfigs") is True
        assert cluster.discovery.serves("build.openshift.io", "unicorns") is False
        assert server.journal.count() == 2
        deployment = cluster.discovery.find("apps/v1", "Deployment")
        assert deployment.path("team", "d") == "/apis/apps/v1/namespaces/team/deployments/d"


def refusing(status: int, path: str = "/apis", groups=()):
    """A discovery whose server answers one path with an error, the others as a server without aggregation."""

    def get(asked: str, _accept: str) -> dict:
        if asked == path:
            raise ClusterError("refused", "cluster_forbidden", status=status)
        return {"kind": "APIGroupList", "groups": [{"name": name, "versions": [{"version": "v1"}]} for name in groups]}

    return Discovery(get)


def test_what_may_not_be_seen_is_unknown_and_not_absent():
    discovery = refusing(403)
    assert discovery.serves("batch") is None
    assert discovery.serves("batch", "jobs") is None
    assert discovery.versions("batch") is None
    with pytest.raises(ClusterError) as caught:
        discovery.find("batch/v1", "Job")
    assert "cannot be seen" in caught.value.message


@pytest.mark.parametrize("status", [403, 503])
def test_a_group_whose_own_server_does_not_answer_is_unknown_in_its_parts(status):
    discovery = refusing(status, "/apis/metrics.k8s.io/v1", ["metrics.k8s.io"])
    assert discovery.serves("metrics.k8s.io") is True
    assert discovery.serves("metrics.k8s.io", "pods") is None


def test_a_group_that_is_stale_is_unknown():
    stale = {"version": "v1", "freshness": "Stale", "resources": []}
    items = [{"metadata": {"name": "custom.metrics.k8s.io"}, "versions": [stale]}]
    discovery = Discovery(lambda _path, _accept: {"kind": "APIGroupDiscoveryList", "items": items})
    assert discovery.versions("custom.metrics.k8s.io") is None
    assert discovery.serves("custom.metrics.k8s.io", "pods") is None
    with pytest.raises(ClusterError) as caught:
        discovery.find("custom.metrics.k8s.io/v1", "Pod")
    assert "does not answer" in caught.value.message


def test_a_server_that_is_down_is_no_answer():
    with pytest.raises(ClusterError):
        refusing(503).serves("batch")
