# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy ``buildah``: a Job that builds and pushes, on any Kubernetes."""

from __future__ import annotations

from ...cluster.client import Cluster
from ...cluster.discovery import Resource
from ...cluster.goals import Outcome, job_finished
from ...cluster.objects import labels
from ..image.strategy import namespace_of
from ..strategy import Context, Detection, Plan
from .following import Ended
from .steps import containers, volumes
from .strategy import PodStrategy, digest_said

JOBS = Resource("batch", "v1", "jobs", "Job", True)
_JUDGE = job_finished().judge
# The user `build` of buildah's own image, whose subordinate IDs newuidmap maps (buildah, "Rootless in OpenShift").
_USER = 1000
_SECURITY = {
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": True,
    "capabilities": {"drop": ["ALL"], "add": ["SETUID", "SETGID"]},
}


class BuildahStrategy(PodStrategy):
    """Rootless: as a user without rights, in a user namespace of its own."""

    name = "buildah"
    rank = 10

    def resource(self, cluster: Cluster) -> Resource:
        """Jobs."""
        return JOBS

    def manifest(self, context: Context, plan: Plan, name: str, files: dict[str, bytes]) -> dict:
        """Return the Job: build and check as init containers, so that only what they passed is pushed."""
        *before, last = containers(
            context, plan, self.target(context, plan.key), "/dev/termination-log", _SECURITY
        )  # fmt: skip
        build = context.build
        return job(
            context, plan, name,
            {
                "initContainers": before,
                "containers": [last],
                "securityContext": {"fsGroup": _USER},
                "volumes": volumes(context, plan, files),
                **({"serviceAccountName": build.service_account} if build.service_account else {}),
                **({"nodeSelector": build.node_selector} if build.node_selector else {}),
            },
        )  # fmt: skip

    def judge(self, run: dict) -> Outcome:
        """By the Job's terminal conditions."""
        return _JUDGE(run)

    def selector(self, name: str) -> str:
        """By the label that the Job controller sets."""
        return f"batch.kubernetes.io/job-name={name}"

    def digest(self, ended: Ended) -> str | None:
        """As the last container said it."""
        return digest_said(ended, "push")

    def _offers(self, cluster: Cluster) -> Detection:
        if cluster.discovery.serves("batch") is False:
            return Detection(False, "the cluster serves no Jobs.")
        return Detection(True, "Jobs of Kubernetes")


def job(context: Context, plan: Plan, name: str, pod: dict) -> dict:
    """Return a Job that runs one pod once."""
    known = labels("environment", plan.key)
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
                    **pod,
                },
            },
        },
    }
