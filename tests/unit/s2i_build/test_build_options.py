# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of builds on OpenShift: each changes the BuildConfig, none the key; and images of a shared namespace."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image import recipes
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.environments import (
    S2iStrategy,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import (
    BuildOptions,
    ImageOptions,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of, role_rules
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cluster_support import namespace
from image_support import BASE, BUILDER, DIGESTS, bring, config, faults, hook, need


@pytest.fixture
def settings(openshift):
    for plural, name in (("configmaps", "pip"), ("secrets", "pip-login")):
        openshift.server.system.create(plural, {"metadata": {"name": name, "namespace": "team"}})
    return openshift


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"resources": {"limits": {"memory": "2Gi"}}}, "resources", {"limits": {"memory": "2Gi"}}),
        ({"node_selector": {"disk": "ssd"}}, "nodeSelector", {"disk": "ssd"}),
        ({"service_account": "builder"}, "serviceAccount", "builder"),
        ({"keep_complete": 4}, "successfulBuildsHistoryLimit", 4),
        ({"keep_failed": 5}, "failedBuildsHistoryLimit", 5),
    ],
)
def test_an_option_is_a_field_of_the_buildconfig_and_no_part_of_the_key(openshift, options, field, value):
    (made,) = bring(openshift, build=BuildOptions(**options))
    assert made.build.phase == "Complete" and config(openshift, made.key)["spec"][field] == value
    assert bring(openshift)[0].build.phase == "Cached"


@pytest.mark.parametrize(("strategy", "field"), [("s2i", "sourceStrategy"), ("docker", "dockerStrategy")])
def test_settings_are_there_during_the_build_only(settings, strategy, field):
    build = BuildOptions(settings_config_map="pip", settings_secret="pip-login")
    (made,) = bring(settings, strategy=strategy, build=build)
    assert faults(settings, made.key) == []
    volumes = {
        one["name"]: (one["source"], one["mounts"][0]["destinationPath"])
        for one in config(settings, made.key)["spec"]["strategy"][field]["volumes"]
    }
    assert volumes == {
        "settings-config-map": (
            {"type": "ConfigMap", "configMap": {"name": "pip", "defaultMode": 0o444}}, "/run/notebook-settings/config",
        ),
        "settings-secret": (
            {"type": "Secret", "secret": {"secretName": "pip-login", "defaultMode": 0o444}}, "/run/notebook-settings/secret",
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("option", "kind"), [("settings_config_map", "ConfigMap"), ("settings_secret", "Secret")], ids=lambda one: one
)
def test_settings_that_are_missing_are_told_before_a_build_waits_for_them(openshift, option, kind):
    (failed,) = bring(openshift, build=BuildOptions(**{option: "nowhere"}))
    assert failed.build.reason == "cluster_not_found" and f"There is no {kind} nowhere" in failed.build.message
    assert f"build.{option}" in failed.build.message and openshift.names() == []


def test_a_secret_that_may_not_be_seen_is_taken_to_be_there(settings):
    token = settings.user(list(role_rules(list(needs_of("s2i", "team")))))
    (made,) = bring(settings, token=token, build=BuildOptions(settings_secret="pip-login"))
    assert made.build.phase == "Complete", made.build.message
    (asked,) = [entry for entry in settings.server.journal.entries() if "/secrets/" in entry.line]
    assert asked.status == 403


def test_settings_hold_for_the_scripts_of_a_builder_image_too(settings, monkeypatch, tmp_path):
    sent, write = [], S2iStrategy._complete
    monkeypatch.setattr(S2iStrategy, "_complete", lambda *given: sent.append(write(*given)) or sent[-1])
    labels = {"io.openshift.s2i.scripts-url": f"image://{tmp_path}"}
    settings.server.external_images[BASE] = {**BUILDER, "config": {"User": "1001", "Labels": labels}}
    bring(settings)
    bring(settings, reuse="never", build=BuildOptions(settings_secret="pip-login"))
    plain, with_settings = sent
    assert ".s2i/bin/assemble" not in plain.files and ".s2i/bin/run" not in with_settings.files
    own = tmp_path / "assemble"
    own.write_text("#!/bin/sh\necho own\n")
    own.chmod(0o755)
    with_settings.write(str(tmp_path / "source"))
    done = subprocess.run([tmp_path / "source/.s2i/bin/assemble"], capture_output=True, text=True, check=True)
    assert done.stdout == "own\n" and recipes.PRELUDE in with_settings.files[".s2i/bin/assemble"]


def test_labels_are_those_of_the_image_and_ours_stay(openshift):
    image = ImageOptions(labels={"team": "data", "notebooks.mlops.dev/key": "x"})
    (made,) = bring(openshift, image=image)
    labels = {one["name"]: one["value"] for one in config(openshift, made.key)["spec"]["output"]["imageLabels"]}
    assert labels["team"] == "data" and labels["notebooks.mlops.dev/key"] == made.key


def test_tests_have_to_pass_before_the_image_is_pushed(openshift):
    tests = ("python3 -c 'import alpha'",)
    (made,) = bring(openshift, image=ImageOptions(tests=tests))
    assert hook(config(openshift, made.key)["spec"]) == recipes.check({}, tests)


def test_the_check_survives_what_the_builder_does_with_it(openshift):
    (made,) = bring(openshift, need("alpha", imports={"no_such_module": "alpha"}))
    script = config(openshift, made.key)["spec"]["postCommit"]["script"]
    # It becomes a RUN instruction: one line, between single quotes.
    command = f"/bin/sh -ic '{script}'".replace("\n", " ")
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 1 and done.stderr.rstrip().endswith("no_such_module"), done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"repository": "registry.example.com/x"}, "repository and push_secret are for tekton, buildah and shipwright"),
        ({"push_secret": "x"}, "repository and push_secret are for tekton, buildah and shipwright"),
        ({"build": BuildOptions(builder_image="x")}, r"leave build\.builder_image out"),
        ({"build": BuildOptions(keep_complete=0)}, "must be at least 1"),
        ({"build": BuildOptions(keep_failed=0)}, "must be at least 1"),
    ],
)
@pytest.mark.parametrize("strategy", ["s2i", "docker"])
def test_an_option_that_cannot_act_is_refused(openshift, options, words, strategy):
    with pytest.raises(EngineError, match=words):
        bring(openshift, strategy=strategy, **options)


@pytest.fixture
def shared(openshift):
    """An image in the namespace `shared`; yields how to bring about the same in `team`, and its reference there."""
    namespace(openshift.server, "shared")
    (made,) = bring(openshift, namespace="shared")

    def again(**options):
        return bring(openshift, shared_namespace="shared", **options)[0]

    return again, made.environment.reference


@pytest.mark.parametrize("base", [BASE, f"{BASE.removesuffix(':latest')}@{DIGESTS['a']}"], ids=["tag", "digest"])
@pytest.mark.parametrize("strategy", ["s2i", "auto"])
def test_an_image_of_the_shared_namespace_is_found_by_three_requests(openshift, shared, base, strategy):
    again, reference = shared
    assert "/shared/" in reference
    openshift.server.journal.clear()
    found = again(base=base, strategy=strategy)
    assert found.build.phase == "Cached" and found.environment.reference == reference
    assert len(openshift.requests()) <= 3, openshift.requests()
    assert all("imagestreamimports" in entry.line for entry in openshift.server.journal.writes())
    assert again(base=base, reuse="verify").build.phase == "Cached"


def test_what_is_not_in_the_shared_namespace_is_made_in_the_own_one(openshift, shared):
    again, reference = shared
    anew = again(reuse="never")
    assert anew.build.phase == "Complete" and "/team/" in anew.environment.reference
    assert again().environment.reference == anew.environment.reference, "the own one goes first"
    assert again(reuse="verify").environment.reference == anew.environment.reference


def test_a_shared_namespace_that_may_not_be_read_is_an_error(openshift, shared):
    again, _reference = shared
    token = openshift.user(list(role_rules(list(needs_of("s2i", "team")))))
    refused = again(token=token)
    assert refused.build.reason == "cluster_forbidden" and 'in the namespace "shared"' in refused.build.message


def test_a_base_that_cannot_be_read_is_told_with_a_shared_namespace_too(openshift, shared):
    again, _reference = shared
    openshift.server.external_images[BASE] = {"failure": {"reason": "NotFound", "message": "no such image"}}
    assert again().build.reason == "builder_image_unavailable"


def test_verify_makes_anew_what_the_tag_lost(openshift):
    (made,) = bring(openshift)
    assert bring(openshift, reuse="verify")[0].build.phase == "Cached"
    (other,) = bring(openshift, need("beta"))
    stream = openshift.server.system.get("imagestreams.image.openshift.io", "team", "notebook-environments")
    tags = {entry["tag"]: entry for entry in stream["status"]["tags"]}
    tags[made.key]["items"].insert(0, tags[other.key]["items"][0])
    openshift.server.system.update_status("imagestreams.image.openshift.io", stream)
    assert bring(openshift)[0].environment.digest == other.environment.digest, "somebody moved the tag"
    (again,) = bring(openshift, reuse="verify")
    assert again.build.phase == "Complete" and again.environment.digest != other.environment.digest
    assert any("was not made for its key" in line for line in openshift.shown)
