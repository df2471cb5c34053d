# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API groups of a server tell: the platform, builders and capabilities."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Discovery
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.detect import kind_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.offers import builders, capabilities


class Groups(Discovery):
    """A discovery that knows these groups; a group with None cannot be seen."""

    def __init__(self, groups: dict | None):
        super().__init__(None)
        self.groups = groups

    def versions(self, group: str):
        return None if self.groups is None else self.groups.get(group, ())


def served(*groups: str) -> dict:
    return dict.fromkeys(groups, ("v1",))


SECURITY, CONFIG, ROUTE = (f"{name}.openshift.io" for name in ("security", "config", "route"))


@pytest.mark.parametrize(
    ("groups", "platform"),
    [
        (served("apps", "batch"), "kubernetes"),
        (served(SECURITY, CONFIG, ROUTE), "openshift"),
        (served(SECURITY, CONFIG), "openshift"),
        (served(SECURITY, ROUTE), "openshift"),  # MicroShift
        (served(ROUTE), "kubernetes"),  # a definition of Route alone, as ingress controllers bring it
        (served(CONFIG), "kubernetes"),  # definitions that operators of OpenShift bring along
        (served(SECURITY), "kubernetes"),
        ({SECURITY: ("v1",), CONFIG: None, ROUTE: ("v1",)}, "openshift"),
        ({SECURITY: ("v1",), CONFIG: None}, "unknown"),
        ({SECURITY: None, CONFIG: ("v1",)}, "unknown"),
        ({SECURITY: None}, "kubernetes"),
        (None, "unknown"),
    ],
)
def test_the_platform_is_told_by_what_every_openshift_has(groups, platform):
    assert kind_of(Groups(groups))[0] == platform


def test_without_a_server_it_is_local():
    assert kind_of(None)[0] == "local"


BUILD, IMAGE = "build.openshift.io", "image.openshift.io"


@pytest.mark.parametrize(
    ("groups", "builder", "available", "api_version"),
    [
        (served(BUILD, IMAGE), "s2i", True, "build.openshift.io/v1"),
        (served(BUILD, IMAGE), "docker", True, "build.openshift.io/v1"),
        (served(IMAGE), "s2i", False, None),
        (served(BUILD), "s2i", False, None),
        ({BUILD: None, IMAGE: ("v1",)}, "s2i", None, None),
        ({BUILD: ("v1",), IMAGE: None}, "docker", None, None),
        ({BUILD: None}, "s2i", False, None),  # without image streams the other does not matter
        ({"tekton.dev": ("v1beta1", "v1")}, "tekton", True, "tekton.dev/v1"),
        ({"tekton.dev": ("v1beta1",)}, "tekton", True, "tekton.dev/v1beta1"),
        ({"tekton.dev": ("v1alpha1",)}, "tekton", False, None),
        ({"tekton.dev": None}, "tekton", None, None),
        ({"operator.tekton.dev": ("v1",)}, "tekton", False, None),
        ({"shipwright.io": ("v1alpha1", "v1beta1")}, "shipwright", True, "shipwright.io/v1beta1"),
        ({"shipwright.io": ("v1alpha1",)}, "shipwright", False, None),
        (served("batch"), "buildah", True, "batch/v1"),
        ({}, "buildah", False, None),
        (None, "buildah", None, None),
    ],
)
def test_builders(groups, builder, available, api_version):
    offer = builders(Groups(groups))[builder]
    assert (offer.available, offer.api_version) == (available, api_version)


@pytest.mark.parametrize(
    ("groups", "builder", "words"),
    [
        (served(IMAGE), "s2i", "Build capability is disabled"),
        (served(BUILD), "s2i", "image streams"),
        ({"tekton.dev": ("v1alpha1",)}, "tekton", "v1 or v1beta1"),
        (served("batch"), "buildah", "a registry to push to"),
        ({BUILD: None, IMAGE: ("v1",)}, "s2i", "build.openshift.io is served cannot be seen"),
    ],
)
def test_the_reason_says_what_decided(groups, builder, words):
    assert words in builders(Groups(groups))[builder].reason


def test_capabilities():
    found = capabilities(Groups({"gateway.networking.k8s.io": ("v1", "v1beta1"), "kueue.x-k8s.io": None}))
    assert found["gateway_api"].available is True
    assert found["gateway_api"].api_version == "gateway.networking.k8s.io/v1"
    assert found["kueue"].available is None and "cannot be seen" in found["kueue"].reason
    assert found["routes"].available is False and "route.openshift.io" in found["routes"].reason


def test_without_a_server_nothing_is_there_and_nothing_is_unknown():
    offers = [*builders(None).values(), *capabilities(None).values()]
    assert {offer.available for offer in offers} == {False}
