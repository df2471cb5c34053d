# SPDX-License-Identifier: GPL-3.0-or-later
"""What model servers speak, as data: paths, how a request is made and how an answer is read; and what platforms are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


class Unreadable(Exception):
    """An answer has not the form of its protocol. Its text ends a sentence that begins with ``It``."""


@dataclass(frozen=True)
class Api:
    """One protocol over HTTP.

    health, predict: paths, with ``{model}``; None where only the user can say. request: makes the JSON body of test data and the
    name of the model. prediction: finds the prediction in the JSON that answers. unwell: says what is wrong in the JSON of
    a health answer of status 2xx, else None.
    """

    health: str | None
    predict: str | None
    request: Callable[[object, str], object]
    prediction: Callable[[object], object]
    unwell: Callable[[object, str], str | None]


@dataclass(frozen=True)
class Platform:
    """How a model stands in a cluster.

    api: protocol unless another is named. group, kind: of the object that a model is; kind None where only the user can say.
    service: name of the Service that leads to it, with ``{name}``; None where it is the one that selects the pods of the
    Deployment. ready: conditions that mean ready, the first that the object has counts. state: field of the status and its
    value that mean the same in versions without conditions.
    """

    api: str
    group: str = "apps"
    kind: str | None = "Deployment"
    service: str | None = None
    ready: tuple[str, ...] = ("Ready",)
    state: tuple[str, str] | None = None


def _as_it_is(data: object, _model: str = "") -> object:
    return data


def _never(_body: object, _model: str) -> None:
    return None


# --- KServe v1 and TensorFlow Serving: https://www.tensorflow.org/tfx/serving/api_rest, KServe "Data Plane (V1)"
def _instances(data: object, _model: str) -> object:
    whole = isinstance(data, dict) and ({"instances", "inputs"} & set(data))
    return data if whole else {"instances": data}


def _predictions(body: object) -> object:
    for name in ("predictions", "outputs"):
        if isinstance(body, dict) and name in body:
            return body[name]
    raise Unreadable("answered without predictions")


def _kserve_unwell(body: object, _model: str) -> str | None:
    # Servers of both kinds are there: `ready` as a boolean, and as the word of Python.
    ready = body.get("ready") if isinstance(body, dict) else None
    return "says that it is not ready" if ready is not None and str(ready).lower() != "true" else None


def _tensorflow_unwell(body: object, _model: str) -> str | None:
    versions = body.get("model_version_status") if isinstance(body, dict) else None
    if not isinstance(versions, list):
        return "does not tell the state of its versions"
    states = [one.get("state") for one in versions if isinstance(one, dict)]
    return (
        None if "AVAILABLE" in states else f"has no version that is AVAILABLE ({', '.join(map(str, states)) or 'none'})"
    )


def version(body: object) -> str | None:
    """Return the version of a model that a health answer tells, None where it tells none."""
    versions = body.get("model_version_status") if isinstance(body, dict) else None
    for one in versions if isinstance(versions, list) else ():
        if isinstance(one, dict) and one.get("state") == "AVAILABLE" and isinstance(one.get("version"), (str, int)):
            return str(one["version"])
    return None


# --- Open Inference Protocol (KServe v2, Triton, Seldon Core 2, MLServer)
def _tensors(data: object, _model: str) -> object:
    if isinstance(data, dict) and "inputs" in data:
        return data
    values, shape = _flat(data if isinstance(data, list) else [data])
    return {"inputs": [{"name": "input-0", "shape": shape, "datatype": _datatype(values), "data": values}]}


def _flat(data: list) -> tuple[list, list[int]]:
    """Return the leaves in row-major order, and the shape of equally long lists."""
    if not data or not all(isinstance(item, list) for item in data):
        return list(data), [len(data)]
    inner = [_flat(item) for item in data]
    return [leaf for leaves, _unused in inner for leaf in leaves], [len(data), *inner[0][1]]


def _datatype(values: list) -> str:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else "BYTES"


def _outputs(body: object) -> object:
    outputs = body.get("outputs") if isinstance(body, dict) else None
    if (
        not isinstance(outputs, list)
        or not outputs
        or not all(isinstance(one, dict) and "data" in one for one in outputs)
    ):
        raise Unreadable("answered without outputs that hold data")
    named = {str(one.get("name")): shaped(one["data"], one.get("shape")) for one in outputs}
    return next(iter(named.values())) if len(outputs) == 1 else named


def shaped(data: object, shape: object) -> object:
    """Return row-major data as nested lists of a shape. Raises Unreadable where they do not fit."""
    if not isinstance(data, list) or not isinstance(shape, list) or (data and isinstance(data[0], list)):
        return data  # nested already, as the protocol allows
    if not all(isinstance(size, int) and size >= 0 for size in shape) or math.prod(shape) != len(data):
        raise Unreadable(f"answered {len(data)} values for the shape {shape}")
    for size in reversed(shape[1:]):
        data = [data[at : at + size] for at in range(0, len(data), size)] if size else data
    return data


# --- OpenAI's API, as vLLM, SGLang, Ollama and others speak it
def _completion(data: object, model: str) -> object:
    return {"model": model, "temperature": 0, **(data if isinstance(data, dict) else {"prompt": data})}


def _chat(data: object, model: str) -> object:
    if not isinstance(data, dict):
        data = {"messages": data if isinstance(data, list) else [{"role": "user", "content": data}]}
    return {"model": model, "temperature": 0, **data}


def _completed(body: object) -> object:
    try:
        return body["choices"][0]["text"]
    except (KeyError, IndexError, TypeError):
        raise Unreadable("answered without choices that have a text") from None


def _said(body: object) -> object:
    try:
        return body["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise Unreadable("answered without choices that have a message") from None


def _unlisted(body: object, model: str) -> str | None:
    listed = body.get("data") if isinstance(body, dict) else None
    names = [str(one.get("id")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return (
        None if model in names else f"does not serve {model} (it serves {', '.join(names) or 'none'}): set served_name"
    )


# --- Seldon Core 1: "Prediction APIs", external REST
def _seldon(data: object, _model: str) -> object:
    whole = isinstance(data, dict) and ({"data", "jsonData", "strData", "binData"} & set(data))
    return data if whole else {"data": {"ndarray": data}}


def _seldon_data(body: object) -> object:
    body = body if isinstance(body, dict) else {}
    data = body.get("data") if isinstance(body.get("data"), dict) else {}
    if "ndarray" in data:
        return data["ndarray"]
    if isinstance(data.get("tensor"), dict):
        return shaped(data["tensor"].get("values"), data["tensor"].get("shape"))
    for name in ("jsonData", "strData"):
        if name in body:
            return body[name]
    raise Unreadable("answered without data")


def _torchserve_unwell(body: object, _model: str) -> str | None:
    status = body.get("status") if isinstance(body, dict) else None
    return None if status in (None, "Healthy") else f"says that it is {status}"


APIS = {
    "kserve-v1": Api("/v1/models/{model}", "/v1/models/{model}:predict", _instances, _predictions, _kserve_unwell),
    "kserve-v2": Api("/v2/models/{model}/ready", "/v2/models/{model}/infer", _tensors, _outputs, _kserve_unwell),
    "openai-completions": Api("/v1/models", "/v1/completions", _completion, _completed, _unlisted),
    "openai-chat": Api("/v1/models", "/v1/chat/completions", _chat, _said, _unlisted),
    "tensorflow": Api("/v1/models/{model}", "/v1/models/{model}:predict", _instances, _predictions, _tensorflow_unwell),
    "torchserve": Api("/ping", "/predictions/{model}", _as_it_is, _as_it_is, _torchserve_unwell),
    "seldon": Api("/ready", "/api/v1.0/predictions", _seldon, _seldon_data, _never),
    "ray-serve": Api("/-/healthz", "/{model}", _as_it_is, _as_it_is, _never),
    "bentoml": Api("/healthz", "/predict", _as_it_is, _as_it_is, _never),
    "json": Api(None, None, _as_it_is, _as_it_is, _never),
}
PLATFORMS = {
    "kserve": Platform("kserve-v1", "serving.kserve.io", "InferenceService", "{name}-predictor"),
    "openshift-ai": Platform("kserve-v2", "serving.kserve.io", "InferenceService", "{name}-predictor"),
    "vllm": Platform("openai-completions", ready=("Available",)),
    "torchserve": Platform("torchserve", ready=("Available",)),
    "tensorflow-serving": Platform("tensorflow", ready=("Available",)),
    "triton": Platform("kserve-v2", ready=("Available",)),
    # KubeRay before 1.3 has no condition Ready.
    "ray-serve": Platform("ray-serve", "ray.io", "RayService", "{name}-serve-svc", state=("serviceStatus", "Running")),
    "seldon": Platform(
        "seldon", "machinelearning.seldon.io", "SeldonDeployment", "{name}-default", state=("state", "Available")
    ),
    "bentoml": Platform("bentoml", "serving.yatai.ai", "BentoDeployment", "{name}", ready=("Available", "Ready")),
    "custom": Platform("json", "", None, "{name}", ready=("Ready", "Available")),
}  # fmt: skip
