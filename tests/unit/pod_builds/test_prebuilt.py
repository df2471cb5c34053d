# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that the user gives: checked as notebooks will run in them, once for a digest, and never trusted before."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import BaseImage
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods import strategy as pods
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.prebuilt import PrebuiltStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.registry import Registry
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import (
    BuildOptions,
    Context,
    GitSource,
    ImageOptions,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run import program
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.unprivileged import variables
from cluster_support import auth
from conformance import check_strategy
from pod_support import BASE, ApiServer, Site, namespace, need, retryable

TAG = "registry.example.com/jupyter/minimal-notebook:2026"
ALPHA = need("alpha", imports={"alpha": "alpha"})
DIGESTS = {letter: "sha256:" + letter * 64 for letter in "ab"}


@pytest.fixture
def kubernetes(site):
    return _with_make(site)


@pytest.fixture
def openshift(tmp_path):
    with ApiServer(profile="openshift") as server:
        namespace(server)
        server.external_images[TAG] = {"digest": DIGESTS["a"], "config": {"User": "1000"}}
        yield _with_make(Site(server, str(tmp_path)))


def _with_make(site):
    site.make = lambda *needs, **options: site.bring(
        PrebuiltStrategy(retryable), *(needs or (ALPHA,)), **{"repository": None, **options}
    )
    return site


def ends(site, code=1, message="", **more):
    """The check ends like this, having said these last words."""
    logs = [[0, line] for line in more.pop("lines", ())]
    behaviour = {"exit_code": code, "message": message, "logs": logs}
    site.server.pod_rules.add({"name": "notebook-environment-*", "containers": {"check": behaviour}, **more})


def pod_of(site):
    (job,) = site.list("jobs.batch")
    return job["spec"]["template"]["spec"]


def test_an_image_that_passes_is_what_notebooks_run_in(kubernetes):
    (made,) = kubernetes.make()
    assert made.build.phase == "Complete", made.build.message
    found = made.environment
    assert (found.kind, found.reference, found.digest) == ("image", BASE, DIGESTS["a"])
    command = pod_of(kubernetes)["containers"][0]["command"]
    assert command[-3:] == ["papermill", "ipykernel", "alpha"]
    assert pod_of(kubernetes)["containers"][0]["image"] == BASE


def test_the_check_runs_as_a_notebook_does(kubernetes):
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubernetes.server.system.update(
        "namespaces", {**(space := kubernetes.server.system.get("namespaces", None, "team")),
                       "metadata": {**space["metadata"], "labels": labels}}
    )  # fmt: skip
    (made,) = kubernetes.make()
    assert made.build.phase == "Complete", made.build.message
    pod = pod_of(kubernetes)
    security = {**pod["securityContext"], **pod["containers"][0]["securityContext"]}
    assert security["runAsUser"] > 1_000_000 and security["runAsGroup"] == 0 and security["readOnlyRootFilesystem"]
    assert pod["automountServiceAccountToken"] is False
    mounted = {one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    env = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    assert {env["HOME"], "/tmp"} == mounted
    assert env == variables(env["HOME"])


def test_a_check_has_the_variables_of_a_run(tmp_path):
    assert variables(str(tmp_path)) == program.private_variables(str(tmp_path))


def test_openshift_gives_the_user_and_reads_the_tag(openshift):
    (made,) = openshift.make(base=TAG)
    assert made.environment.reference == BASE, made.build.message
    assert "runAsUser" not in pod_of(openshift)["securityContext"]
    (pod,) = openshift.list("pods")
    assert pod["spec"]["containers"][0]["securityContext"]["runAsUser"] > 1_000_000
    assert pod["metadata"]["annotations"]["openshift.io/scc"] == "restricted-v2"


def test_what_passed_costs_three_requests_and_no_write(openshift):
    openshift.make(base=TAG)
    openshift.server.journal.clear()
    (again,) = openshift.make(base=TAG)
    assert again.build.phase == "Cached"
    assert len(openshift.requests()) <= 3
    assert [one.path for one in openshift.server.journal.writes() if "imagestreamimports" not in one.path] == []


def test_a_tag_that_moved_is_checked_anew(kubernetes, monkeypatch):
    now = {"digest": DIGESTS["a"]}

    def told(name):
        return BaseImage(f"{name.partition(':')[0]}@{now['digest']}", now["digest"])

    monkeypatch.setattr(pods, "inspect", told)
    (first,) = kubernetes.make(base=TAG)
    now["digest"] = DIGESTS["b"]
    (second,) = kubernetes.make(base=TAG)
    assert (first.environment.digest, second.environment.digest) == (DIGESTS["a"], DIGESTS["b"])
    assert second.build.phase == "Complete" and len(kubernetes.list("jobs.batch")) == 2


def test_other_imports_and_other_tests_are_other_checks(kubernetes):
    results = [*kubernetes.make(ALPHA, need("alpha", notebook="b.ipynb", imports={"beta": "beta"}))]
    results += kubernetes.make(image=ImageOptions(tests=("true",)))
    assert [result.build.phase for result in results] == ["Complete"] * 3
    assert len({result.key for result in results}) == 3


def test_requirement_lines_do_not_matter_to_an_image_that_is_taken_as_it_is(kubernetes):
    (made,) = kubernetes.make(ALPHA, need("alpha==2", notebook="b.ipynb", imports={"alpha": "alpha"}))
    assert made.notebooks == ("a.ipynb", "b.ipynb")


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ({"lines": ["error: these modules cannot be imported: papermill"]}, "image_unfit", "papermill"),
        ({"lines": ["Traceback:", "ModuleNotFoundError: No module named 'tornado'"]}, "image_unfit", "tornado"),
        ({"lines": ["PermissionError: [Errno 13] Permission denied: '/opt/x'"]}, "permission_denied", "chgrp -R 0"),
        ({"lines": ["cp: cannot create 'x': Read-only file system"]}, "permission_denied", "/tmp"),
        ({"lines": ["exec /usr/bin/python3: exec format error"]}, "image_unfit", "architecture"),
        ({"code": 128, "message": 'exec: "python3": executable file not found in $PATH'}, "image_unfit", "no python3"),
        ({"code": 3, "lines": ["error: the data is not there"]}, "image_unfit", "did not pass its checks"),
        ({"failure": "ImagePullBackOff"}, "image_unavailable", "cannot be pulled"),
        ({"failure": "OOMKilled"}, "build_out_of_memory", "failed"),
        ({"failure": "Unschedulable"}, "build_pod_refused", "node"),
    ],
)  # fmt: skip
def test_an_image_that_does_not_pass_is_not_trusted(kubernetes, how, code, words):
    ends(kubernetes, **how)
    (made,) = kubernetes.make()
    assert (made.build.phase, made.build.reason) == ("Failed", code), made.build.message
    assert words in made.build.message
    if code not in ("build_out_of_memory", "build_pod_refused"):
        assert BASE in made.build.message
    assert kubernetes.make(check=True)[0].build.phase == "Planned", "nothing was found"


def test_a_registry_that_cannot_be_asked_is_no_obstacle_for_a_digest(kubernetes, monkeypatch):
    def out_of_reach(reference):
        raise EngineError("The registry cannot be reached.", "network_unavailable")

    monkeypatch.setattr(pods, "inspect", out_of_reach)
    (made,) = kubernetes.make(base=TAG)
    assert made.build.reason == "network_unavailable" and "by its digest" in made.build.message
    assert kubernetes.make(base=BASE)[0].build.phase == "Complete"


def test_options_of_a_build_are_those_of_the_check(kubernetes):
    kubernetes.server.system.create("serviceaccounts", {"metadata": {"name": "puller", "namespace": "team"}})
    kubernetes.make(build=BuildOptions(service_account="puller", resources={"limits": {"memory": "2Gi"}}), timeout=77)
    pod = pod_of(kubernetes)
    assert pod["serviceAccountName"] == "puller"
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "2Gi"}
    assert kubernetes.list("jobs.batch")[0]["spec"]["activeDeadlineSeconds"] == 77


def test_a_node_selector_is_that_of_the_pod(kubernetes):
    kubernetes.make(build=BuildOptions(node_selector={"disk": "ssd"}))
    assert pod_of(kubernetes)["nodeSelector"] == {"disk": "ssd"}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"image": ImageOptions(packages=("git",))}, "image.packages"),
        ({"image": ImageOptions(labels={"a": "b"})}, "image.labels"),
        ({"image": ImageOptions(containerfile="Containerfile")}, "image.containerfile"),
        ({"image": ImageOptions(multi_stage=True)}, "image.multi_stage"),
        ({"build": BuildOptions(builder_image="x")}, "build.builder_image"),
        ({"build": BuildOptions(settings_config_map="x")}, "build.settings_config_map"),
        ({"build": BuildOptions(settings_secret="x")}, "build.settings_secret"),
        ({"push_secret": "login"}, "push_secret"),
        ({"git": GitSource("https://git.example.com/x.git")}, "source.url"),
    ],
)
def test_what_cannot_act_is_refused(kubernetes, options, name):
    with pytest.raises(EngineError, match=f"it takes the image as it is, so leave out {name},"):
        kubernetes.make(**options)


def test_auto_never_takes_it(kubernetes):
    with Cluster(auth(kubernetes.server)) as cluster:
        context = Context(kubernetes.cache_dir, base=BASE, cluster=cluster, namespace="team")
        with pytest.raises(EngineError, match="No strategy can work here"):
            Registry([PrebuiltStrategy()]).choose("auto", context)


def test_it_keeps_its_promises(kubernetes):
    strategy = PrebuiltStrategy(retryable)
    with Cluster(auth(kubernetes.server)) as cluster:
        context = Context(kubernetes.cache_dir, base=BASE, timeout=30, cluster=cluster, namespace="team")
        other, broken = need("x", imports={"beta": "beta"}), need("x", imports={"broken": "broken"})
        kubernetes.server.pod_rules.add(
            {"name": f"notebook-environment-{strategy.plan(context, broken).key}*", "exit_code": 1}
        )
        check_strategy(strategy, context, needs=ALPHA, other=other, broken=broken)
