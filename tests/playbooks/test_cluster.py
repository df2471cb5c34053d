# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook validate against a cluster whose pods are processes: an image is trusted, notebooks run in it."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.apiserver.actors.process import PATH, unavailable
from tests.apiserver.server import ApiServer
from tests.registry import registry

from .conftest import write_notebook

IMAGE = "registry.example.com/team/notebooks@sha256:" + "e" * 64


@pytest.fixture
def cluster():
    """A Kubernetes whose images hold the environment of these tests."""
    if reason := unavailable():
        pytest.skip(reason)
    places = {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)}
    held = {"bind": {place: place for place in places}, "env": {"PATH": f"{sys.prefix}/bin:{PATH}"}, "user": 1000}
    with ApiServer(profile="kubernetes", pods="process", images={"*": held}) as server:
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        server.system.create("namespaces", {"metadata": {"name": "ml-checks", "labels": restricted}})
        yield server


@pytest.fixture
def validate(play, cluster, tmp_path):
    source = tmp_path / "source"
    write_notebook(source / "good.ipynb", "import os\nprint(os.getuid())")
    write_notebook(source / "bad.ipynb", "import nosuchmodule")
    given = {"K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig)}

    def run(*arguments, **variables):
        options = {"namespace": "ml-checks", "environment_image": IMAGE, "source": str(source), "fail_on": "never"}
        return play(*arguments, environment=given, **{**options, **variables})

    return run


def test_notebooks_run_in_an_image_and_a_second_run_changes_nothing(validate, cluster):
    played = validate()
    assert played.status == 0, played.text
    assert played.codes == {"good.ipynb": None, "bad.ipynb": "missing_module"}
    directory = played.work / "validation-report"
    (good,) = [one for one in json.loads((directory / "report.json").read_text())["verdicts"] if not one["code"]]
    assert "1000990000" in (directory / good["executed"]).read_text(), "a user that no image knows"
    cluster.journal.clear()
    again = validate()
    assert again.status == 0 and again.changed == 0 and again.codes == played.codes, again.text
    assert not cluster.journal.writes()


def test_check_mode_starts_no_pod(validate, cluster):
    played = validate("--check")
    assert played.status == 0, played.text
    assert not [one for one in cluster.journal.writes() if "dryRun" not in one.line]


def test_what_is_built_is_built_as_the_variables_say(play, tmp_path):
    """The pods only say that they work: the build names a digest, and no notebook comes back."""
    source = tmp_path / "source"
    write_notebook(source / "a.ipynb", "print(1)")
    digest = "sha256:" + "d" * 64
    with ApiServer(profile="kubernetes") as server, registry() as site:
        for kind, name in (("namespaces", "ml-checks"), ("secrets", "login"), ("configmaps", "pip")):
            space = {} if kind == "namespaces" else {"namespace": "ml-checks"}
            server.system.create(kind, {"metadata": {"name": name, **space}})
        server.pod_rules.add({"name": "*", "containers": {"push": {"message": digest}, "notebook": {"exit_code": 3}}})
        made = []
        server.store.subscribe(
            lambda event, resource, one: made.append(one) if resource.plural == "jobs" and event == "ADDED" else None
        )
        site.push("team/base", "1", config={"User": "1000"})
        played = play(
            environment={"K8S_AUTH_KUBECONFIG": str(server.kubeconfig)},
            source=str(source), namespace="ml-checks", base_image=f"{site.host}/team/base:1", fail_on="never",
            repository="registry.example.com/made", push_secret="login", image={"tests": ["true"]},
            build={"settings_config_map": "pip"}, pod={"node_selector": {"disk": "ssd"}},
        )  # fmt: skip
    assert played.status == 0 and played.codes == {"a.ipynb": "results_missing"}, played.text
    build, *runs = [job["spec"]["template"]["spec"] for job in made]
    volumes = {one["name"] for one in build["volumes"]}
    assert {"login", "settings-config"} <= volumes and build["initContainers"][1]["command"][-1] == '["true"]'
    assert runs and all(run["initContainers"][0]["image"] == f"registry.example.com/made@{digest}" for run in runs)
    assert all(run["nodeSelector"] == {"disk": "ssd"} for run in runs)


def test_an_image_and_the_executor_process_do_not_go_together(validate):
    played = validate(executor="process")
    assert played.status == 2 and "choose the executor job" in played.text
