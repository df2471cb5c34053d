# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are down, slow, somewhere else, or want to know who asks; and how predictions are compared."""

from __future__ import annotations

import json
import socket

import model_servers as servers
import pytest

ROWS, SUMS = [[1, 2], [3, 4]], [3, 7]


def sums(server, **more) -> dict:
    return {"name": servers.MODEL, "url": server.url, "test_data": ROWS, **more}


def test_a_server_that_is_down(validate):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        found = validate({"name": "sums", "url": f"http://127.0.0.1:{taken.getsockname()[1]}"}, timeout=0.3)
    model = found["models"][0]
    assert (model["code"], model["retryable"]) == ("model_unreachable", True)
    assert "refuses the connection" in model["cause"] and found["failed_models"] == ["sums"]
    assert [check["status"] for check in model["checks"].values()] == ["skipped", "skipped", "failed", "skipped"]


def test_a_host_that_nobody_knows(validate):
    found = validate({"name": "sums", "url": "http://sums.models.svc.invalid"}, timeout=0.3)["models"][0]
    assert found["code"] == "model_unreachable" and "not known here" in found["cause"]


def test_a_server_that_never_answers_is_given_up(validate):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = validate({"name": "sums", "url": f"http://127.0.0.1:{silent.getsockname()[1]}"}, timeout=0.4)
    assert found["models"][0]["code"] == "model_unreachable"
    assert "does not answer in time" in found["models"][0]["cause"]


def test_a_model_that_is_loading_is_waited_for(serve, validate):
    server = serve(servers.KServeV1)
    server.loads_in = 3
    assert validate(sums(server, expected_output=SUMS))["models"][0]["status"] == "succeeded"
    assert server.seen == ["GET /v1/models/sums"] * 4 + ["POST /v1/models/sums:predict"]


def test_a_model_that_loads_for_ever_is_not_well(serve, validate):
    server = serve(servers.KServeV1)
    server.loads_in = 10_000
    found = validate(sums(server), timeout=0.4)["models"][0]
    assert (found["code"], found["retryable"]) == ("model_unhealthy", True)
    assert found["cause"] == f"{server.url}/v1/models/sums answers 503: model is loading."


@pytest.mark.parametrize(
    ("kind", "platform", "path", "body", "says"),
    [
        (servers.KServeV1, "kserve", "/v1/models/sums", {"name": "sums", "ready": False}, "not ready"),
        (servers.KServeV1, "kserve", "/v1/models/sums", {"name": "sums", "ready": "False"}, "not ready"),
        (servers.TorchServe, "torchserve", "/ping", {"status": "Partial Healthy"}, "Partial Healthy"),
        (servers.OpenAI, "vllm", "/v1/models", {"data": [{"id": "other"}]}, "it serves other): set served_name"),
        (
            servers.TensorFlowServing,
            "tensorflow-serving",
            "/v1/models/sums",
            {"model_version_status": [{"version": "1", "state": "LOADING"}]},
            "AVAILABLE (LOADING)",
        ),
    ],
)
def test_an_answer_that_says_that_the_model_is_not_well(kind, platform, path, body, says, serve, validate):
    server = serve(kind)
    server.fixed[path] = (200, {}, json.dumps(body).encode())
    found = validate(sums(server, platform=platform))["models"][0]
    assert found["code"] == "model_unhealthy" and says in found["cause"]
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("more", "off", "same"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({"tolerance": 1}, 1, True),
        ({"tolerance": 0.5}, 1, False),
        ({}, 1e-7, True),  # rounding
        ({}, 1e-3, False),
        ({"tolerance": 0.01}, 1e-3, True),
        ({"relative_tolerance": 0.3}, 1, True),  # of 4 and 8
        ({"relative_tolerance": 0.1}, 1, False),
        ({"relative_tolerance": 0.1, "tolerance": 1}, 1, True),
    ],
)
def test_numbers_are_compared_within_the_tolerance(more, off, same, serve, validate):
    server = serve(servers.KServeV1)
    server.wrong = off
    found = validate(sums(server, expected_output=SUMS, **more))["models"][0]
    assert (found["status"] == "succeeded") == same, found


@pytest.mark.parametrize(
    ("answer", "expected", "says"),
    [
        ([3, 7, 9], [3, 7], "has 3 values, expected 2"),
        ([[3], [7, 8]], [[3], [7]], "has 2 values at $[1], expected 1"),
        ([3, 8], [3, 7], "is 8 at $[1], expected 7"),
        ([10_000_001], [10_000_000], "is 10000001 at $[0], expected 10000000"),
        ([3, "7"], [3, 7], 'is "7" at $[1], expected 7'),
        ([True, 7], [1, 7], "is true at $[0], expected 1"),
        ([{"label": "a"}], [{"label": "a", "score": 1}], "has no $[0].score"),
        ([{"label": "a", "score": 1}], [{"label": "a"}], "also has $[0].score"),
        (3, [3], "is 3, expected [3]"),
    ],
)
def test_the_first_difference_is_named(answer, expected, says, serve, validate):
    server = serve(servers.KServeV1)
    server.fixed["/v1/models/sums:predict"] = (200, {}, json.dumps({"predictions": answer}).encode())
    found = validate(sums(server, expected_output=expected))["models"][0]
    assert found["cause"] == f"The prediction of sums {says}."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, {}, b"CUDA error"), "answers 500 to the test data: CUDA error."),
        ((200, {}, b"<html>"), "answers no JSON: <html>."),
        ((200, {}, b'{"other": 1}'), 'answered without predictions: {"other": 1}.'),
        ((200, {}, b"[" * 100_000), "answers no JSON"),
        ((200, {}, b'"' + b"x" * (5 << 20) + b'"'), "answers more than 4 MiB."),
    ],
)
def test_answers_that_are_no_prediction(answer, says, serve, validate):
    server = serve(servers.KServeV1)
    server.fixed["/v1/models/sums:predict"] = answer
    found = validate(sums(server))["models"][0]
    assert found["code"] in ("model_prediction_failed", "model_unreachable") and says in found["cause"]
    assert len(found["cause"]) < 400


@pytest.mark.parametrize(
    ("shape", "data", "says"),
    [
        ([2, 2], [1, 2, 3], "answered 3 values for the shape [2, 2]"),
        (None, None, "answered without outputs that hold data"),
    ],
)
def test_tensors_that_do_not_fit_their_shape(shape, data, says, serve, validate):
    server = serve(servers.OpenInference)
    outputs = [{"name": "y", "datatype": "INT64", "shape": shape, "data": data}] if shape else []
    server.fixed["/v2/models/sums/infer"] = (200, {}, json.dumps({"outputs": outputs}).encode())
    found = validate(sums(server, platform="triton", expected_output=[[1, 2], [3, 4]]))["models"][0]
    assert found["code"] == "model_prediction_failed" and says in found["cause"]


def test_redirects_stay_on_the_host(serve, validate):
    server, other = serve(servers.KServeV1), serve(servers.KServeV1)
    server.fixed["/old/v1/models/sums"] = (302, {"Location": "/v1/models/sums"}, b"")
    found = validate({"name": servers.MODEL, "url": f"{server.url}/old"})["models"][0]
    assert found["status"] == "succeeded"
    server.fixed["/v1/models/sums"] = (302, {"Location": f"{other.url}/v1/models/sums"}, b"")
    found = validate(sums(server))["models"][0]
    assert found["code"] == "model_unreachable" and other.seen == []
    assert other.url in found["cause"]


def test_the_certificate_is_checked(serve, validate, certificate, monkeypatch):
    server = serve(servers.KServeV1, certificate=certificate)
    refused = validate(sums(server))["models"][0]
    assert refused["code"] == "model_unreachable" and "certificate that is not trusted" in refused["cause"]
    assert server.seen == []
    assert validate(sums(server, ca_file=certificate[0]))["models"][0]["status"] == "succeeded"
    assert validate(sums(server, validate_certs=False))["models"][0]["status"] == "succeeded"


SECRET = "s3cr3t-of-the-model"


def test_a_token_is_sent_and_told_to_nobody(serve, validate, monkeypatch):
    monkeypatch.setenv("MODEL_TOKEN", SECRET)
    server = serve(servers.KServeV1)
    server.token = SECRET
    found = validate(sums(server, token_variable="MODEL_TOKEN", expected_output=SUMS))
    assert found["models"][0]["status"] == "succeeded" and set(server.tokens) == {f"Bearer {SECRET}"}
    assert SECRET not in json.dumps(found)


def test_a_token_that_the_server_shows_is_masked(serve, validate, monkeypatch):
    monkeypatch.setenv("MODEL_TOKEN", SECRET)
    server = serve(servers.KServeV1)
    server.token = "another"
    found = validate(sums(server, token_variable="MODEL_TOKEN"))
    assert found["models"][0]["code"] == "model_forbidden" and "answers 401" in found["models"][0]["cause"]
    assert SECRET not in json.dumps(found) and "********" in found["models"][0]["cause"]


def test_a_token_does_not_go_to_another_model(serve, validate, monkeypatch):
    monkeypatch.setenv("MODEL_TOKEN", SECRET)
    one, other = serve(servers.KServeV1), serve(servers.Triton)
    validate(sums(one, token_variable="MODEL_TOKEN"), {"name": "n", "url": other.url, "platform": "triton"})
    assert set(one.tokens) == {f"Bearer {SECRET}"} and set(other.tokens) == {None}


def test_no_checks_means_that_nobody_is_asked(serve, validate):
    server = serve(servers.KServeV1)
    found = validate(sums(server), checks=[])
    assert server.seen == [] and found["models"][0]["status"] == "skipped" and found["failed_models"] == []
    assert found["environment"]["MODEL_VALIDATION_TARGET_MODELS"] == "sums"
    only = validate(sums(server), checks=["health"])["models"][0]
    assert server.seen == ["GET /v1/models/sums"] and only["checks"]["prediction"]["status"] == "skipped"
