# SPDX-License-Identifier: GPL-3.0-or-later
"""Started, waited, cancelled and absent; the time that is over; the lines on the console."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError


def test_started_does_not_wait(site):
    site.config()
    site.rule(seconds=600)
    found = site.run("started")
    assert found.changed and found.build.name == "nb-1" and found.build.phase in ("New", "Pending", "Running")
    assert found.image is None


@pytest.mark.parametrize("named", [{"build": "nb-1"}, {"build": "nb-1", "name": None}, {}])
def test_waited_follows_a_build_and_starts_none(site, named):
    site.config()
    site.rule(seconds=0.3, logs=[[0, "hello"]])
    site.run("started")
    found = site.run("waited", **named)
    assert not found.changed and found.build.phase == "Complete" and found.image
    assert found.build.log_tail == ("hello",) and site.names() == ["nb-1"]


def test_waited_in_check_mode_says_how_it_stands(site):
    site.config()
    site.rule(seconds=600)
    site.run("started")
    site.until("nb-1", "Running")
    assert site.run("waited", dry_run=True).build.phase == "Running"


def test_waited_without_a_build_says_so(site):
    site.config()
    with pytest.raises(EngineError, match="no build of BuildConfig nb"):
        site.run("waited")
    with pytest.raises(EngineError, match="no build nb-7"):
        site.run("waited", build="nb-7")


def test_a_build_of_another_buildconfig_is_refused(site):
    site.config()
    site.config("other")
    site.run("started", name="other")
    for state in ("waited", "cancelled", "absent"):
        with pytest.raises(EngineError, match="is not of BuildConfig nb, but of other"):
            site.run(state, build="other-1")


def test_cancelled_ends_the_builds_of_this_buildconfig_and_no_other(site):
    site.rule(name="*-build", seconds=600)
    for name in ("nb", "nb-1"):  # openshift_build matches names by a part of them
        site.config(name)
        site.run("started", name=name)
    site.run("started")
    planned = site.run("cancelled", dry_run=True)
    assert (
        planned.changed and planned.builds == ("nb-1", "nb-2") and site.build("nb-1")["status"]["phase"] != "Cancelled"
    )
    found = site.run("cancelled")
    assert found.changed and found.builds == ("nb-1", "nb-2") and found.build.phase == "Cancelled"
    assert site.build("nb-1-1")["status"]["phase"] != "Cancelled"
    again = site.run("cancelled")
    assert not again.changed and again.builds == () and again.build is None


def test_cancelled_takes_one_build_by_name(site):
    site.config()
    site.rule(seconds=600)
    site.run("started")
    site.run("started")
    assert site.run("cancelled", build="nb-2").builds == ("nb-2",)
    assert site.build("nb-1")["status"]["phase"] != "Cancelled"


def test_a_cancellation_that_does_not_come_about_is_a_failure(site):
    site.config()
    site.rule(seconds=600)
    site.run("started")
    site.server.builds.reconcile = lambda *key: None  # the controller is dead
    with pytest.raises(EngineError, match="nb-1 had not ended") as told:
        site.run("cancelled", timeout=0.5)
    assert told.value.code == "build_timeout" and told.value.details["changed"]


def test_absent_deletes_builds_and_keeps_the_buildconfig(site):
    site.config()
    for _unused in range(2):
        site.run("started")
    site.until("nb-2", "Complete")
    assert site.run("absent", dry_run=True).builds == ("nb-1", "nb-2") and site.names() == ["nb-1", "nb-2"]
    assert site.run("absent", build="nb-1").builds == ("nb-1",) and site.names() == ["nb-2"]
    assert site.run("absent").before == {"nb-2": "Complete"} and site.names() == []
    assert not site.run("absent").changed and not site.run("absent", build="nb-1").changed
    assert site.server.system.find("buildconfigs.build.openshift.io", "team", "nb")


def test_the_time_over_cancels_the_build_and_fails(site):
    site.config()
    site.rule(seconds=600)
    with pytest.raises(EngineError, match=r"after 1 s; its phase was \w+. It was cancelled") as told:
        site.run(timeout=1)
    assert told.value.code == "build_timeout" and told.value.details["changed"]
    assert told.value.details["build"].name == "nb-1"
    assert site.build("nb-1")["status"]["phase"] == "Cancelled"


def test_the_time_over_can_leave_the_build(site):
    site.config()
    site.rule(seconds=600)
    with pytest.raises(EngineError, match="It goes on"):
        site.run(timeout=1, on_timeout="leave")
    assert site.build("nb-1")["status"]["phase"] == "Running"


@pytest.mark.parametrize(("on_timeout", "phase"), [(None, "Running"), ("leave", "Running"), ("cancel", "Cancelled")])
def test_a_build_of_others_is_cancelled_only_where_that_is_asked_for(site, on_timeout, phase):
    site.config()
    site.rule(seconds=600)
    site.run("started")
    site.until("nb-1", "Running")
    with pytest.raises(EngineError) as told:
        site.run("waited", timeout=1, on_timeout=on_timeout)
    assert told.value.code == "build_timeout"
    assert told.value.details["changed"] is (phase == "Cancelled")
    assert site.build("nb-1")["status"]["phase"] == phase


def test_builds_of_a_name_that_begins_alike_are_not_touched(site):
    mine, other = "n" * 63 + "-mine", "n" * 63 + "-other"  # OpenShift's label for both is the first 63 characters
    for name in (mine, other):
        site.config(name)
        site.run("built", name)
    assert site.run("absent", mine).builds == (f"{mine}-1",)
    assert site.names() == [f"{other}-1"]


@pytest.mark.parametrize(("on_timeout", "cancelled"), [(None, True), ("cancel", True), ("leave", False)])
def test_an_interruption_cancels_what_was_begun(site, on_timeout, cancelled):
    site.config()
    site.rule(seconds=600)

    def interrupt(event):
        if "Running" in event["text"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.run(on_timeout=on_timeout, report=interrupt)
    assert site.build("nb-1")["status"].get("cancelled", False) is cancelled


def test_a_line_is_shown_while_the_build_runs(site):
    site.config()
    site.rule(seconds=600, logs=[[0, "first"]])
    seen = threading.Event()
    done = []

    def show(event):
        if event["text"] == "first":
            seen.set()

    thread = threading.Thread(target=lambda: done.append(_cancelled(site, show)))
    thread.start()
    assert seen.wait(20) and site.build("nb-1")["status"]["phase"] == "Running"
    site.run("cancelled")
    thread.join(30)
    assert done[0].code == "build_cancelled"


def _cancelled(site, show):
    with pytest.raises(EngineError) as told:
        site.run(report=show)
    return told.value


def test_a_build_that_is_deleted_meanwhile_is_told(site):
    site.config()
    site.rule(seconds=600)

    def delete(event):
        if "Running" in event["text"]:
            site.server.system.delete("builds.build.openshift.io", "team", "nb-1")

    with pytest.raises(EngineError, match="was deleted before it had ended") as told:
        site.run(report=delete)
    assert told.value.code == "build_pod_lost"
