# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy `buildah` with buildah itself: rootless, in the pods that it asks for, against a registry."""

from __future__ import annotations

import pytest
import urllib3
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import ImageOptions

from tests.registry import PASSWORD, USER

MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


def asked(method, path, address):
    """Return what a registry answers."""
    headers = {"Accept": MANIFESTS, **urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")}
    return urllib3.request(method, f"http://{address}/v2/{path}", headers=headers)


def steps(site):
    """Return the exit codes of the containers of the one pod, by their names."""
    (pod,) = site.server.system.list("pods", "team")
    states = [*pod["status"]["initContainerStatuses"], *pod["status"]["containerStatuses"]]
    return {one["name"]: one["state"].get("terminated", {}).get("exitCode") for one in states}


def test_an_image_is_built_checked_by_another_user_and_pushed_with_the_login_of_a_secret(site, closed):
    site.repository, login = f"{closed.host}/made", site.login("good", closed.host, USER, PASSWORD)
    image = ImageOptions(tests=("test $(id -u):$(id -g) = 54321:0",))
    made = site.build("alpha", imports={"alpha": "alpha"}, push_secret=login, image=image)
    assert made.build.phase == "Complete", made.build.message
    manifest = asked("GET", f"made/manifests/{made.key}", closed.host)
    assert made.environment.digest == manifest.headers["Docker-Content-Digest"]
    assert made.environment.reference == f"{site.repository}@{made.environment.digest}"
    assert steps(site) == {"build": 0, "check": 0, "push": 0}
    pushed = asked("GET", f"made/blobs/{manifest.json()['config']['digest']}", closed.host).json()
    assert pushed["config"]["User"] == "1001:0"
    assert not any(word in str(pushed) for word in ("TARGET", "DIGEST_FILE", "/work"))
    assert "Successfully installed alpha-1.0" in "\n".join(site.shown)
    assert PASSWORD not in "\n".join(site.shown)
    site.base = site.base.partition("@")[0] + ":1"
    again = site.build("alpha", imports={"alpha": "alpha"}, push_secret=login, image=image)
    assert (again.build.phase, again.environment.digest) == ("Cached", made.environment.digest)


def test_a_distribution_that_is_not_there_is_named(site):
    made = site.build("nosuchthing")
    assert (made.build.phase, made.build.reason) == ("Failed", "dependency_not_found"), made.build.message
    assert "nosuchthing" in made.build.message and "in its step 'build'" in made.build.message


def test_an_image_that_lacks_a_module_is_not_pushed(site):
    made = site.build("hollow", imports={"hollow": "hollow"})
    assert made.build.reason == "build_failed" and "in its step 'check'" in made.build.message
    assert "these modules cannot be imported: hollow" in made.build.message
    assert steps(site) == {"build": 0, "check": 1, "push": None}


@pytest.mark.usefixtures("out_of_sight")
def test_a_base_that_is_not_there_is_named(site):
    missing = site.base.partition("@")[0].replace("/python", "/nowhere") + "@sha256:" + "0" * 64
    site.base = missing
    made = site.build("alpha")
    assert made.build.reason == "builder_image_unavailable", made.build.message
    assert "nowhere" in made.build.message


@pytest.mark.usefixtures("out_of_sight")
def test_a_registry_that_cannot_be_reached_is_no_fault_of_the_base(site):
    site.base = "127.0.0.1:1/python@sha256:" + "0" * 64
    made = site.build("alpha")
    assert made.build.reason == "network_unavailable", made.build.message


def test_a_push_with_a_wrong_login_is_denied(site, closed):
    repository = f"{closed.host}/denied"
    made = site.build("alpha", repository=repository, push_secret=site.login("bad", closed.host, USER, "wrong"))
    assert made.build.reason == "image_push_denied", made.build.message
    assert steps(site) == {"build": 0, "check": 0, "push": 125}
