#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the models that notebooks call."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_validation
short_description: Check that the models which notebooks call are there and predict what is expected
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Finds out of each model whether its platform is there, whether its object in the cluster is ready, whether its server is well,
    and whether it predicts the expected output from test data. The first check that fails decides, and those after it are skipped.
  - Connects to a cluster as M(kubernetes.core.k8s) does. Where nothing names a cluster, models that have a O(models[].url) are
    asked there and nowhere else.
  - Waits for models that are being loaded until O(timeout) is over. What befalls a model is told in RV(models) and does not fail
    the module.
  - Asks nobody but the API server and the models, and follows no redirect to another host.
requirements:
  - kubernetes
  - jmespath, for O(models[].select)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.notebooks.attributes
  - mlops.notebooks.attributes.action_group
attributes:
  check_mode:
    support: full
    details: It changes nothing; models are asked for predictions in check mode too.
  diff_mode:
    support: none
    details: There is nothing to compare.
  idempotent:
    support: full
    details: It changes nothing.
options:
  models:
    description: The models.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the model's object in the cluster, or C(namespace/name).
        type: str
        required: true
      namespace:
        description: Its namespace, if it is another than O(namespace); see O(allowed_namespaces).
        type: str
      platform:
        description: What serves it; this decides what object it is, and the default of O(models[].api).
        type: str
        choices: [kserve, openshift-ai, vllm, torchserve, tensorflow-serving, triton, ray-serve, seldon, bentoml, custom]
        default: kserve
      api:
        description:
          - The protocol that it speaks. V(kserve-v2) is the Open Inference Protocol, V(json) plain JSON at paths of your own.
          - The default is V(kserve-v1) for V(kserve), V(kserve-v2) for V(openshift-ai) and V(triton), V(openai-completions) for
            V(vllm), V(json) for V(custom), and for the others the one of their name.
        type: str
        choices: [kserve-v1, kserve-v2, openai-completions, openai-chat, tensorflow, torchserve, seldon, ray-serve, bentoml, json]
      served_name:
        description: The name by which its server knows it, in paths and requests; O(models[].name) by default.
        type: str
      url:
        description:
          - Where it answers, less the path. The default is what the status of its object says, else the address of its Service,
            which is known inside the cluster only.
        type: str
      resource:
        description: Whether it is looked up in the cluster. Without a cluster it never is.
        type: bool
        default: true
      group:
        description: API group of its object, if it is another than that of its platform; for V(custom) there is no default.
        type: str
      version:
        description: Version of that group; the one that the server prefers by default.
        type: str
      kind:
        description:
          - Kind of its object, likewise. Its condition C(Ready), else C(Available), must be true. Without one a V(custom) model is
            looked up nowhere, and needs O(models[].url).
        type: str
      health_path:
        description:
          - Path that answers with a status of 200 to 299 when it is well; C({model}) stands for O(models[].served_name). The default
            is that of the protocol, whose answer is looked into too.
        type: str
      predict_path:
        description: Path that predictions are asked of; that of the protocol by default.
        type: str
      test_data:
        description:
          - What to predict from. It becomes the instances, the tensor, the prompt or whatever the protocol takes; a dictionary that is
            a whole request of the protocol already is sent as it is. Without it no prediction is asked for.
        type: raw
      expected_output:
        description:
          - The prediction that is expected, any JSON but null. It is compared with what the protocol calls the prediction, or with
            what O(models[].select) finds. Without it any prediction will do.
        type: raw
      select:
        description: JMESPath expression over the whole answer.
        type: str
      tolerance:
        description:
          - How far a number may be from the one expected, whatever its size. Numbers are equal if this or
            O(models[].relative_tolerance) says so.
          - Where neither is given, whole numbers must be the same, and others may differ by 1e-6 of their size.
        type: float
      relative_tolerance:
        description: The same as a part of the larger of the two numbers.
        type: float
      token_variable:
        description: Name of a variable of the module's environment (the task's C(environment)) that holds a bearer token for the model.
        type: str
      ca_file:
        description: File of authorities (PEM) that its certificate is checked by; those of the system by default.
        type: path
      validate_certs:
        description: Whether its certificate is checked.
        type: bool
        default: true
  namespace:
    description: The namespace that models are in unless they name another. The default is that of the context, or of the pod.
    type: str
  allowed_namespaces:
    description: Other namespaces that models may be in. A model in any other is refused before anything is sent.
    type: list
    elements: str
    default: []
  checks:
    description: The checks to make. With an empty list nothing is sent, and only RV(environment) is of use.
    type: list
    elements: str
    choices: [platform, resource, health, prediction]
    default: [platform, resource, health, prediction]
  phase:
    description: When the models are checked, as E(MODEL_VALIDATION_PHASE) tells the notebooks (V(clean), V(existing), V(both)).
    type: str
    choices: [before, after, both]
    default: before
  timeout:
    description: Seconds for the checks of one model, the time that it takes to get ready among them.
    type: float
    default: 60
seealso:
  - module: mlops.notebooks.notebook_validation
  - module: mlops.notebooks.platform_info
  - name: Models
    description: Each platform and protocol, permissions, and how notebooks and models are validated together.
    link: https://github.com/mlops/mlops.notebooks/blob/main/docs/models.md
"""

EXAMPLES = r"""
- name: Check a model of KServe, and what it predicts
  mlops.notebooks.model_validation:
    models:
      - name: fraud
        test_data: [[0.1, 12.5, 3.0], [0.9, 1.0, 7.5]]
        expected_output: [0, 1]
      - name: shared/prices
        platform: openshift-ai
        test_data: [[3.0, 2.0]]
        expected_output: [412000.0]
        relative_tolerance: 0.01
        token_variable: PRICES_TOKEN
    allowed_namespaces: [shared]
  environment:
    PRICES_TOKEN: "{{ vault_prices_token }}"
  register: models
  tags: [no-run]  # needs these models

- name: Run notebooks that find the models by variables
  mlops.notebooks.notebook_validation:
    path: "{{ source }}"
    environments: "{{ made.environments }}"
    environment_variables: "{{ models.environment }}"
  tags: [no-run]

- name: Check a chat model and a server of your own by their URLs, without a cluster
  mlops.notebooks.model_validation:
    timeout: 2
    models:
      - name: llama
        platform: vllm
        api: openai-chat
        served_name: meta-llama/Llama-3.1-8B-Instruct
        url: http://localhost:8000
        resource: false
        test_data: Say yes.
      - name: scorer
        platform: custom
        url: http://localhost:5000
        health_path: /alive
        predict_path: /score
        test_data: {age: 42}
        select: result.score
        expected_output: 0.73
        tolerance: 0.005
  register: local

- name: Say which of them failed, and why
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.cause }}"
  loop: "{{ local.models | selectattr('status', 'equalto', 'failed') }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
models:
  description: One verdict a model, in the order of O(models).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the model.
      type: str
    namespace:
      description: Its namespace; empty where none is known.
      type: str
    platform:
      description: Its platform.
      type: str
    status:
      description: V(succeeded), V(failed), or V(skipped) where no check was made.
      type: str
    code:
      description: Code of the error taxonomy, see C(docs/errors.md) of the collection; null where it did not fail.
      type: str
    category:
      description: Category of that code.
      type: str
    cause:
      description: One sentence.
      type: str
    advice:
      description: What to do, each an action.
      type: list
      elements: str
    retryable:
      description: Whether it may be otherwise later.
      type: bool
    checks:
      description: C(platform), C(resource), C(health) and C(prediction), each with a C(status) (V(passed), V(failed), V(skipped)) and
        a C(message).
      type: dict
    url:
      description: Where it answers; null where that is not known.
      type: str
    duration:
      description: Seconds.
      type: float
    version:
      description: Version that the object or the server tells; null where neither does.
      type: str
    resources:
      description: What the container of the model asks for, C(cpu), C(memory) and C(gpu), as far as the object says it.
      type: dict
    predicted:
      description: The prediction from the test data as JSON, cut where it is long; null where there is none.
      type: str
  sample:
    - name: fraud
      namespace: ml-checks
      platform: kserve
      status: failed
      code: model_prediction_mismatch
      category: model_validation_failed
      cause: The prediction of ml-checks/fraud is 0 at $[1], expected 1.
      advice: [Find out whether the model or the expectation is wrong., Give a tolerance if the difference is harmless.]
      retryable: false
      checks:
        platform: {status: passed, message: The server serves serving.kserve.io.}
        resource: {status: passed, message: The InferenceService is ready.}
        health: {status: passed, message: "http://fraud.ml-checks.example.com/v1/models/fraud answers 200."}
        prediction: {status: failed, message: "The prediction of ml-checks/fraud is 0 at $[1], expected 1."}
      url: http://fraud.ml-checks.example.com
      duration: 0.21
      version: fraud-predictor-00003
      resources: {cpu: "1", memory: 2Gi}
      predicted: "[0, 0]"
failed_models:
  description: The models that failed, as C(namespace/name).
  returned: success
  type: list
  elements: str
  sample: [ml-checks/fraud]
environment:
  description: Variables that tell notebooks about the models, for O(mlops.notebooks.notebook_validation#module:environment_variables).
  returned: success
  type: dict
  sample:
    MODEL_VALIDATION_ENABLED: "true"
    MODEL_VALIDATION_PLATFORM: kserve
    MODEL_VALIDATION_NAMESPACE: ml-checks
    MODEL_VALIDATION_PHASE: clean
    MODEL_VALIDATION_TARGET_MODELS: ml-checks/fraud
code:
  description: Code of the error taxonomy.
  returned: failure
  type: str
  sample: model_forbidden
category:
  description: Category of that code.
  returned: failure
  type: str
advice:
  description: What to do, each an action.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main
from ansible_collections.mlops.notebooks.plugins.module_utils._models import ARGUMENT_SPEC, perform

if __name__ == "__main__":
    main(ARGUMENT_SPEC, perform, supports_check_mode=True)
