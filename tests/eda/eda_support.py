# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of Event-Driven Ansible share: a namespace with verdicts, and the plugins as they are installed."""

from __future__ import annotations

from pathlib import Path

import ansible_collections.mlops.notebooks as collection

from tests.apiserver.server import ApiServer

EDA = Path(next(iter(collection.__path__))) / "extensions" / "eda"
SPACE = "ml-checks"
OURS = "notebooks.mlops.dev/"
WATCHES = "GET .*/configmaps.*watch=true"


class Verdicts:
    """Verdicts of one namespace, as validations on a cluster write them."""

    def __init__(self, server: ApiServer):
        self.server = server
        server.system.create("namespaces", {"metadata": {"name": SPACE}})

    def write(self, key: str, status: str = "failed", code: str = "missing_module", **notes: str) -> None:
        labels = {
            "app.kubernetes.io/managed-by": "mlops.notebooks",
            "app.kubernetes.io/component": "verdict",
            f"{OURS}key": key,
            f"{OURS}status": status,
        }
        said = {"notebook": f"{key}.ipynb", "code": code, "category": "dependency_install_failed", "cause": "A cause."}
        annotations = {OURS + name: text for name, text in {**said, **notes}.items()}
        metadata = {"name": f"notebook-verdict-{key}", "namespace": SPACE, "labels": labels, "annotations": annotations}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": {"verdict": "H4sI"}}
        known = self.server.system.find("configmaps", SPACE, metadata["name"])
        getattr(self.server.system, "update" if known else "create")("configmaps", body)

    def delete(self, key: str) -> None:
        self.server.system.delete("configmaps", SPACE, f"notebook-verdict-{key}")

    def listened_to(self, times: int = 1) -> None:
        """Wait until watches of them were begun so many times in all."""
        self.server.journal.wait_for(WATCHES, times, verb="watch")
