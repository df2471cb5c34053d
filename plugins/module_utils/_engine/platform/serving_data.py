# SPDX-License-Identifier: GPL-3.0-or-later
"""The model-serving platforms that are known, and what distinguishes each."""

from __future__ import annotations

# Platforms with an API of their own: name, API groups that only it brings (any will do), what it is called.
# OpenShift AI and its upstream Open Data Hub bring the same groups, so one name stands for both.
BY_API = (
    ("kserve", ("serving.kserve.io",), "KServe"),
    ("openshift-ai", ("datasciencecluster.opendatahub.io",), "OpenShift AI or Open Data Hub"),
    ("ray-serve", ("ray.io",), "KubeRay"),
    ("seldon", ("machinelearning.seldon.io", "mlops.seldon.io"), "Seldon Core"),
    ("bentoml", ("serving.yatai.ai",), "Yatai of BentoML"),
    ("nim", ("apps.nvidia.com",), "The NVIDIA NIM Operator"),
    ("kubeai", ("kubeai.org",), "KubeAI"),
    ("kaito", ("kaito.sh",), "KAITO"),
    ("aibrix", ("orchestration.aibrix.ai", "model.aibrix.ai", "autoscaling.aibrix.ai"), "AIBrix"),
    ("inference-gateway", ("inference.networking.k8s.io", "inference.networking.x-k8s.io"),
     "The Gateway API Inference Extension, as llm-d uses it"),
)  # fmt: skip

# Servers that are an image in a Deployment: name, the last components of the image's repository (shell patterns, a space
# between alternatives), and the ports that the server listens on by default. A component that others use too, such as
# `serving`, stands behind the one before it; the registry and any prefix of a mirror do not matter.
BY_IMAGE = (
    ("vllm",
     "vllm-openai vllm-openai-* vllm/vllm-* rocm/vllm rocm/vllm-* intel/vllm opendatahub/vllm modh/vllm rhaiis/vllm-* "
     "rhoai/odh-vllm-* rhaii/vllm-* llm-d/llm-d llm-d/llm-d-cuda llm-d/llm-d-cpu",
     (8000,)),
    ("torchserve", "pytorch/torchserve pytorch/torchserve-* torchserve torchserve-kfs", (8080, 8081, 8082)),
    ("tensorflow-serving", "tensorflow/serving tensorflow-serving", (8501, 8500)),
    ("triton", "tritonserver", (8000, 8001, 8002)),
    ("text-generation-inference", "text-generation-inference", (80, 8080)),
    ("sglang", "lmsysorg/sglang sglang", (30000,)),
    ("ollama", "ollama/ollama ollama", (11434,)),
    ("openvino-model-server", "openvino/model_server openvino/model_server-* rhoai/odh-openvino-model-server-* "
     "opendatahub/openvino_model_server modh/openvino_model_server", (9000, 8000)),
    ("mlserver", "seldonio/mlserver mlserver rhoai/odh-mlserver-*", (8080, 8081)),
    ("dynamo", "ai-dynamo/*", (8000,)),
)  # fmt: skip

# The client tools of Triton come under the server's repository; only the end of the tag tells them apart.
NOT_A_SERVER = {"triton": "*-sdk"}
