# SPDX-License-Identifier: GPL-3.0-or-later
"""Building unless there is an image of the same inputs: what is asked for, what comes back, what it costs."""

from __future__ import annotations

import time

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment import logreader
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

DOCKER = {"type": "Docker", "dockerStrategy": {}}


def test_a_build_returns_its_image_log_and_commit(site, tmp_path):
    site.config()
    commit = "5f2c1d7c0b8e4c5f9a3d6e7b8c9d0e1f2a3b4c5d"
    site.rule(logs=[[0, "one"], [0, "password=hunter2secret"], [0, "pushed"]], build={"commit": commit})
    log = tmp_path / "deep" / "build.log"
    found = site.run(log=log)
    assert found.changed and found.warnings == ()
    assert (found.build.name, found.build.phase, found.build.reason) == ("nb-1", "Complete", None)
    assert found.build.log_tail == ("one", "password=***", "pushed") and found.build.commit == commit
    assert set(found.build.stages) == {"FetchInputs", "PullImages", "Build", "PushImage"}
    digest = site.build("nb-1")["status"]["output"]["to"]["imageDigest"]
    assert found.image.digest == digest and found.image.pullspec.endswith("/team/nb:latest")
    assert found.image.reference == found.image.pullspec.removesuffix(":latest") + f"@{digest}"
    assert [line for line in site.shown if not line.startswith("nb-1")] == ["one", "password=***", "pushed"]
    assert log.read_text() == "one\npassword=***\npushed\n" and log.stat().st_mode & 0o077 == 0
    assert found.build.log == str(log)


def test_a_quiet_build_costs_four_requests_beside_its_log(site):
    site.config()
    site.rule(seconds=0.5, start_seconds=0.2)
    site.server.journal.clear()
    site.run()
    lines = site.requests()
    assert len([line for line in lines if "/log?" not in line]) == 4, lines
    assert len([line for line in lines if "/log?" in line]) <= 2, lines


def test_a_second_call_finds_the_image_and_writes_nothing(site):
    site.config()
    first = site.run(env={"LEVEL": "3"})
    site.server.journal.clear()
    second = site.run(env={"LEVEL": "3"})
    assert not second.changed and second.build.name == "nb-1" and second.image == first.image
    assert site.server.journal.writes() == [] and len(site.requests()) <= 3


@pytest.mark.parametrize(
    "other", [{"env": {"LEVEL": "4"}}, {"build_args": {"A": "1"}}, {"commit": "abc"}], ids=lambda one: next(iter(one))
)
def test_other_inputs_are_another_build(site, other):
    site.config()
    site.run()
    assert site.run(**other).build.name == "nb-2"
    assert site.run(**other).build.name == "nb-2"
    assert site.run().build.name == "nb-3"  # the newest build counts, since it is what the tag stands for


def test_a_changed_buildconfig_is_another_build(site):
    site.config()
    site.run()
    config = site.server.system.get("buildconfigs.build.openshift.io", "team", "nb")
    config["spec"]["source"]["git"]["ref"] = "v2"
    site.server.system.update("buildconfigs.build.openshift.io", config)
    assert site.run().build.name == "nb-2"


def test_a_builder_image_that_moved_is_another_build(site):
    site.config("base")
    site.config(
        strategy={"type": "Source", "sourceStrategy": {"from": {"kind": "ImageStreamTag", "name": "base:latest"}}}
    )
    site.run(name="base")
    assert site.run().build.name == "nb-1" and not site.run().changed
    site.run(name="base", env={"NEW": "1"})
    assert site.run().build.name == "nb-2"


def test_an_image_that_is_gone_is_built_again(site):
    site.config()
    site.run()
    site.server.system.delete("imagestreams.image.openshift.io", "team", "nb")
    site.stream("nb")
    assert site.run().build.name == "nb-2"


def test_a_build_that_others_started_does_not_count(site):
    site.config()
    site.call(
        "POST", "/apis/build.openshift.io/v1/namespaces/team/buildconfigs/nb/instantiate", metadata={"name": "nb"}
    )
    site.until("nb-1", "Complete")
    assert site.run().build.name == "nb-2"


def test_options_reach_the_build(site):
    site.config(strategy={"type": "Docker", "dockerStrategy": {"buildArgs": [{"name": "KEPT", "value": "1"}]}})
    site.run("started", env={"LEVEL": "3"}, build_args={"PYTHON": "3.12"}, no_cache=True, commit="abc")
    spec = site.build("nb-1")["spec"]
    docker = spec["strategy"]["dockerStrategy"]
    assert docker["env"] == [{"name": "LEVEL", "value": "3"}] and docker["noCache"] is True
    # openshift_build loses the arguments where the cache is off.
    assert {one["name"]: one["value"] for one in docker["buildArgs"]} == {"KEPT": "1", "PYTHON": "3.12"}
    assert spec["revision"]["git"]["commit"] == "abc"


def test_no_cache_of_a_source_build_is_not_incremental(site):
    site.config(
        strategy={
            "type": "Source",
            "sourceStrategy": {"incremental": True, "from": {"kind": "DockerImage", "name": "a@b"}},
        }
    )
    site.run("started", no_cache=True)
    assert site.build("nb-1")["spec"]["strategy"]["sourceStrategy"]["incremental"] is False


@pytest.mark.parametrize(
    ("strategy", "options", "words"),
    [
        ({"type": "Source", "sourceStrategy": {}}, {"build_args": {"A": "1"}}, "no Docker strategy"),
        ({"type": "Custom", "customStrategy": {}}, {"no_cache": True}, "no strategy that takes no_cache"),
    ],
)
def test_what_a_strategy_would_drop_is_refused(site, strategy, options, words):
    site.config(strategy=strategy)
    with pytest.raises(EngineError, match=words):
        site.run(**options)
    assert site.names() == []


def test_check_mode_predicts_and_writes_nothing(site):
    site.config()
    site.server.journal.clear()
    planned = site.run(dry_run=True)
    assert planned.changed and (planned.build.name, planned.build.phase) == ("nb-1", "Planned")
    assert planned.before == {} and planned.after["newest"] == "nb-1"
    assert site.server.journal.writes() == [] and site.names() == []
    site.run()
    assert not site.run(dry_run=True).changed
    assert site.run("started", dry_run=True).build.name == "nb-2"


def test_without_a_buildconfig_it_says_so(site):
    with pytest.raises(EngineError, match="no BuildConfig nb in the namespace team") as told:
        site.run()
    assert told.value.code == "cluster_not_found"


@pytest.mark.parametrize("state", ["built", "started"])
def test_a_lost_answer_is_looked_for_and_no_second_build_started(site, state):
    site.config()
    site.server.faults.add("drop-after-write", "/instantiate", method="POST")
    assert site.run(state).build.name == "nb-1"
    assert site.names() == ["nb-1"]


def test_a_request_that_never_arrived_is_told_and_not_sent_twice(site):
    site.config()
    site.server.faults.add("drop", "/instantiate", method="POST")
    with pytest.raises(EngineError) as told:
        site.run()
    assert told.value.code == "cluster_unreachable" and site.names() == []


def test_a_server_that_is_busy_is_asked_again(site):
    site.config()
    site.server.faults.add("status", "/instantiate", method="POST", status=429, seconds=0)
    assert site.run().build.name == "nb-1"


def test_the_rest_of_a_long_log_is_waited_for_as_long_as_lines_come(site, monkeypatch):
    monkeypatch.setattr(logreader, "GRACE", 0.3)
    site.config()
    site.rule(logs=[[0, f"line {number}"] for number in range(20)])

    def slow(event):  # a console that takes longer for all of it than the grace
        if event["text"].startswith("line"):
            time.sleep(0.05)
        site.shown.append(event["text"])

    assert site.run(report=slow).warnings == ()
    assert "line 19" in site.shown
