# SPDX-License-Identifier: GPL-3.0-or-later
"""report.json and junit.xml, as other programs read them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import samples
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.contents import read_models
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.write import write
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict
from lxml import etree

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NASTY = "\x00\x1b[31m\x08 ]]> <&\"' \ud800 \ufffe 🐍"


def junit(verdicts, target: Path, **options) -> etree._Element:
    write(verdicts, target, formats=["junit"], **options)
    return etree.parse(target / "junit.xml").getroot()


def document(verdicts, target: Path, **options) -> dict:
    write(verdicts, target, formats=["json"], **options)
    return json.loads((target / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("schema", ["junit.xsd", "jenkins-junit.xsd"])
def test_junit_keeps_to_the_common_schemas(verdicts, target, schema):
    nasty = samples.failing(cause=NASTY, advice=(NASTY,), warnings=(NASTY,), code=NASTY)
    root = junit(
        [*verdicts, replace(nasty, notebook=f"{NASTY}/{NASTY}.ipynb")], target, title=NASTY, source=samples.SOURCE
    )
    etree.XMLSchema(etree.parse(HERE / schema)).assertValid(root)


@pytest.mark.parametrize("schema", ["junit.xsd", "jenkins-junit.xsd"])
def test_a_report_of_nothing_keeps_to_the_schemas(target, schema):
    etree.XMLSchema(etree.parse(HERE / schema)).assertValid(junit([], target, title=""))


def test_junit_has_a_suite_a_directory_and_a_case_a_notebook(verdicts, target):
    root = junit(verdicts, target)
    sales = next(suite for suite in root if suite.get("name") == "sales")
    assert [case.get("name") for case in sales.iter("testcase")] == [
        "currency.ipynb",
        "forecast.ipynb",
        "monthly-summary.ipynb",
        "price-bands.ipynb",
    ]
    assert (sales.get("tests"), sales.get("failures")) == ("4", "2")
    assert sum(int(suite.get("tests")) for suite in root) == 8
    assert sales.get("timestamp") == "2026-03-02T08:15:00"


def test_a_junit_failure_says_cause_advice_and_traceback(verdicts, target):
    failures = {failure.get("type"): failure for failure in junit(verdicts, target).iter("failure")}
    failure = failures["cell_error"]
    assert failure.get("message") == "Cell 3 raised KeyError: 'Atlantis'."
    assert "----> 2 totals['Atlantis']" in failure.text and "tag raises-exception" in failure.text
    assert "%pip install seaborn" in failures["missing_module"].text
    assert "the text differs in 1 line" in failures["golden_mismatch"].text


def test_junit_tells_tier_environment_and_cache_hits(verdicts, target):
    properties = {item.get("name"): item.get("value") for item in junit(verdicts, target).iter("property")}
    assert properties["sales/currency.ipynb: cached"] == "true"
    assert properties["sales/currency.ipynb: tier"] == "declared"
    assert properties["sales/currency.ipynb: environment"] == samples.KEY


def test_report_json_keeps_to_its_schema(verdicts, target):
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document(verdicts, target, source=samples.SOURCE), schema)


def test_the_schema_names_every_field_of_a_verdict():
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    fields = set(Verdict("a.ipynb", "succeeded").as_dict())
    assert set(schema["properties"]["verdicts"]["items"]["properties"]) == fields | {"page"}


def test_credentials_in_the_url_of_the_source_are_not_reported(verdicts, target):
    source = {
        "url": "https://robot:s3cr3t-token-of-the-robot@git.example.org/x.git?access_token=abc",
        "ref": None,
        "branch": "x",
    }
    write(verdicts, target, source=source)
    assert json.loads((target / "report.json").read_text())["source"] == {"url": "https://git.example.org/x.git"}
    assert not [path for path in target.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]


def model(name: str, status: str = "succeeded", **more) -> dict:
    check = {"status": "passed", "message": f"{name} was looked at."}
    checks = dict.fromkeys(("platform", "resource", "health", "prediction"), check)
    return {"name": name, "namespace": "ml", "platform": "kserve", "status": status, "checks": checks, **more}


FAILED = model(
    "fraud",
    "failed",
    code="model_not_ready",
    category="model_validation_failed",
    cause="It <b>sleeps</b>.",
    advice=["Wake it."],
)


@pytest.mark.parametrize("schema", ["junit.xsd", "jenkins-junit.xsd"])
def test_models_are_a_suite_of_their_own(verdicts, target, schema):
    root = junit(verdicts, target, models=read_models([model("prices"), FAILED, model(NASTY, "skipped")]))
    etree.XMLSchema(etree.parse(HERE / schema)).assertValid(root)
    suite = root[-1]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("model validation", "3", "1")
    failed = suite.find("testcase")
    assert failed.get("name") == "ml/fraud" and failed.find("failure").get("type") == "model_not_ready"
    assert "- Wake it." in failed.find("failure").text


def test_models_are_in_the_document_without_the_time_they_took(verdicts, target):
    found = document(verdicts, target, models=read_models([model("prices"), FAILED]))
    jsonschema.validate(found, json.loads((ROOT / "docs" / "report.schema.json").read_text()))
    assert [one["name"] for one in found["models"]] == ["fraud", "prices"] and "duration" not in found["models"][0]
    again = write(verdicts, target, formats=["json"], models=read_models([{**FAILED, "duration": 9}, model("prices")]))
    assert again["changed"] is False
    assert write(verdicts, target, formats=["json"], models=read_models([model("prices")]))["changed"] is True


def test_models_are_on_the_summary_page(verdicts, target):
    write(verdicts, target, formats=["html"], models=read_models([FAILED]))
    page = (target / "index.html").read_text(encoding="utf-8")
    assert "ml/fraud" in page and "It &lt;b&gt;sleeps&lt;/b&gt;." in page and "Wake it." in page
    write([], target, formats=["html"], models=read_models([FAILED]))
    assert "d8433c" in (target / "index.html").read_text(encoding="utf-8").partition("<style>")[0]
    write([], target, formats=["html"], models=read_models([model("prices")]))
    assert "2da055" in (target / "index.html").read_text(encoding="utf-8").partition("<style>")[0]
    write(verdicts, target, formats=["html"])
    assert "Models</h2>" not in (target / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("item", [{}, {"name": "a"}, {**FAILED, "status": "odd"}, {**FAILED, "checks": {}}])
def test_what_is_no_verdict_on_a_model_is_refused(item):
    with pytest.raises(EngineError, match=r"models\[1\] is no verdict on a model"):
        read_models([FAILED, item])
