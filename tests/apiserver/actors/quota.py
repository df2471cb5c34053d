# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the status of each ResourceQuota: what is allowed and what is used."""

from __future__ import annotations

from ..admission.quota import usage
from .actor import Actor, Key, itself

QUOTAS = "resourcequotas"


class QuotaController(Actor):
    name = "resourcequota-controller"
    watches = {QUOTAS: itself}

    def __init__(self, server, activity):
        super().__init__(server, activity)
        self._known: dict[str, set[Key]] = {}  # by namespace

    def observe(self, event: str, plural: str, obj: dict) -> None:
        namespace, name = obj["metadata"].get("namespace") or "", obj["metadata"]["name"]
        if plural == QUOTAS:
            known = self._known.setdefault(namespace, set())
            (known.discard if event == "DELETED" else known.add)((namespace, name))
        elif known := self._known.get(namespace):
            for key in list(known):
                self.enqueue(key)

    def reconcile(self, namespace: str, name: str) -> None:
        quota = self.system.find(QUOTAS, namespace, name)
        if quota is None:
            return
        hard = (quota.get("spec") or {}).get("hard") or {}
        status = {"hard": hard, "used": usage(self.system, namespace, hard)}
        if quota.get("status") != status:
            self.system.update_status(QUOTAS, {**quota, "status": status})
