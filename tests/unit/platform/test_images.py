# SPDX-License-Identifier: GPL-3.0-or-later
"""Model servers without an API of their own: told by the repository of an image, wherever it is pulled from."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.serving import (
    Deployments,
    by_image,
    parse_image,
    server_of,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "server"),
    [
        ("vllm/vllm-openai", "vllm"),
        ("docker.io/vllm/vllm-openai:v0.9.1", "vllm"),
        ("localhost:5000/vllm/vllm-openai:latest", "vllm"),
        (f"harbor.example.com:8443/proxy/docker.io/vllm/vllm-openai@{DIGEST}", "vllm"),
        (f"quay.io/mirror/vllm-openai:v1@{DIGEST}", "vllm"),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2", "vllm"),
        ("registry.redhat.io/rhoai/odh-vllm-cuda-rhel9:v2.22", "vllm"),
        ("ghcr.io/llm-d/llm-d-cuda:v0.3.0", "vllm"),
        ("pytorch/torchserve:0.12.0-cpu", "torchserve"),
        ("docker.io/pytorch/torchserve-kfs:0.12.0", "torchserve"),
        ("tensorflow/serving:2.18.0", "tensorflow-serving"),
        ("registry.local/hub/tensorflow/serving:2.18.0-gpu", "tensorflow-serving"),
        ("nvcr.io/nvidia/tritonserver:25.01-py3", "triton"),
        ("ghcr.io/huggingface/text-generation-inference:3.2", "text-generation-inference"),
        ("lmsysorg/sglang:v0.4.6", "sglang"),
        ("ollama/ollama", "ollama"),
        ("openvino/model_server:2025.1", "openvino-model-server"),
        ("docker.io/seldonio/mlserver:1.7.0-sklearn", "mlserver"),
        ("nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.4.0", "dynamo"),
        # What only looks like one.
        ("nvcr.io/nvidia/tritonserver:25.01-py3-sdk", None),
        ("example.com/serving:1", None),
        ("example.com/acme/serving:1", None),
        ("example.com/tensorflow/serving-dashboard:1", None),
        ("example.com/acme/not-vllm-openai:1", None),
        ("vllm.example.com/acme/web:1", None),
        ("example.com/ollama/web-ui:1", None),
        ("example.com/acme/web:tritonserver", None),
        ("tritonserver.example.com:5000/web", None),
        ("", None),
    ],
)
def test_an_image_is_known_by_the_end_of_its_repository(reference, server):
    assert server_of(reference) == server


@pytest.mark.parametrize(
    ("reference", "components", "tag"),
    [
        ("web", ("web",), ""),
        ("web:1", ("web",), "1"),
        ("acme/web", ("acme", "web"), ""),
        ("localhost/web", ("web",), ""),
        ("host:5000/web", ("web",), ""),
        ("host:5000/acme/web:1", ("acme", "web"), "1"),
        (f"host.example/acme/web:1@{DIGEST}", ("acme", "web"), "1"),
    ],
)
def test_a_reference_in_its_parts(reference, components, tag):
    image = parse_image(reference)
    assert (image.components, image.tag) == (components, tag)


def deployment(name: str, *containers: dict, ready: int = 1, **pod) -> dict:
    return {
        "metadata": {"name": name, "namespace": "models"},
        "spec": {"template": {"spec": {"containers": list(containers), **pod}}},
        "status": {"readyReplicas": ready},
    }


def container(image: str, *ports: int) -> dict:
    return {"image": image, "ports": [{"containerPort": port} for port in ports]}


def test_a_deployment_is_the_evidence_with_the_port_that_the_server_listens_on():
    found = by_image(
        Deployments((deployment("llama", container("proxy", 8000), container("vllm/vllm-openai", 9090, 8000)),))
    )
    vllm = found["vllm"]
    assert vllm.available is True and "models/llama" in vllm.reason
    assert [(one.namespace, one.name, one.image, one.port, one.ready) for one in vllm.deployments] == [
        ("models", "llama", "vllm/vllm-openai", 8000, 1)
    ]


def test_another_port_or_none_does_not_hide_a_server():
    items = (deployment("one", container("ollama/ollama", 80)), deployment("two", {"image": "ollama/ollama"}, ready=0))
    found = by_image(Deployments(items))["ollama"]
    assert [(one.port, one.ready) for one in found.deployments] == [(80, 1), (None, 0)]
    assert "1 more" in found.reason


def test_a_port_alone_tells_nothing():
    found = by_image(Deployments((deployment("web", container("example.com/acme/web", 8000, 8080, 8501, 11434)),)))
    assert {server.available for server in found.values()} == {False}


def test_a_container_that_only_prepares_the_pod_is_no_server():
    found = by_image(Deployments((deployment("web", container("web"), initContainers=[container("ollama/ollama")]),)))
    assert found["ollama"].available is False


def test_where_not_all_deployments_were_read_what_was_not_found_is_unknown():
    found = by_image(Deployments((deployment("llama", container("vllm/vllm-openai")),), "there are more."))
    assert found["vllm"].available is True
    assert found["triton"].available is None and found["triton"].reason.endswith("there are more.")
