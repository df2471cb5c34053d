# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of an application together."""

from __future__ import annotations

import json
import re
import threading

import pytest
from operator_support import PLURAL

from notebook_operator.told import aggregate  # isort: skip
from notebook_operator.told.aggregate import Aggregates  # isort: skip

pytest_plugins = ("desk_fixtures",)
SHOP = {"labels": {"app.kubernetes.io/part-of": "shop"}}


@pytest.fixture
def together(desk, monkeypatch):
    """`together(condition)`: what is told of the application shop as soon as it is so; what is seen of jobs is taken."""
    monkeypatch.setattr(aggregate, "_PAUSE", 0.0)
    found = Aggregates(desk.cluster)

    def look(event, resource, one):
        if resource.plural.startswith("notebookv"):
            found.forget(one) if event == "DELETED" else found.see(one)

    forget = desk.server.store.subscribe(look)

    def until(condition, name: str = "notebook-validation-shop"):
        done, box = threading.Event(), []

        def changed(event, resource, one):
            if (
                resource.plural == "configmaps"
                and one["metadata"]["name"] == name
                and condition(event, one.get("data"))
            ):
                box.append(one)
                done.set()

        stop = desk.server.store.subscribe(changed)
        try:
            there = desk.server.system.find("configmaps", "team", name)
            if there and condition("ADDED", there["data"]):
                return there
            assert done.wait(10), desk.server.system.find("configmaps", "team", name)
            return box[0]
        finally:
            stop()

    yield until
    forget()


def test_the_jobs_of_an_application_are_told_together(desk, together):
    desk.status("good", "a.ipynb", SHOP)
    desk.status("bad", "bad.ipynb", SHOP)
    desk.apply("new", "a.ipynb", SHOP)
    desk.status("of-another", "a.ipynb", {"labels": {"app.kubernetes.io/part-of": "bank"}})
    desk.status("alone", "a.ipynb")
    found = together(lambda _event, data: data["total"] == "3" and data["succeeded"] == data["failed"] == "1")
    data = found["data"]
    assert (data["state"], data["running"], data["summary"]) == (
        "Failed",
        "1",
        "3 jobs: 1 succeeded, 1 failed, 1 under way.",
    )
    told = {one["name"]: one for one in json.loads(data["jobs.json"])}
    assert told["bad"]["code"] == "notebook_execution_failed" and told["good"]["state"] == "Succeeded"
    assert told["new"] == {"name": "new", "state": "Running"}
    assert {one["name"] for one in found["metadata"]["ownerReferences"]} == {"good", "bad", "new"}
    desk.server.system.delete(PLURAL, "team", "bad")
    assert together(lambda _event, data: data["total"] == "2")["data"]["state"] == "Running"


def test_a_change_makes_a_verdict_that_counts_no_more(desk, together):
    desk.status("good", "a.ipynb", SHOP)
    together(lambda _event, data: data["state"] == "Succeeded")
    desk.server.system.patch(PLURAL, "team", "good", {"spec": {"parameters": {"n": 2}}})
    assert together(lambda _event, data: data["state"] == "Running")


def test_nothing_is_left_of_an_application_without_jobs(desk, together):
    desk.status("good", "a.ipynb", SHOP)
    together(lambda _event, data: data["state"] == "Succeeded")
    desk.server.system.patch(PLURAL, "team", "good", {"metadata": {"labels": {"app.kubernetes.io/part-of": None}}})
    together(lambda event, _data: event == "DELETED")


def test_what_is_at_rest_asks_nothing_and_a_new_process_writes_nothing(desk, together, monkeypatch):
    desk.status("good", "a.ipynb", SHOP)
    desk.status("bad", "bad.ipynb", SHOP)
    together(lambda _event, data: data["total"] == "2" and data["running"] == "0")
    desk.server.store.flush()
    desk.server.journal.clear()
    written = threading.Event()

    class Watched(Aggregates):
        def _write(self, part):
            super()._write(part)
            written.set()

    fresh = Watched(desk.cluster)
    fresh.see(desk.server.system.get(PLURAL, "team", "good"))  # and of the other one nothing is seen yet
    assert written.wait(10)
    assert not [one.line for one in desk.server.journal.writes()]
    desk.server.journal.clear()
    written.clear()
    fresh.see(desk.server.system.get(PLURAL, "team", "good"))
    assert not written.wait(0.1) and not desk.server.journal.entries("/configmaps")


def test_what_others_write_is_not_written_over(desk, together):
    mine = {"owner": "me"}
    desk.create("configmaps", "v1", "ConfigMap", "notebook-validation-shop", data=mine)
    part = aggregate._Part("team", "shop", {"u": {"name": "good", "state": "Succeeded"}}, whole=True)
    Aggregates(desk.cluster)._write(part)
    assert desk.server.system.get("configmaps", "team", "notebook-validation-shop")["data"] == mine


def test_two_that_write_at_once_lose_nothing(desk, monkeypatch):
    uid = desk.apply("good")["metadata"]["uid"]
    part = aggregate._Part("team", "shop", {uid: {"name": "good", "state": "Running"}}, whole=True)
    other = aggregate._Part("team", "shop", {uid: {"name": "good", "state": "Failed"}}, whole=True)
    found = Aggregates(desk.cluster)
    found._write(part)
    real, raced = desk.cluster.find, []

    def find(path, **more):
        answer = real(path, **more)
        if not raced:
            raced.append(1)
            Aggregates(desk.cluster)._write(other)  # between reading and writing
        return answer

    monkeypatch.setattr(desk.cluster, "find", find)
    part.jobs = {uid: {"name": "good", "state": "Succeeded"}}
    found._write(part)
    assert desk.server.system.get("configmaps", "team", "notebook-validation-shop")["data"]["state"] == "Succeeded"
    conflicts = [one.status for one in desk.server.journal.entries("notebook-validation-shop", verb="patch")]
    assert conflicts.count(422) + conflicts.count(409) == 1


@pytest.mark.parametrize("part", ["shop", "Shop", "my_shop", "my.shop", "a..b", "x" * 63])
def test_each_application_has_a_name_that_an_object_may_have(part):
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", aggregate.name_of(part))
    assert len({aggregate.name_of(one) for one in ("a-b", "a_b", "A-b", "a.b")}) == 4


def test_pods_carry_the_application_and_no_label_that_argo_cd_would_take_for_its_own(desk):
    labels = {
        "app.kubernetes.io/part-of": "shop",
        "app.kubernetes.io/instance": "shop",
        "argocd.argoproj.io/instance": "shop",
    }
    made: list[dict] = []
    forget = desk.server.store.subscribe(lambda _event, resource, one: resource.plural == "pods" and made.append(one))
    try:
        desk.status("job", "a.ipynb", {"labels": labels}, parameters={"n": 3})
        desk.server.store.flush()
    finally:
        forget()
    found = made[0]["metadata"]["labels"]
    assert found["app.kubernetes.io/part-of"] == "shop" and not set(found) & (
        set(labels) - {"app.kubernetes.io/part-of"}
    )


def test_the_process_hands_on_what_it_sees(monkeypatch):
    pytest.importorskip("kopf")
    from notebook_operator import main

    class Seen(list):
        def see(self, found):
            self.append(("see", found["metadata"]["uid"]))

        def forget(self, found):
            self.append(("forget", found["metadata"]["uid"]))

    class Jobs:
        see = forget = staticmethod(lambda _found: None)

    seen = Seen()
    monkeypatch.setattr(main, "jobs", Jobs)
    monkeypatch.setattr(main, "aggregates", lambda: seen)
    for kind in (None, "ADDED", "DELETED"):
        main.changed(event={"type": kind, "object": {"metadata": {"uid": "u"}}})
    assert seen == [("see", "u"), ("see", "u"), ("forget", "u")]
