# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus and Grafana are given: it fits their schemas, and asks for nothing that the operator does not export."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import promql_parser
import pytest
import yaml
from notebook_operator.process.metrics import METRICS, PREFIX, Observer
from operator_support import ROOT
from prometheus_client.parser import text_string_to_metric_families

from tests.schemas import complaints

sys.path.insert(0, str(ROOT / "scripts"))
from debian import find  # noqa: E402

FILES = ROOT / "operator" / "monitoring"
PAGE = ROOT / "docs" / "operator-monitoring.md"
# What Prometheus Operator adds to each series of a ServiceMonitor.
TARGET = {"namespace", "pod", "service", "job", "instance", "endpoint", "container"}
_MANIFESTS = [
    found
    for pattern in ("reader-*", "ca", "servicemonitor", "rules")
    for path in sorted(FILES.glob(f"{pattern}.yaml"))
    for found in yaml.safe_load_all(path.read_text())
]
_RULES = next(one for one in _MANIFESTS if one["kind"] == "PrometheusRule")
ALERTS = {rule["alert"]: rule for group in _RULES["spec"]["groups"] for rule in group["rules"]}
DASHBOARD = json.loads((FILES / "dashboard.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
# Variables of Grafana, as something that stands in their places.
_VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$namespace": "a", "$pod": "b"}


def queries() -> dict[str, str]:
    """Every expression, by where it stands."""
    found = {name: rule["expr"] for name, rule in ALERTS.items()}
    for title, panel in PANELS.items():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in _VARIABLES.items():
                expression = expression.replace(name, value)
            found[f"{title}, {target['refId']}"] = expression
    return found


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Every series of an operator with its labels: those of its metrics as Prometheus sees them, and of its process."""
    found = {}
    kinds = {family.name: family.type for family in text_string_to_metric_families(Observer().text().decode())}
    labels = {PREFIX + one.name: set(one.labels) for one in METRICS}
    for name, kind in kinds.items():
        if kind == "histogram":
            found |= {f"{name}_{end}": labels.get(name, set()) for end in ("sum", "count")}
            found[f"{name}_bucket"] = labels.get(name, set()) | {"le"}
        else:
            full = f"{name}_total" if kind == "counter" else name
            found[full] = labels.get(full, set())
    return found


@pytest.mark.parametrize("where", queries())
def test_each_query_asks_for_what_is_exported(where, exported):
    seen = []

    def look(node) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name in exported, f"{node.name} is no metric of the operator"
            allowed = exported[node.name] | TARGET
            asked = {one.name for one in node.matchers.matchers}
            assert asked <= allowed, f"{node.name} has no {asked - allowed}"
            seen.append(allowed)
            return
        own = len(seen)
        for child in _children(node):
            look(child)
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            below = set().union(*seen[own:])
            assert set(node.modifier.labels) <= below, f"nothing has {set(node.modifier.labels) - below}"

    look(promql_parser.parse(queries()[where]))
    assert seen


def _children(node):
    """The expressions inside of one."""
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if child is not None:
            yield child
    yield from getattr(node, "args", ())


def test_every_metric_is_shown_or_alerts(exported):
    text = " ".join(queries().values())
    unused = {one.name for one in METRICS if PREFIX + one.name not in text}
    assert not unused


@pytest.mark.parametrize("manifest", _MANIFESTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_manifests_fit_their_schemas(manifest):
    assert not complaints(manifest)


def test_the_service_monitor_reads_what_the_other_manifests_make():
    (monitor,) = [one for one in _MANIFESTS if one["kind"] == "ServiceMonitor"]
    made = {(one["kind"], one["metadata"]["name"]) for one in _MANIFESTS}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert ("Secret", endpoint["authorization"]["credentials"]["name"]) in made
    assert ("ConfigMap", endpoint["tlsConfig"]["ca"]["configMap"]["name"]) in made
    assert not {"caFile", "bearerTokenFile"} & {*endpoint, *endpoint["tlsConfig"]}, (
        "OpenShift refuses files of Prometheus"
    )


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_is_wrong_and_where_the_way_out_stands(alert):
    told = ALERTS[alert]["annotations"]
    assert all(told[name].endswith(".") for name in ("summary", "description"))
    assert told["runbook_url"].endswith(f"/docs/operator-monitoring.md#{alert.lower()}")
    assert f"\n### {alert}\n" in PAGE.read_text(), "the page has no section that the link leads to"
    assert ALERTS[alert]["labels"]["severity"] in ("warning", "critical")
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(told.values())))
    kept = set().union(*(re.findall(r"\w+", one) for one in re.findall(r"by \(([^)]*)\)", ALERTS[alert]["expr"])))
    assert shown <= kept, "a text names a label that the query drops"


def test_the_dashboard_has_a_place_for_each_panel():
    places, numbers = set(), [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places and at["x"] + at["w"] <= 24
        places |= cells
    known = {f"${one['name']}" for one in DASHBOARD["templating"]["list"]} | set(_VARIABLES)
    text = json.dumps(PANELS)
    used = set(re.findall(r"\$\w+", text)) | {f"${name}" for name in re.findall(r"\$\{(\w+)\}", text)}
    assert used <= known


def test_the_page_has_the_metrics_of_the_code():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [
        (PREFIX + one.name, one.kind.__name__.lower(), ", ".join(f"`{label}`" for label in one.labels), one.help)
        for one in METRICS
    ]


def test_kustomize_makes_all_of_it_and_the_dashboard_as_grafana_looks_for_it():
    kubectl = find(("kubectl",))
    if not kubectl:
        pytest.skip("no kubectl here; `make operator APT=1` as root installs it")
    told = subprocess.run([kubectl, "kustomize", FILES], check=True, capture_output=True, text=True, timeout=30).stdout
    found = list(yaml.safe_load_all(told))
    assert len(found) == len(_MANIFESTS) + 1
    dashboard = next(one for one in found if one["metadata"]["name"] == "notebook-operator-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["notebook-operator.json"]) == DASHBOARD
    assert not complaints(dashboard)


# What Prometheus reads -> the alerts that come of it. Values as promtool takes them: begin+step x times, one a minute.
_WELL = {
    'notebook_operator_build_info{namespace="ops",pod="a"}': "1x180",
    'notebook_operator_leader{namespace="ops",pod="a"}': "1x180",
    'notebook_operator_leader{namespace="ops",pod="b"}': "0x180",
    'notebook_operator_jobs_waiting{namespace="ops"}': "0x180",
    'notebook_operator_verdicts_total{namespace="ops",job_namespace="team",result="succeeded",category="",code=""}': "0+2x180",
    'notebook_operator_verdicts_total{namespace="ops",job_namespace="team",result="failed",category="infrastructure",code="x"}': "0x180",
    'notebook_operator_build_duration_seconds_count{namespace="ops",strategy="s2i",result="succeeded"}': "0+1x180",
    'notebook_operator_build_duration_seconds_count{namespace="ops",strategy="s2i",result="failed"}': "0x180",
    'notebook_operator_api_requests_total{namespace="ops",method="GET",code="200"}': "0+60x180",
    'notebook_operator_api_requests_total{namespace="ops",method="GET",code="404"}': "0+60x180",
    'notebook_operator_api_requests_total{namespace="ops",method="GET",code="503"}': "0x180",
    'notebook_operator_api_requests_total{namespace="ops",method="GET",code="403"}': "0x180",
    'notebook_operator_queue_duration_seconds_bucket{namespace="ops",le="1.0"}': "0+2x180",
    'notebook_operator_queue_duration_seconds_bucket{namespace="ops",le="900.0"}': "0+2x180",
    'notebook_operator_queue_duration_seconds_bucket{namespace="ops",le="+Inf"}': "0+2x180",
    'notebook_operator_reconcile_duration_seconds_count{namespace="ops",result="done"}': "0+2x180",
    'notebook_operator_reconcile_errors_total{namespace="ops",kind="operator"}': "0x180",
    'notebook_operator_reconcile_errors_total{namespace="ops",kind="cluster"}': "0x180",
}  # fmt: skip
# What is otherwise than above (a series by a part of its name and labels, None: not there), and the alert that it raises.
_TROUBLE = {
    "NotebookOperatorDown": {"build_info": None},
    "NotebookOperatorNoLeader": {'pod="a"}': "0x180", "build_info": "1x180"},
    "NotebookOperatorSeveralLeaders": {'leader{namespace="ops",pod="b"}': "1x180"},
    "NotebookOperatorInfrastructureFailures": {'category="infrastructure"': "0+1x180"},
    "NotebookOperatorBuildsFail": {'strategy="s2i",result="failed"': "0+2x180"},
    "NotebookOperatorApiErrors": {'code="503"': "0+10x180"},
    "NotebookOperatorForbidden": {'code="403"': "0+1x180"},
    "NotebookOperatorQueueSlow": {'le="1.0"': "0x180"},
    "NotebookOperatorStuck": {"jobs_waiting": "3x180", 'result="done"': "7x180"},
    "NotebookOperatorReconcileErrors": {'kind="operator"': "0x175 1x5"},
    "NotebookOperatorReconcileRetried": {'kind="cluster"': "0+1x180"},
}


@pytest.fixture(scope="module")
def promtool():
    found = find(("promtool",))
    if not found:
        pytest.skip("no promtool here; `make operator APT=1` as root installs it")
    return found


def test_alerts_come_when_they_should_and_otherwise_not(promtool, tmp_path):
    assert _TROUBLE.keys() == ALERTS.keys()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(_RULES["spec"]))
    tests = [_case(name, changes) for name, changes in [("", {}), *_TROUBLE.items()]]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    told = subprocess.run(
        [promtool, "test", "rules", "tests.yaml"], check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert told.returncode == 0, told.stdout + told.stderr


def _case(expected: str, changes: dict[str, str | None]) -> dict:
    series = dict(_WELL)
    for part, values in changes.items():
        hit = [name for name in series if part in name]
        assert hit, part
        series |= dict.fromkeys(hit, values)
    return {
        "name": expected or "nothing is wrong",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items() if values],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "178m",
                "exp_samples": [{"labels": f'{{alertname="{expected}"}}', "value": 1}] if expected else [],
            }
        ],
    }
