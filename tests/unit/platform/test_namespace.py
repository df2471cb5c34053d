# SPDX-License-Identifier: GPL-3.0-or-later
"""What a namespace, an image stream and a ClusterVersion say."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.registry import from_stream
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.security import id_ranges, read_namespace
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.version import from_cluster_version
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.platform import IdRange, Level


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("1000660000/10000", (IdRange(1000660000, 10000),)),
        ("1000660000-1000669999", (IdRange(1000660000, 10000),)),
        ("5-5", (IdRange(5, 1),)),
        ("1/10,100-109", (IdRange(1, 10), IdRange(100, 10))),
        ("1/10, 100-109", (IdRange(1, 10), IdRange(100, 10))),
        ("", ()),
        ("1000660000", ()),
        ("9-5", ()),
        ("5/0", ()),
        ("a/b", ()),
        ("1/10,rubbish", ()),
    ],
)
def test_ranges_of_ids(text, ranges):
    assert id_ranges(text) == ranges


def namespace(labels: dict | None = None, annotations: dict | None = None) -> dict:
    return {"metadata": {"name": "mine", "labels": labels, "annotations": annotations}}


def test_levels_of_pod_security_with_their_versions():
    labels = {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/enforce-version": "v1.31",
        "pod-security.kubernetes.io/warn": "restricted",
    }
    found = read_namespace(namespace(labels), "kubernetes")
    assert (found.mechanism, found.enforce, found.warn, found.audit) == (
        "pod-security", Level("baseline", "v1.31"), Level("restricted", "latest"), None,
    )  # fmt: skip
    assert "baseline" in found.reason


def test_a_namespace_without_labels_has_a_level_that_nobody_can_read():
    found = read_namespace(namespace(), "kubernetes")
    assert found.enforce is None and "cluster's default level" in found.reason


def test_what_openshift_gave_a_namespace():
    notes = {
        "openshift.io/sa.scc.uid-range": "1000660000/10000",
        "openshift.io/sa.scc.supplemental-groups": "1000660000/10000",
        "openshift.io/sa.scc.mcs": "s0:c26,c5",
    }
    found = read_namespace(namespace(None, notes), "openshift")
    assert (found.mechanism, found.uid_range, found.mcs) == ("scc", IdRange(1000660000, 10000), "s0:c26,c5")
    assert found.supplemental_groups == (IdRange(1000660000, 10000),)
    assert "1000660000 to 1000669999" in found.reason


def test_a_range_in_another_form_is_not_guessed():
    found = read_namespace(namespace(None, {"openshift.io/sa.scc.uid-range": "any"}), "openshift")
    assert found.uid_range is None and "no range" in found.reason


HOST = "image-registry.openshift-image-registry.svc:5000"


def test_the_registry_as_an_image_stream_names_it():
    status = {
        "dockerImageRepository": f"{HOST}/openshift/cli",
        "publicDockerImageRepository": "reg.example.com/openshift/cli",
    }
    found = from_stream({"status": status}, "mine")
    assert (found.available, found.host, found.external_host) == (True, HOST, "reg.example.com")
    assert found.reference == f"{HOST}/mine"


def test_without_a_registry_image_streams_name_none():
    found = from_stream({"status": {"dockerImageRepository": ""}}, "mine")
    assert found.available is False and found.reference is None


def test_the_release_is_the_newest_that_was_rolled_out():
    history = [
        {"state": "Partial", "version": "4.19.2"},
        {"state": "Completed", "version": "4.18.7"},
        {"state": "Completed", "version": "4.17.1"},
    ]
    found = from_cluster_version({"status": {"history": history, "desired": {"version": "4.19.2"}}})
    assert found == {"openshift": "4.18.7", "openshift_desired": "4.19.2"}


def test_while_openshift_is_being_installed_no_release_is_rolled_out():
    found = from_cluster_version({"status": {"history": [{"state": "Partial", "version": "4.19.2"}]}})
    assert found == {"openshift": None, "openshift_desired": None}
