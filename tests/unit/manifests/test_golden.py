# SPDX-License-Identifier: GPL-3.0-or-later
"""Each strategy's objects for a matrix of inputs: as they were reviewed, and as the APIs take them.

``GOLDEN=write`` writes them anew, for a reader to look at before they are committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.base import BaseImage
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.environments import (
    DockerStrategy,
    S2iStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods import strategy as pods
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.buildah import BuildahStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.prebuilt import PrebuiltStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.shipwright import (
    ShipwrightStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.tekton import TektonStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import (
    BuildOptions,
    GitSource,
    ImageOptions,
)
from cluster_support import namespace
from pod_support import BASE, REPOSITORY
from sent import manifests

from tests.apiserver.actors import shipwright, tekton
from tests.apiserver.server import ApiServer
from tests.schemas import complaints

GOLDEN = Path(__file__).parent / "golden"
PUSHED = {"repository": REPOSITORY}
BUILD = BuildOptions(
    service_account="builder",
    resources={"requests": {"cpu": "1"}, "limits": {"memory": "4Gi"}},
    node_selector={"kubernetes.io/arch": "amd64"},
    settings_config_map="pip",
    settings_secret="pip-login",
    keep_complete=3,
    keep_failed=4,
)
IMAGE = ImageOptions(labels={"team": "data science"}, tests=("python3 -c 'import alpha'",))
PACKAGES = ImageOptions(packages=("git", "libgomp1"), labels=IMAGE.labels, tests=IMAGE.tests, multi_stage=True)
GIT = GitSource("https://git.example.com/team/nb.git", "c" * 40, "notebooks", "git-login")
CASES = {
    "s2i-plain": ("openshift", S2iStrategy, {}),
    "s2i-options": ("openshift", S2iStrategy, {"build": BUILD, "image": IMAGE}),
    "docker-plain": ("openshift", DockerStrategy, {}),
    "docker-options": ("openshift", DockerStrategy, {"build": BUILD, "image": PACKAGES}),
    "docker-git": ("openshift", DockerStrategy, {"git": GIT}),
    "prebuilt-plain": ("kubernetes", PrebuiltStrategy, {}),
    "tekton-plain": ("kubernetes", TektonStrategy, PUSHED),
    "tekton-options": (
        "kubernetes",
        TektonStrategy,
        {**PUSHED, "push_secret": "login", "build": BUILD, "image": PACKAGES},
    ),
    "shipwright-plain": ("kubernetes", ShipwrightStrategy, PUSHED),
    "shipwright-options": (
        "kubernetes",
        ShipwrightStrategy,
        {**PUSHED, "push_secret": "login", "build": BUILD, "image": PACKAGES},
    ),
    "buildah-plain": ("kubernetes", BuildahStrategy, PUSHED),
    "buildah-options": (
        "kubernetes",
        BuildahStrategy,
        {**PUSHED, "push_secret": "login", "build": BUILD, "image": PACKAGES},
    ),
}


@pytest.fixture
def sent(request, tmp_path, monkeypatch):
    profile, kind, options = CASES[request.param]
    digest = "sha256:" + "a" * 64
    monkeypatch.setattr(pods, "inspect", lambda reference: BaseImage(BASE, digest, user="1000", env={"NB_UID": "1000"}))
    with ApiServer(profile=profile) as server:
        namespace(server)
        server.external_images[BASE] = {"digest": digest, "config": {"User": "1000", "Env": ["NB_UID=1000"]}}
        if kind is TektonStrategy:
            tekton.install(server)
        if kind is ShipwrightStrategy:
            shipwright.install(server)
        there = [("configmaps", "pip"), ("secrets", "pip-login"), ("secrets", "login"), ("secrets", "git-login")]
        there += [("serviceaccounts", "builder")] if profile == "kubernetes" else []
        for plural, name in there:
            server.system.create(plural, {"metadata": {"name": name, "namespace": "team"}})
        lines = ("alpha==1.0", "beta", *(("./package",) if options.get("git") else ()))
        yield request.param, manifests(server, str(tmp_path), kind(), lines, **options)


@pytest.mark.parametrize("sent", CASES, indirect=True)
def test_the_objects_are_as_reviewed_and_as_the_api_takes_them(sent):
    name, objects = sent
    whole = [one for one in objects if "apiVersion" in one]
    assert whole
    assert [complaints(one) for one in whole] == [[]] * len(whole)
    file = GOLDEN / f"{name}.json"
    text = json.dumps(objects, indent=1, sort_keys=True) + "\n"
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), f"look at the difference, and write {file.name} anew with GOLDEN=write"


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": []}}, "backof": 1}}, "backof"),
        ({"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", "spec": {"strategy": {}, "sources": {}}}, "sources"),
        ({"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", "spec": {}}, "strategy is required"),
        ({"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "spec": {"tags": {}}}, "no list"),
    ],
)  # fmt: skip
def test_a_field_that_no_api_knows_is_found(manifest, complaint):
    assert complaint in str(complaints({**manifest, "metadata": {"name": "x"}}))
