# SPDX-License-Identifier: GPL-3.0-or-later
"""One generation of a job while it is worked on, as all steps see it."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop

from ..asked.question import Question
from ..settings import Settings
from . import status
from .record import Record

PHASES = ("Pending", "Initializing", "Building", "BuildComplete", "ValidationRunning")


@dataclass(frozen=True)
class Case:
    """found: the job. stop: asked for where the job changes or goes, or its time is over. record: what is said of it."""

    cluster: Cluster
    settings: Settings
    found: dict
    stop: Stop
    record: Record
    question: Question

    @property
    def metadata(self) -> dict:
        """Of the job."""
        return self.found["metadata"]

    @property
    def spec(self) -> dict:
        """Of the job."""
        return self.found["spec"]

    @property
    def namespace(self) -> str:
        """That the job is in, and all that is made for it."""
        return self.metadata["namespace"]

    @property
    def name(self) -> str:
        """For the log."""
        return f"{self.namespace}/{self.metadata['name']}"

    def say_working(self, phase: str, reason: str, message: str, build: tuple | None = None, **more) -> None:
        """Write how far it is, unless a process before this one was further. build: the condition BuildReady."""
        if self.record.phase in PHASES[PHASES.index(phase) + 1 :]:
            return
        told = status.working(reason, message)
        if build or not self.question.is_built:
            told["BuildReady"] = build or ("True", "ImageGiven", "The job names the image.")
        self.record.write(told, phase=phase, message=message, **more)
