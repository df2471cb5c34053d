# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order images that build upon each other."""

from __future__ import annotations

DOCUMENTATION = r"""
name: notebook_images
short_description: Order images that build upon each other, and tell what is wrong with them
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Takes images as the role P(mlops.notebooks.notebook_image#role) does, and puts each parent before its children.
options:
  _input:
    description: The images.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show in which order images are built
  ansible.builtin.debug:
    msg: "{{ (images | mlops.notebooks.notebook_images).images | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: C(images), in order and with what they leave out, and C(faults), a sentence for each thing that is wrong.
  type: dict
"""

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image.chains import arranged


def notebook_images(images):
    """Return the images in order, and what is wrong with them."""
    ordered, faults = arranged(images)
    return {"images": ordered, "faults": faults}


class FilterModule:
    """What Ansible looks for."""

    def filters(self):
        """Return the filters by name."""
        return {"notebook_images": notebook_images}
