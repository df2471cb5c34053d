# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of a Role for kinds of work, from the one table that says what each needs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_rules
short_description: Rules of a Role for kinds of work
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Turns kinds of work into the rules that a Role of Kubernetes must have for them, each verb because a request needs it.
  - No cluster is asked. What an account lacks there is what M(mlops.notebooks.platform_info) tells.
positional: _input, namespace
options:
  _input:
    description:
      - The kinds of work, or one of them, as for the option O(mlops.notebooks.platform_info#module:work).
    type: list
    elements: str
    required: true
  namespace:
    description: The namespace of the Role; what is about the namespace itself is allowed for this one.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a Role for who builds by Tekton and runs notebooks
  ansible.builtin.debug:
    msg:
      apiVersion: rbac.authorization.k8s.io/v1
      kind: Role
      metadata: {name: notebooks, namespace: ml-checks}
      rules: "{{ ['run', 'tekton'] | mlops.notebooks.role_rules('ml-checks') }}"
"""

RETURN = r"""
_value:
  description: Rules, each with C(apiGroups), C(resources), C(verbs) and, where they are about single objects, C(resourceNames).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.detect import KINDS_OF_WORK
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import needs_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import role_rules as rules_of


def role_rules(work, namespace: str) -> list[dict]:
    """Return the rules for the kinds of work, what several need once. Raises AnsibleFilterError for an unknown kind."""
    wanted = [work] if isinstance(work, str) else list(work)
    for kind in wanted:
        if kind not in KINDS_OF_WORK:
            raise AnsibleFilterError(f"role_rules knows no work {kind}: give some of {', '.join(KINDS_OF_WORK)}.")
    needs = dict.fromkeys(need for kind in wanted for need in needs_of(kind, namespace))
    return list(rules_of(list(needs)))


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict:
        """Return it by its name."""
        return {"role_rules": role_rules}
