#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what cluster, if any, the work will be done on."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: platform_info
short_description: Find out what cluster, if any, notebooks can be built and run on
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Tells OpenShift, Kubernetes and a machine without a cluster apart, and what a cluster offers for building images,
    serving models and running pods.
  - Connects as the modules of M(kubernetes.core.k8s) do; where nothing names a cluster, the platform is V(local) and no
    request is sent.
  - Writes nothing. With the default of O(gather) it costs at most three requests, each further part at most one more;
    twice that where a server has no aggregated discovery, or refuses the first way to an answer.
  - What the caller may not see is reported as unknown, which is null, and never as absent.
requirements:
  - kubernetes
  - openshift, only to log in by O(username) and O(password) to OpenShift
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.notebooks.attributes
  - mlops.notebooks.attributes.action_group
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
    details: There is nothing to compare.
  idempotent:
    support: full
    details: It changes nothing.
options:
  gather:
    description:
      - What to find out. The platform itself is always told.
      - V(permissions) gathers RV(permissions) and RV(missing).
    type: list
    elements: str
    choices: [platform, version, builders, capabilities, serving, pod_security, registry, permissions]
    default: [platform, version, builders, capabilities]
  namespace:
    description:
      - The namespace that V(pod_security), V(registry) and V(permissions) are about, and the one whose Deployments
        V(serving) looks at where those of the cluster may not be listed.
      - The default is the namespace of the context, or that of the pod, else C(default).
    type: str
  work:
    description:
      - The kinds of work that RV(missing) is told for.
      - V(detect) is this module, V(run) runs notebooks in pods, V(operator) has the operator run them, V(models) checks the models
        that they call, V(validator), V(election) and V(triggers) are the operator itself, V(jupyter) is the one of Jupyter servers, V(administer) is the role
        C(mlops.notebooks.namespace) in a namespace that is there, and the others build images in this way, or check one that is given (V(prebuilt)).
    type: list
    elements: str
    choices: [detect, run, operator, s2i, docker, tekton, shipwright, buildah, prebuilt, models, validator, election, triggers, jupyter, administer]
    default: [run]
seealso:
  - name: Logging in to a cluster
    description: Each way to authenticate, and which one wins.
    link: https://github.com/mlops/mlops.notebooks/blob/main/docs/authentication.md
  - name: The platform
    description: How each thing is told, and the permissions that this takes.
    link: https://github.com/mlops/mlops.notebooks/blob/main/docs/platform.md
"""

EXAMPLES = r"""
- name: Find out what there is
  mlops.notebooks.platform_info:
  register: here

- name: Say so
  ansible.builtin.debug:
    msg: "{{ here.platform }}, builders: {{ here.builders | dict2items | selectattr('value.available') | map(attribute='key') }}"

- name: Find out what the account lacks in a namespace for building and running there
  mlops.notebooks.platform_info:
    namespace: ml-checks
    gather: [permissions]
    work: [run, s2i]
  register: account

- name: Make a Role of it, for an administrator to apply
  ansible.builtin.debug:
    msg:
      apiVersion: rbac.authorization.k8s.io/v1
      kind: Role
      metadata: {name: notebooks, namespace: ml-checks}
      rules: "{{ account.missing | map(attribute='rules') | flatten | unique }}"

- name: Ask another cluster for its model servers and for the limits on pods
  mlops.notebooks.platform_info:
    kubeconfig: ~/.kube/other
    context: admin
    gather: [serving, pod_security]
    namespace: ml-checks
  tags: [no-run]  # needs that kubeconfig
"""

RETURN = r"""
platform:
  description: V(openshift), V(kubernetes), V(local) without a cluster, or V(unknown) where discovery is denied.
  returned: success
  type: str
  sample: openshift
reason:
  description: How the platform was told.
  returned: success
  type: str
  sample: The server serves security.openshift.io and config.openshift.io.
host:
  description: URL of the API server.
  returned: success, with a cluster
  type: str
  sample: https://api.example.com:6443
namespace:
  description: The namespace that the parts about one are about.
  returned: success, with a cluster
  type: str
  sample: ml-checks
version:
  description: Versions of the server; null where they are unknown or do not apply.
  returned: when O(gather) has it
  type: dict
  contains:
    kubernetes:
      description: Version of Kubernetes, with C(major) and C(minor) beside it as the server says them.
      type: str
    openshift:
      description: The newest release of OpenShift that was rolled out completely.
      type: str
    openshift_desired:
      description: The release that the cluster is on, or on the way to.
      type: str
    reason:
      description: Why one is missing, else null.
      type: str
  sample:
    kubernetes: v1.31.4
    major: "1"
    minor: "31"
    openshift: 4.18.7
    openshift_desired: 4.18.7
    reason: null
builders:
  description:
    - For each of C(s2i), C(docker), C(tekton), C(shipwright) and C(buildah), whether it is C(available) (true, false, or
      null for unknown), the C(reason) as one sentence, and the C(api_version) that it was told by.
  returned: when O(gather) has it
  type: dict
  sample:
    s2i:
      available: true
      reason: The server serves build.openshift.io/v1.
      api_version: build.openshift.io/v1
    shipwright:
      available: false
      reason: The server has no Shipwright Build in the version v1beta1.
      api_version: null
capabilities:
  description:
    - The same for C(routes), C(image_streams), C(projects), C(gateway_api), C(external_secrets), C(monitoring), C(kueue),
      C(object_bucket_claims) and C(cert_manager).
  returned: when O(gather) has it
  type: dict
  sample:
    routes:
      available: true
      reason: "Routes of OpenShift: the server serves route.openshift.io/v1."
      api_version: route.openshift.io/v1
serving:
  description:
    - The same for each model-serving platform. What has no API of its own is told by the images of Deployments, which
      C(deployments) then lists, each with C(namespace), C(name), C(image), C(port) and C(ready) replicas.
  returned: when O(gather) has it
  type: dict
  sample:
    kserve:
      available: false
      reason: The server does not serve serving.kserve.io.
      api_version: null
      deployments: []
    vllm:
      available: true
      reason: Its image runs in Deployment models/llama.
      api_version: null
      deployments:
        - {namespace: models, name: llama, image: "quay.io/mirror/vllm/vllm-openai:v0.9.1", port: 8000, ready: 1}
pod_security:
  description: What pods may be in the namespace.
  returned: when O(gather) has it
  type: dict
  contains:
    namespace:
      description: The namespace.
      type: str
    mechanism:
      description: C(scc) on OpenShift, C(pod-security) on Kubernetes, null where that is unknown.
      type: str
    enforce:
      description: C(level) and C(version) of its label; C(warn) and C(audit) likewise. Null where it has no such label.
      type: dict
    uid_range:
      description: On OpenShift the C(start) and C(size) of its range of UIDs.
      type: dict
    supplemental_groups:
      description: On OpenShift its ranges of groups.
      type: list
      elements: dict
    mcs:
      description: On OpenShift its SELinux level.
      type: str
    reason:
      description: All of that in one sentence, or why it is not known.
      type: str
  sample:
    namespace: ml-checks
    mechanism: scc
    enforce: {level: restricted, version: latest}
    warn: null
    audit: null
    uid_range: {start: 1000660000, size: 10000}
    supplemental_groups: [{start: 1000660000, size: 10000}]
    mcs: s0:c26,c5
    reason: Pod Security enforces restricted; security context constraints give pods a UID from 1000660000 to 1000669999.
registry:
  description: The registry that OpenShift runs inside the cluster.
  returned: when O(gather) has it
  type: dict
  contains:
    available:
      description: Whether there is one; null where that is unknown.
      type: bool
    reference:
      description: What an image of the namespace is pulled by, less its name.
      type: str
    host:
      description: The registry, as pods reach it.
      type: str
    external_host:
      description: The registry, as it is reached from outside; null where it is not.
      type: str
    reason:
      description: Why it is so.
      type: str
  sample:
    available: true
    reference: image-registry.openshift-image-registry.svc:5000/ml-checks
    host: image-registry.openshift-image-registry.svc:5000
    external_host: null
    reason: Pods pull images of the namespace from image-registry.openshift-image-registry.svc:5000/ml-checks.
permissions:
  description: What the caller may do in the namespace.
  returned: when O(gather) has it
  type: dict
  contains:
    namespace:
      description: The namespace.
      type: str
    rules:
      description: Rules of RBAC, each with C(api_groups), C(resources), C(resource_names) and C(verbs).
      type: list
      elements: dict
    incomplete:
      description: Whether there may be more, since the server does not know all rules or may not be asked.
      type: bool
    reason:
      description: Why they are incomplete, else null.
      type: str
  sample:
    namespace: ml-checks
    rules:
      - {api_groups: [""], resources: [pods], resource_names: [], verbs: [get, list, watch]}
    incomplete: false
    reason: null
missing:
  description:
    - For each kind of O(work) that lacks something, C(rules) that a Role must have beside what the caller may do already,
      ready to be pasted. A kind that lacks nothing has no entry.
    - C(unknown) has rules of which it cannot be said whether the caller has them.
  returned: when O(gather) has V(permissions)
  type: list
  elements: dict
  sample:
    - work: run
      rules:
        - apiGroups: [batch]
          resources: [jobs]
          verbs: [create, delete, get, patch]
      unknown: []
code:
  description: Code of the error taxonomy.
  returned: failure
  type: str
  sample: cluster_unauthorized
category:
  description: Category of that code.
  returned: failure
  type: str
  sample: cluster_error
advice:
  description: What to do, each an action.
  returned: failure
  type: list
  elements: str
"""

import contextlib

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.detect import (
    DEFAULT_PARTS,
    KINDS_OF_WORK,
    PARTS,
    detect,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._kubernetes import AUTH_SPEC, connect

ARGUMENT_SPEC = {
    **AUTH_SPEC,
    "gather": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(DEFAULT_PARTS)},
    "namespace": {"type": "str"},
    "work": {"type": "list", "elements": "str", "choices": list(KINDS_OF_WORK), "default": ["run"]},
}


def run(module, _progress) -> dict:
    cluster = connect(module)
    with cluster or contextlib.nullcontext():
        found = detect(cluster, module.params["gather"], module.params["namespace"], module.params["work"])
    return {"changed": False, **{name: part for name, part in found.as_dict().items() if part is not None}}


if __name__ == "__main__":
    main(ARGUMENT_SPEC, run, supports_check_mode=True)
