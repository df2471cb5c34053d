# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that others bring into pods."""

from __future__ import annotations

import pytest
import yaml
from operator_support import ROOT

pytest_plugins = ("desk_fixtures",)


def inject(context) -> None:
    """An admission webhook that adds what vault-k8s adds, by the annotations that it reads."""
    pod = context.object
    told = pod.get("metadata", {}).get("annotations") or {}
    new = context.resource.plural == "pods" and context.operation == "CREATE" and not context.subresource
    if not new or told.get("vault.hashicorp.com/agent-inject") != "true":
        return
    spec, token = pod["spec"], told.get("vault.hashicorp.com/agent-service-account-token-volume-name")
    (volume,) = [one for one in spec["volumes"] if one["name"] == token]
    assert volume["projected"]["sources"][0]["serviceAccountToken"]["path"] == "token"
    spec["volumes"].append({"name": "vault-secrets", "emptyDir": {"medium": "Memory"}})
    secrets = {"name": "vault-secrets", "mountPath": "/vault/secrets"}
    login = {"name": token, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
    sealed = {
        "runAsUser": 100, "runAsGroup": 1000, "runAsNonRoot": True, "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    defaults = {
        name: spec["containers"][0][name]
        for name in ("imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy")
    }
    agent = {**defaults, "image": "hashicorp/vault:1.21.1", "securityContext": sealed, "volumeMounts": [secrets, login]}
    first = told.get("vault.hashicorp.com/agent-init-first") == "true"
    for one in [*(spec["initContainers"] if first else ()), *spec["containers"]]:
        one["volumeMounts"].append(dict(secrets))
    inits = spec["initContainers"]
    inits.insert(0 if first else len(inits), {"name": "vault-agent-init", **agent})
    if told.get("vault.hashicorp.com/agent-pre-populate-only") != "true":
        spec["containers"].append({"name": "vault-agent", **agent})


def sample(name: str) -> dict:
    documents = yaml.safe_load_all((ROOT / "operator" / "samples" / f"{name}.yaml").read_text(encoding="utf-8"))
    return next(one for one in documents if one["kind"] == "NotebookValidationJob")["spec"]["podConfig"]


@pytest.fixture
def injected(desk):
    """`injected(podConfig)`: the status of a job whose pods an injector sees, and the pod."""
    made: dict = {}
    label = "pod-security.kubernetes.io/enforce"
    desk.server.admission.insert(0, inject)
    desk.server.system.patch("namespaces", None, "team", {"metadata": {"labels": {label: "restricted"}}})
    desk.create("serviceaccounts", "v1", "ServiceAccount", "notebooks")
    desk.server.pod_rules.add(
        {"name": "notebook-run-*", "results": {"*": "completed"}, "containers": {"vault-agent": {"seconds": 86400}}}
    )
    forget = desk.server.store.subscribe(
        lambda _event, resource, one: resource.plural == "pods" and made.setdefault("pod", one)
    )

    def run(config: dict) -> tuple[dict, dict]:
        config = {
            **config,
            "serviceAccountName": "notebooks",
            "containerImage": desk.team.job("x", "a.ipynb", "c")["spec"]["podConfig"]["containerImage"],
        }
        status = desk.status("job", "a.ipynb", parameters={"injected": True}, podConfig={**config, "patience": "3s"})
        desk.server.store.flush()
        return status, made["pod"]

    yield run
    forget()
    desk.server.admission.remove(inject)
    desk.server.system.patch("namespaces", None, "team", {"metadata": {"labels": {label: None}}})
    desk.server.system.delete("serviceaccounts", "team", "notebooks")


def test_what_vault_injects_is_there_before_the_notebook_and_passes_restricted(injected):
    status, pod = injected(sample("vault"))
    assert status["phase"] == "Succeeded", status
    names = [one["name"] for one in pod["spec"]["initContainers"]]
    assert names == ["vault-agent-init", "notebook"] and [one["name"] for one in pod["spec"]["containers"]] == [
        "results"
    ]
    notebook = pod["spec"]["initContainers"][1]
    assert "/vault/secrets" in [one["mountPath"] for one in notebook["volumeMounts"]]
    assert not [one for one in notebook["volumeMounts"] if one["name"] == "vault-token"], "the notebook has no token"


def test_a_sidecar_that_never_ends_holds_no_job_up(injected, desk):
    config = sample("vault")
    del config["annotations"]["vault.hashicorp.com/agent-pre-populate-only"]
    status, pod = injected(config)
    assert status["phase"] == "Succeeded" and [one["name"] for one in pod["spec"]["containers"]] == [
        "results",
        "vault-agent",
    ]
    desk.team.emptied("jobs.batch", "pods")


def test_the_notebook_cannot_mount_the_token(desk):
    config = sample("vault")
    config["volumeMounts"] = [{"name": "vault-token", "mountPath": "/token"}]
    status = desk.status("job", "a.ipynb", podConfig=config)
    assert status["code"] == "invalid_input" and "mounts vault-token, which holds a token" in status["message"]


@pytest.mark.parametrize("source", [{}, {"path": "token"}, {"audience": "vault"}])
def test_a_token_is_for_somebody_else_than_the_cluster(desk, source):
    config = {"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": source}]}}]}
    with pytest.raises(Exception, match="Required value"):
        desk.apply("job", "a.ipynb", podConfig=config)
