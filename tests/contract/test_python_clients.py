# SPDX-License-Identifier: GPL-3.0-or-later
"""The `kubernetes` package: its typed client and its dynamic one."""

from __future__ import annotations

import json

import kubernetes
import pytest
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

from . import clients

STAND_IN = clients.STAND_IN


@pytest.fixture
def api(kubeconfig):
    with kubernetes.config.new_client_from_config(kubeconfig) as client:
        yield client


@pytest.fixture
def config_maps(api, tmp_path):
    """The resource of the dynamic client, which keeps its discovery in a file."""
    client = DynamicClient(api, cache_file=str(tmp_path / "discovery.json"))
    return client.resources.get(api_version="v1", kind="ConfigMap")


def test_typed_objects_come_back_as_they_were_sent(api, namespace):
    core = kubernetes.client.CoreV1Api(api)
    metadata = kubernetes.client.V1ObjectMeta(name="typed", labels={"app": "x"})
    made = core.create_namespaced_config_map(
        namespace, kubernetes.client.V1ConfigMap(metadata=metadata, data={"k": "v"})
    )
    assert (made.data, made.metadata.labels, made.kind) == ({"k": "v"}, {"app": "x"}, "ConfigMap")
    assert made.metadata.creation_timestamp.tzinfo is not None
    core.patch_namespaced_config_map("typed", namespace, {"data": {"l": "w"}})
    (found,) = core.list_namespaced_config_map(namespace, label_selector="app=x").items
    assert found.data == {"k": "v", "l": "w"}
    core.delete_namespaced_config_map("typed", namespace)
    with pytest.raises(kubernetes.client.ApiException) as error:
        core.read_namespaced_config_map("typed", namespace)
    assert (error.value.status, json.loads(error.value.body)["reason"]) == (404, "NotFound")


def test_a_job_is_watched_to_its_end_and_removed_with_its_pods(api, cluster, namespace):
    batch, core = kubernetes.client.BatchV1Api(api), kubernetes.client.CoreV1Api(api)
    made = batch.create_namespaced_job(namespace, clients.job(cluster, "typed", "exit 0"))
    events = kubernetes.watch.Watch().stream(
        batch.list_namespaced_job,
        namespace,
        field_selector="metadata.name=typed",
        resource_version=made.metadata.resource_version,
        timeout_seconds=120,
    )
    ended = next(event["object"] for event in events if event["object"].status.completion_time)
    assert isinstance(ended, kubernetes.client.V1Job) and ended.status.conditions
    assert batch.read_namespaced_job_status("typed", namespace).status.succeeded == 1
    (pod,) = core.list_namespaced_pod(namespace, label_selector="batch.kubernetes.io/job-name=typed").items
    assert pod.status.container_statuses[0].state.terminated.exit_code == 0
    batch.delete_namespaced_job("typed", namespace, propagation_policy="Background")
    cluster.until(f"/api/v1/namespaces/{namespace}/pods/{pod.metadata.name}", lambda found: found is None)


@clients.needs_real_pods
def test_a_log_is_read_and_streamed(api, cluster, namespace):
    core = kubernetes.client.CoreV1Api(api)
    core.create_namespaced_pod(namespace, clients.pod(cluster, "talks", clients.GREETER))
    path = f"/api/v1/namespaces/{namespace}/pods/talks"
    cluster.until(path, lambda pod: (pod["status"].get("containerStatuses") or [{}])[0].get("ready"))
    lines = kubernetes.watch.Watch().stream(core.read_namespaced_pod_log, name="talks", namespace=namespace)
    assert next(lines) == "hello"
    assert core.read_namespaced_pod_log("talks", namespace) == "hello\n"
    core.delete_namespaced_pod("talks", namespace)
    assert list(lines) == ["goodbye"]


def test_dynamic_create_get_patch_and_delete(config_maps, namespace, make_map):
    config_maps.create(body=make_map("dynamic", {"k": "v"}), namespace=namespace)
    assert config_maps.get(name="dynamic", namespace=namespace).data.to_dict() == {"k": "v"}
    patched = config_maps.patch(
        body={"data": {"k": None, "l": "w"}},
        name="dynamic",
        namespace=namespace,
        content_type="application/merge-patch+json",
    )
    assert patched.data.to_dict() == {"l": "w"}
    config_maps.delete(name="dynamic", namespace=namespace)
    with pytest.raises(NotFoundError):
        config_maps.get(name="dynamic", namespace=namespace)


def test_dynamic_server_side_apply(config_maps, namespace, make_map):
    def apply(manager: str, value: str, **options):
        body = make_map("applied", {"k": value})
        return config_maps.server_side_apply(body=body, namespace=namespace, field_manager=manager, **options)

    first = apply("anna", "v")
    assert apply("anna", "v").metadata.resourceVersion == first.metadata.resourceVersion
    with pytest.raises(ConflictError, match='conflict with \\\\"anna\\\\"'):
        apply("bert", "w")
    assert apply("bert", "w", force_conflicts=True).data.k == "w"


def test_dynamic_watch(config_maps, namespace, make_map):
    made = config_maps.create(body=make_map("watched", {"k": "v"}), namespace=namespace)
    events = config_maps.watch(
        namespace=namespace, name="watched", resource_version=made.metadata.resourceVersion, timeout=60
    )
    config_maps.patch(body={"data": {"k": "w"}}, name="watched", namespace=namespace)
    config_maps.delete(name="watched", namespace=namespace)
    seen = [next(events) for _event in range(2)]
    assert [(event["type"], event["object"].data.k) for event in seen] == [("MODIFIED", "w"), ("DELETED", "w")]


def test_dynamic_discovery_knows_kinds_and_subresources(api, tmp_path):
    client = DynamicClient(api, cache_file=str(tmp_path / "discovery.json"))
    found = client.resources.get(api_version="apps/v1", kind="Deployment")
    assert (found.name, found.namespaced, found.singular_name) == ("deployments", True, "deployment")
    assert "scale" in found.subresources
