# SPDX-License-Identifier: GPL-3.0-or-later
"""Each protocol, spoken with a server that refuses what it would refuse in earnest."""

from __future__ import annotations

import model_servers as servers
import pytest

ROWS, SUMS = [[1, 2], [3, 4]], [3, 7]
SPOKEN = [
    ("kserve", servers.KServeV1, {}, SUMS),
    ("kserve", servers.OpenInference, {"api": "kserve-v2"}, [[3], [7]]),
    ("openshift-ai", servers.OpenInference, {}, [[3], [7]]),
    ("triton", servers.Triton, {}, [[3], [7]]),
    ("triton", servers.Triton, {"health_path": "/v2/health/ready"}, [[3], [7]]),
    ("tensorflow-serving", servers.TensorFlowServing, {}, SUMS),
    ("torchserve", servers.TorchServe, {}, SUMS),
    ("ray-serve", servers.RayServe, {}, SUMS),
    ("seldon", servers.Seldon, {}, SUMS),
    ("bentoml", servers.BentoML, {"predict_path": "/sum", "test_data": {"rows": ROWS}}, SUMS),
    ("vllm", servers.OpenAI, {"test_data": "Tell me a story."}, servers.WORDS),
    ("vllm", servers.OpenAI, {"api": "openai-chat", "test_data": "Tell me a story."}, servers.WORDS),
    ("vllm", servers.OpenAI, {"test_data": "Tell me a story.", "health_path": "/health"}, servers.WORDS),
    (
        "custom",
        servers.Own,
        {"health_path": "/alive", "predict_path": "/score", "test_data": {"table": ROWS}, "select": "result[].score"},
        SUMS,
    ),
]


@pytest.mark.parametrize(("platform", "kind", "more", "expected"), SPOKEN)
def test_a_model_that_is_well_and_right(platform, kind, more, expected, serve, validate):
    model = {"name": servers.MODEL, "platform": platform, "url": serve(kind).url, "test_data": ROWS, **more}
    found = validate({**model, "expected_output": expected})["models"][0]
    assert found["status"] == "succeeded" and found["code"] is None, found
    said = {name: check["status"] for name, check in found["checks"].items()}
    assert said == {"platform": "skipped", "resource": "skipped", "health": "passed", "prediction": "passed"}


@pytest.mark.parametrize(("platform", "kind", "more", "expected"), SPOKEN)
def test_a_model_that_predicts_something_else(platform, kind, more, expected, serve, validate):
    model = {"name": servers.MODEL, "platform": platform, "url": serve(kind).url, "test_data": ROWS, **more}
    other = "Never" if isinstance(expected, str) else [SUMS, SUMS]
    found = validate({**model, "expected_output": other})["models"][0]
    assert (found["code"], found["category"]) == ("model_prediction_mismatch", "model_validation_failed"), found
    assert found["cause"] == found["checks"]["prediction"]["message"] and found["advice"] and not found["retryable"]


@pytest.mark.parametrize(("platform", "kind", "more", "_expected"), SPOKEN)
def test_a_model_that_the_server_does_not_have(platform, kind, more, _expected, serve, validate):
    model = {"name": "another", "platform": platform, "url": serve(kind).url, "test_data": ROWS, **more}
    found = validate(model)["models"][0]
    # Some protocols are of one model, whose name nobody asks for.
    one_model = kind in (servers.Seldon, servers.BentoML, servers.Own)
    assert (found["status"] == "succeeded") == one_model, found
    assert one_model or found["code"] in ("model_unhealthy", "model_prediction_failed")


def test_the_name_that_the_server_knows_it_by(serve, validate):
    server = serve(servers.KServeV1)
    found = validate({"name": "prices", "served_name": servers.MODEL, "url": server.url, "test_data": ROWS})
    assert found["models"][0]["status"] == "succeeded" and found["models"][0]["name"] == "prices"
    assert server.seen == ["GET /v1/models/sums", "POST /v1/models/sums:predict"]


@pytest.mark.parametrize(
    ("kind", "platform", "whole"),
    [
        (servers.KServeV1, "kserve", {"instances": ROWS, "signature_name": "serving_default"}),
        (servers.OpenAI, "vllm", {"prompt": "Go on.", "max_tokens": 5}),
        (servers.Seldon, "seldon", {"data": {"ndarray": ROWS}, "meta": {"tags": {"a": 1}}}),
        (
            servers.OpenInference,
            "triton",
            {"inputs": [{"name": "x", "shape": [2, 2], "datatype": "INT64", "data": [1, 2, 3, 4]}]},
        ),
    ],
)
def test_a_whole_request_is_sent_as_it_is(kind, platform, whole, serve, validate):
    server = serve(kind)
    found = validate({"name": servers.MODEL, "platform": platform, "url": server.url, "test_data": whole})
    assert found["models"][0]["status"] == "succeeded", found
    assert whole.items() <= server.bodies[-1].items()


def test_numbers_of_a_tensor_have_the_type_that_they_are_written_in(serve, validate):
    server = serve(servers.OpenInference)
    model = {"name": servers.MODEL, "platform": "triton", "url": server.url}
    assert validate({**model, "test_data": [[1.5, 2]], "expected_output": [[3.5]]})["failed_models"] == []
    validate({**model, "test_data": ROWS})
    validate({**model, "test_data": ["a", "b"]})
    tensors = [body["inputs"][0] for body in server.bodies if body]
    assert [(one["datatype"], one["shape"], one["data"]) for one in tensors] == [
        ("FP64", [1, 2], [1.5, 2]),
        ("INT64", [2, 2], [1, 2, 3, 4]),
        ("BYTES", [2], ["a", "b"]),
    ]
