# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of mlops.notebooks.notebook_environment: the build log on the console, and other collections' strategies."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    module_name = "mlops.notebooks.notebook_environment"

    def choose_module(self, arguments: dict) -> str:
        """Return the strategy itself where it is the name of a module of another collection."""
        strategy = arguments.get("strategy") or "auto"
        name = arguments.get("community") if strategy == "auto" else strategy
        return name if isinstance(name, str) and name.count(".") >= 2 else self.module_name
