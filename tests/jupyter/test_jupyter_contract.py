# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the operator, and the definition that Data Managers know."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "operator")]
from jupyter_operator.question import question  # noqa: E402
from jupyter_operator.settings import Settings, scope  # noqa: E402


def test_settings_are_read_and_mistakes_told():
    given = {
        "DOMAIN": "a.example.com", "NODE_SELECTOR": "x/y=yes, b=c", "ALLOWED_USERS": "1000-1999,5", "CULL_AFTER": "60",
        "ALLOWED_IMAGES": "quay.io/*, a/b", "NETWORK_POLICY": "no", "AFFINITY": "{}", "NETWORK_POLICY_PEERS": "[{}]",
        "NAMESPACES": "a,b", "GATEWAY": "ns/gw", "SERVICE_ACCOUNT_TOKENS": "yes", "PRIORITY_CLASS": "", "HEALTH_PORT": "8080",
        "HEALTH_ADDRESS": "::1", "LOG_FORMAT": "json",
    }  # fmt: skip
    assert Settings.of({f"JUPYTER_OPERATOR_{name}": value for name, value in given.items()}) == Settings(
        domain="a.example.com", node_selector={"x/y": "yes", "b": "c"}, allowed_users=((1000, 1999), (5, 5)), cull_after=60,
        allowed_images=("quay.io/*", "a/b"), network_policy=False, network_policy_peers=({},), namespaces=("a", "b"),
        gateway="ns/gw", service_account_tokens=True, health_port=8080, health_address="::1", log_format="json",
    )  # fmt: skip
    wrong = {
        "EXPOSURE": "nodeport", "TLS": "maybe", "WORKERS": "0", "CULL_AFTER": "1h", "NETWORK_POLICY": "perhaps", "AFFINITY": "[]",
        "NODE_SELECTOR": "x", "ALLOWED_USERS": "a-b", "GATEWAY": "x", "SERVER_URL": "{other}", "NETWORK_POLICY_PEERS": "{",
    }  # fmt: skip
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"JUPYTER_OPERATOR_{name} is"):
            Settings.of({f"JUPYTER_OPERATOR_{name}": value})
    with pytest.raises(ValueError, match="name the Gateway with JUPYTER_OPERATOR_GATEWAY"):
        Settings.of({"JUPYTER_OPERATOR_EXPOSURE": "httproute"})


def test_the_operator_looks_where_it_is_told_to():
    assert scope(Settings()) == {"clusterwide": True}
    assert scope(Settings(namespaces=("a", "b"))) == {"namespaces": ("a", "b")}


def test_each_setting_is_documented():
    text = (ROOT / "docs" / "jupyter-operator.md").read_text(encoding="utf-8")
    assert [name for name in Settings.__dataclass_fields__ if f"| `{name.upper()}` |" not in text] == []


def test_the_definition_is_that_which_data_managers_know():
    (found,) = [
        one for one in yaml.safe_load_all((ROOT / "operator" / "crds" / "jupyternotebooks.yaml").read_text()) if one
    ]
    prefix = "data-manager.informaticsmatters.com/application"
    assert found["metadata"]["annotations"] == {
        prefix: "yes", f"{prefix}-namespaces": "data-manager-api", f"{prefix}-url-location": "jupyter.notebook.url"
    }  # fmt: skip
    versions = {one["name"]: one for one in found["spec"]["versions"]}
    assert [(name, one["served"], one["storage"]) for name, one in versions.items()] == [
        ("v2", True, True), ("v1alpha3", False, False)
    ]  # fmt: skip
    columns = [
        (one["name"], one["jsonPath"]) for one in versions["v2"]["additionalPrinterColumns"] if not one.get("priority")
    ]
    assert columns == [("URL", ".status.jupyter.notebook.url"), ("Token", ".status.jupyter.notebook.token")]
    schema = versions["v2"]["schema"]["openAPIV3Schema"]["properties"]
    assert schema["status"] == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    amounts = dict.fromkeys(("cpu", "memory", "storage"), "string")
    assert types(schema["spec"]["properties"]["imDataManager"]) == {
        **dict.fromkeys(("taskId", "image", "ingressClass", "ingressDomain", "ingressTlsSecret", "ingressProxyBodySize"), "string"),
        "resources": {"limits": amounts, "requests": amounts}, "serviceAccountName": "string", "labels": "array",
        "securityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), "integer"),
        "notebook": {"interface": "string"}, "project": {"claimName": "string", "id": "string"},
    }  # fmt: skip


def types(schema: dict):
    assert "required" not in schema
    return (
        {name: types(one) for name, one in schema["properties"].items()} if "properties" in schema else schema["type"]
    )


def test_the_notebook_of_the_documentation_is_one():
    text = (ROOT / "docs" / "jupyter-operator.md").read_text(encoding="utf-8")
    found = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    found["metadata"]["namespace"] = "team"
    asked = question(found, Settings(domain="hub.example.com"))
    assert (asked.name, asked.project, asked.labels) == ("forecasts", "project-1", {"squonk.it/owner": "jane"})
