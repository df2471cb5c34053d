# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source verdicts by itself: every verdict once, whatever befalls the watch."""

from __future__ import annotations

import asyncio
import queue
import runpy
import threading
from contextlib import contextmanager

import pytest

from tests.apiserver.auth import User
from tests.apiserver.fixtures import apiserver  # noqa: F401
from tests.apiserver.forms import Form

from .eda_support import EDA, SPACE, WATCHES, Verdicts

CONFIG_MAPS = "/configmaps"


@pytest.fixture
def verdicts(apiserver, monkeypatch):  # noqa: F811
    made = Verdicts(apiserver(pods="none"))
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", made.server.kubeconfig)
    return made


class Heard:
    """The queue that the source is given, which the test takes from in another thread."""

    def __init__(self):
        self.events: queue.Queue = queue.Queue()

    async def put(self, event: dict) -> None:
        self.events.put(event["notebook"])

    def next(self) -> dict:
        return self.events.get(timeout=20)

    def keys(self, count: int) -> list[str]:
        return [self.next()["key"] for _number in range(count)]


@contextmanager
def listening(**args):
    """The source at work, until the block ends; what ended it before that is raised."""
    main = runpy.run_path(str(EDA / "plugins" / "event_source" / "verdicts.py"))["main"]
    heard, loop, failure = Heard(), asyncio.new_event_loop(), []

    def run() -> None:
        try:
            loop.run_until_complete(work)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            failure.append(error)
            heard.events.put({"key": None})

    work = loop.create_task(main(heard, {"namespace": SPACE, **args}))
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield heard
    finally:
        loop.call_soon_threadsafe(work.cancel)
        thread.join(20)
        loop.close()
    if failure:
        raise failure[0]


def refusal(**args) -> str:
    with pytest.raises(Exception) as caught, listening(**args) as heard:
        heard.next()
    return str(caught.value)


def test_a_verdict_is_told_with_what_it_says(verdicts):
    with listening() as heard:
        verdicts.listened_to()
        verdicts.write("a", notebook="sales/a.ipynb", cause="It imports plotly, which is not there.")
        assert heard.next() == {
            "namespace": SPACE,
            "path": "sales/a.ipynb",
            "status": "failed",
            "code": "missing_module",
            "category": "dependency_install_failed",
            "cause": "It imports plotly, which is not there.",
            "key": "a",
            "verdict": "notebook-verdict-a",
        }


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({}, ["new-failed", "end"]),
        ({"status": "succeeded"}, ["new-good"]),
        ({"status": "any"}, ["new-failed", "new-good", "end"]),
        ({"existing": True}, ["old-failed", "new-failed", "end"]),
    ],
)
def test_what_is_told_of_is_what_the_options_say(verdicts, args, told):
    verdicts.write("old-failed")
    verdicts.write("old-good", status="succeeded")
    with listening(**args) as heard:
        verdicts.listened_to()
        verdicts.write("new-failed")
        verdicts.write("new-good", status="succeeded")
        verdicts.write("end")
        assert heard.keys(len(told)) == told
        assert heard.events.empty()


def test_a_verdict_that_is_written_anew_is_told_again(verdicts):
    verdicts.write("a")
    with listening() as heard:
        verdicts.listened_to()
        verdicts.write("a", cause="Another cause.")
        assert heard.next()["cause"] == "Another cause."
        verdicts.write("a", status="succeeded")
        verdicts.write("a")
        verdicts.delete("a")
        verdicts.write("a")
        verdicts.write("end")
        assert heard.keys(3) == ["a", "a", "end"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503, "count": 3},
        {"kind": "status", "status": 429, "seconds": 1, "count": 2},
        {"kind": "status", "status": 500, "count": 1, "watch": False},
        {"kind": "drop", "count": 3},
        {"kind": "gone", "count": 2},
        {"kind": "truncate", "count": 1},
        {"kind": "drop-watch", "events": 1, "count": 2},
        {"kind": "end-within", "bytes": 300, "count": 1},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
)
def test_no_verdict_is_lost_or_doubled_where_the_watch_breaks(verdicts, fault):
    with listening() as heard:
        verdicts.listened_to()
        verdicts.write("before")
        assert heard.keys(1) == ["before"]
        verdicts.server.faults.add(path=CONFIG_MAPS, **fault)
        verdicts.server.store.cut_watches()
        for key in ("a", "b", "c"):
            verdicts.write(key)
        assert sorted(heard.keys(3)) == ["a", "b", "c"]
        verdicts.write("end")
        assert heard.keys(1) == ["end"]


def test_an_api_that_is_away_at_first_and_later_forgets_its_history(verdicts, caplog):
    faults, journal = verdicts.server.faults, verdicts.server.journal
    faults.add("status", CONFIG_MAPS, status=503, count=2)
    with listening() as heard:
        verdicts.listened_to()
        verdicts.write("before")
        assert heard.keys(1) == ["before"]
        faults.add("status", CONFIG_MAPS, status=503, count=0)
        verdicts.server.store.cut_watches()
        verdicts.write("a")
        verdicts.write("b")
        verdicts.server.store.compact()
        journal.wait_for(WATCHES, 3)
        faults.clear()
        assert sorted(heard.keys(2)) == ["a", "b"]
        verdicts.write("end")
        assert heard.keys(1) == ["end"]
    assert "could not answer GET" in caplog.text


def test_a_token_that_has_expired_is_read_anew(verdicts):
    server = verdicts.server
    fresh = server.tokens.issue(User("system:admin", ("system:masters", "system:authenticated")))
    with listening() as heard:
        verdicts.listened_to()
        verdicts.write("before")
        assert heard.keys(1) == ["before"]
        server.write_kubeconfig("admin", fresh)
        server.tokens.expire(server.token)
        server.store.cut_watches()
        verdicts.write("a")
        assert heard.keys(1) == ["a"]
    assert server.journal.entries(WATCHES)[1].status == 401


def test_only_metadata_is_asked_for(verdicts, monkeypatch):
    def whole(*_arguments):
        raise AssertionError("whole objects were asked for")

    monkeypatch.setattr(Form, "many", whole)
    monkeypatch.setattr(Form, "event", whole)
    with listening() as heard:
        verdicts.listened_to()
        verdicts.write("a")
        assert heard.keys(1) == ["a"]


@pytest.mark.parametrize("text", ["{{ lookup('pipe', 'id') }}", "{{{x}}}", "{% if x %}", "{# x #}"])
def test_no_template_begins_in_what_a_notebook_said(verdicts, text):
    with listening() as heard:
        verdicts.listened_to()
        verdicts.write("a", notebook=f"{text}.ipynb", cause=text)
        told = heard.next()
    assert not any(mark in one for one in told.values() for mark in ("{{", "{%", "{#"))
    assert told["cause"].replace(" ", "") == text.replace(" ", "")


def test_what_cannot_be_used_is_refused_in_one_sentence(verdicts, monkeypatch, tmp_path):
    assert "sometimes" in refusal(status="sometimes")
    assert "namspace" in refusal(namspace="x")
    jane = verdicts.server.write_kubeconfig("jane", verdicts.server.users.add("jane"))
    assert 'cannot list resource "configmaps"' in refusal(kubeconfig=jane)
    monkeypatch.delenv("K8S_AUTH_KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert "Nothing names a cluster" in refusal()
