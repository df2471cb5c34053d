# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build that fails, or does not get on, is told as."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

NO_MATCH = "ERROR: No matching distribution found for nosuchthing==1"
CASES = {
    "missing ref": (
        "FetchSourceFailed",
        "error: pathspec 'v9' did not match any file(s) known to git",
        "source_unavailable",
    ),
    "credentials": (
        "FetchSourceFailed",
        "fatal: Authentication failed for 'https://git.example.com/'",
        "source_unavailable",
    ),
    "network": ("FetchSourceFailed", "fatal: Could not resolve host: git.example.com", "network_unavailable"),
    "pip": ("AssembleFailed", NO_MATCH, "dependency_not_found"),
    "dockerfile pip": ("DockerBuildFailed", NO_MATCH, "dependency_not_found"),
    "assemble": ("AssembleFailed", "make: *** [all] Error 2", "build_failed"),
    "hook": ("PostCommitHookFailed", "tests failed", "build_failed"),
    "push": ("PushImageToRegistryFailed", "error: received unexpected HTTP status: 500", "image_push_failed"),
    "push denied": ("PushImageToRegistryFailed", "unauthorized: authentication required", "image_push_denied"),
    "pull": ("PullBuilderImageFailed", "manifest unknown: no such image", "builder_image_unavailable"),
    "evicted": ("BuildPodEvicted", "", "build_pod_lost"),
    "other": ("SomethingNew", "the last words", "build_failed"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failure_has_its_code_its_step_and_the_last_words(site, case):
    reason, words, code = CASES[case]
    site.config()
    site.rule(exit_code=1, logs=[[0, "working"], *([[0, words]] if words else [])], build={"reason": reason})
    with pytest.raises(EngineError, match=f"Build nb-1 failed in its step .* \\({reason}\\)") as told:
        site.run()
    build = told.value.details["build"]
    assert told.value.code == code == build.reason and build.phase == "Failed" and told.value.details["changed"]
    assert words.split(":")[-1].strip().rstrip(".")[:20] in told.value.message
    assert not words or build.log_tail[-1] == words


def test_memory(site):
    site.config()
    site.rule(seconds=0.1, failure="OOMKilled")
    with pytest.raises(EngineError) as told:
        site.run()
    assert told.value.code == "build_out_of_memory"


def test_a_completion_deadline(site):
    site.config(completionDeadlineSeconds=1)
    site.rule(seconds=600)
    with pytest.raises(EngineError, match=r"completion deadline of the BuildConfig \(1 s\)") as told:
        site.run()
    assert told.value.code == "build_timeout"


def test_a_failed_build_is_a_failure_for_who_waits_too(site):
    site.config()
    site.rule(exit_code=1)
    site.run("started")
    with pytest.raises(EngineError) as told:
        site.run("waited")
    assert told.value.details["changed"] is False


def test_an_unknown_builder_image(site):
    site.config(strategy={"type": "Source", "sourceStrategy": {"from": {"kind": "ImageStreamTag", "name": "none:1"}}})
    with pytest.raises(EngineError, match="none:1") as told:
        site.run()
    assert told.value.code == "builder_image_unavailable"


def test_a_quota_is_named_and_the_build_not_left(site):
    _quota(site)
    site.config()
    with pytest.raises(EngineError, match=r"is held up .*exceeded quota.* It was cancelled") as told:
        site.run()
    assert told.value.code == "quota_exceeded" and site.build("nb-1")["status"]["phase"] == "Cancelled"


def test_room_that_comes_in_time_is_waited_for(site):
    _quota(site)
    site.config()

    def make_room(event):
        if "CannotCreateBuildPod" in event["text"]:
            site.server.system.delete("resourcequotas", "team", "none")

    assert site.run(report=make_room, patience=20).build.phase == "Complete"


def _quota(site) -> None:
    metadata = {"name": "none", "namespace": "team"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "0"}}}
    site.server.system.create("resourcequotas", {**quota, "status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}})


def test_an_output_that_is_missing_is_told(site):
    site.config(output={"to": {"kind": "ImageStreamTag", "name": "elsewhere:1"}})
    with pytest.raises(EngineError, match="InvalidOutputReference") as told:
        site.run()
    assert told.value.code == "image_output_invalid"


def test_a_missing_builder_account_is_told(site):
    site.config(serviceAccount="nobody-made-it")
    with pytest.raises(EngineError, match="nobody-made-it") as told:
        site.run()
    assert told.value.code == "builder_account_missing"


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(site):
    site.config()
    site.rule(exit_code=1, times=1, build={"reason": "PushImageToRegistryFailed"}, logs=[[0, "HTTP status: 503"]])
    found = site.run(retries=1)
    assert found.build.name == "nb-2" and found.changed and found.build.log_tail == ()
    site.config("other")
    site.server.pod_rules.add({"name": "other-*-build", "exit_code": 1, "build": {"reason": "AssembleFailed"}})
    with pytest.raises(EngineError):
        site.run(name="other", retries=3)
    assert [name for name in site.names() if name.startswith("other")] == ["other-1"]


def test_retries_have_a_limit(site):
    site.config()
    site.rule(exit_code=1, build={"reason": "PushImageToRegistryFailed"})
    with pytest.raises(EngineError, match="nb-2"):
        site.run(retries=1)


def test_a_secret_in_the_log_is_in_no_error(site):
    site.config()
    words = "error: https://joe:swordfish123@git.example.com/ failed"
    site.rule(exit_code=1, logs=[[0, words]], build={"reason": "FetchSourceFailed"})
    with pytest.raises(EngineError) as told:
        site.run()
    assert (
        "swordfish123" not in told.value.message + str(told.value.details) and "git.example.com" in told.value.message
    )
