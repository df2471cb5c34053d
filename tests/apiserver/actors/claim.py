# SPDX-License-Identifier: GPL-3.0-or-later
"""PersistentVolumeClaims are bound at once, each to a volume of its own."""

from __future__ import annotations

from .actor import Actor, itself


class ClaimController(Actor):
    name = "persistentvolume-binder"
    watches = {"persistentvolumeclaims": itself}

    def reconcile(self, namespace: str, name: str) -> None:
        claim = self.system.find("persistentvolumeclaims", namespace, name)
        if claim is None:
            return
        if (claim.get("status") or {}).get("phase") == "Bound" or claim["metadata"].get("deletionTimestamp"):
            return
        if not claim["spec"].get("volumeName"):
            patch = {"spec": {"volumeName": f"pvc-{claim['metadata']['uid']}"}}
            claim = self.system.patch("persistentvolumeclaims", namespace, name, patch)
        capacity = (claim["spec"].get("resources") or {}).get("requests") or {}
        claim["status"] = {"phase": "Bound", "accessModes": claim["spec"].get("accessModes", []), "capacity": capacity}
        self.system.update_status("persistentvolumeclaims", claim)
