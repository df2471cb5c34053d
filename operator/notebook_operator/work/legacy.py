# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator that knew no generations left of a job: its verdict counts, its pod goes."""

from __future__ import annotations

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import PODS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import is_owned_by
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.removal import remove_this

from ..told.case import Case

_PATIENCE = 30.0  # seconds


def tidy(case: Case) -> None:
    """Delete the pod in which another operator runs the notebook of this job. Raises ClusterError."""
    told = case.found.get("status") or {}
    if "observedGeneration" in told or "validationPodName" not in told:
        return
    found = case.cluster.find(PODS.path(case.namespace, told["validationPodName"]))
    if found is None or not is_owned_by(found, case.metadata["uid"]):
        return
    try:
        remove_this(case.cluster, PODS, found, Deadline.after(_PATIENCE))
    except ClusterError as error:
        if error.status != 409:  # which says that it is gone
            raise
