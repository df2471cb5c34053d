# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook namespace: what it makes, that it makes it once, who may do what there, and that nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import ROOT, Played, Player, write_notebook

sys.path[:0] = [str(ROOT), os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(ROOT / "build" / "collections")]
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.apply import APPLIED  # noqa: E402
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import (  # noqa: E402
    needs_of,
    role_rules,
)

from tests.apiserver.actors.process import PATH, unavailable  # noqa: E402
from tests.apiserver.server import ApiServer  # noqa: E402

NAME = "ml-checks"
RBAC = "rbac.authorization.k8s.io"
OURS = "app.kubernetes.io/managed-by"
KINDS = (
    "serviceaccounts", f"roles.{RBAC}", f"rolebindings.{RBAC}", "resourcequotas", "limitranges",
    "networkpolicies.networking.k8s.io",
)  # fmt: skip
IMAGE = "registry.example.com/team/notebooks@sha256:" + "e" * 64


@dataclass
class Site:
    """A cluster, and playbooks on it as one of its users."""

    server: ApiServer
    play: Player

    def run(self, *arguments: str, user: str = "", playbook: str = "mlops.notebooks.namespace", **variables) -> Played:
        """Play as the user, by default the administrator."""
        given = {"namespace": NAME, **variables}
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            playbook,
            "-e",
            json.dumps(given),
            *arguments,
        ]
        environment = {**self.play.environment, "K8S_AUTH_KUBECONFIG": self.kubeconfig(user)}
        self.server.journal.clear()
        done = subprocess.run(
            command, cwd=self.play.work, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600
        )  # fmt: skip
        return Played(done.returncode, done.stdout + done.stderr, self.play.work)

    def kubeconfig(self, user: str) -> str:
        if not user:
            return str(self.server.kubeconfig)
        return str(self.server.write_kubeconfig(user, self.server.tokens.issue(user, 3600)))

    def made(self) -> set[tuple[str, str]]:
        """What of the role is in the namespace."""
        return {
            (plural.partition(".")[0], one["metadata"]["name"])
            for plural in KINDS
            for one in self.server.system.list(plural, NAME)
            if (one["metadata"].get("labels") or {}).get(OURS) == "mlops.notebooks"
        }

    def namespace(self) -> dict | None:
        return self.server.system.find("namespaces", None, NAME)

    def create(self, plural: str, api_version: str, kind: str, name: str, **more) -> None:
        metadata = {"name": name, "namespace": NAME, **more.pop("metadata", {})}
        self.server.system.create(plural, {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more})


@pytest.fixture
def site(play):
    """`site("openshift")` starts a server."""
    running = []

    def start(profile: str = "kubernetes", **options) -> Site:
        running.append(ApiServer(profile, **{"pods": "none", **options}).start())
        return Site(running[-1], play)

    yield start
    for server in running:
        server.stop()


def names(found: list[dict] | None) -> list[str]:
    return [one["name"] for one in found or ()]


@pytest.mark.parametrize("profile", ["kubernetes"])  # molecule has OpenShift
def test_it_is_made_once_kept_as_asked_for_and_gone_without_a_rest(site, profile):
    on = site(profile)
    wanted = {
        "subjects": {"run": [{"kind": "User", "name": "jane"}], "build": [{"kind": "ServiceAccount", "name": "ci"}]},
        "pull_secrets": ["puller"],
        "push_secrets": ["pusher"],
        "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}],
    }
    planned = on.run("--check", **wanted)
    assert planned.status == 0 and planned.changed and "Role notebooks-run would be made" in planned.text, planned.text
    assert on.namespace() is None

    first = on.run(**wanted)
    assert first.status == 0 and first.changed, first.text
    builder = "builder" if profile == "openshift" else "notebook-builder"
    levels = ("notebooks-run", "notebooks-build", "notebooks-administer")
    ours = {("serviceaccounts", "notebook-runner"), *(("roles", level) for level in levels)}
    ours |= {("rolebindings", level) for level in levels[:2]}
    ours |= {(kind, "notebooks") for kind in ("resourcequotas", "limitranges", "networkpolicies")}
    ours |= {("serviceaccounts", builder)} - {("serviceaccounts", "builder")}
    assert on.made() == ours
    labels = on.namespace()["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {"restricted"}
    find = on.server.system.find
    runner, default, building = (find("serviceaccounts", NAME, one) for one in ("notebook-runner", "default", builder))
    assert runner["automountServiceAccountToken"] is False
    assert names(runner["imagePullSecrets"]) == names(default["imagePullSecrets"]) == ["puller"]
    assert sorted(names(building["secrets"])) == ["puller", "pusher"] and names(building["imagePullSecrets"]) == [
        "puller"
    ]
    (subject,) = find(f"rolebindings.{RBAC}", NAME, "notebooks-build")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "ci", "namespace": NAME}
    policy = find("networkpolicies.networking.k8s.io", NAME, "notebooks")["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "validation"
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"} and not policy.get("ingress")
    assert policy["egress"][1:] == wanted["egress"]
    build = find(f"roles.{RBAC}", NAME, "notebooks-build")["rules"]
    assert (["build.openshift.io"] in [rule["apiGroups"] for rule in build]) is (profile == "openshift")

    again = on.run(**wanted)
    assert again.status == 0 and again.changed == 0, again.text

    building["secrets"].append({"name": "theirs"})
    on.server.system.update("serviceaccounts", building)
    less = {
        "subjects": {},
        "pull_secrets": ["other"],
        "quota": {},
        "limits": [],
        "network_policy": False,
        "builders": ["tekton"],
    }
    planned = on.run("--check", "--diff", **less, pod_security="baseline")
    assert planned.status == 0 and planned.changed and '+            "name": "other"' in planned.text, planned.text
    assert on.made() == ours
    assert on.run(**less, pod_security="baseline").status == 0
    assert on.made() == {one for one in ours if one[0] in ("serviceaccounts", "roles")}
    assert names(find("serviceaccounts", NAME, "default")["imagePullSecrets"]) == ["other"]
    assert sorted(names(find("serviceaccounts", NAME, builder)["secrets"])) == ["other", "theirs"]
    assert on.namespace()["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    groups = [rule["apiGroups"] for rule in find(f"roles.{RBAC}", NAME, "notebooks-build")["rules"]]
    assert ["tekton.dev"] in groups and ["build.openshift.io"] not in groups

    planned = on.run("--check", state="absent")
    assert planned.status == 0 and planned.changed and on.namespace(), planned.text
    gone = on.run(state="absent")
    assert gone.status == 0 and gone.changed == 1 and on.namespace() is None, gone.text
    assert on.run(state="absent").changed == 0


def test_a_namespace_with_things_of_others_is_not_deleted_unless_forced(site):
    on = site()
    assert on.run().status == 0
    labels = {"metadata": {"labels": {OURS: "mlops.notebooks"}}}
    on.create("configmaps", "v1", "ConfigMap", "an-environment", **labels)
    on.create("configmaps", "v1", "ConfigMap", "settings", data={"a": "b"})
    on.create("secrets", "v1", "Secret", "puller")
    refused = on.run(state="absent")
    assert refused.status == 2 and on.namespace(), refused.text
    assert "with it would go ConfigMap settings, Secret puller: move or delete that" in refused.text
    assert on.run(state="absent", force=True).status == 0 and on.namespace() is None


def test_a_namespace_that_was_there_keeps_its_labels_and_is_never_deleted(site):
    on = site()
    on.server.system.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}})
    before = on.namespace()["metadata"].get("labels")
    assert on.run(pull_secrets=["puller"]).status == 0
    assert ("roles", "notebooks-run") in on.made() and on.namespace()["metadata"].get("labels") == before
    gone = on.run(state="absent", pull_secrets=["puller"], force=True)
    assert gone.status == 0 and on.made() == set() and on.namespace(), gone.text
    default = on.server.system.find("serviceaccounts", NAME, "default")
    assert not default.get("imagePullSecrets") and not default["metadata"].get("annotations")


def test_a_name_and_a_subject_that_cannot_be_are_refused(site):
    on = site()
    assert "is no name of a namespace" in on.run(namespace="Ünicode").text
    assert "kind" in on.run(subjects={"run": [{"kind": "Robot", "name": "r2"}]}).text
    assert not on.server.journal.writes()


def may(site: Site, user: str, needs) -> None:
    """Let the user do exactly this in a namespace that somebody else has made."""
    site.server.system.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}})
    site.create(f"roles.{RBAC}", f"{RBAC}/v1", "Role", "given", rules=list(role_rules(list(dict.fromkeys(needs)))))
    subjects = [{"kind": "User", "name": user, "apiGroup": RBAC}]
    reference = {"kind": "Role", "name": "given", "apiGroup": RBAC}
    site.create(f"rolebindings.{RBAC}", f"{RBAC}/v1", "RoleBinding", "given", subjects=subjects, roleRef=reference)


# Nobody can grant what they do not have.
GRANTED = [need for work in ("run", "prebuilt", "buildah", "tekton", "administer") for need in needs_of(work, NAME)]


def forget_what_was_applied(on) -> None:
    """So that each object is written once more, though it says the same."""
    for need in needs_of("administer", NAME):
        plural = f"{need.resource}.{need.group}".rstrip(".")
        if need.verb == "patch" and need.resource != "namespaces":
            for found in on.server.system.list(plural, NAME):
                on.server.system.patch(
                    plural, NAME, found["metadata"]["name"], {"metadata": {"annotations": {APPLIED: None}}}
                )


def test_level_administer_is_what_the_role_does_in_a_namespace_and_no_more(site):
    on = site()
    may(on, "ada", GRANTED)
    used = []
    given = {
        "builders": ["buildah"],
        "subjects": {"run": [{"kind": "Group", "name": "team"}]},
        "pull_secrets": ["puller"],
    }
    for change in ({}, {"builders": ["tekton"]}, {"state": "absent"}):
        played = on.run(user="ada", **{**given, **change})
        assert played.status == 0 and played.changed, played.text
        used += [one for one in on.server.journal.entries() if one.user == "ada"]
        forget_what_was_applied(on)
    assert on.made() == set() and {one.status for one in used} <= {200, 201, 404}
    done = {(one.path.rpartition("/namespaces/")[2], one.verb, one.status) for one in used}
    for need in needs_of("administer", NAME):
        # An apply is a creation where the object is new, and a patch where it is there.
        ways = {"create": {("apply", 201)}, "patch": {("apply", 200), ("patch", 200)}}.get(
            need.verb, {(need.verb, 200)}
        )
        place = NAME if need.resource == "namespaces" else f"{NAME}/{need.resource}"
        assert any(path.startswith(place) and (verb, status) in ways for path, verb, status in done), need


@pytest.mark.parametrize(("verb", "resource"), [("list", "limitranges"), ("create", "networkpolicies")])
def test_without_one_of_its_verbs_a_sentence_names_it(site, verb, resource):
    on = site()
    may(on, "ada", [need for need in GRANTED if (need.verb, need.resource) != (verb, resource)])
    failed = on.run(user="ada", builders=["buildah"])
    # Who lacks a verb can grant no Role that has it either.
    assert failed.status == 2 and "ada" in failed.text and resource in failed.text and verb in failed.text


VALIDATE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - mlops.notebooks.notebook_validation:
        path: "{{ source }}"
        environments: "{{ environments }}"
        executor: job
        namespace: "{{ namespace }}"
        pod: {service_account: notebook-runner}
        pass_variables: [TOKEN]
        cache_dir: "{{ cache }}"
        fail_on: failed
      environment: {TOKEN: s3cr3t-value}
"""


def test_level_run_validates_a_notebook_and_does_nothing_else(site, tmp_path):
    if reason := unavailable():
        pytest.skip(reason)
    places = {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)}
    image = {"bind": {place: place for place in places}, "env": {"PATH": f"{sys.prefix}/bin:{PATH}"}, "user": 1000}
    on = site(pods="process", images={"*": image})
    assert on.run(subjects={"run": [{"kind": "User", "name": "jane"}]}).status == 0
    write_notebook(tmp_path / "source" / "a.ipynb", "import os\nassert len(os.environ['TOKEN']) == 12")
    playbook = tmp_path / "validate.yml"
    playbook.write_text(VALIDATE)
    environment = {
        "kind": "image", "reference": IMAGE, "digest": IMAGE.partition("@")[2], "key": "k", "cached": True, "strategy": "prebuilt",
        "python": "python3",
    }  # fmt: skip
    made = {"key": "k", "notebooks": ["a.ipynb"], "requirements": [], "build": {"name": "b", "phase": "Cached"}}
    given = {
        "source": str(tmp_path / "source"), "cache": str(tmp_path / "cache"),
        "environments": [{**made, "environment": environment}],
    }  # fmt: skip
    refused = on.run(user="joe", playbook=str(playbook), **given)
    assert refused.status == 2 and 'User "joe" cannot list resource "jobs"' in refused.text.replace("\\", ""), (
        refused.text
    )
    played = on.run(user="jane", playbook=str(playbook), **given)
    assert played.status == 0 and "a.ipynb" in played.text, played.text
    assert {one.status for one in on.server.journal.entries() if one.user == "jane"} <= {200, 201, 404}
    administering = on.run(user="jane")
    assert administering.status == 2 and "cannot get resource" in administering.text.replace("\\", "")
