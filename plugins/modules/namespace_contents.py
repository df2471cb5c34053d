#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what would be lost with a namespace."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: namespace_contents
short_description: Tell what other people have in a namespace
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Names what a namespace holds that neither this collection nor the cluster itself has put there, and what could not be seen.
  - The role C(mlops.notebooks.namespace) asks it before it deletes a namespace.
  - Writes nothing, and reads names only. It costs a request for each kind of object that the server has.
requirements:
  - kubernetes
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
  namespace:
    description: The namespace.
    type: str
    required: true
seealso:
  - module: mlops.notebooks.platform_info
"""

EXAMPLES = r"""
- name: See what other people have in a namespace
  mlops.notebooks.namespace_contents:
    namespace: default
  register: found
  tags: [no-run]  # needs a cluster

- name: Say so
  ansible.builtin.debug:
    msg: "{{ found.others | map(attribute='name') | join(', ') }}"
  tags: [no-run]
"""

RETURN = r"""
namespace:
  description: The namespace.
  returned: success
  type: str
  sample: ml-checks
exists:
  description: Whether there is such a namespace.
  returned: success
  type: bool
  sample: true
ours:
  description: Whether the namespace itself carries the label of this collection.
  returned: success
  type: bool
  sample: true
others:
  description:
    - Objects of other people, each with C(kind), C(name) and C(resource).
    - What belongs to another object of the namespace, such as the pods of a Deployment, is not named beside it.
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: Deployment, name: dashboard, resource: deployments.apps}
unseen:
  description: Resources that could not be listed, so that there may be more.
  returned: success
  type: list
  elements: str
  sample: []
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

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.contents import contents
from ansible_collections.mlops.notebooks.plugins.module_utils._kubernetes import AUTH_SPEC, connected

ARGUMENT_SPEC = {**AUTH_SPEC, "namespace": {"type": "str", "required": True}}


def run(module, _progress) -> dict:
    with connected(module) as cluster:
        return {"changed": False, **contents(cluster, module.params["namespace"]).as_dict()}


if __name__ == "__main__":
    main(ARGUMENT_SPEC, run, supports_check_mode=True)
