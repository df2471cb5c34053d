# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that keep buildah from working rootless are told from builds that fail; the words are those of buildah 1.28."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.buildah import BuildahStrategy
from pod_support import DIGEST, ApiServer, Site, namespace, retryable

_LAYER = 'Error: creating build container: writing blob: adding layer with blob "sha256:69": '
SECCOMP = [
    "Error during unshare(CLONE_NEWUSER): Operation not permitted",
    'time="2026-11-25T12:46:46Z" level=error msg="parsing PID \\"\\": strconv.Atoi: parsing \\"\\": invalid syntax"',
    'time="2026-11-25T12:46:46Z" level=error msg="(Unable to determine exit status)"',
]
NO_ESCALATION = [
    'level=warning msg="running newgidmap: exit status 1: newgidmap: write to gid_map failed: Operation not permitted\\n"',
    'level=warning msg="Falling back to single mapping"',
    _LAYER + "processing tar file(potentially insufficient UIDs or GIDs available in user namespace): exit status 1",
]
NO_CAPABILITIES = [
    'level=warning msg="running newgidmap: fork/exec /usr/bin/newgidmap: operation not permitted: "',
    'level=warning msg="Falling back to single mapping"',
    _LAYER + "processing tar file(potentially insufficient UIDs or GIDs available in user namespace): exit status 1",
]
NO_MOUNT = [_LAYER + "ApplyLayer stdout:  stderr: remount /, flags: 0x44000: operation not permitted exit status 1"]


def fails(site, lines):
    behaviour = {"exit_code": 125, "logs": [[0, line] for line in lines]}
    site.server.pod_rules.add({"name": "*", "containers": {"build": behaviour}})
    (made,) = site.bring(BuildahStrategy(retryable))
    return made.build


@pytest.mark.parametrize("lines", [SECCOMP, NO_ESCALATION, NO_CAPABILITIES, NO_MOUNT])
def test_what_a_node_forbids_is_not_the_fault_of_the_build(site, lines):
    build = fails(site, lines)
    assert build.reason == "build_pod_refused", build.message
    assert "does not let buildah work rootless" in build.message and "ermitted" in build.message


def test_the_last_words_are_those_of_the_command_and_not_of_buildah(site):
    build = fails(site, ["cp: cannot stat 'x': No such file", 'Error: building at STEP "RUN cp x y": exit status 1'])
    assert build.reason == "build_failed"
    assert build.message.endswith("cp: cannot stat 'x': No such file.")


@pytest.mark.parametrize(("constraint", "phase"), [("anyuid", "Complete"), ("restricted-v2", "Failed")])
def test_openshift_takes_the_pods_of_an_account_that_may_use_anyuid(site, tmp_path, constraint, phase):
    group = "rbac.authorization.k8s.io"
    with ApiServer(profile="openshift") as server:
        namespace(server)
        binding = {
            "metadata": {"name": "builds", "namespace": "team"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": f"system:openshift:scc:{constraint}"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "team"}],
        }
        server.system.create(f"rolebindings.{group}", binding)
        server.pod_rules.add({"name": "*", "containers": {"push": {"message": DIGEST}}})
        (made,) = Site(server, str(tmp_path / "other")).bring(BuildahStrategy(retryable))
    assert made.build.phase == phase, made.build.message
    if phase == "Failed":
        assert made.build.reason == "build_pod_refused" and "security context constraint" in made.build.message
