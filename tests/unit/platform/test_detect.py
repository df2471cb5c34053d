# SPDX-License-Identifier: GPL-3.0-or-later
"""Detection on a server, through HTTP: what it finds, what it costs, and what it says where it may not look."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform import serving
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.detect import (
    DEFAULT_PARTS,
    PARTS,
    detect,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.platform import Platform

PROFILES = ("kubernetes", "openshift")
FURTHER = tuple(part for part in PARTS if part not in DEFAULT_PARTS)
VIEW = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]


def available(offers: dict) -> set[str]:
    return {name for name, offer in offers.items() if offer.available}


def values_of(found: Platform) -> set:
    """`available` of all that detection tells of."""
    tables = (found.builders, found.capabilities, found.serving)
    return {offer.available for table in tables for offer in table.values()} | {found.registry.available}


def test_kubernetes(site):
    found = site("kubernetes", version="1.33").detect(*PARTS)
    assert (found.platform, found.namespace) == ("kubernetes", "mine")
    assert (found.version.kubernetes, found.version.minor, found.version.openshift) == ("v1.33.0", "33", None)
    assert found.version.reason is None
    assert available(found.builders) == {"buildah"}
    assert available(found.capabilities) == set()
    assert found.registry.available is False
    assert found.pod_security.mechanism == "pod-security" and found.pod_security.enforce is None
    assert None not in values_of(found)


def test_openshift(site):
    server = site("openshift", version="1.33")
    server.create("imagestreams.image.openshift.io", "image.openshift.io/v1", "ImageStream", "cli", "openshift")
    found = server.detect(*PARTS)
    assert found.platform == "openshift"
    assert (found.version.openshift, found.version.openshift_desired) == ("4.20.0", "4.20.0")
    assert available(found.builders) == {"s2i", "docker", "buildah"}
    assert available(found.capabilities) == {"routes", "image_streams", "projects"}
    assert found.registry.reference == "image-registry.openshift-image-registry.svc:5000/mine"
    assert found.pod_security.mechanism == "scc" and found.pod_security.uid_range.size == 10000
    assert found.missing == ()


@pytest.mark.parametrize("profile", PROFILES)
def test_the_value_survives_a_journey_through_ansible(site, profile):
    found = site(profile).detect(*PARTS)
    assert Platform.from_dict(found.as_dict()) == found


def test_without_a_cluster_it_is_local_and_nothing_is_unknown():
    found = detect(None, list(PARTS), "mine", ["run"])
    assert (found.platform, found.host, found.missing) == ("local", None, ())
    assert values_of(found) == {False}


@pytest.mark.parametrize("profile", PROFILES)
def test_what_the_default_parts_cost(site, profile):
    server = site(profile)
    server.detect(*DEFAULT_PARTS)
    assert len(server.requests) <= 3, server.requests


@pytest.mark.parametrize("part", FURTHER)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_further_part_costs_one_request(site, profile, part):
    server = site(profile)
    if profile == "openshift":
        server.create("imagestreams.image.openshift.io", "image.openshift.io/v1", "ImageStream", "cli", "openshift")
    server.detect("platform")
    before = len(server.requests)
    server.detect("platform", part)
    assert len(server.requests) <= before + 1, server.requests


@pytest.mark.parametrize("profile", PROFILES)
def test_without_aggregated_discovery_the_same_is_found_for_at_most_twice_as_much(site, profile):
    server = site(profile)
    server.define("tekton.dev", "taskruns", "TaskRun")
    server.define("serving.kserve.io", "inferenceservices", "InferenceService", "v1beta1")
    best = server.detect(*PARTS)
    server.server.discovery.aggregated = False
    assert server.detect(*PARTS) == best
    assert len(server.requests) <= 2 * (3 + len(FURTHER)), server.requests
    server.detect(*DEFAULT_PARTS)
    assert len(server.requests) <= 6, server.requests


def test_where_the_first_way_is_forbidden_a_part_costs_two_requests(site):
    server = site("openshift")
    server.grant("viewer", VIEW, "mine")
    for part in FURTHER:
        server.detect("platform", user="viewer")
        before = len(server.requests)
        server.detect("platform", part, user="viewer")
        assert len(server.requests) <= before + 2, server.requests


def test_custom_resources_are_found(site):
    server = site("kubernetes")
    server.define("tekton.dev", "pipelineruns", "PipelineRun")
    server.define("shipwright.io", "buildruns", "BuildRun", "v1beta1")
    server.define("datasciencecluster.opendatahub.io", "datascienceclusters", "DataScienceCluster")
    server.define("gateway.networking.k8s.io", "gateways", "Gateway")
    found = server.detect(*PARTS)
    assert available(found.builders) == {"tekton", "shipwright", "buildah"}
    assert available(found.serving) == {"openshift-ai"}
    assert found.capabilities["gateway_api"].api_version == "gateway.networking.k8s.io/v1"


def test_model_servers_of_the_whole_cluster_are_found(site):
    server = site("kubernetes")
    server.deploy("llama", "quay.io/mirror/vllm/vllm-openai:v0.9.1")
    server.deploy("resnet", "nvcr.io/nvidia/tritonserver:25.01-py3", "default")
    found = server.detect("serving").serving
    assert available(found) == {"vllm", "triton"}
    assert found["triton"].deployments[0].namespace == "default"
    assert found["ollama"].available is False


def test_who_may_list_one_namespace_only_hears_of_that(site):
    server = site("kubernetes")
    server.grant("viewer", VIEW, "mine")
    server.deploy("llama", "vllm/vllm-openai:v0.9.1")
    server.deploy("resnet", "nvcr.io/nvidia/tritonserver:25.01-py3", "default")
    found = server.detect("serving", user="viewer").serving
    assert available(found) == {"vllm"}
    assert found["triton"].available is None and "namespace mine" in found["triton"].reason
    assert found["kserve"].available is False


def test_what_stands_on_a_page_that_was_not_read_is_unknown(site, monkeypatch):
    monkeypatch.setattr(serving, "_LIMIT", 2)
    server = site("kubernetes")
    for name in ("a", "b", "c"):
        server.deploy(name, "vllm/vllm-openai")
    found = server.detect("serving").serving
    assert len(found["vllm"].deployments) == 2
    assert found["ollama"].available is None and "more than 2" in found["ollama"].reason
    assert len(server.requests) == 2


def test_who_may_nothing_gets_unknown_for_everything(site):
    server = site("openshift")
    server.deny_all()
    found = server.detect(*PARTS, user="nobody")
    assert (found.platform, found.version.kubernetes, found.pod_security.mechanism) == ("unknown", None, None)
    assert values_of(found) == {None}
    assert found.permissions.incomplete and found.permissions.rules == ()
    assert [(lack.work, lack.rules) for lack in found.missing] == [("run", ())] and found.missing[0].unknown
    for reason in (found.reason, found.version.reason, found.pod_security.reason, found.permissions.reason):
        assert "denied" in reason or "forbidden" in reason


def test_a_user_without_roles_knows_the_platform_and_not_its_release(site):
    server = site("openshift")
    found = server.detect(*PARTS, user="somebody")
    assert found.platform == "openshift" and found.version.kubernetes
    assert found.version.openshift is None and "clusterversions" in found.version.reason
    assert found.registry.available is None
    assert found.pod_security.mechanism == "scc" and found.pod_security.uid_range is None
    assert found.serving["vllm"].available is None and found.serving["kserve"].available is False


def documented_permissions() -> list[tuple[dict, str | None]]:
    """The rules in the documentation, each with the namespace of its Role, which for `ml-checks` is that of the test."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "platform.md").read_text(encoding="utf-8")
    block = next(text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: ClusterRole" in text)
    roles = yaml.safe_load_all(block.replace("ml-checks", "mine"))
    return [(rule, role["metadata"].get("namespace")) for role in roles for rule in role["rules"]]


def reader(site, permissions: list):
    """An OpenShift on which the user `reader` has these permissions only, with a model server and an image stream."""
    server = site("openshift")
    server.deploy("llama", "vllm/vllm-openai")
    server.create("imagestreams.image.openshift.io", "image.openshift.io/v1", "ImageStream", "cli", "openshift")
    for rule, namespace in permissions:
        server.grant("reader", [rule], namespace)
    return server


def unknown(found: Platform) -> set[str]:
    """The parts of which something is unknown."""
    return {
        name
        for name, known in (
            ("version", found.version.openshift),
            ("serving", None not in {one.available for one in found.serving.values()}),
            ("serving here", found.serving["vllm"].available),
            ("pod_security", found.pod_security.uid_range),
            ("registry", found.registry.available),
        )
        if not known
    }


def test_the_permissions_that_the_documentation_names_are_enough(site):
    assert unknown(reader(site, documented_permissions()).detect(*PARTS, user="reader")) == set()


@pytest.mark.parametrize(
    ("resource", "namespace", "lost"),
    [
        ("clusterversions", None, {"version"}),
        ("deployments", None, {"serving"}),
        ("namespaces", "mine", {"pod_security"}),
        ("imagestreams", "openshift", {"registry"}),
    ],
)
def test_each_permission_that_the_documentation_names_is_needed(site, resource, namespace, lost):
    less = [one for one in documented_permissions() if (one[0]["resources"][0], one[1]) != (resource, namespace)]
    assert len(less) == len(documented_permissions()) - 1
    assert unknown(reader(site, less).detect(*PARTS, user="reader")) == lost


def test_without_either_permission_for_deployments_no_model_server_is_seen(site):
    less = [one for one in documented_permissions() if one[0]["resources"] != ["deployments"]]
    assert unknown(reader(site, less).detect(*PARTS, user="reader")) == {"serving", "serving here"}


def test_a_user_of_openshift_reads_the_project_where_the_namespace_is_closed(site):
    server = site("openshift")
    server.grant(
        "member", [{"apiGroups": ["project.openshift.io"], "resources": ["projects"], "verbs": ["get"]}], "mine"
    )
    assert server.detect("pod_security", user="member").pod_security.uid_range.size == 10000


def test_the_registry_as_the_configuration_of_openshift_names_it(site):
    found = site("openshift").detect("registry").registry
    assert found.available and found.reference == "image-registry.openshift-image-registry.svc:5000/mine"


def test_a_namespace_that_is_not_there(site):
    found = site("kubernetes").detect("pod_security", namespace="nowhere").pod_security
    assert found.enforce is None and '"nowhere" not found' in found.reason


def test_an_api_whose_server_is_down_is_unknown_and_not_absent(site):
    server = site("openshift")
    server.server.discovery.stale = {"build.openshift.io", "image.openshift.io"}
    found = server.detect("builders", "capabilities", "registry")
    assert found.platform == "openshift"
    assert found.builders["s2i"].available is None and found.builders["buildah"].available is True
    assert found.capabilities["image_streams"].available is None
    assert found.registry.available is None


def test_openshift_without_a_cluster_version_is_told_as_such(site):
    server = site("openshift")
    server.server.system.delete("clusterversions.config.openshift.io", None, "version")
    found = server.detect("version")
    assert found.platform == "openshift" and found.version.openshift is None and found.version.reason


def test_a_role_made_of_what_is_missing_is_enough(site):
    server = site("kubernetes")
    work = ("detect", "run", "buildah")
    found = server.detect("permissions", user="worker", work=work)
    assert {lack.work for lack in found.missing} == set(work)
    server.grant("worker", [rule for lack in found.missing for rule in lack.rules], "mine")
    found = server.detect("permissions", user="worker", work=work)
    assert found.missing == ()
    assert any("jobs" in rule.resources for rule in found.permissions.rules)


def test_rules_that_the_server_does_not_know_make_what_is_missing_unknown(site):
    server = site("kubernetes")
    server.server.rules_incomplete = True
    found = server.detect("permissions", user="worker")
    assert found.permissions.incomplete and "webhook" in found.permissions.reason
    assert [(lack.rules, bool(lack.unknown)) for lack in found.missing] == [((), True)]


def test_the_namespace_is_that_of_the_connection_unless_one_is_named(site):
    server = site("kubernetes").server
    kubeconfig = server.write_kubeconfig("other", server.token, "default")
    with Cluster({"kubeconfig": kubeconfig}) as cluster:
        assert detect(cluster, ["pod_security"]).pod_security.namespace == "default"
        assert detect(cluster, ["pod_security"], "mine").pod_security.namespace == "mine"


@pytest.mark.parametrize("part", PARTS)
def test_a_token_that_has_expired_ends_the_detection(site, part):
    server = site("kubernetes").server
    token = server.tokens.issue("somebody")
    server.tokens.expire(token)
    with (
        Cluster({"host": server.url, "ca_cert": server.ca_file, "api_key": token}) as cluster,
        pytest.raises(ClusterError, match="does not accept the credentials"),
    ):
        detect(cluster, [part], "mine", ["run"])


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("platform", "builders", "capabilities")])
def test_a_token_that_expires_in_between_ends_the_detection_too(site, part):
    server = site("openshift")
    server.server.faults.add(kind="status", status=401, count=0, after=1)
    with pytest.raises(ClusterError, match="does not accept the credentials"):
        server.detect("platform", part)


def test_a_part_that_the_server_cannot_answer_is_unknown_and_the_others_are_told(site):
    server = site("kubernetes")
    server.server.faults.add(kind="status", status=404, count=0, path="rulesreviews")
    found = server.detect("builders", "permissions")
    assert found.permissions.incomplete and "404" in found.permissions.reason
    assert found.builders["buildah"].available is True


def test_microshift_is_openshift_without_a_release(site):
    server = site("openshift")
    for resource in server.server.registry.all():
        if resource.group.endswith("openshift.io") and resource.group not in (
            "route.openshift.io",
            "security.openshift.io",
        ):
            server.server.registry.remove(resource.group, resource.plural)
    found = server.detect(*DEFAULT_PARTS)
    assert (found.platform, found.version.openshift) == ("openshift", None)
    assert "MicroShift" in found.version.reason
    assert available(found.capabilities) == {"routes"} and not found.builders["s2i"].available
    assert len(server.requests) == 2


def test_a_release_that_is_being_installed_is_only_the_desired_one(site):
    server = site("openshift")
    found = server.server.system.get("clusterversions.config.openshift.io", None, "version")
    found["status"]["history"][0]["state"] = "Partial"
    server.server.system.update_status("clusterversions.config.openshift.io", found)
    version = server.detect("version").version
    assert version.openshift is None and version.openshift_desired and "completely" in version.reason
