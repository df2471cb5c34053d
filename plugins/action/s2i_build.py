# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of mlops.notebooks.s2i_build: the log of the build on the console as it is written."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    module_name = "mlops.notebooks.s2i_build"
