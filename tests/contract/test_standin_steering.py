# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the stand-in can do: faults, the journal, compaction, its clock, and the same from another process."""

from __future__ import annotations

import http.client
import json
import threading
from itertools import islice

import pytest

STAND_IN = {"clock": "manual"}
MERGE = "application/merge-patch+json"
CUT = (ConnectionError, http.client.HTTPException, OSError)


@pytest.fixture(autouse=True)
def calm(cluster):
    cluster.server.faults.clear()
    cluster.server.journal.clear()
    yield
    cluster.server.faults.clear()


@pytest.mark.parametrize(
    ("code", "reason"),
    [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable"), (401, "Unauthorized")],
)
def test_a_status_for_so_many_requests(cluster, maps, code, reason):
    cluster.server.faults.add("status", r"/configmaps$", status=code, count=2, after=1, seconds=3)
    codes = [cluster.call("GET", maps)[0] for _unused in range(5)]
    assert codes == [200, code, code, 200, 200]
    cluster.server.faults.add("status", r"/configmaps$", status=code, seconds=3)
    _status, headers, found = cluster.call("GET", maps)
    assert found["reason"] == reason and headers.get("Retry-After") == ("3" if code == 429 else None)


def test_only_the_method_that_is_meant(cluster, maps, make_map):
    cluster.server.faults.add("status", r"/configmaps", method="POST", count=0, status=503)
    assert cluster.call("GET", maps)[0] == 200
    assert [cluster.call("POST", maps, make_map("a"))[0] for _unused in range(3)] == [503] * 3


def test_a_dropped_request_does_nothing(cluster, maps, make_map):
    cluster.server.faults.add("drop", r"/configmaps", method="POST")
    with pytest.raises(CUT):
        cluster.call("POST", maps, make_map("a"))
    assert cluster.call("GET", f"{maps}/a")[0] == 404
    assert cluster.server.journal.entries("POST .*/configmaps")[0].status == 0


def test_a_lost_answer_to_a_write_that_was_done(cluster, maps, make_map):
    cluster.server.faults.add("drop-after-write", r"/configmaps", method="POST")
    with pytest.raises(CUT):
        cluster.call("POST", maps, make_map("a"))
    assert cluster.call("GET", f"{maps}/a")[0] == 200


def test_a_truncated_answer(cluster, maps):
    cluster.server.faults.add("truncate", r"/configmaps")
    with pytest.raises(CUT):
        cluster.call("GET", maps)


def test_watches_are_cut(cluster, maps, make_map):
    cluster.server.faults.add("drop-watch", r"/configmaps", events=2)
    for name in ("a", "b", "c"):
        cluster.good("POST", maps, make_map(name, labels={"own": "1"}))
    assert len(list(cluster.watch(f"{maps}?watch=true&labelSelector=own&timeoutSeconds=30"))) == 2
    names = [
        event["object"]["metadata"]["name"]
        for event in islice(cluster.watch(f"{maps}?watch=true&labelSelector=own&timeoutSeconds=30"), 3)
    ]
    assert names == ["a", "b", "c"]
    open_watch = cluster.watch(f"{maps}?watch=true&labelSelector=own&timeoutSeconds=30")
    next(open_watch)
    assert cluster.server.store.cut_watches() >= 1
    assert len(list(open_watch)) == 2


def test_a_compacted_history_is_gone(cluster, maps, make_map):
    since = cluster.good("GET", maps)["metadata"]["resourceVersion"]
    cluster.good("POST", maps, make_map("a"))
    cluster.server.store.compact()
    (event,) = cluster.watch(f"{maps}?watch=true&resourceVersion={since}&timeoutSeconds=30")
    assert event["type"] == "ERROR" and (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    fresh = cluster.good("GET", maps)["metadata"]["resourceVersion"]
    assert list(cluster.watch(f"{maps}?watch=true&resourceVersion={fresh}&timeoutSeconds=1")) == []


def test_gone_on_demand(cluster, maps):
    cluster.server.faults.add("gone", r"/configmaps")
    (event,) = cluster.watch(f"{maps}?watch=true&timeoutSeconds=30")
    assert event["object"]["code"] == 410


def test_bookmarks_while_it_is_quiet(cluster, maps, monkeypatch):
    monkeypatch.setattr(cluster.server, "bookmark_seconds", 0.05)
    since = cluster.good("GET", maps)["metadata"]["resourceVersion"]
    events = list(
        islice(
            cluster.watch(f"{maps}?watch=true&resourceVersion={since}&allowWatchBookmarks=true&timeoutSeconds=30"), 2
        )
    )
    assert [event["type"] for event in events] == ["BOOKMARK"] * 2


def test_the_journal(cluster, maps, make_map):
    journal = cluster.server.journal
    journal.clear()
    cluster.call("POST", f"{maps}?dryRun=All", make_map("a"))
    cluster.call("POST", maps, make_map("a"))
    cluster.call("GET", f"{maps}/a")
    cluster.call("GET", maps)
    cluster.call("PATCH", f"{maps}/a", {"data": {"k": "v"}}, MERGE)
    cluster.apply(f"{maps}/a", make_map("a", {"l": "v"}))
    list(cluster.watch(f"{maps}?watch=true&timeoutSeconds=1"))
    cluster.call("DELETE", f"{maps}/a")
    entries = journal.entries("/configmaps")
    assert [entry.verb for entry in entries] == "create create get list patch apply watch delete".split()
    assert [entry.verb for entry in journal.writes()] == "create patch apply delete".split()
    assert (
        entries[0].dry_run
        and entries[1].status == 201
        and entries[1].user == "system:admin"
        and entries[1].user_agent == "contract/1"
    )
    assert journal.count("GET .*watch=true") == 1 and journal.count(verb="get list") == 2


def test_tokens_expire_by_the_clock(cluster, maps):
    token = cluster.server.tokens.issue("somebody", seconds=60)
    assert cluster.call("GET", maps, token=token)[0] == 403
    cluster.server.clock.advance(61)
    status, _headers, found = cluster.call("GET", maps, token=token)
    assert (status, found["reason"], found["message"]) == (401, "Unauthorized", "Unauthorized")


def test_a_stale_group_and_no_aggregation(cluster):
    accept = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}
    discovery = cluster.server.discovery
    discovery.stale = {"batch"}
    try:
        items = cluster.call("GET", "/apis", headers=accept)[2]["items"]
        assert {item["metadata"]["name"]: item["versions"][0]["freshness"] for item in items}["batch"] == "Stale"
        discovery.aggregated = False
        assert cluster.call("GET", "/apis", headers=accept)[2]["kind"] == "APIGroupList"
    finally:
        discovery.stale, discovery.aggregated = set(), True


def test_a_client_certificate_is_a_user(cluster, maps):
    certificate, key = cluster.server.authority.client("jane", ("system:masters",))
    import ssl

    tls = ssl.create_default_context(cafile=cluster.server.ca_file)
    tls.load_cert_chain(certificate, key)
    plain = type(cluster)(cluster.server.url, None, tls, cluster.server)
    found = plain.good("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert found["status"]["userInfo"] == {"username": "jane", "groups": ["system:masters", "system:authenticated"]}


def test_everything_from_outside(cluster, maps):
    def control(method: str, name: str, body=None):
        return cluster.good(method, f"/_control/{name}", body)

    assert cluster.call("GET", "/_control/journal", token="somebody-else")[0] == 401
    assert control("POST", "faults", {"kind": "status", "path": "/configmaps$", "status": 503})["id"]
    assert cluster.call("GET", maps)[0] == 503
    assert control("DELETE", "faults") == []
    journal = control("GET", "journal?match=configmaps%24")
    assert journal["count"] == 1 and journal["entries"][0]["status"] == 503
    before = control("GET", "clock")["now"]
    assert control("POST", "clock", {"advance": 5})["now"] > before
    token = control("POST", "users", {"name": "jane", "groups": ["team"], "password": "secret-of-jane"})["token"]
    assert cluster.call("GET", maps, token=token)[0] == 403
    control("POST", "tokens", {"expire": token})
    assert cluster.call("GET", maps, token=token)[0] == 401
    assert control("POST", "discovery", {"stale": ["apps"]})["stale"] == ["apps"]
    control("POST", "discovery", {"stale": []})
    control("POST", "compact")
    opened = cluster.watch(f"{maps}?watch=true&timeoutSeconds=30")
    next(opened)
    assert control("GET", "watches")["open"] >= 1 and control("DELETE", "watches")["cut"] >= 1
    assert isinstance(control("GET", "pods"), list)
    status, _headers, found = cluster.call("POST", "/_control/faults", {"kind": "nonsense"})
    assert status == 400 and "nonsense" in found["message"]


def test_a_bug_is_an_answer(cluster, maps, monkeypatch, capsys):
    monkeypatch.setattr(cluster.server.store, "snapshot", lambda *_arguments: 1 / 0)
    status, _headers, found = cluster.call("GET", maps)
    assert status == 500 and "ZeroDivisionError" in found["message"]
    monkeypatch.undo()
    assert cluster.call("GET", maps)[0] == 200 and "ZeroDivisionError" in capsys.readouterr().err


def test_many_watches_hear_of_a_change(cluster, maps, make_map):
    since = cluster.good("GET", maps)["metadata"]["resourceVersion"]
    heard = []

    def listen() -> None:
        heard.append(
            json.dumps(
                next(cluster.watch(f"{maps}?watch=true&resourceVersion={since}&timeoutSeconds=60"))["object"][
                    "metadata"
                ]["name"]
            )
        )

    threads = [threading.Thread(target=listen) for _unused in range(50)]
    for thread in threads:
        thread.start()
    cluster.server.journal.wait_for("configmaps.*watch=true", 50)
    cluster.good("POST", maps, make_map("a"))
    for thread in threads:
        thread.join(30)
    assert heard == ['"a"'] * 50


def test_a_failed_start_leaves_nothing_behind(cluster, monkeypatch):
    kind = type(cluster.server)
    broken = kind()
    monkeypatch.setattr(broken, "write_kubeconfig", lambda *_arguments: 1 / 0)
    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError):
        broken.start()
    assert not broken.directory.exists()
    assert set(threading.enumerate()) <= before
