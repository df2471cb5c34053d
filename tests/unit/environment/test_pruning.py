# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environments may go: what is shown, in use or young stays, whatever the limits are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.mlops.notebooks.plugins.filter.stale_environments import FilterModule

stale_environments = FilterModule().filters()["stale_environments"]
OURS = {"app.kubernetes.io/managed-by": "mlops.notebooks"}
DAYS = 86400


def key(letter):
    return letter * 32


def digest(letter):
    return f"sha256:{letter * 64}"


def ago(seconds):
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def stream(name, tags, labels=None, wanted=()):
    """tags: tag -> (age, letters of its images, the newest first)."""
    status = [
        {"tag": tag, "items": [{"image": digest(letter), "created": ago(age)} for letter in letters]}
        for tag, (age, letters) in tags.items()
    ]
    spec = [
        {"name": "latest", "from": {"kind": "ImageStreamImage", "name": f"x@{digest(letter)}"}} for letter in wanted
    ]
    labels = OURS if labels is None else labels
    return {"metadata": {"name": name, "labels": labels}, "spec": {"tags": spec}, "status": {"tags": status}}


def named(name, letters, **more):
    labels = {**OURS, "app.kubernetes.io/component": "notebook-image"}
    return stream(f"{name}-notebook", {"latest": (0, letters)}, labels, **more)


def environments(letters, age=2 * DAYS):
    return stream("notebook-environments", {key(letter): (age, letter) for letter in letters})


def config(letter, age):
    labels = {**OURS, "notebooks.mlops.dev/key": key(letter)}
    name = f"notebook-environment-{key(letter)}"
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": ago(age)}}


@pytest.mark.parametrize(("keep", "gone"), [(None, ""), (1, "bc"), (2, "c"), (3, "")])
def test_the_last_images_of_a_stream_keep_their_environments(keep, gone):
    found = stale_environments([environments("abcd"), named("x", "abc")], keep=keep)
    assert sorted(found) == [key(letter) for letter in gone], "d was never an image of a named stream"


def test_what_any_stream_shows_stays():
    theirs = stream("theirs", {"latest": (0, "b")}, labels={})
    assert stale_environments([environments("abc"), named("x", "abc"), theirs], keep=1) == [key("c")]
    assert stale_environments([environments("abc"), named("x", "abc", wanted="c")], keep=1) == [key("b")]


def test_what_is_in_use_or_young_stays():
    streams = [environments("abc"), named("x", "abc")]
    pods = [{"spec": {"containers": [{"image": f"registry/ml/notebook-environments@{digest('b')}"}]}}]
    assert stale_environments(streams, keep=1, used=pods) == [key("c")]
    assert stale_environments(streams, keep=1, min_age=3 * DAYS) == []


def test_environments_of_no_name_go_by_age_only():
    streams = [environments("a", age=9 * DAYS)]
    assert stale_environments(streams, keep=1) == []
    assert stale_environments(streams, max_age=10) == []
    assert stale_environments(streams, max_age=8) == [key("a")]


def test_builds_that_never_made_an_image_go_by_age_only():
    configs = [config("a", 9 * DAYS), config("b", 1 * DAYS), config("c", 9 * DAYS)]
    configs[2]["metadata"]["name"] = "their-own"
    assert stale_environments([environments("")], configs, keep=1) == []
    assert stale_environments([environments("")], configs, max_age=8) == [key("a")]


def test_a_stream_that_goes_takes_its_environments_along_and_no_other():
    streams = [environments("abcd"), named("x", "ab"), named("y", "bc")]
    assert stale_environments(streams, removed=["x-notebook"]) == [key("a")]


def test_tags_and_streams_of_others_are_let_be():
    environment = environments("a")
    environment["status"]["tags"][0]["tag"] = "of-mine"
    assert stale_environments([environment, named("x", "ba")], keep=1) == []
    theirs = {**environments("a"), "metadata": {"name": "notebook-environments", "labels": {}}}
    assert stale_environments([theirs, named("x", "ba")], keep=1) == []
