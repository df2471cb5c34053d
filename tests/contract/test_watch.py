# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches and selectors."""

from __future__ import annotations

import threading
from itertools import islice

import pytest

MERGE = "application/merge-patch+json"


def kinds(events) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


@pytest.fixture
def version(cluster, maps):
    """`version()`: the resourceVersion of now."""
    return lambda: cluster.good("GET", maps)["metadata"]["resourceVersion"]


def test_from_a_version_on(cluster, maps, make_map, version):
    cluster.good("POST", maps, make_map("before"))
    since = version()
    cluster.good("POST", maps, make_map("a"))
    cluster.good("PATCH", f"{maps}/a", {"data": {"k": "v"}}, MERGE)
    cluster.good("DELETE", f"{maps}/a")
    events = list(islice(cluster.watch(f"{maps}?watch=true&resourceVersion={since}&timeoutSeconds=30"), 3))
    assert kinds(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions)) and events[0]["object"]["kind"] == "ConfigMap"


def test_without_a_version_everything_is_added_first(cluster, maps, make_map):
    cluster.good("POST", maps, make_map("a"))
    only = "fieldSelector=metadata.name%3Da"
    events = cluster.watch(f"{maps}?watch=1&{only}&timeoutSeconds=30")
    assert kinds([next(events)]) == [("ADDED", "a")]
    cluster.good("DELETE", f"{maps}/a")
    assert kinds([next(events)]) == [("DELETED", "a")]


def test_live_events_arrive(cluster, maps, make_map, version):
    events = cluster.watch(f"{maps}?watch=true&resourceVersion={version()}&timeoutSeconds=60")
    writer = threading.Thread(
        target=lambda: [cluster.good("POST", maps, make_map(f"m-{number}")) for number in range(5)]
    )
    writer.start()
    assert kinds(islice(events, 5)) == [("ADDED", f"m-{number}") for number in range(5)]
    writer.join()


def test_the_timeout_ends_it(cluster, maps, version):
    assert list(cluster.watch(f"{maps}?watch=true&resourceVersion={version()}&timeoutSeconds=1", timeout=30)) == []


def test_objects_enter_and_leave_a_selector(cluster, maps, make_map, version):
    since = version()
    cluster.good("POST", maps, make_map("a", labels={"x": "1"}))
    cluster.good("PATCH", f"{maps}/a", {"metadata": {"labels": {"x": "2"}}}, MERGE)
    cluster.good("PATCH", f"{maps}/a", {"data": {"k": "v"}}, MERGE)
    cluster.good("PATCH", f"{maps}/a", {"metadata": {"labels": {"x": "3"}}}, MERGE)
    cluster.good("DELETE", f"{maps}/a")
    cluster.good("POST", maps, make_map("end", labels={"x": "2"}))
    events = list(
        islice(cluster.watch(f"{maps}?watch=true&labelSelector=x%3D2&resourceVersion={since}&timeoutSeconds=30"), 4)
    )
    assert kinds(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "end")]


def test_bookmarks_and_initial_events(cluster, maps, make_map):
    cluster.good("POST", maps, make_map("a", labels={"own": "yes"}))
    query = "watch=true&labelSelector=own&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=30"
    events = list(islice(cluster.watch(f"{maps}?{query}"), 2))
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    metadata = events[1]["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"} and metadata["resourceVersion"].isdigit()


def test_one_object_by_its_name(cluster, maps, make_map):
    for name in ("a", "b"):
        cluster.good("POST", maps, make_map(name))
    events = cluster.watch(f"{maps}?watch=true&fieldSelector=metadata.name%3Db&timeoutSeconds=30")
    assert kinds([next(events)]) == [("ADDED", "b")]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=a", ["one"]),
        ("tier==a", ["one"]),
        ("tier!=a", ["four", "three", "two"]),
        ("tier in (a, b)", ["one", "two"]),
        ("tier notin (a,b),set", ["four", "three"]),
        ("tier", ["one", "three", "two"]),
        ("!tier,set", ["four"]),
        ("tier=a,tier=b", []),
    ],
)
def test_label_selectors(cluster, maps, make_map, selector, expected):
    for name, tier in (("one", "a"), ("two", "b"), ("three", "c"), ("four", None)):
        cluster.good("POST", maps, make_map(name, labels={"set": "1", **({"tier": tier} if tier else {})}))
    text = (
        (selector if "set" in selector else f"{selector},set")
        .replace(" ", "%20")
        .replace("=", "%3D")
        .replace("!", "%21")
    )
    assert (
        sorted(item["metadata"]["name"] for item in cluster.good("GET", f"{maps}?labelSelector={text}")["items"])
        == expected
    )


def test_an_unknown_field_cannot_be_selected_by(cluster, maps):
    status, _headers, found = cluster.call("GET", f"{maps}?fieldSelector=data.k%3Dv")
    assert status == 400 and "field label not supported: data.k" in found["message"]
    assert cluster.call("GET", f"{maps}?labelSelector=a%3D%3D%3Db")[0] == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [("resourceVersion=new", 400), ("timeoutSeconds=soon", 400), ("sendInitialEvents=true", 422)],
)
def test_bad_options_are_refused_before_the_stream(cluster, maps, query, expected):
    assert cluster.call("GET", f"{maps}?watch=true&{query}")[0] == expected
