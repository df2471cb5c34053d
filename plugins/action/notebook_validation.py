# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of mlops.notebooks.notebook_validation: verdicts on the console as they fall."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    module_name = "mlops.notebooks.notebook_validation"
