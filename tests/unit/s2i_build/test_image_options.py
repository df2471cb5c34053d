# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image holds, by the strategies of OpenShift: which can do it, what counts for the key, and what is sent."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift import environments
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.environments import (
    DockerStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import ImageOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from image_support import BASE, DIGESTS, PLAIN, bring, need

TOOLS = "registry.example.com/tools:1"


@pytest.fixture
def source(tmp_path):
    """A tree with a Containerfile upon two images."""
    found = tmp_path / "tree"
    found.mkdir()
    (found / "Containerfile").write_text(
        f"FROM {TOOLS} AS tools\nFROM {BASE}\nCOPY --from=tools /x /x\nCOPY a.txt /a.txt\n"
    )
    (found / "a.txt").write_text("a")
    (found / "link").symlink_to("a.txt")
    return found


@pytest.fixture
def seen(openshift, monkeypatch):
    """The files of each build, as they are sent: name -> text."""
    openshift.server.external_images[TOOLS] = {**PLAIN, "digest": DIGESTS["b"]}
    sent = []
    complete = DockerStrategy._complete

    def note(self, *arguments):
        prepared = complete(self, *arguments)
        sent.append(prepared)
        return prepared

    monkeypatch.setattr(environments.DockerStrategy, "_complete", note)
    return sent


def own(source, **more):
    return {
        "base": None,
        "source": str(source),
        "strategy": "auto",
        "image": ImageOptions(containerfile="Containerfile", **more),
    }


def test_a_containerfile_needs_no_base_and_is_built_with_its_tree_and_images_by_digest(openshift, seen, source):
    (made,) = bring(openshift, **own(source))
    assert (made.build.phase, made.environment.strategy) == ("Complete", "docker"), made.build.message
    text = seen[0].files["Dockerfile"]
    assert f"FROM registry.example.com/tools@{DIGESTS['b']} AS tools\n" in text
    assert f"FROM {BASE.removesuffix(':latest')}@{DIGESTS['a']}\n" in text and "COPY --from=tools" in text
    assert "COPY .notebook-environment/ " in text and ".notebook-environment/requirements.txt" in seen[0].files
    assert text.endswith("USER ${NB_UID}\n") and seen[0].copies == {".": str(source)}
    assert made.warnings == (
        f"Containerfile, line 2: it builds upon {BASE}, which changes under it: name a version, or a digest.",
    )
    assert bring(openshift, **own(source))[0].build.phase == "Cached"


def test_what_a_containerfile_says_copies_and_builds_upon_counts_for_the_key(openshift, seen, source):
    keys = {bring(openshift, **own(source))[0].key}
    (source / "a.txt").write_text("b")
    keys.add(bring(openshift, **own(source))[0].key)
    openshift.server.external_images[TOOLS]["digest"] = "sha256:" + "c" * 64
    keys.add(bring(openshift, **own(source))[0].key)
    with open(source / "Containerfile", "a") as stream:
        stream.write("USER 5:0")
    keys.add(bring(openshift, **own(source))[0].key)
    assert len(keys) == 4 and seen[-1].files["Dockerfile"].endswith("\nUSER 5:0\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base": BASE}, "leave base out"),
        ({"image": ImageOptions(containerfile="Containerfile", multi_stage=True)}, "leave image.multi_stage out"),
        ({"strategy": "s2i"}, "it cannot follow image.containerfile"),
        ({"image": ImageOptions(containerfile="../Containerfile")}, "leaves the source"),
    ],
)
def test_a_containerfile_that_cannot_be_built_is_refused_before_anything_is_written(openshift, source, options, words):
    given = {**own(source), "strategy": "docker", **options}
    with pytest.raises(EngineError, match=words):
        bring(openshift, **given)
    assert not [entry for entry in openshift.server.journal.writes() if "imagestreamimports" not in entry.line]


def test_a_link_that_leads_out_of_the_source_is_refused(openshift, seen, source, tmp_path):
    (tmp_path / "outside").write_text("private")
    (source / "link2").symlink_to(tmp_path / "outside")
    (made,) = bring(openshift, **own(source))
    assert "link2 is a link that leads out of the source" in made.build.message and not seen


@pytest.mark.parametrize("options", [{"packages": ("git",)}, {"multi_stage": True}])
def test_auto_takes_docker_for_what_s2i_cannot_do(openshift, options):
    image = ImageOptions(**options)
    assert bring(openshift, strategy="auto", image=image)[0].environment.strategy == "docker"
    with pytest.raises(EngineError, match=f"it cannot follow image.{next(iter(options))}"):
        bring(openshift, image=image)


def test_each_option_is_part_of_the_key_and_the_order_of_packages_is_not(openshift):
    options = [
        {}, {"packages": ("git", "gcc")}, {"packages": ("gcc", "git")}, {"labels": {"a": "b"}}, {"tests": ("true",)}, {"multi_stage": True},
    ]  # fmt: skip
    keys = [
        bring(openshift, need("alpha"), strategy="docker", image=ImageOptions(**one), check=True)[0].key
        for one in options
    ]
    assert len(set(keys)) == 5 and keys[1] == keys[2]
