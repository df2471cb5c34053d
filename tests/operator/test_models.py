# SPDX-License-Identifier: GPL-3.0-or-later
"""modelValidation: what a job says of models acts, and what was found is told."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop
from desk_support import DEFINITIONS
from model_support import KINDS, PREDICTION, READY, ROWS, SUMS, isvc, looked, runs, servers
from operator_support import conditions

from notebook_operator.serving import models  # isort: skip
from notebook_operator.serving.way import Way  # isort: skip

pytest_plugins = ("desk_fixtures",)


# --- what a job says of models acts


def test_models_that_are_as_they_should_be_are_told_and_the_notebook_runs(desk, serve):
    server = serve(servers.KServeV1)
    resources = {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"nvidia.com/gpu": 1}}
    isvc(
        desk, server.url, metadata={"labels": {"app.kubernetes.io/version": "7"}},
        spec={"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "resources": resources}}},
    )  # fmt: skip
    status = desk.status("good", modelValidation={"targetModels": [servers.MODEL], "predictionValidation": PREDICTION})
    result = status["modelValidationResult"]
    assert status["phase"] == "Succeeded" and result["success"], status
    assert desk.events("good")["ModelsReady"] == result["message"]
    assert (result["phase"], result["platform"], result["platformDetected"]) == ("both", "kserve", True)
    clean = result["cleanEnvironmentCheck"]
    assert clean["crdsInstalled"] == ["inferenceservices.serving.kserve.io"] and clean["requiredLibraries"] == [
        "kserve"
    ]
    assert clean["platformAvailable"] and clean["rbacPermissions"] and clean["networkConnectivity"] and clean["success"]
    (model,) = result["existingEnvironmentCheck"]["modelsChecked"]
    assert model == {
        "modelName": "team/sums", "available": True, "healthy": True, "version": "7", "url": server.url,
        "resourceStatus": {"cpuUsage": "2", "memoryUsage": "4Gi", "gpuUsage": "1"},
    }  # fmt: skip
    prediction = result["existingEnvironmentCheck"]["predictionValidation"]
    assert prediction["success"] and (prediction["actualOutput"], prediction["expectedOutput"]) == ("[3, 7]",) * 2


def test_a_prediction_that_differs_ends_the_job_without_a_run(desk, fraud):
    fraud.wrong = 0.5
    given = {**PREDICTION, "expectedOutput": "[3, 7.5]"}
    status = looked(desk, targetModels=[servers.MODEL], predictionValidation=given)
    assert (status["phase"], status["code"], status["category"]) == (
        "Failed", "model_prediction_mismatch", "model_validation_failed",
    )  # fmt: skip
    prediction = status["modelValidationResult"]["existingEnvironmentCheck"]["predictionValidation"]
    assert (prediction["success"], prediction["actualOutput"]) == (False, "[3.5, 7.5]")
    assert prediction["difference"] == "The prediction of team/sums is 3.5 at $[0], expected 3."
    assert not status["modelValidationResult"]["success"] and not runs(desk)
    assert conditions({"status": status})["ValidationComplete"]["reason"] == "ModelPredictionMismatch"


@pytest.mark.parametrize(("tolerance", "phase"), [("0.5", "Succeeded"), ("0.4", "Failed")])
def test_numbers_may_differ_by_the_tolerance(desk, fraud, tolerance, phase):
    fraud.wrong = 0.5
    given = {**PREDICTION, "tolerance": tolerance}
    assert looked(desk, targetModels=[servers.MODEL], predictionValidation=given)["phase"] == phase


def test_a_prediction_that_is_switched_off_is_not_asked_for(desk, fraud):
    status = looked(desk, targetModels=[servers.MODEL], predictionValidation={**PREDICTION, "enabled": False})
    assert status["phase"] == "Succeeded" and not [line for line in fraud.seen if line.startswith("POST")]
    assert "predictionValidation" not in status["modelValidationResult"]["existingEnvironmentCheck"]


def test_whole_requests_and_answers_of_the_protocol_do_too(desk, fraud):
    given = {"testData": json.dumps({"instances": ROWS}), "expectedOutput": json.dumps({"predictions": SUMS})}
    assert looked(desk, targetModels=[servers.MODEL], predictionValidation=given)["phase"] == "Succeeded"
    assert fraud.bodies[-1] == {"instances": ROWS}


def test_a_notebook_that_deploys_its_models_needs_the_platform_alone(desk):
    status = looked(desk, phase="clean", targetModels=["not-there-yet"])
    result = status["modelValidationResult"]
    assert status["phase"] == "Succeeded" and result["cleanEnvironmentCheck"]["success"]
    assert "existingEnvironmentCheck" not in result


def test_existing_models_are_looked_at_without_their_platform(desk, fraud):
    result = looked(desk, phase="existing", targetModels=[servers.MODEL])["modelValidationResult"]
    assert result["success"] and result["platformDetected"] and "cleanEnvironmentCheck" not in result


def test_without_models_the_platform_is_looked_at(desk):
    result = looked(desk)["modelValidationResult"]
    assert result["success"] and result["existingEnvironmentCheck"]["message"] == "No models are named."


def test_switched_off_nothing_is_looked_at(desk):
    status = looked(desk, enabled=False, targetModels=["gone"])
    assert status["phase"] == "Succeeded" and "modelValidationResult" not in status


@pytest.mark.parametrize(
    ("status", "code", "available"),
    [({"conditions": [{"type": "Ready", "status": "False", "reason": "OutOfGpus"}]}, "model_not_ready", False), (None, "model_not_found", False)],
)  # fmt: skip
def test_a_model_that_is_not_ready_or_not_there(desk, status, code, available):
    if status:
        isvc(desk, None, status=status)
    found = looked(desk, timeout="300ms", targetModels=[servers.MODEL])
    assert (found["phase"], found["code"]) == ("Failed", code) and not runs(desk)
    (model,) = found["modelValidationResult"]["existingEnvironmentCheck"]["modelsChecked"]
    assert (model["available"], model["healthy"]) == (available, False) and model["message"] == found["cause"]
    assert found["retryable"] is (code == "model_not_ready")


def test_a_server_that_does_not_answer_is_no_connectivity(desk):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        isvc(desk, f"http://127.0.0.1:{closed.getsockname()[1]}")
        found = looked(desk, timeout="300ms", targetModels=[servers.MODEL])
    clean = found["modelValidationResult"]["cleanEnvironmentCheck"]
    assert found["code"] == "model_unreachable" and not clean["networkConnectivity"] and not clean["success"]
    assert clean["platformAvailable"]


@pytest.mark.parametrize(
    ("platform", "kind"), [("ray-serve", servers.RayServe), ("seldon", servers.Seldon), ("bentoml", servers.BentoML)]
)
def test_platforms_with_objects_of_their_own(desk, serve, platform, kind):
    server, (group, name, plural, version) = serve(kind), KINDS[platform]
    ready = {**READY, "serviceStatus": "Running", "state": "Available", "url": server.url}
    desk.create(f"{plural}.{group}", f"{group}/{version}", name, servers.MODEL, status=ready)
    result = looked(desk, platform=platform, targetModels=[servers.MODEL])["modelValidationResult"]
    assert result["success"] and result["platformDetected"], result
    assert result["cleanEnvironmentCheck"]["crdsInstalled"] == [f"{plural}.{group}"]
    desk.server.system.delete(f"{plural}.{group}", "team", servers.MODEL)


@pytest.mark.parametrize(
    ("platform", "image"),
    [("vllm", "vllm/vllm-openai:v0.9"), ("torchserve", "pytorch/torchserve:0.12"), ("triton", "nvcr.io/nvidia/tritonserver:25.01-py3"),
     ("tensorflow-serving", "tensorflow/serving:2.18")],
)  # fmt: skip
def test_platforms_that_are_images_of_deployments(desk, monkeypatch, serve, platform, image):
    kinds = {"vllm": servers.OpenAI, "torchserve": servers.TorchServe, "triton": servers.Triton}
    server = serve(kinds.get(platform, servers.TensorFlowServing))
    port = int(server.url.rpartition(":")[2])
    labels = {"app": platform}
    pod = {"containers": [{"name": "server", "image": image, "resources": {"limits": {"memory": "1Gi"}}}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    desk.create("deployments.apps", "apps/v1", "Deployment", servers.MODEL, spec=spec)
    desk.create("services", "v1", "Service", platform, spec={"selector": labels, "ports": [{"port": port}]})
    monkeypatch.setattr(Way, "_of_service", lambda *_arguments: "127.0.0.1")  # what a cluster's network would do
    found = looked(desk, platform=platform, targetModels=[servers.MODEL])
    desk.server.system.delete("deployments.apps", "team", servers.MODEL)
    result = found["modelValidationResult"]
    (model,) = result["existingEnvironmentCheck"]["modelsChecked"]
    assert result["success"] and result["platformDetected"], result
    assert (model["url"], model["resourceStatus"]) == (f"http://{platform}.team.svc:{port}", {"memoryUsage": "1Gi"})
    assert model.get("version") == ("1" if platform == "tensorflow-serving" else None)


def test_openshift_ai_is_more_than_kserve(desk, serve):
    isvc(desk, serve(servers.OpenInference).url)
    found = looked(desk, platform="openshift-ai", targetModels=[servers.MODEL])
    clean = found["modelValidationResult"]["cleanEnvironmentCheck"]
    assert found["code"] == "model_platform_missing" and not clean["platformAvailable"]
    assert "existingEnvironmentCheck" not in found["modelValidationResult"]
    desk.define("datasciencecluster.opendatahub.io", "DataScienceCluster", "datascienceclusters", "v1")
    again = looked(desk, platform="openshift-ai", targetModels=[servers.MODEL])
    assert again["phase"] == "Succeeded", "what is installed while the operator runs is seen"
    desk.server.system.delete(DEFINITIONS, None, "datascienceclusters.datasciencecluster.opendatahub.io")


def test_a_platform_of_ones_own(desk, serve):
    server = serve(servers.Own)
    desk.define("ml.example.com", "Scorer", "scorers", "v1")
    desk.create("scorers.ml.example.com", "ml.example.com/v1", "Scorer", servers.MODEL, status=READY)
    custom = {
        "apiGroup": "ml.example.com", "resourceType": "scorers",
        "healthCheckEndpoint": f"{server.url}/alive?model={{{{.ModelName}}}}", "predictionEndpoint": "/score",
    }  # fmt: skip
    given = {
        "testData": json.dumps({"table": ROWS}),
        "expectedOutput": json.dumps({"result": [{"score": 3}, {"score": 7}]}),
    }
    found = looked(
        desk, platform="custom", customPlatform=custom, targetModels=[servers.MODEL], predictionValidation=given
    )
    assert found["phase"] == "Succeeded", found
    assert server.seen == ["GET /alive?model=sums", "POST /score"]
    assert found["modelValidationResult"]["cleanEnvironmentCheck"]["crdsInstalled"] == ["scorers.ml.example.com"]


def test_a_server_that_is_no_object_of_the_cluster(desk, serve):
    server = serve(servers.Own)
    custom = {"healthCheckEndpoint": f"{server.url}/alive"}
    found = looked(desk, platform="custom", customPlatform=custom, targetModels=[servers.MODEL])
    assert found["phase"] == "Succeeded" and server.seen == ["GET /alive"]
    (model,) = found["modelValidationResult"]["existingEnvironmentCheck"]["modelsChecked"]
    assert (model["available"], model["healthy"]) == (True, True)


def test_notebooks_are_told_of_the_models(desk, fraud):
    given = {"targetModels": [servers.MODEL], "predictionValidation": PREDICTION, "phase": "existing"}
    env = [{"name": "MODEL_VALIDATION_PLATFORM", "value": "mine"}]
    seen = []
    forget = desk.server.store.subscribe(
        lambda event, resource, found: (
            resource.plural == "configmaps" and "batch.json" in found.get("data", {}) and seen.append(found)
        )
    )
    try:
        desk.status("told", modelValidation=given, podConfig={"env": env})
        desk.server.store.flush()
    finally:
        forget()
    told = json.loads(seen[0]["data"]["batch.json"])["requests"][0]["environment"]
    assert told["MODEL_VALIDATION_PHASE"] == "existing" and json.loads(told["MODEL_VALIDATION_URLS"]) == {
        "team/sums": fraud.url
    }
    assert told["MODEL_VALIDATION_PLATFORM"] == "mine", "what the user says counts"


# --- namespaces


def test_models_of_another_namespace_have_to_be_allowed(desk, serve):
    server = serve(servers.KServeV1)
    isvc(desk, server.url, space="shared")
    refused = looked(desk, targetModels=["shared/sums"])
    assert refused["code"] == "model_forbidden" and "NOTEBOOK_OPERATOR_MODEL_NAMESPACES" in refused["message"]
    assert not server.seen and not runs(desk)
    desk.reach["model_namespaces"] = ("shared",)
    found = looked(desk, targetModels=["shared/sums"])["modelValidationResult"]
    assert found["existingEnvironmentCheck"]["modelsChecked"][0]["modelName"] == "shared/sums" and found["success"]


def test_what_the_operator_may_not_look_at_is_told(desk, monkeypatch):
    monkeypatch.setattr(models, "permissions", lambda cluster, space: models_rules(()))
    found = looked(desk, targetModels=[servers.MODEL])
    clean = found["modelValidationResult"]["cleanEnvironmentCheck"]
    assert found["code"] == "model_forbidden" and not clean["rbacPermissions"] and clean["platformAvailable"]
    assert "may not list inferenceservices.serving.kserve.io in the namespace team" in found["message"]


def models_rules(rules: tuple):
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.platform import Permissions

    return Permissions("team", rules, False, None)


# --- what cannot be meant


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"phase": "existing"}, "targetModels names no model"),
        ({"platform": "custom"}, "the platform custom without customPlatform"),
        ({"customPlatform": {"apiGroup": "x"}}, "the platform is kserve"),
        ({"targetModels": ["a/b/c"]}, "another namespace"),
        ({"targetModels": ["A_b"]}, "modelValidation.targetModels[0] is named"),
        ({"targetModels": ["a", "team/a"]}, "named twice"),
        ({"targetModels": ["a"], "predictionValidation": {"testData": "[[1,"}}, "predictionValidation.testData is no JSON"),
        ({"targetModels": ["a"], "predictionValidation": {"expectedOutput": "[1]"}}, "give predictionValidation.testData"),
        ({"platform": "custom", "targetModels": ["a"], "customPlatform": {"healthCheckEndpoint": "ftp://h/x"}}, "give a URL of http or https"),
        ({"platform": "custom", "targetModels": ["a"],
          "customPlatform": {"healthCheckEndpoint": "http://a.team:1/x", "predictionEndpoint": "http://a.team:2/x"}}, "two servers"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_and_nothing_is_asked(desk, given, words):
    found = looked(desk, **given)
    assert found["phase"] == "Failed" and words in found["message"], found["message"]
    assert not runs(desk) and not desk.server.journal.entries("inferenceservices")


# --- a process that takes over


def test_what_an_earlier_process_found_counts(desk, fraud):
    desk.apply("resumed", modelValidation={"targetModels": [servers.MODEL]})
    before = {"phase": "both", "platform": "kserve", "platformDetected": True, "success": True}
    checked = [{"modelName": "team/sums", "available": True, "healthy": True, "url": "http://before.example.com"}]
    before["existingEnvironmentCheck"] = {"success": True, "modelsChecked": checked}
    status = {"phase": "Initializing", "observedGeneration": 1, "modelValidationResult": before}
    found = desk.work("resumed", before=status)
    assert found["phase"] == "Succeeded" and not fraud.seen and found["modelValidationResult"] == before


def test_a_cluster_that_does_not_answer_is_no_verdict(desk, monkeypatch):
    isvc(desk, "http://127.0.0.1:9")
    desk.apply("outage", modelValidation={"targetModels": [servers.MODEL]})

    def unwell(*_arguments, **_more):
        raise ClusterError("The API server could not answer now.", "cluster_unavailable", status=503)

    monkeypatch.setattr("ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.resource.wait", unwell)
    with pytest.raises(ClusterError):
        desk.work("outage")


def test_a_job_that_goes_does_not_wait_for_its_models(desk, serve):
    server = serve(servers.KServeV1)
    server.loads_in = 1000
    isvc(desk, server.url)
    desk.apply("going", modelValidation={"targetModels": [servers.MODEL], "timeout": "10m"})
    stop, done = Stop(), threading.Event()
    thread = threading.Thread(target=lambda: (desk.work("going", stop), done.set()), daemon=True)
    thread.start()
    while not server.seen:
        assert not done.wait(0.02)
    stop.ask()
    assert done.wait(30)
    thread.join()
