# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook mlops.notebooks.images as a user and a survey of AWX call it, on the stand-in for a cluster."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.apiserver.server import ApiServer  # noqa: E402

BASE = f"registry.example.com/jupyter/minimal-notebook@sha256:{'a' * 64}"
STREAMS = "imagestreams.image.openshift.io"
FILE = """
images:
  - {name: child, parent: science, requirements: [beta]}
  - name: science
    base: %s
    requirements_files: [lists/science.txt]
"""


class Site:
    """A cluster, and the playbook called on it in a directory of its own."""

    def __init__(self, play, server):
        self.work, self.environment, self.server = play.work, play.environment, server
        self.kubeconfig = server.kubeconfig

    def __call__(self, *arguments, **variables) -> dict:
        """Play it; return status, output, how many tasks changed, and the images by name."""
        environment = {
            **self.environment, "KUBECONFIG": self.kubeconfig, "ANSIBLE_SHOW_CUSTOM_STATS": "true",
        }  # fmt: skip
        given = {"namespace": "team", "cache_dir": str(self.work / "cache"), **variables}
        playbook = str(Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [playbook, "mlops.notebooks.images", "-e", json.dumps(given), *arguments],
            cwd=self.work, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600,
        )  # fmt: skip
        text = done.stdout + done.stderr
        _before, found, stats = done.stdout.partition("RUN: ")
        return {
            "status": done.returncode,
            "text": text,
            "changed": int(text.rpartition("changed=")[2].split()[0]),
            "images": json.loads(stats.strip())["notebook_images"] if found else {},
        }

    def stream(self, name: str) -> dict | None:
        return self.server.system.find(STREAMS, "team", name)

    def built(self) -> int:
        return len(self.server.system.list("builds.build.openshift.io", "team"))


@pytest.fixture(params=["openshift"])
def site(request, play):
    with ApiServer(profile=request.param) as server:
        server.system.create("namespaces", {"metadata": {"name": "team"}})
        yield Site(play, server)


def write(site, text=FILE % BASE):
    (site.work / "data" / "lists").mkdir(parents=True)
    (site.work / "data" / "images.yml").write_text(text)
    (site.work / "data" / "lists" / "science.txt").write_text("# what all have\nalpha \\\n  >=1\n\n")


def test_a_file_of_images_is_made_once(site):
    write(site)
    planned = site("--check", images_file="data/images.yml")
    assert planned["status"] == 0, planned["text"]
    assert planned["changed"] == 2 and planned["images"] == {"science-notebook": "", "child-notebook": ""}
    assert site.built() == 0
    made = site(images_file="data/images.yml")
    assert made["status"] == 0, made["text"]
    assert made["images"]["child-notebook"].partition("@")[0].endswith("/team/child-notebook")
    assert site.built() == 2
    again = site(images_file="data/images.yml")
    assert (again["status"], again["changed"], again["images"]) == (0, 0, made["images"]), again["text"]
    assert site.built() == 2
    configs = site.server.system.list("buildconfigs.build.openshift.io", "team")
    lines = [json.loads(one["metadata"]["annotations"]["notebooks.mlops.dev/requirements"]) for one in configs]
    assert any("alpha" in " ".join(one) and ">=1" in " ".join(one) for one in lines), lines


def test_a_survey_gives_text(site):
    images = f"[{{name: science, base: '{BASE}', requirements: [alpha]}}]"
    made = site(images=images, prune="{keep: 1}", strategy="docker")
    assert made["status"] == 0, made["text"]
    (config,) = site.server.system.list("buildconfigs.build.openshift.io", "team")
    assert config["spec"]["strategy"]["type"] == "Docker"
    assert "what runs, or is about to" in made["text"]


def test_what_is_wrong_is_told_before_anything_is_written(site):
    refused = site(images=[{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}])
    assert refused["status"] != 0 and "break the circle" in refused["text"]
    refused = site(images=[{"name": "a", "base": BASE, "requirement": ["alpha"]}])
    assert refused["status"] != 0 and "requirement" in refused["text"]
    assert site.server.journal.writes() == []


def documented() -> list[dict]:
    """The rules of a Role with what docs/images.md and docs/builds.md name."""
    verbs: dict[str, set[str]] = {"pods": {"list"}, "jobs": {"list"}}
    for page in ("builds.md", "images.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition("## Permissions")[2]
        for resources, named in re.findall(r"^\| (`.+?`) \| ([a-z, ]+)", text, re.MULTILINE):
            for resource in re.findall("`(.+?)`", resources):
                verbs.setdefault(resource, set()).update(re.findall("[a-z]+", named.partition(" where")[0]))
    known = {"get", "list", "watch", "create", "patch", "delete"}
    return [
        {
            "apiGroups": ["", "batch", "build.openshift.io", "image.openshift.io"],
            "resources": [one],
            "verbs": sorted(named & known),
        }
        for one, named in verbs.items()
    ]


def test_the_documented_permissions_are_enough(site):
    rbac, metadata = "rbac.authorization.k8s.io", {"name": "images", "namespace": "team"}
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": documented()}
    binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata}
    subjects = [{"kind": "User", "name": "jane", "apiGroup": rbac}]
    site.server.system.create(f"roles.{rbac}", role)
    reference = {"apiGroup": rbac, "kind": "Role", "name": "images"}
    site.server.system.create(f"rolebindings.{rbac}", {**binding, "subjects": subjects, "roleRef": reference})
    site.kubeconfig = site.server.write_kubeconfig("jane", site.server.tokens.issue("jane"))
    images = [{"name": "a", "base": BASE, "requirements": ["alpha"]}, {"name": "b", "parent": "a"}]
    made = site(images=images)
    assert made["status"] == 0, made["text"]
    gone = site(images=[images[0], {"name": "b", "state": "absent"}], prune={"keep": 1}, prune_min_age=0)
    assert gone["status"] == 0, gone["text"]
    assert site.stream("b-notebook") is None
    refused = [one.line for one in site.server.journal.entries() if one.user == "jane" and one.status == 403]
    assert [line for line in refused if "/apis/" in line and "namespaces/team" in line] == []


@pytest.mark.parametrize("site", ["openshift", "kubernetes"], indirect=True)
def test_an_image_of_another_registry_goes_by_its_own_name(site):
    made = site(images=[{"name": "ready", "base": BASE}], strategy="prebuilt")
    assert made["status"] == 0, made["text"]
    assert made["images"] == {"ready-notebook": BASE}
    if site.server.profile == "openshift":
        (tag,) = site.stream("ready-notebook")["spec"]["tags"]
        assert tag["from"] == {"kind": "DockerImage", "name": BASE}
    again = site(images=[{"name": "ready", "base": BASE}], strategy="prebuilt")
    assert (again["status"], again["changed"]) == (0, 0), again["text"]
