# SPDX-License-Identifier: GPL-3.0-or-later
"""What other people have in a namespace."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.mlops.notebooks.plugins import module_utils
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import MANAGER, Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import MANAGED_BY, labels
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.contents import contents
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.manifests import COMPONENT

OURS = {"labels": {MANAGED_BY: MANAGER}}


def look(site, namespace: str = "mine", user: str | None = None):
    token = site.server.tokens.issue(user) if user else site.server.token
    with Cluster({"host": site.server.url, "ca_cert": site.server.ca_file, "api_key": token}) as cluster:
        return contents(cluster, namespace)


def named(found) -> list[tuple[str, str, str]]:
    return [(one.kind, one.name, one.resource) for one in found.others]


@pytest.mark.parametrize("profile", ["kubernetes", "openshift"])
def test_what_the_cluster_and_we_put_there_is_nobody_elses(site, profile):
    on = site(profile)
    on.create("configmaps", "v1", "ConfigMap", "environment", "mine", metadata=OURS)
    token = {"annotations": {"kubernetes.io/service-account.name": "default"}}
    on.create("secrets", "v1", "Secret", "default-token-1", "mine", metadata=token)
    event = {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "mine"}, "reason": "R", "message": "m"}
    on.create("events", "v1", "Event", "p.1", "mine", **event)
    found = look(on)
    assert (found.exists, found.ours, found.others, found.unseen) == (True, False, (), ())


def test_what_others_have_is_named_and_what_belongs_to_it_is_not(site):
    on = site("kubernetes")
    on.define("example.com", "toys", "Toy")
    on.create("toys.example.com", "example.com/v1", "Toy", "ball", "mine")
    on.create("configmaps", "v1", "ConfigMap", "environment", "mine")
    owner = on.create("secrets", "v1", "Secret", "theirs", "mine")
    reference = {"apiVersion": "v1", "kind": "Secret", "name": "theirs", "uid": owner["metadata"]["uid"]}
    on.create("configmaps", "v1", "ConfigMap", "belongs", "mine", metadata={"ownerReferences": [reference]})
    on.create("serviceaccounts", "v1", "ServiceAccount", "robot", "mine")
    assert named(look(on)) == [
        ("ConfigMap", "environment", "configmaps"),
        ("Secret", "theirs", "secrets"),
        ("ServiceAccount", "robot", "serviceaccounts"),
        ("Toy", "ball", "toys.example.com"),
    ]


def test_the_mirrors_of_openshift_are_not_told_beside_what_they_show(site):
    on = site("openshift")
    on.create("imagestreams.image.openshift.io", "image.openshift.io/v1", "ImageStream", "stream", "mine")
    assert named(look(on)) == [("ImageStream", "stream", "imagestreams.image.openshift.io")]


def test_what_may_not_be_listed_is_said(site):
    on = site("kubernetes")
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "configmaps"], "verbs": ["get", "list"]},
        {"apiGroups": ["batch"], "resources": ["*"], "verbs": ["list"]},
    ]
    on.grant("jane", rules)
    on.create("secrets", "v1", "Secret", "theirs", "mine")
    found = look(on, user="jane")
    assert found.others == () and "secrets" in found.unseen and not {"configmaps", "jobs.batch"} & set(found.unseen)


def test_an_api_that_does_not_answer_is_unseen(site):
    on = site("kubernetes")
    on.server.discovery.stale = ["batch"]
    assert "batch" in look(on).unseen


def test_a_namespace_says_whether_it_is_ours_and_whether_it_is_there(site):
    on = site("kubernetes")
    on.create("namespaces", "v1", "Namespace", "made", metadata=OURS)
    assert look(on, "made").ours and not look(on, "nowhere").exists


def test_nothing_but_names_is_asked_for(site):
    on = site("kubernetes")
    on.create("secrets", "v1", "Secret", "theirs", "mine", stringData={"password": "s3cr3t"})
    on.server.journal.clear()
    look(on)
    assert not on.server.journal.writes() and all(one.method == "GET" for one in on.server.journal.entries())


def test_the_role_knows_objects_by_the_labels_that_the_engine_gives():
    root = Path(next(iter(module_utils.__path__))).parents[1] / "roles" / "namespace"
    known = yaml.safe_load((root / "vars" / "main.yml").read_text())
    values = {"{{ namespace__manager }}": known["namespace__manager"], "{{ namespace__component }}": "namespace"}
    written = {name: values.get(value, value) for name, value in known["namespace__labels"].items()}
    given = labels("namespace", "k")
    assert written == {name: value for name, value in given.items() if not name.startswith("notebooks.mlops.dev/")}
    pods = yaml.safe_load((root / "defaults" / "main.yml").read_text())["namespace_policy_pods"]["matchLabels"]
    assert pods.items() <= labels(COMPONENT, "k").items()
