# SPDX-License-Identifier: GPL-3.0-or-later
"""Workbenches of OpenShift AI out of the hub's profiles."""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import FilterModule

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests" / "unit" / "cluster")) if path not in sys.path]
from cluster_support import namespace  # noqa: E402

from tests.apiserver.server import ApiServer  # noqa: E402

VARS = yaml.safe_load((ROOT / "roles" / "jupyterhub" / "vars" / "main.yml").read_text(encoding="utf-8"))
PROFILES = [
    {"name": "small", "image": "lab:1", "description": "Small", "cpu_guarantee": 0.5, "cpu_limit": 2, "mem_guarantee": "1G", "mem_limit": "4G"},
    {
        "name": "gpu", "image": "lab:2", "mem_limit": "512Mi", "gpu": {"resource": "nvidia.com/gpu", "count": 1},
        "kernel_timeout": 7200, "environment": {"MODE": "fast"}, "node_selector": {"gpu": "yes"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    },
]  # fmt: skip


def rendered(benches: list[dict], **more) -> list[dict]:
    """The objects that the role's template makes."""
    loader = jinja2.FileSystemLoader(ROOT / "roles" / "jupyterhub" / "templates")
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters = {**FilterModule().filters(), **environment.filters}
    given = {"jupyterhub_profiles": PROFILES, "jupyterhub_namespace": "team", "jupyterhub_workbenches": benches}
    given |= {"jupyterhub__owner": {"app.kubernetes.io/name": "jupyterhub"}, "jupyterhub_workbench_culling": {}}
    given |= {"jupyterhub__culler_config": VARS["jupyterhub__culler_config"]}
    parts = ("jupyterhub_resources", "jupyterhub_placement", "jupyterhub_culling", "jupyterhub_spawn")
    given |= {**dict.fromkeys(parts, {}), **more}
    text = environment.get_template("workbench.yml.j2").render(**given)
    return [one for one in yaml.safe_load_all(text) if one]


def notebook(more: dict | None = None, **bench) -> dict:
    found = rendered([{"name": "jane", "profile": "small", **bench}], **(more or {}))
    return next(one for one in found if one["kind"] == "Notebook")


def container(found: dict) -> dict:
    return found["spec"]["template"]["spec"]["containers"][0]


def about(found: dict) -> dict:
    return found["metadata"]["annotations"]


def test_a_workbench_is_as_large_as_a_server_of_its_profile():
    # The hub's 4G are 4 * 2**30 bytes.
    small = {"requests": {"cpu": "0.5", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}}
    assert container(notebook())["resources"] == small and container(notebook())["image"] == "lab:1"
    gpu = notebook(profile="gpu")
    limits = {"memory": "512Mi", "nvidia.com/gpu": "1"}
    assert container(gpu)["resources"] == {"requests": {"nvidia.com/gpu": "1"}, "limits": limits}
    pod = gpu["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"gpu": "yes"} and pod["tolerations"] == PROFILES[1]["tolerations"]
    variables = {one["name"]: one["value"] for one in container(gpu)["env"]}
    assert variables["MODE"] == "fast" and "cull_idle_timeout=7200" in variables["NOTEBOOK_ARGS"]
    assert "cull_idle" not in str(notebook())


def test_what_its_profile_leaves_out_is_that_of_all_servers():
    everybody = {
        "jupyterhub_resources": {"cpu_guarantee": 0.25, "mem_limit": "1G"}, "jupyterhub_culling": {"kernel_after": 600},
        "jupyterhub_placement": {"node_selector": {"zone": "a"}, "tolerations": [{"key": "infra"}]},
        "jupyterhub_spawn": {"environment": {"MODE": "slow", "TEAM": "a"}, "image": "lab:0"},
    }  # fmt: skip
    gpu, small = notebook(everybody, profile="gpu"), notebook(everybody)
    assert container(gpu)["resources"]["requests"] == {"cpu": "0.25", "nvidia.com/gpu": "1"}
    assert container(gpu)["resources"]["limits"]["memory"] == "512Mi"
    variables = {one["name"]: one["value"] for one in container(gpu)["env"]}
    assert (variables["MODE"], variables["TEAM"]) == ("fast", "a") and "cull_idle_timeout=7200" in str(gpu)
    assert "cull_idle_timeout=600" in str(small) and container(small)["image"] == "lab:1"
    pods = [one["spec"]["template"]["spec"] for one in (gpu, small)]
    assert [one["nodeSelector"] for one in pods] == [{"gpu": "yes"}, {"zone": "a"}]
    assert [len(one["tolerations"]) for one in pods] == [2, 1]
    plain = {**everybody, "jupyterhub_profiles": [{"name": "small", "kernel_timeout": 0, "gpu": {"count": 2}}]}
    found = notebook(plain)
    assert container(found)["image"] == "lab:0" and "cull_idle" not in str(found)
    assert container(found)["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_the_dashboard_finds_it_and_its_login():
    found = notebook(display_name="Jane's", user="jane@example.com")
    assert found["metadata"]["labels"]["opendatahub.io/dashboard"] == "true"
    assert about(found)["notebooks.opendatahub.io/inject-auth"] == "true"
    assert about(found)["openshift.io/display-name"] == "Jane's" and about(found)["openshift.io/description"] == "Small"
    assert about(found)["opendatahub.io/username"] == "jane@example.com"
    assert container(found)["name"] == "jane"  # the controller looks for the container of the notebook's name
    # The sidecar by which users log in asks the API server who they are.
    assert "automountServiceAccountToken" not in found["spec"]["template"]["spec"]


def test_an_image_stream_is_what_the_controller_resolves():
    found = about(notebook(image_stream="scipy-notebook:1", image_namespace="images"))
    assert found["notebooks.opendatahub.io/last-image-selection"] == "scipy-notebook:1"
    assert found["opendatahub.io/workbench-image-namespace"] == "images"
    assert "notebooks.opendatahub.io/last-image-selection" not in about(notebook())
    assert container(notebook(image="other:3"))["image"] == "other:3"


def test_its_volume_is_what_was_asked_for():
    asked = {"name": "jane", "profile": "small", "namespace": "other", "size": "5Gi", "storage_class": "fast"}
    claim, found = rendered([{**asked, "mount_path": "/home/jovyan"}])
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi" and claim["spec"]["storageClassName"] == "fast"
    assert claim["metadata"]["namespace"] == found["metadata"]["namespace"] == "other"
    (mount,) = [one for one in container(found)["volumeMounts"] if one["name"] == "storage"]
    assert mount["mountPath"] == container(found)["workingDir"] == "/home/jovyan"
    assert "base_url=/notebook/other/jane" in container(found)["env"][0]["value"]


def test_culling_is_what_the_controller_reads():
    given = {"namespace": "redhat-ods-applications", "idle_minutes": 60, "check_minutes": 5}
    (found,) = rendered([], jupyterhub_workbench_culling=given)
    assert found["metadata"] | {"labels": {}} == {
        "name": "notebook-controller-culler-config", "namespace": "redhat-ods-applications", "labels": {},
    }  # fmt: skip
    assert found["data"] == {"ENABLE_CULLING": "true", "CULL_IDLE_TIME": "60", "IDLENESS_CHECK_PERIOD": "5"}


@pytest.fixture(scope="module")
def server():
    """A cluster with kubeflow's Notebooks, in a namespace of the level restricted."""
    spec = {"type": "object", "required": ["template"], "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Notebook", "listKind": "NotebookList", "plural": "notebooks", "singular": "notebook"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "notebooks.kubeflow.org"},
        "spec": {"group": "kubeflow.org", "scope": "Namespaced", "versions": [version], "names": names},
    }  # fmt: skip
    with ApiServer(profile="kubernetes", pods="none") as found:
        namespace(found)
        level = {"pod-security.kubernetes.io/enforce": "restricted"}
        found.system.patch("namespaces", None, "team", {"metadata": {"labels": level}})
        found.system.create("customresourcedefinitions.apiextensions.k8s.io", definition)
        yield found


@pytest.mark.parametrize("profile", ["small", "gpu"])
def test_the_cluster_takes_it_and_its_pod(server, profile):
    claim, found = rendered([{"name": f"jane-{profile}", "profile": profile}])
    server.system.create("persistentvolumeclaims", claim)
    made = server.system.create("notebooks.kubeflow.org", found)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{profile}-0", "namespace": "team"}}
    server.system.create("pods", {**pod, "spec": made["spec"]["template"]["spec"]})
