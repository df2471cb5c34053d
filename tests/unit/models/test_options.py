# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that cannot be meant are refused in one sentence, before anybody is asked; and what notebooks are told."""

from __future__ import annotations

import json

import model_servers as servers
import pytest

URL = "http://127.0.0.1:9"  # of a server that must not be asked


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ({"name": "a"}, {}, "no url, and no cluster is named"),
        ({"name": "a", "url": "ftp://models"}, {}, "models[0].url is no URL of http or https"),
        ({"name": "a", "url": "http://user:pw@host"}, {}, "holds a user or a password"),
        ({"name": "A_b", "url": URL}, {}, "no name of a Kubernetes object"),
        ({"name": "one/a", "namespace": "two", "url": URL}, {}, "give one of them"),
        ({"name": "one/two/a", "url": URL}, {}, "no name of a Kubernetes object"),
        ({"name": "a", "url": URL, "health_path": "health"}, {}, "models[0].health_path"),
        ({"name": "a", "url": URL, "predict_path": "//other/x"}, {}, "models[0].predict_path"),
        ({"name": "a", "url": URL, "expected_output": 1}, {}, "give test_data"),
        ({"name": "a", "url": URL, "test_data": 1, "select": "a["}, {}, "no JMESPath expression"),
        ({"name": "a", "url": URL, "tolerance": -1, "test_data": 1}, {}, "at least 0"),
        ({"name": "a", "url": URL, "ca_file": "/nowhere.pem"}, {}, "/nowhere.pem"),
        ({"name": "a", "url": URL, "token_variable": "NOT_SET_HERE"}, {}, "NOT_SET_HERE, which is not set"),
        ({"name": "a", "url": URL}, {"timeout": 0}, "timeout is 0"),
        ({"name": "a", "url": URL, "platform": "custom"}, {}, "nothing that could be checked"),
        ({"name": "a", "url": URL, "platform": "custom", "test_data": 1}, {}, "give predict_path"),
        ({"name": "a", "platform": "custom", "health_path": "/x"}, {}, "neither a url nor a kind"),
        ({"name": "a", "url": URL, "platform": "custom", "kind": "Thing", "health_path": "/x"}, {}, "group and kind"),
        ({"name": "a", "url": URL, "platform": "custom", "group": "x.io", "health_path": "/x"}, {}, "group and kind"),
    ],
)
def test_what_cannot_be_meant(model, options, says, refusal):
    error = refusal(model, **options)
    assert says in error.message and error.code == "invalid_input"
    assert error.message.endswith(".") and "\n" not in error.message


def test_a_model_twice(refusal):
    assert "named twice" in refusal({"name": "a", "url": URL}, {"name": "a", "url": URL}).message


def test_a_token_with_a_line_break_is_refused_and_not_shown(refusal, monkeypatch):
    monkeypatch.setenv("MODEL_TOKEN", "s3cr3t\nX-Other: 1")
    assert "s3cr3t" not in refusal({"name": "a", "url": URL, "token_variable": "MODEL_TOKEN"}).message


def test_another_namespace_is_refused_before_anybody_is_asked(serve, refusal, validate):
    server = serve(servers.KServeV1)
    mine = {"name": servers.MODEL, "url": server.url}
    error = refusal(mine, {**mine, "name": "sums", "namespace": "theirs"}, namespace="team")
    assert error.code == "model_forbidden" and "add theirs to allowed_namespaces" in error.message
    assert server.seen == []
    found = validate({**mine, "namespace": "theirs"}, namespace="team", allowed_namespaces=["theirs"])
    assert [one["namespace"] for one in found["models"]] == ["theirs"] and found["failed_models"] == []


def test_the_variables_of_one_model(validate):
    model = {
        "name": "a", "url": f"{URL}/", "platform": "custom", "health_path": "/alive", "predict_path": "/score",
        "test_data": {"b": 1, "a": "ü"}, "expected_output": [0.5], "tolerance": 0.01,
    }  # fmt: skip
    found = validate(model, namespace="team", checks=[], phase="both")["environment"]
    assert {name.removeprefix("MODEL_VALIDATION_"): value for name, value in found.items()} == {
        "ENABLED": "true",
        "PLATFORM": "custom",
        "NAMESPACE": "team",
        "PHASE": "both",
        "TARGET_MODELS": "team/a",
        "TARGET_MODELS_ORIGINAL": "a",
        "TARGET_NAMESPACES": "team",
        "URLS": json.dumps({"team/a": URL}),
        "PREDICTION_ENABLED": "true",
        "PREDICTION_TEST_DATA": '{"a": "ü", "b": 1}',
        "PREDICTION_EXPECTED_OUTPUT": "[0.5]",
        "PREDICTION_TOLERANCE": "0.01",
        "CUSTOM_HEALTH_ENDPOINT": "/alive",
        "CUSTOM_PREDICTION_ENDPOINT": "/score",
        "TIMEOUT": "10s",
    }


def test_the_variables_of_several_models_keep_their_order(validate):
    models = (
        {"name": "z", "url": URL, "test_data": [1]},
        {"name": "theirs/a", "url": URL, "platform": "triton"},
        {"name": "m", "url": URL, "test_data": [2], "expected_output": 1, "tolerance": 0, "relative_tolerance": 0.1},
    )
    options = {"namespace": "team", "allowed_namespaces": ["theirs"], "checks": []}
    found = validate(*models, **options)["environment"]
    assert found == validate(*models, **options)["environment"]
    assert found["MODEL_VALIDATION_TARGET_MODELS"] == "team/z,theirs/a,team/m"
    assert found["MODEL_VALIDATION_TARGET_MODELS_ORIGINAL"] == "z,theirs/a,m"
    assert found["MODEL_VALIDATION_TARGET_NAMESPACES"] == "team,theirs"
    assert found["MODEL_VALIDATION_PLATFORM"] == "kserve,triton"
    assert json.loads(found["MODEL_VALIDATION_PREDICTION_TEST_DATA"]) == {"team/z": [1], "team/m": [2]}
    assert json.loads(found["MODEL_VALIDATION_PREDICTION_TOLERANCE"]) == {"team/m": {"absolute": 0, "relative": 0.1}}
    assert found["MODEL_VALIDATION_PHASE"] == "clean"


def test_without_models_there_is_nothing_to_tell(validate):
    assert validate() == {"changed": False, "models": [], "failed_models": [], "environment": {}}
