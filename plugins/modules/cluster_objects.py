#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make objects of a cluster be as their manifests say, and write only what differs."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_objects
short_description: Make objects be as their manifests say, and write nothing where they are
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Applies manifests on the side of the server, under the field manager C(mlops.notebooks), one after the other.
  - An object that is as its manifest says costs one request that reads, and none that writes. M(kubernetes.core.k8s) sends an
    apply each time and compares what comes back.
  - A CustomResourceDefinition that was written is waited for until it is served.
  - Fields that other managers own are left alone, and fields that a manifest no longer names are given up.
  - The roles of this collection bring what they deploy by it.
requirements:
  - kubernetes
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.notebooks.attributes
  - mlops.notebooks.attributes.action_group
attributes:
  check_mode:
    support: full
    details: The server is asked by a dry run what it would make of what differs.
  diff_mode:
    support: full
    details: Values of Secrets are not shown.
  idempotent:
    support: full
options:
  definition:
    description:
      - The manifests, each of one object. C(stringData) of a Secret is encoded.
      - All are looked at before anything is written.
    type: list
    elements: dict
    required: true
  force:
    description: Take over fields that other managers own and a manifest names. Without it such an object is refused.
    type: bool
    default: false
  timeout:
    description: How many seconds each object may take, the wait for a definition with it.
    type: int
    default: 60
seealso:
  - module: kubernetes.core.k8s
"""

EXAMPLES = r"""
- name: Make a namespace, and settings in it
  mlops.notebooks.cluster_objects:
    definition:
      - apiVersion: v1
        kind: Namespace
        metadata: {name: ml-checks}
      - apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, namespace: ml-checks}
        data: {level: strict}
  tags: [no-run]  # needs a cluster

- name: Make what a template says
  mlops.notebooks.cluster_objects:
    definition: "{{ lookup('ansible.builtin.template', 'objects.yml.j2') | from_yaml_all | select }}"
    force: true
  tags: [no-run]
"""

RETURN = r"""
objects:
  description: The objects in the order of the manifests, without what they hold.
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: ConfigMap, name: settings, namespace: ml-checks, uid: 0f1e, changed: true}
applied:
  description: The objects that were brought before the one that failed, in the same form.
  returned: when one of several failed
  type: list
  elements: dict
  sample: []
code:
  description: Code of the error taxonomy.
  returned: failure
  type: str
  sample: cluster_conflict
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

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.several import apply_all, secret_values
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._kubernetes import AUTH_SPEC, connected

ARGUMENT_SPEC = {
    **AUTH_SPEC,
    "definition": {"type": "list", "elements": "dict", "required": True},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 60},
}


def run(module, _progress) -> dict:
    given = module.params
    module.no_log_values.update(secret_values(given["definition"]))
    if given["timeout"] < 1:
        raise EngineError("timeout must be at least 1 second.")
    with connected(module) as cluster:
        try:
            found = apply_all(
                cluster, given["definition"], force=given["force"], dry_run=module.check_mode, seconds=given["timeout"]
            )
        except ClusterError as error:
            error.details["applied"] = [_told(one) for one in error.details.get("applied", ())]
            raise
    result = {"changed": any(one.changed for one in found), "objects": [_told(one) for one in found]}
    if module._diff:
        result["diff"] = [
            {"before": one.before, "after": one.after, "before_header": name, "after_header": name}
            for one, name in ((one, f"{one.object['kind']} {one.object['metadata']['name']}") for one in found)
            if one.changed
        ]
    return result


def _told(applied) -> dict:
    metadata = applied.object["metadata"]
    names = {name: metadata.get(name) for name in ("name", "namespace", "uid")}
    return {"kind": applied.object["kind"], **names, "changed": applied.changed}


if __name__ == "__main__":
    main(ARGUMENT_SPEC, run, supports_check_mode=True)
