# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator says of itself: metrics for who may read them, probes, and the log."""

from __future__ import annotations

import datetime
import json
import os
import re
import ssl
import time
from http.client import HTTPConnection, HTTPSConnection

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from monitoring_support import PROMETHEUS, SECONDS, free, get, reader
from notebook_operator.process.metrics import METRICS, PREFIX
from operator_support import URL, ApiServer, Operator, Team, account, define, namespace
from prometheus_client.parser import text_string_to_metric_families


def certificate(directory, name: str) -> bytes:
    """Write a certificate for a name as a mount of a Secret does it; return it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fresh = directory / f"..{made.serial_number}"
    fresh.mkdir(parents=True)
    (fresh / "tls.crt").write_bytes(pem)
    (fresh / "tls.key").write_bytes(private)
    link = directory / "..new"
    link.symlink_to(fresh.name)
    os.replace(link, directory / "..data")
    for file in ("tls.crt", "tls.key"):
        if not (directory / file).is_symlink():
            (directory / file).symlink_to(f"..data/{file}")
    return pem


class Ports:
    """The ports of an operator, as others see them."""

    def __init__(self):
        self.metrics, self.probes = free(), free()

    def settings(self, **more: str) -> dict[str, str]:
        given = {"METRICS_PORT": str(self.metrics), "PROBE_PORT": str(self.probes), "ADDRESS": "127.0.0.1", **more}
        return {f"NOTEBOOK_OPERATOR_{name}": value for name, value in given.items()}

    def probe(self, path: str) -> int:
        return get(HTTPConnection("127.0.0.1", self.probes, timeout=SECONDS), path)[0]

    def is_ready(self) -> None:
        """Wait until the kubelet would say so."""
        for _unused in range(600):
            try:
                if self.probe("/readyz") == 200:
                    return
            except ConnectionRefusedError:
                pass
            time.sleep(0.05)
        raise AssertionError("The operator is not ready.")

    def read(self, token: str = "") -> tuple[int, str]:
        context = ssl._create_unverified_context()
        connection = HTTPSConnection("127.0.0.1", self.metrics, timeout=SECONDS, context=context)
        return get(connection, "/metrics", {"Authorization": f"Bearer {token}"} if token else {})

    def values(self, token: str) -> dict[tuple, float]:
        status, text = self.read(token)
        assert status == 200, text
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def until(self, token: str, value: float, *key: str) -> dict[tuple, float]:
        """Wait until a series has a value; return all of them."""
        for _unused in range(200):
            found = self.values(token)
            if found.get(key, 0) == value:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{key} is {found.get(key)}.")

    def served(self) -> str:
        return ssl.get_server_certificate(("127.0.0.1", self.metrics), timeout=SECONDS)


@pytest.fixture(scope="module")
def watched(site, commit, tmp_path_factory):
    """An operator whose ports are open, with a certificate that may be changed."""
    reader(site.server)
    ports, directory = Ports(), tmp_path_factory.mktemp("tls")
    ports.pem, ports.certificates = certificate(directory, "one.example.com").decode(), directory
    settings = ports.settings(METRICS_CERTIFICATES=str(directory), LOG_FORMAT="json")
    repositories = {URL: str(site.directory / "source")}
    ports.log = directory.parent / "log"
    found = Operator(site.server, site.directory, repositories, account(site.server), settings, log=ports.log)
    found.start()
    ports.is_ready()
    yield ports
    found.stop()


@pytest.fixture
def people(site, watched):
    found = Team(site.server, site.directory / "source")
    yield found
    for one in site.server.system.list("notebookvalidationjobs.mlops.mlops.dev", "team"):
        found.delete(one["metadata"]["name"])
    found.emptied("jobs.batch", "pods")


def test_who_may_not_read_the_metrics_is_told_nothing(site, watched):
    stranger = site.server.tokens.issue("system:serviceaccount:team:default", 3600)
    assert watched.read() == (401, "Unauthorized\n")
    assert watched.read("not-a-token") == (401, "Unauthorized\n")
    assert watched.read(stranger) == (403, "Forbidden\n")
    status, text = watched.read(site.server.tokens.issue(PROMETHEUS, 3600))
    assert status == 200
    assert {f"{PREFIX}{one.name}" for one in METRICS} <= set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))


def test_values_change_with_a_job(site, watched, people, commit):
    token = site.server.tokens.issue(PROMETHEUS, 3600)
    before = watched.values(token)
    assert (before[("notebook_operator_leader",)], before[("notebook_operator_jobs_active",)]) == (1, 0)
    people.apply(people.job("good", "good.ipynb", commit, parameters={"rate": 7}))
    people.ended("good")
    people.apply(people.job("raises", "raises.ipynb", commit))
    people.ended("raises")
    people.apply(people.job("again", "good.ipynb", commit, parameters={"rate": 7}))
    people.ended("again")
    people.emptied("jobs.batch", "pods")  # the work is over a little after the verdict is told
    done = ("notebook_operator_reconcile_duration_seconds_count", "done")
    after = watched.until(token, before.get(done, 0) + 3, *done)

    def grown(name: str, *labels: str) -> float:
        key = (f"notebook_operator_{name}", *sorted(labels))
        return after.get(key, 0) - before.get(key, 0)

    assert grown("verdicts_total", "team", "succeeded", "", "") == 2
    failed = ("notebook_execution_failed",) * 2
    assert grown("verdicts_total", "team", "failed", *failed) == 1
    assert grown("queue_duration_seconds_count") == 3
    assert (grown("run_duration_seconds_count", "succeeded"), grown("run_duration_seconds_count", "failed")) == (1, 1)
    assert (grown("cache_lookups_total", "verdict", "hit"), grown("cache_lookups_total", "verdict", "miss")) == (1, 2)
    assert grown("api_requests_total", "PATCH", "200") > 0
    assert after[("notebook_operator_jobs_active",)] == after[("notebook_operator_runs_active",)] == 0
    assert after[("process_resident_memory_bytes",)] > 0


def test_jobs_that_are_held_or_have_a_schedule_are_counted(site, watched, people, commit):
    token = site.server.tokens.issue(PROMETHEUS, 3600)
    held = people.job("held", "good.ipynb", commit, suspend=True, schedule="0 3 * * *")
    people.apply(held)
    for name in ("jobs_suspended", "jobs_scheduled"):
        watched.until(token, 1, f"notebook_operator_{name}")
    people.delete("held")
    for name in ("jobs_suspended", "jobs_scheduled"):
        watched.until(token, 0, f"notebook_operator_{name}")


def test_a_rotated_certificate_is_served_and_a_broken_one_is_not(watched):
    assert watched.served() == watched.pem
    fresh = certificate(watched.certificates, "two.example.com").decode()
    assert watched.served() == fresh
    (watched.certificates / "..data" / "tls.crt").write_text("no certificate")
    assert watched.served() == fresh


def test_each_line_of_the_log_is_an_object_that_names_the_job(site, watched, people, commit):
    people.apply(people.job("logged", "good.ipynb", commit, parameters={"rate": 7, "log": 1}))
    people.ended("logged")
    people.event("logged", "ValidationSucceeded")
    lines = [json.loads(line) for line in watched.log.read_text().splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    assert any(line["logger"].startswith("kopf.") for line in lines), "kopf's own lines have the same form"
    (said,) = [line for line in lines if line.get("name") == "logged" and line.get("reason") == "ValidationSucceeded"]
    job = site.server.system.find("notebookvalidationjobs.mlops.mlops.dev", "team", "logged")["metadata"]
    assert {name: said[name] for name in ("namespace", "uid", "generation")} == {
        "namespace": "team", "uid": job["uid"], "generation": 1
    }  # fmt: skip


def test_one_that_stands_by_is_ready_and_says_so(tmp_path):
    ports = Ports()
    settings = ports.settings(LEASE="notebooks", METRICS_CERTIFICATES=str(tmp_path / "tls"))
    certificate(tmp_path / "tls", "one.example.com")
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "notebooks"}}
    lease["metadata"]["namespace"] = "default"
    lease["spec"] = {"holderIdentity": "another", "leaseDurationSeconds": 3600}
    with ApiServer(profile="kubernetes") as server:
        define(server)
        reader(server)
        server.system.create("leases.coordination.k8s.io", lease)
        second = Operator(server, tmp_path, {}, settings=settings)
        second.start()
        try:
            ports.is_ready()
            assert ports.probe("/livez") == 200
            found = ports.values(server.tokens.issue(PROMETHEUS, 3600))
            assert found[("notebook_operator_leader",)] == 0
        finally:
            second.stop()


def test_the_process_lives_without_its_cluster(tmp_path):
    ports = Ports()
    with ApiServer(profile="kubernetes") as server:
        namespace(server)
        define(server)
        alone = Operator(server, tmp_path, {}, settings=ports.settings(METRICS_AUTH="none"))
        alone.start()
        try:
            ports.is_ready()
            # Without certificates there are none but this host's own readers.
            assert get(HTTPConnection("127.0.0.1", ports.metrics, timeout=SECONDS), "/metrics")[0] == 200
            server.stop()
            assert (ports.probe("/livez"), ports.probe("/metrics"), ports.probe("/readyz?verbose")) == (200, 404, 200)
        finally:
            alone.kill()
