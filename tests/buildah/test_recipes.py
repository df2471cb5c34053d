# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into an image, with buildah itself: labels, wheels in a stage of their own, a Containerfile of the user's."""

from __future__ import annotations

import hashlib

import pytest
import urllib3
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import (
    BuildOptions,
    ImageOptions,
)
from wheels import make_wheel

AWKWARD = """a "b" 'c' $HOME ${HOME} \\ \\n `id` $(id) # d ="""


def asked(site, made):
    """Return the configuration that the registry has of an image, and its layers."""
    address, _slash, name = site.repository.partition("/")
    url = f"http://{address}/v2/{name}/"
    headers = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    manifest = urllib3.request("GET", f"{url}manifests/{made.key}", headers=headers).json()
    return urllib3.request("GET", f"{url}blobs/{manifest['config']['digest']}").json()["config"], manifest["layers"]


def test_labels_are_what_they_were_given_as_and_tests_run_as_any_user(site):
    # Kubernetes replaces $(TARGET) in a command by the variable of the container.
    tests = (": > /home/notebook/x", """test "$(echo 'a $b "c"')" = 'a $b "c"'""", "test '$(TARGET)' = '$''(TARGET)'")
    image = ImageOptions(labels={"team/label": AWKWARD}, tests=tests)
    made = site.build("alpha", image=image)
    assert made.build.phase == "Complete", made.build.message
    config, _layers = asked(site, made)
    assert config["Labels"]["team/label"] == AWKWARD
    assert not any("PIP_" in pair for pair in config["Env"])


def test_a_test_that_fails_is_named_and_nothing_is_pushed(site):
    made = site.build("alpha", image=ImageOptions(tests=("true", "echo so; exit 7")))
    assert made.build.reason == "build_failed"
    assert "the test failed with status 7: echo so; exit 7" in made.build.message


@pytest.mark.parametrize("hashed", [False, True])
def test_wheels_of_a_stage_of_their_own_are_installed_and_leave_no_trace(site, tmp_path, hashed):
    wheel = make_wheel(tmp_path, "local", "3.0", requires=["alpha"])
    (tmp_path / "pins.txt").write_text("alpha==1.0\n")
    alpha = next(site.wheels.glob("alpha-*"))
    lines = [f"./{wheel.name}", "alpha==1.0", "-c pins.txt"]
    if hashed:
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, alpha)]
        lines[:2] = [f"{line} --hash=sha256:{digest}" for line, digest in zip(lines[:2], digests, strict=True)]
    made = site.build(
        *lines, imports={"alpha": "alpha", "local": "local"}, source=str(tmp_path),
        image=ImageOptions(multi_stage=True, tests=("test ! -e /tmp/notebook-environment", "test -z \"$(ls /tmp/notebook-wheels)\"")),
    )  # fmt: skip
    assert made.build.phase == "Complete", "\n".join(site.shown[-20:])


def test_a_containerfile_of_the_users_is_completed(site, tmp_path):
    source = tmp_path / "source"
    (source / "settings").mkdir(parents=True)
    (source / ".hidden").write_text("seen\n")
    (source / "settings" / "a.txt").write_text("a\n")
    (source / "secret.txt").write_text("never\n")
    (source / ".dockerignore").write_text("*\n!settings\n!.hidden\n")
    (source / "Containerfile").write_text(
        f"""# syntax=docker/dockerfile:1
ARG BASE={site.base.partition("@")[0]}:1
FROM ${{BASE}} AS tools
USER root
RUN mkdir -p /tools && \\
    # between
    echo tool > /tools/x
FROM $BASE
COPY --from=tools /tools /tools
COPY . /srv/
ENV GREETING=hello HOME=/home/own
WORKDIR /srv
ENTRYPOINT ["env"]
USER notebook"""
    )
    image = ImageOptions(
        containerfile="Containerfile",
        tests=("test $GREETING = hello && cat /srv/.hidden /srv/settings/a.txt /tools/x && test ! -e /srv/secret.txt",),
    )
    made = site.build("alpha", imports={"alpha": "alpha"}, base=None, source=str(source), image=image)
    assert made.build.phase == "Complete", "\n".join(site.shown[-20:])
    config, _layers = asked(site, made)
    assert (config["User"], config["Entrypoint"], config["WorkingDir"]) == ("notebook", ["env"], "/srv")
    assert made.warnings == ()
    again = site.build("alpha", imports={"alpha": "alpha"}, base=None, source=str(source), image=image)
    assert again.build.phase == "Cached"
    (source / "settings" / "a.txt").write_text("b\n")
    assert site.build("alpha", base=None, source=str(source), image=image).key != made.key


def test_settings_hold_while_commands_run_and_leave_no_trace(site):
    text = "[global]\nquiet = 3\nindex-url = https://jane:hunter2@index.example.com/simple\n"
    entries = {"pip.conf": text, "https_proxy": "http://jane:hunter2@proxy.example.com:3128"}
    site.server.system.create(
        "secrets", {"metadata": {"name": "settings", "namespace": "team"}, "stringData": entries, "type": "Opaque"}
    )
    image = ImageOptions(tests=('test -z "$PIP_CONFIG_FILE"', "test ! -e /run/notebook-settings/secret/pip.conf"))
    made = site.build("alpha", imports={"alpha": "alpha"}, build=BuildOptions(settings_secret="settings"), image=image)
    assert made.build.phase == "Complete", "\n".join(site.shown[-20:])
    shown = "\n".join(site.shown)
    assert "Successfully installed" not in shown, "pip was told to be quiet"
    config, _layers = asked(site, made)
    (pod,) = site.server.system.list("pods", "team")
    assert not [text for text in (shown, str(config), str(pod)) if "hunter2" in text or "proxy.example.com" in text]
