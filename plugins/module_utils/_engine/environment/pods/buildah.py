# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy ``buildah``: a Job that builds and pushes, on any Kubernetes."""

from __future__ import annotations

from ..strategy import Context, Plan
from .following import Ended
from .jobs import JobStrategy, job
from .steps import USER, containers, volumes
from .strategy import digest_said


class BuildahStrategy(JobStrategy):
    """Rootless: as a user without rights, in a user namespace of its own."""

    name = "buildah"
    rank = 10

    def manifest(self, context: Context, plan: Plan, name: str, files: dict[str, bytes]) -> dict:
        """Return the Job: build and check as init containers, so that only what they passed is pushed."""
        *before, last = containers(
            context, plan, self.target(context, plan.key), "/dev/termination-log"
        )  # fmt: skip
        return job(
            context, plan, name,
            {
                "initContainers": before,
                "containers": [last],
                "securityContext": {"fsGroup": USER},
                "volumes": volumes(context, plan, files),
            },
        )  # fmt: skip

    def digest(self, ended: Ended) -> str | None:
        """As the last container said it."""
        return digest_said(ended, "push")
