# SPDX-License-Identifier: GPL-3.0-or-later
"""Container logs, written by the test in the place of a kubelet."""

from __future__ import annotations

import threading

import pytest

STAND_IN = {"clock": "manual", "pods": "none"}


@pytest.fixture
def pod(cluster, namespace):
    """The path of the log of a pod with the containers a and b."""
    containers = [{"name": name, "image": "i:1"} for name in ("a", "b")]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}
    cluster.good("POST", f"/api/v1/namespaces/{namespace}/pods", body)
    return f"/api/v1/namespaces/{namespace}/pods/p/log"


@pytest.fixture
def writer(cluster, namespace, pod):
    return cluster.server.logs.open(namespace, "p", "a")


def test_before_the_container_starts(cluster, pod):
    status, _headers, found = cluster.call("GET", f"{pod}?container=a")
    assert (status, found["reason"]) == (400, "BadRequest")
    assert found["message"] == 'container "a" in pod "p" is waiting to start: ContainerCreating'


def test_which_container(cluster, pod):
    message = cluster.call("GET", f"{pod}?follow=true")[2]["message"]
    assert message == "a container name must be specified for pod p, choose one of: [a b]"
    assert cluster.call("GET", f"{pod}?container=c")[2]["message"] == "container c is not valid for pod p"


def test_parts_of_a_log(cluster, pod, writer):
    writer.write(b"one\ntwo\n")
    cluster.server.clock.advance(10)
    writer.write(b"three\nfo")
    writer.write(b"ur\n")
    get = lambda query: cluster.call("GET", f"{pod}?container=a&{query}")[2]  # noqa: E731
    assert get("") == "one\ntwo\nthree\nfour\n"
    assert get("tailLines=1") == "four\n" and get("tailLines=0") == ""
    assert get("limitBytes=5") == "one\nt"
    assert get("sinceSeconds=5") == "three\nfour\n"
    stamps = [line.split(" ", 1) for line in get("timestamps=true").splitlines()]
    assert [text for _stamp, text in stamps] == ["one", "two", "three", "four"] and len(
        {stamp for stamp, _text in stamps}
    ) == 4
    assert get(f"sinceTime={stamps[3][0]}") == "three\nfour\n", "whole seconds only, as on a real server"
    assert cluster.call("GET", f"{pod}?container=a&tailLines=-1")[0] == 422
    assert cluster.call("GET", f"{pod}?container=a&sinceTime=yesterday")[0] == 400


def test_following_ends_with_the_container(cluster, pod, writer):
    lines: list[bytes] = []
    connection, answer = cluster.open("GET", f"{pod}?container=a&follow=true")
    writer.write(b"first\n")
    lines.append(answer.readline())
    reader = threading.Thread(target=lambda: lines.extend(answer))
    reader.start()
    writer.write(b"half")
    writer.write(b" and half\nlast without an end")
    writer.close()
    reader.join(30)
    connection.close()
    assert lines == [b"first\n", b"half and half\n", b"last without an end"]


def test_the_limit_holds_for_a_followed_log(cluster, pod, writer):
    connection, answer = cluster.open("GET", f"{pod}?container=a&follow=true&limitBytes=8")
    writer.write(b"first\n")
    assert answer.readline() == b"first\n"
    writer.write(b"second\n")
    assert answer.read() == b"se"
    connection.close()


def test_the_log_before_a_restart(cluster, namespace, pod, writer):
    writer.write(b"old\n")
    writer.close()
    assert cluster.call("GET", f"{pod}?container=a&previous=true")[0] == 400
    cluster.server.logs.open(namespace, "p", "a").write(b"new\n")
    assert cluster.call("GET", f"{pod}?container=a&previous=true")[2] == "old\n"
    assert cluster.call("GET", f"{pod}?container=a")[2] == "new\n"


def test_a_lost_connection_of_a_follower(cluster, pod, writer):
    cluster.server.faults.add("drop", "/log", count=1)
    with pytest.raises(OSError):
        cluster.call("GET", f"{pod}?container=a&follow=true")
    writer.write(b"one\n")
    writer.close()
    assert cluster.call("GET", f"{pod}?container=a&follow=true")[2] == "one\n"


def test_without_any_parameter(cluster, namespace, pod):
    assert cluster.call("GET", pod)[0] == 400, "the container has not started"
    cluster.server.logs.open(namespace, "p", "a").write(b"one\n")
    status, headers, text = cluster.call("GET", pod)
    assert (status, text) == (200, "one\n"), "the contract probe wants the first container's log"
    assert "A real server answers 400: a container name must be specified for pod p" in headers["Warning"]
