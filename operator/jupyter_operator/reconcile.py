# SPDX-License-Identifier: GPL-3.0-or-later
"""One notebook, from what it asks for to its objects and its status.

Each step finds again what is there, so a process that takes over begins at the first one and does nothing twice.
"""

from __future__ import annotations

import logging

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import SECRETS

from . import children, files, record, state, status
from .children import DEPLOYMENTS, Plan, Waiting
from .question import Question, question
from .refusal import Refusal
from .rules import permitted
from .seat import Seat, trimmed

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False)
_PAUSES = (2.0, 600.0)  # seconds before the second try, and at most
_PATIENCE = 30.0  # seconds in which a server that starts is not asked after
_LOG = logging.getLogger(__name__)


class Reconciler:
    """Brings notebooks about in one cluster."""

    def __init__(self, cluster: Cluster, plan: Plan):
        self._cluster, self._plan = cluster, plan

    def run(self, seat: Seat) -> float | None:
        """Bring a notebook to what it asks for; return the seconds after which it is to be looked at again, None = on changes only.

        Raises nothing that the cluster can say: that stands in the status then.
        """
        found, whole, seat.whole = seat.found, seat.whole, False
        try:
            return self._run(seat, found, whole)
        except Refusal as refusal:
            told, again = status.refused(refusal), refusal.reason == "NameTaken"
        except Waiting as waiting:
            told, again = status.troubled("Waiting", str(waiting)), True
        except ClusterError as error:
            reason = "ClusterUnavailable" if error.transient else "ClusterRefused"
            told, again = status.troubled(reason, error.message), True
        try:
            again = self._tell(seat, found, told, {}) or again
        except ClusterError as error:
            _LOG.warning("%s: %s", found["metadata"]["name"], status.without(error.message, seat.token))
            again = True
        seat.whole = seat.whole or again
        return self._pause(seat) if again else None

    def _pause(self, seat: Seat) -> float:
        seat.tries += 1
        return min(_PAUSES[1], _PAUSES[0] * 2 ** min(seat.tries - 1, 10))

    def _run(self, seat: Seat, found: dict, whole: bool) -> float | None:
        asked = self._asked(found) if whole or seat.asked is None else seat.asked
        if whole:
            self._bring(seat, found, asked)
        seat.asked = asked
        said = state.of_all(list(seat.pods.values()), seat.refused)
        way = self._plan.way(asked)
        more = {
            "jupyter": status.jupyter(asked, way, seat.token),
            "exposure": {"kind": way.kind, "networkPolicy": self._plan.settings.network_policy},
        }
        if self._tell(seat, found, status.accepted(asked, said), more):
            return 0.0
        if asked.stopped is not None or said.ready:
            seat.tries = 0
            return None
        # A pod that waits for a Secret or a ConfigMap which somebody has deleted says so nowhere.
        seat.whole = True
        return max(_PATIENCE, self._pause(seat))

    def _asked(self, found: dict) -> Question:
        """Return what the notebook asks for, with the ids that the pod gets. Raises Refusal, ClusterError."""
        asked = question(found, self._plan.settings)
        return permitted(asked, self._plan.settings, self._ranges(asked) if self._plan.openshift else None)

    def _ranges(self, asked: Question) -> dict[str, str]:
        if asked.user is None and asked.files_group is None:
            return {}
        found = self._cluster.find(NAMESPACES.path(name=asked.namespace)) or {"metadata": {}}
        return found["metadata"].get("annotations") or {}

    def _bring(self, seat: Seat, owner: dict, asked: Question) -> None:
        secret = children.find(self._cluster, SECRETS, files.name_of(asked.name), owner)
        seat.token = files.token_of(secret, owner["status"])
        wanted = self._plan.manifests(asked, owner, seat.token)
        # All are looked at before the first is written: a name may be somebody else's.
        live = {SECRETS: secret}
        for resource, manifest in wanted[1:]:
            live[resource] = children.find(self._cluster, resource, manifest["metadata"]["name"], owner)
        for resource, name in children.former(self._plan, asked, owner["status"]):
            found = children.find(self._cluster, resource, name, owner)
            if found is not None:
                children.remove(self._cluster, resource, found)
        seat.refused = state.refusal_of(live[DEPLOYMENTS] or {})
        for resource, manifest in wanted:
            children.bring(self._cluster, resource, manifest, live[resource], lambda: not seat.gone)

    def _tell(self, seat: Seat, found: dict, told: status.Told, more: dict) -> bool:
        """Write the status; return whether the notebook was found to ask for something else by now."""
        before = seat.found["status"]
        wanted = status.fresh(before, found["metadata"]["generation"], told, seat.token, more)
        if seat.gone or wanted == before:
            return False
        answer = record.write(self._cluster, found, wanted)
        if answer is None:
            return False
        record.tell(self._cluster, found, before, wanted)
        return seat.written(trimmed(answer))
