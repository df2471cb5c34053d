# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator in the cluster that KUBECONFIG names, else in a stand-in: from the definition to a verdict, and nothing left.

On a real cluster NOTEBOOK_OPERATOR_TEST_IMAGE names the image that notebooks run in, which has papermill. All is in a namespace of
its own, but for the definition, which goes at the end unless it was there before.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.goals import absent, condition
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import JOBS as RUNS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import PODS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.wait import wait
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.resource import JOBS
from operator_support import URL, ApiServer, Operator, Site, Team, image, repository, unavailable

from tests.apiserver.actors.validator import DEFINITION

SPACES = "/api/v1/namespaces"
DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
SECONDS = 300
IMAGE = "NOTEBOOK_OPERATOR_TEST_IMAGE"


@pytest.fixture
def kubeconfig():
    """The file that says where the cluster is, and the image of notebooks there."""
    if os.environ.get("KUBECONFIG"):
        if not os.environ.get(IMAGE):
            pytest.skip(f"on a real cluster {IMAGE} has to name an image with papermill")
        yield str(Path(os.environ["KUBECONFIG"]).resolve()), os.environ[IMAGE]
        return
    if reason := unavailable():
        pytest.skip(reason)
    with ApiServer(profile="kubernetes", pods="process", images={"*": image()}) as server:
        yield server.kubeconfig, f"registry.example.com/team/notebooks@sha256:{'e' * 64}"


@pytest.fixture
def cluster(kubeconfig):
    with Cluster({"kubeconfig": kubeconfig[0]}) as found:
        yield found


@pytest.fixture
def definition(cluster):
    """The definition of jobs, as `kubectl apply --server-side` brings it."""
    wanted = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    name = wanted["metadata"]["name"]
    before = cluster.find(DEFINITIONS.path(None, name))
    query = {"fieldManager": "test", "force": "true"}
    cluster.request(
        "PATCH", DEFINITIONS.path(None, name), query=query, body=wanted, content_type="application/apply-patch+yaml"
    )
    known = wait(cluster, DEFINITIONS, [name], condition("Established"), Deadline.after(SECONDS))
    assert not known.pending
    yield
    if before is None:
        cluster.delete(DEFINITIONS.path(None, name))


@pytest.fixture
def space(cluster, definition):
    """The name of a namespace that goes at the end."""
    name = f"notebook-operator-{uuid.uuid4().hex[:8]}"
    cluster.create(SPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.delete(f"{SPACES}/{name}")


@pytest.fixture
def commit(space, kubeconfig):
    """The commit of a repository, with the operator at work that fetches it."""
    with tempfile.TemporaryDirectory(prefix="mlops-operator-") as directory:
        place = Path(directory)
        os.chmod(place, 0o755)  # a process of another user has to reach what it runs
        site = Site(None, place)
        site.notebook("good.ipynb", "assert rate == 7")
        site.notebook("raises.ipynb", "1", "{}['no']", "2")
        found = repository(place / "source")
        settings = {"NOTEBOOK_OPERATOR_NAMESPACES": space}
        server = SimpleNamespace(kubeconfig=kubeconfig[0])
        operator = Operator(server, place, {URL: str(place / "source")}, settings=settings)
        operator.start()
        yield found
        operator.stop()


def test_jobs_are_applied_come_to_their_verdicts_and_leave_nothing(cluster, space, commit, kubeconfig):
    team, wanted = Team(None, Path()), {"good": "True", "raises": "False"}
    for name in wanted:
        job = team.job(name, f"{name}.ipynb", commit, parameters={"rate": 7})
        job["metadata"]["namespace"] = space
        job["spec"]["podConfig"] |= {"containerImage": kubeconfig[1], "patience": "5m"}
        cluster.create(JOBS.path(space), job)
    for name, status in wanted.items():
        goal = condition("ValidationComplete", status=status)
        assert not wait(cluster, JOBS, [name], goal, Deadline.after(SECONDS), namespace=space).pending, name
    told = cluster.get(JOBS.path(space, "raises"))["status"]
    assert [one["status"] for one in told["results"]] == ["Success", "Failure", "Skipped"]
    assert (told["code"], told["cell"]) == ("notebook_execution_failed", 1)
    for name in wanted:
        cluster.delete(JOBS.path(space, name))
    for kind in (RUNS, PODS):
        names = [one["metadata"]["name"] for one in cluster.items(kind.path(space))]
        assert not names or not wait(cluster, kind, names, absent(), Deadline.after(SECONDS), namespace=space).pending
