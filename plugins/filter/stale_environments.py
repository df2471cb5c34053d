# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the environments on OpenShift that nobody needs any more."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stale_environments
short_description: Find the environments on OpenShift that nobody needs any more
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Names the content keys whose tags of the image stream C(notebook-environments) may go, with their BuildConfigs.
  - What an image stream shows now is never named, nor what stands in O(used), nor what is younger than O(min_age).
options:
  _input:
    description: The ImageStreams of a namespace.
    type: list
    elements: dict
    required: true
  configs:
    description: The BuildConfigs of the namespace.
    type: list
    elements: dict
    default: []
  keep:
    description:
      - How many of the last images of each tag of a named image stream keep their environment.
      - Without it, environments go only for O(removed) and O(max_age).
    type: int
  max_age:
    description: Days after which an environment goes that was never an image of a named image stream; 0 for never.
    type: int
    default: 0
  min_age:
    description: Seconds for which every environment stays.
    type: int
    default: 3600
  used:
    description: Anything; digests in it count as in use.
    type: raw
  removed:
    description: Names of image streams whose environments may go.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what nobody needs
  ansible.builtin.debug:
    msg: "{{ streams.resources | mlops.notebooks.stale_environments(configs.resources, keep=2) }}"
"""

RETURN = r"""
_value:
  description: Content keys, the oldest first.
  type: list
  elements: str
"""

import json

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.pruning import stale

_DAY = 86400


def stale_environments(streams, configs=(), keep=None, max_age=0, min_age=3600, used=None, removed=()):
    """Return the content keys of environments that may go."""
    return stale(
        streams,
        configs,
        keep=None if keep is None else int(keep),
        max_age=int(max_age) * _DAY,
        min_age=int(min_age),
        used=json.dumps(used, default=str),
        removed=tuple(removed),
    )


class FilterModule:
    """What Ansible looks for."""

    def filters(self):
        """Return the filters by name."""
        return {"stale_environments": stale_environments}
