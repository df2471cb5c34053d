# SPDX-License-Identifier: GPL-3.0-or-later
"""What the strategies have in common whose runs are Jobs."""

from __future__ import annotations

from ...cluster.client import Cluster
from ...cluster.discovery import Resource
from ...cluster.goals import Outcome, job_finished
from ...cluster.kinds import JOBS
from ...cluster.objects import labels
from ..image.strategy import namespace_of
from ..strategy import Context, Detection, Plan
from .strategy import PodStrategy

_JUDGE = job_finished().judge


class JobStrategy(PodStrategy):
    """One pod, once."""

    def resource(self, cluster: Cluster) -> Resource:
        """Jobs."""
        return JOBS

    def judge(self, run: dict) -> Outcome:
        """By the Job's terminal conditions."""
        return _JUDGE(run)

    def selector(self, name: str) -> str:
        """By the label that the Job controller sets."""
        return f"batch.kubernetes.io/job-name={name}"

    def _offers(self, cluster: Cluster) -> Detection:
        if cluster.discovery.serves("batch") is False:
            return Detection(False, "the cluster serves no Jobs.")
        return Detection(True, "Jobs of Kubernetes")


def job(context: Context, plan: Plan, name: str, pod: dict) -> dict:
    """Return a Job that runs one pod once."""
    known, build = labels("environment", plan.key), context.build
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace_of(context), "labels": known},
        "spec": {
            "backoffLimit": 0,
            **({"activeDeadlineSeconds": int(context.timeout)} if context.timeout else {}),
            "template": {
                "metadata": {"labels": known},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    **({"serviceAccountName": build.service_account} if build.service_account else {}),
                    **({"nodeSelector": build.node_selector} if build.node_selector else {}),
                    **pod,
                },
            },
        },
    }
