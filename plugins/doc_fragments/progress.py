# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that report while they work."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress:
    description:
      - Show what the module does on the console of the running playbook, as it happens.
      - Needs a C(local) connection, as tasks on C(localhost) have; over other connections, for C(async) tasks, and where
        the module becomes a user that cannot write to the controller's files, it works without live lines.
      - The environment variable E(MLOPS_NOTEBOOKS_PROGRESS) set to V(false) for C(ansible-playbook) turns it off for all tasks.
    type: bool
    default: true
  progress_path:
    description:
      - FIFO or existing file that receives one JSON object a line for each event.
      - Set by the collection's own action plugin; there is no need to set it in a playbook.
    type: path
"""
