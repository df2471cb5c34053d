# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a model that notebooks rely on."""

from __future__ import annotations

from dataclasses import dataclass, field

from .base import Value

CHECKS = ("platform", "resource", "health", "prediction")


@dataclass(frozen=True)
class Check(Value):
    """One check of a model. status: ``passed``, ``failed`` or ``skipped``. message: one sentence, whatever the status is."""

    status: str
    message: str


@dataclass(frozen=True)
class Checks(Value):
    """The checks of a model, in their order."""

    platform: Check
    resource: Check
    health: Check
    prediction: Check


@dataclass(frozen=True)
class ModelVerdict(Value):
    """What is said of one model.

    namespace: "" without a cluster. status: ``succeeded``, ``failed``, or ``skipped`` where nothing was checked.
    code, category, retryable: from the taxonomy table; None where it did not fail. cause: one sentence. advice: each an
    action. url: where it answers, None where that is not known. duration: seconds. version: that the object or the server
    tells, if any. resources: what its container asks for: ``cpu``, ``memory``, ``gpu``. predicted: from the test data, as JSON
    that may be cut; None where it did not predict.
    """

    name: str
    namespace: str
    platform: str
    status: str
    checks: Checks
    code: str | None = None
    category: str | None = None
    cause: str | None = None
    advice: tuple[str, ...] = ()
    retryable: bool = False
    url: str | None = None
    duration: float = 0.0
    version: str | None = None
    resources: dict[str, str] = field(default_factory=dict)
    predicted: str | None = None

    @property
    def title(self) -> str:
        """The name with the namespace, where there is one."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
