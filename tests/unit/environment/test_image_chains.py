# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that build upon each other: parents first, and a sentence for what cannot be meant."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.filter.notebook_images import FilterModule

BASE = "registry.example.com/nb:1"
arranged = FilterModule().filters()["notebook_images"]


def image(name, **more):
    return {"name": name, **({"base": BASE} if not {"parent", "containerfile"} & set(more) else {}), **more}


def test_a_parent_comes_before_its_children_whatever_the_order():
    given = [image("c", parent="b-notebook"), image("b", parent="a"), image("d"), image("a")]
    found = arranged(given)
    assert found["faults"] == []
    assert [one["name"] for one in found["images"]] == ["d-notebook", "a-notebook", "b-notebook", "c-notebook"]
    assert found["images"][3]["parent"] == "b-notebook"


def test_what_is_left_out_is_filled_in_and_what_is_given_stays():
    (found,) = arranged([image("a-notebook", tag="2", packages=["git"], labels=None)])["images"]
    assert found == {
        "name": "a-notebook", "base": BASE, "parent": None, "tag": "2", "state": "present", "requirements": [],
        "requirements_files": [], "packages": ["git"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([image("A_b")], "A_b-notebook is no name of an image"),
        ([image("a" * 55)], "at most 63"),
        ([image("a"), image("a-notebook")], "There is more than one image a-notebook"),
        ([image("a", tag="x/y")], "the tag x/y"),
        ([image("a", base=BASE, parent="b"), image("b")], "has base and parent"),
        ([image("a", base=BASE, containerfile="Containerfile")], "has base and containerfile"),
        ([{"name": "a"}], "is built upon nothing"),
        ([image("a", parent="b")], "has the parent b-notebook, which is not among the images"),
        ([image("a", parent="b"), image("b", state="absent")], "which is to be absent"),
        ([image("a", parent="a")], "(a-notebook): break the circle"),
        ([image("a", parent="c"), image("b", parent="a"), image("c", parent="b"), image("d")], "before its children"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_sentence(images, words):
    (fault,) = arranged(images)["faults"]
    assert words in fault and fault.endswith(".")


def test_an_image_that_is_to_be_absent_needs_nothing_more():
    assert arranged([{"name": "a", "state": "absent"}, image("b")])["faults"] == []
