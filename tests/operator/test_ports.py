# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of what the operator says of itself: the counts, the probes, who may read, the server, the log."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import Build
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stopped
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict
from cluster_support import auth
from monitoring_support import PROMETHEUS, SECONDS, free, reader
from notebook_operator.process.access import Access
from notebook_operator.process.metrics import PREFIX, Observer
from notebook_operator.process.ports import Health, serve
from notebook_operator.process.server import Answer, Server
from notebook_operator.settings import Monitoring
from operator_common.logs import JsonFormatter, TextFormatter
from operator_support import ApiServer
from prometheus_client.parser import text_string_to_metric_families


class TestObserver:
    """What is told of builds and failures, as Prometheus sees it."""

    @pytest.fixture
    def observer(self):
        return Observer()

    def values(self, observer) -> dict[tuple, float]:
        samples = [one for family in text_string_to_metric_families(observer.text().decode()) for one in family.samples]
        return {(one.name.removeprefix(PREFIX), *sorted(one.labels.values())): one.value for one in samples}

    def test_builds_take_time_and_images_that_are_there_do_not(self, observer):
        for phase in ("Complete", "Failed", "Cached"):
            with observer.build("s2i") as ended:
                assert self.values(observer)[("builds_active",)] == 1
                ended(Build("b", phase, duration=40.0))
        with pytest.raises(EngineError), observer.build("no-such-strategy"):
            raise EngineError("It cannot begin.")
        with pytest.raises(Stopped), observer.build("s2i"):
            raise Stopped
        observer.image_reused()
        found = self.values(observer)
        assert found[("builds_active",)] == 0
        assert found[("build_duration_seconds_sum", "s2i", "succeeded")] == 40.0
        assert found[("build_duration_seconds_count", "failed", "s2i")] == 1, "a stop is no failure"
        assert found[("build_duration_seconds_count", "failed", "other")] == 1
        assert (found[("cache_lookups_total", "hit", "image")], found[("cache_lookups_total", "image", "miss")]) == (
            2,
            3,
        )

    def test_work_ends_as_it_ends(self, observer):
        for error in (ClusterError("Away.", "cluster_unavailable"), ValueError(), Stopped()):
            observer.seen("uid")
            assert self.values(observer)[("jobs_waiting",)] == 1
            with pytest.raises(type(error)), observer.job("uid"):
                assert self.values(observer)[("jobs_active",)] == 1
                raise error
        found = self.values(observer)
        counts = {end: found[("reconcile_duration_seconds_count", end)] for end in ("retried", "failed", "stopped")}
        assert counts == {"retried": 1, "failed": 1, "stopped": 1}
        assert (found[("reconcile_errors_total", "cluster")], found[("reconcile_errors_total", "operator")]) == (1, 1)
        assert (found[("jobs_waiting",)], found[("queue_duration_seconds_count",)]) == (0, 3)
        assert found[("retries_total", "cluster")] == 1

    def test_new_tries_of_runs_count_and_labels_have_an_end(self, observer):
        tried = Verdict("a.ipynb", "failed", code="no-such-code", category="no-such", attempts=3, duration=7.0)
        with observer.run() as ended:
            ended([tried])
        observer.verdict("team", tried)
        found = self.values(observer)
        assert (found[("retries_total", "run")], found[("run_duration_seconds_sum", "failed")]) == (2, 7.0)
        assert found[("verdicts_total", "failed", "other", "other", "team")] == 1


class TestHealth:
    @pytest.fixture
    def loop(self):
        found = asyncio.new_event_loop()
        threading.Thread(target=found.run_forever, daemon=True).start()
        yield found
        found.call_soon_threadsafe(found.stop)

    def test_an_event_loop_that_hangs_is_not_alive(self, monkeypatch, loop):
        monkeypatch.setattr("notebook_operator.process.ports._PATIENCE", 0.2)
        health, go_on = Health(), threading.Event()
        assert _status(health.livez) == 200, "nothing has begun that could hang"
        health.begins(loop)
        assert _status(health.livez) == 200
        loop.call_soon_threadsafe(go_on.wait)
        assert _status(health.livez) == 503
        go_on.set()
        assert _status(health.livez) == 200

    def test_a_process_is_ready_when_it_watches_or_stands_by(self, loop):
        health = Health()
        assert _status(health.readyz) == 503
        health.stands_by()
        assert _status(health.readyz) == 200
        health.begins(loop)
        assert _status(health.readyz) == 503, "the watch has not begun"
        watch = asyncio.run_coroutine_threadsafe(_named("watcher for jobs@team"), loop).result()
        assert _status(health.readyz) == 200
        loop.call_soon_threadsafe(watch.cancel)
        health.ends()
        assert _status(health.readyz) == 503


async def _named(name: str) -> asyncio.Task:
    return asyncio.create_task(asyncio.sleep(SECONDS), name=name)


def _status(page) -> int:
    return asyncio.run(page({})).status


@pytest.fixture(scope="module")
def server():
    with ApiServer(profile="kubernetes") as found:
        reader(found)
        yield found


class TestAccess:
    @pytest.fixture
    def asked(self, server):
        """How many reviews of tokens there were from now on."""
        before = len(server.journal.entries(r"/tokenreviews\b"))
        return lambda: len(server.journal.entries(r"/tokenreviews\b")) - before

    def test_the_cluster_is_asked_once_for_a_while(self, server, asked):
        token = f"Bearer {server.tokens.issue(PROMETHEUS, 3600)}"
        with Cluster(auth(server)) as cluster:
            access, forgetful = Access(cluster), Access(cluster, seconds=0.0)
            assert [access.check(token) for _unused in range(3)] == [200] * 3 and asked() == 1
            assert [forgetful.check(token) for _unused in range(2)] == [200] * 2 and asked() == 3
            assert [access.check("Bearer other") for _unused in range(3)] == [401] * 3 and asked() == 4

    @pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Basic dXNlcg==", f"Bearer {'x' * 20_000}"])
    def test_what_is_no_token_is_not_asked_about(self, server, asked, given):
        with Cluster(auth(server)) as cluster:
            assert Access(cluster).check(given) == 401 and asked() == 0

    def test_a_cluster_that_cannot_say_is_no_refusal(self, server):
        token = f"Bearer {server.tokens.issue(PROMETHEUS, 3600)}"
        with Cluster(auth(server)) as cluster:
            access = Access(cluster)
            server.faults.add("status", "/tokenreviews", status=403, count=1)
            assert [access.check(token), access.check(token)] == [503, 200]


class TestServer:
    @pytest.fixture(scope="class")
    def port(self):
        async def page(_headers) -> Answer:
            return Answer(body=b"here")

        async def broken(_headers) -> Answer:
            raise RuntimeError("a secret")

        port = free()
        Server().listen("127.0.0.1", port, {"/page": page, "/broken": broken})
        return port

    @pytest.mark.parametrize(
        ("request_line", "status"),
        [("GET /page HTTP/1.1", 200), ("GET /page?a=b HTTP/1.0", 200), ("GET /other HTTP/1.1", 404),
         ("POST /page HTTP/1.1", 405), ("GET /broken HTTP/1.1", 500), ("GET /page", 400), ("nonsense", 400)],
    )  # fmt: skip
    def test_answers(self, port, request_line, status):
        answer = _raw(port, f"{request_line}\r\nHost: a\r\n\r\n")
        assert answer.startswith(f"HTTP/1.1 {status} ") and "secret" not in answer

    def test_who_says_nothing_keeps_nobody_out(self, port):
        silent = [socket.create_connection(("127.0.0.1", port)) for _unused in range(100)]
        assert _raw(port, "GET /page HTTP/1.1\r\n\r\n").endswith("here")
        assert _is_cut_off(silent[0]), "there are not as many at once as may come"
        for one in silent:
            one.close()

    def test_a_request_without_end_is_cut_off(self, port):
        assert _raw(port, "GET /page HTTP/1.1\r\n" + "A: b\r\n" * 10_000) == ""


def _is_cut_off(connection: socket.socket) -> bool:
    connection.settimeout(SECONDS / 2)  # sooner than for its silence alone
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def _raw(port: int, text: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        try:
            connection.sendall(text.encode())
            return b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        except ConnectionError:
            return ""


class TestSettings:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [("METRICS_PORT", "x"), ("PROBE_PORT", "70000"), ("METRICS_AUTH", "basic"), ("LOG_FORMAT", "xml")],
    )
    def test_what_cannot_be_meant_is_said(self, variable, value):
        with pytest.raises(ValueError, match=f"^NOTEBOOK_OPERATOR_{variable} is '{value}': give "):
            Monitoring.of({f"NOTEBOOK_OPERATOR_{variable}": value})

    def test_the_log_is_for_people_outside_of_a_cluster(self):
        assert Monitoring.of({}).log_format == "text"
        assert Monitoring.of({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).log_format == "json"

    def test_a_port_that_cannot_be_served_is_said(self, tmp_path):
        with pytest.raises(ValueError, match="mount a Secret of the type kubernetes.io/tls there"):
            serve(Monitoring(metrics_port=free(), certificates=str(tmp_path)), None)
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ValueError, match="cannot be opened"):
            serve(Monitoring(probe_port=taken.getsockname()[1], address="127.0.0.1"), None)


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter("%(message)s")])
def test_the_log_has_no_secret_and_no_end(formatter):
    record = logging.LogRecord("kopf.x", logging.INFO, __file__, 1, "a %s\nb", ("https://user:hunter22@host",), None)
    text = formatter.format(record)
    assert "hunter22" not in text and "***@host" in text
    assert not any(line.startswith("b") for line in text.splitlines()), "no message looks like two"
    record.args = ("x" * 1_000_000,)
    assert len(formatter.format(record)) < 10_000
    try:
        raise ValueError("password=hunter22")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "hunter22" not in formatter.format(record)
