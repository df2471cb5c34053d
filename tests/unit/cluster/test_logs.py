# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a log: every line once, whatever happens to the connection."""

from __future__ import annotations

import threading
import tracemalloc
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.logs import follow
from cluster_support import auth

LOG = "/api/v1/namespaces/team/pods/p/log"


class Container:
    """A pod whose only container writes what the test says."""

    def __init__(self, server):
        self.server = server
        self.writer = None
        spec = {"containers": [{"name": "main", "image": "image"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "team"}, "spec": spec}
        server.system.create("pods", pod)

    def start(self) -> None:
        self.writer = self.server.logs.open("team", "p", "main")
        self._status("Running", {"running": {}})

    def write(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\n" for line in lines).encode())

    def end(self) -> None:
        self._status("Succeeded", {"terminated": {"exitCode": 0}})
        self.writer.close()

    def _status(self, phase: str, state: dict) -> None:
        status = {"phase": phase, "containerStatuses": [{"name": "main", "state": state}]}
        self.server.system.patch("pods", "team", "p", {"status": status}, subresource="status")

    def ended(self) -> bool:
        found = self.server.system.find("pods", "team", "p")
        return found is None or found.get("status", {}).get("phase") == "Succeeded"


@pytest.fixture
def container(server):
    return Container(server)


@pytest.fixture
def following(cluster, container, soon):
    """A follow in a thread; ``got`` grows with the lines, ``answer()`` joins."""
    threads = []

    class Started:
        def __init__(self, **options):
            self.got, self.result, self.arrived = [], None, threading.Condition()
            options = {"ended": container.ended, "deadline": soon, **options}
            self.thread = threading.Thread(target=self._work, args=(options,))
            self.thread.start()
            threads.append(self.thread)

        def _work(self, options):
            try:
                self.result = follow(cluster, LOG, self._take, options.pop("deadline"), **options)
            except Exception as error:
                self.result = error

        def _take(self, line):
            with self.arrived:
                self.got.append(line)
                self.arrived.notify_all()

        def until(self, count: int) -> None:
            with self.arrived:
                assert self.arrived.wait_for(lambda: len(self.got) >= count, 20), self.got

        def answer(self):
            self.thread.join(40)
            assert not self.thread.is_alive()
            return self.result

    yield Started
    for thread in threads:
        thread.join(40)


def test_lines_come_while_they_are_written(container, following):
    container.start()
    log = following()
    container.write("one", "two")
    log.until(2)
    container.write("three")
    log.until(3)
    container.end()
    assert log.answer().complete
    assert log.got == ["one", "two", "three"]


def test_before_the_container_starts_it_waits(server, container, following):
    log = following()
    server.journal.wait_for(f"GET {LOG}", 2)
    assert {entry.status for entry in server.journal.entries(f"GET {LOG}")} == {400}
    container.start()
    container.write("one")
    container.end()
    assert log.answer().complete and log.got == ["one"]


def test_a_gateway_that_gives_up_before_the_start_is_waited_for(server, container, following):
    server.faults.add("status", "/log", status=504, count=2)
    container.start()
    container.write("one")
    container.end()
    log = following()
    assert log.answer().complete and log.got == ["one"]


def test_a_container_that_ends_without_a_log_ends_it(server, container, following):
    log = following(ended=lambda: True)
    assert log.answer().complete and log.got == []


@pytest.mark.parametrize("kind", ["cut-stream", "end-stream", "end-within", "drop"])
def test_no_line_is_lost_or_doubled_over_reconnections(kind, server, container, following):
    container.start()
    lines = [f"line {number}" for number in range(2000)] + ["same", "same", "same"]
    container.write(*lines)
    container.end()
    for size in (1, 1000, 50_000):
        server.faults.add(kind, "/log", bytes=size)
    log = following()
    assert log.answer().complete
    assert log.got == lines


def test_a_stream_that_the_server_ends_early_is_taken_up_again(server, container, following):
    container.start()
    container.write("one", "two")
    server.faults.add("end-stream", "/log", bytes=1, count=3)
    log = following()
    log.until(2)
    container.write("three", "three")
    log.until(4)
    container.end()
    assert log.answer().complete
    assert log.got == ["one", "two", "three", "three"]
    queries = [entry.query for entry in server.journal.entries(f"GET {LOG}")]
    assert ["sinceTime" in query for query in queries] == [False] + [True] * (len(queries) - 1)


def test_a_server_that_fails_at_the_last_reading_hides_no_line(server, container, following):
    container.start()
    container.write("one", "two", "three")
    container.end()
    server.faults.add("end-within", "/log", bytes=50)
    server.faults.add("status", "/log", status=503, count=2)
    log = following()
    assert log.answer().complete and log.got == ["one", "two", "three"]


def test_lines_of_one_moment_and_older_ones_after_newer_come_once(server, container, following):
    container.start()
    moment = datetime(2026, 1, 1, 12, 0, 0, 900_000, tzinfo=timezone.utc)
    # 0.9, 1.1 and back: the stamps of two streams that are written into one log.
    lines = [(0.0, "out"), (0.2, "err"), (0.1, "out"), (0.1, "same"), (0.1, "same"), (0.0, "old"), (0.0, "old")]
    for seconds, line in lines:
        container.writer.write(f"{line}\n".encode(), moment + timedelta(seconds=seconds))
    container.end()
    for number in (1, 3, 6):  # in the midst of a line each, with its stamp of 31 bytes
        server.faults.add("cut-stream", "/log", bytes=35 * number - 2)
    log = following()
    assert log.answer().complete and log.got == [line for _seconds, line in lines]


def test_after_a_rotation_the_new_file_is_read_from_its_begin(server, container, following):
    container.start()
    container.write(*(f"line {number}" for number in range(10)))
    server.faults.add("end-stream", "/log", bytes=1)
    log = following()
    log.until(10)
    container.writer.rotate()
    container.write(*(f"line {number}" for number in range(10, 30)))
    container.end()
    assert log.answer().complete and log.got == [f"line {number}" for number in range(30)]


@pytest.mark.parametrize("size", [35, 50, 65])
def test_a_stream_that_ends_in_good_order_within_a_line_gives_it_once(size, server, container, following):
    container.start()
    container.write("a line of 20 bytes..", "another of 19 bytes")
    container.end()
    server.faults.add("end-within", "/log", bytes=size)
    log = following()
    assert log.answer().complete and log.got == ["a line of 20 bytes..", "another of 19 bytes"]


def test_a_burst_within_one_second_is_read_whole_in_memory_that_does_not_grow(server, cluster, container, soon):
    container.start()
    count, moment, found = 50_000, datetime.now(timezone.utc).replace(microsecond=0), {"next": 0}
    container.writer.write("".join(f"line {number}\n" for number in range(count)).encode(), moment)
    container.end()
    for size in (40 * count // 4, 40 * count // 2):
        server.faults.add("cut-stream", "/log", bytes=size)

    def take(line):
        assert line == f"line {found['next']}"
        found["next"] += 1
        if found["next"] == count:
            found["held"] = tracemalloc.take_snapshot()

    tracemalloc.start()
    try:
        assert follow(cluster, LOG, take, soon, ended=container.ended).complete
    finally:
        tracemalloc.stop()
    ours = [tracemalloc.Filter(True, f"*/cluster/{name}.py") for name in ("logs", "repeats")]
    held = sum(part.size for part in found["held"].filter_traces(ours).statistics("filename"))
    assert found["next"] == count and held < 2**18, held
    assert len(server.journal.entries(f"GET {LOG}")) >= 3


def test_a_last_line_without_its_end_is_a_line(server, container, following):
    container.start()
    container.writer.write(b"one\ntwo without an end")
    container.end()
    log = following()
    assert log.answer().complete and log.got == ["one", "two without an end"]


def test_a_log_is_cut_at_the_limit(container, following):
    container.start()
    container.write("12345", "67890", "never seen")
    log = following(limit=8)
    done = log.answer()
    container.end()
    assert done.truncated and not done.complete
    assert log.got == ["12345", "67"]


def test_a_log_that_just_fits_is_not_cut(container, following):
    container.start()
    container.write("12345")
    container.end()
    log = following(limit=6)
    assert log.answer().complete and log.got == ["12345"]


def test_at_the_deadline_it_ends(container, following):
    container.start()
    container.write("one")
    log = following(deadline=Deadline.after(0.5))
    done = log.answer()
    container.end()
    assert not done.complete and not done.truncated and log.got == ["one"]


def test_a_server_that_ends_one_stream_after_the_other_hides_no_line(server, container, following):
    container.start()
    container.write("one", "two", "six")
    container.end()
    for lines in (1, 2):
        server.faults.add("end-within", "/log", bytes=35 * lines)
    log = following()
    assert log.answer().complete and log.got == ["one", "two", "six"]


def test_a_pod_that_goes_away_within_a_line_leaves_what_there_was(server, container, following):
    container.start()
    container.write("one", "two")
    server.faults.add("end-within", "/log", bytes=68)
    server.faults.add("status", "/log", status=404)
    log = following()
    assert log.answer().complete and log.got == ["one", "tw"]
    container.end()


def test_a_pod_that_goes_away_with_its_log_ends_it(server, container, following):
    container.start()
    container.write("one")
    log = following()
    log.until(1)
    server.system.delete("pods", "team", "p")
    container.writer.close()
    assert log.answer().complete and log.got == ["one"]


def test_a_container_that_is_none_is_told(server, container, following):
    container.start()
    error = following(container="none").answer()
    assert isinstance(error, ClusterError) and "none" in error.message


def test_text_that_is_no_utf_8_is_shown_as_far_as_it_is(container, following):
    container.start()
    container.writer.write(b"caf\xe9\n")
    container.end()
    log = following()
    assert log.answer().complete and log.got == ["caf\ufffd"]


def test_a_token_that_expires_meanwhile_is_renewed(server, container, soon, tmp_path):
    container.start()
    container.write("one")
    container.end()
    got = []
    with Cluster(auth(server)) as cluster:
        server.faults.add("status", "/log", status=401)
        cluster.renew = lambda used: True
        assert follow(cluster, LOG, got.append, soon, ended=container.ended).complete
    assert got == ["one"]
