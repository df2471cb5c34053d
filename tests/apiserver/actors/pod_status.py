# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubelet knows of a pod, and the status that follows from it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime

from ..strategies import qos_class
from ..values import timestamp
from .actor import set_condition
from .rules import PodRule


@dataclass
class Container:
    """One container: its specification and where it stands."""

    spec: dict
    init: bool
    state: str = "waiting"  # waiting, running, terminated
    reason: str = "ContainerCreating"
    message: str = ""
    exit_code: int = 0
    started: datetime | None = None
    finished: datetime | None = None
    restarts: int = 0
    last: dict | None = None  # the terminated state before the current one
    not_before: float = 0.0  # monotonic time of the next start
    attempts: int = 0  # of pulling the image

    @property
    def name(self) -> str:
        return self.spec["name"]

    @property
    def sidecar(self) -> bool:
        return self.init and self.spec.get("restartPolicy") == "Always"

    def wait(self, reason: str, message: str = "") -> None:
        self.state, self.reason, self.message = "waiting", reason, message

    def run(self, now: datetime) -> None:
        self.restarts += self.started is not None
        self.state, self.reason, self.message, self.started, self.finished = "running", "", "", now, None

    def end(self, now: datetime, exit_code: int, reason: str = "", message: str = "") -> None:
        """May be called by any thread, so the state, which the kubelet looks at, comes last."""
        self.exit_code, self.finished, self.message = exit_code, now, message
        self.reason = reason or ("Completed" if exit_code == 0 else "Error")
        self.state = "terminated"

    def _identifier(self) -> str:
        return "cri-o://" + hashlib.sha256(f"{id(self)}-{self.restarts}".encode()).hexdigest()

    def as_state(self) -> dict:
        if self.state == "running":
            return {"running": {"startedAt": timestamp(self.started)}}
        if self.state == "waiting":
            return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}
        return {
            "terminated": {
                "exitCode": self.exit_code,
                "reason": self.reason,
                **({"message": self.message} if self.message else {}),
                "startedAt": timestamp(self.started) if self.started else None,
                "finishedAt": timestamp(self.finished),
                "containerID": self._identifier(),
            }
        }

    def status(self) -> dict:
        running = self.state == "running"
        done_init = self.init and self.state == "terminated" and self.exit_code == 0
        image = self.spec.get("image", "")
        began = self.started is not None
        return {
            "name": self.name,
            "image": image,
            "imageID": f"{image.split('@')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}" if began else "",
            "containerID": self._identifier() if began else "",
            "ready": running or done_init,
            "started": running,
            "restartCount": self.restarts,
            "state": self.as_state(),
            "lastState": self.last or {},
        }


@dataclass
class PodRun:
    """One pod on this node."""

    uid: str
    rule: PodRule
    containers: dict[str, Container]
    address: str
    runtime: object = None
    conditions: list[dict] = field(default_factory=list)
    scheduled: bool = False
    started: datetime | None = None
    prepared: bool = False
    start_at: float = 0.0  # monotonic time, like the next two
    deadline: float = math.inf
    failure_at: float | None = None
    stopping: bool = False
    outcome: tuple[str, str, str] | None = None  # phase, reason, message
    blocked: bool = False  # by a volume or a reference that is missing

    @classmethod
    def of(cls, pod: dict, rule: PodRule, address: str) -> PodRun:
        spec = pod["spec"]
        containers = {entry["name"]: Container(entry, True) for entry in spec.get("initContainers") or []}
        for entry in spec["containers"]:
            reason = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
            containers[entry["name"]] = Container(entry, False, reason=reason)
        return cls(pod["metadata"]["uid"], rule, containers, address)

    def inits(self) -> list[Container]:
        return [container for container in self.containers.values() if container.init]

    def mains(self) -> list[Container]:
        return [container for container in self.containers.values() if not container.init]

    def running(self) -> list[Container]:
        return [container for container in self.containers.values() if container.state == "running"]

    def initialized(self) -> bool:
        return all(
            (c.sidecar and c.state == "running") or (c.state == "terminated" and c.exit_code == 0) for c in self.inits()
        )

    def ended(self) -> bool:
        """The outcome counts only once every container has stopped."""
        return self.outcome is not None and not self.running()

    def phase(self) -> str:
        if self.ended():
            return self.outcome[0]
        return "Running" if any(container.started for container in self.mains()) else "Pending"

    def status(self, pod: dict, now: datetime) -> dict:
        """The whole status of the pod."""
        status = dict(pod.get("status") or {})
        status["phase"] = self.phase()
        status["qosClass"] = qos_class(pod["spec"])
        if not self.scheduled:
            status["conditions"] = self.conditions
            return status
        self._set_conditions(now)
        status["conditions"] = [dict(condition) for condition in self.conditions]
        status["hostIP"], status["hostIPs"] = "10.0.0.1", [{"ip": "10.0.0.1"}]
        if self.started:
            status["startTime"] = timestamp(self.started)
        if any(container.started for container in self.containers.values()):
            status["podIP"], status["podIPs"] = self.address, [{"ip": self.address}]
        if self.ended():
            fields = zip(("reason", "message"), self.outcome[1:], strict=True)
            status |= {key: value for key, value in fields if value}
        status["containerStatuses"] = [container.status() for container in self.mains()]
        if self.inits():
            status["initContainerStatuses"] = [container.status() for container in self.inits()]
        return status

    def _set_conditions(self, now: datetime) -> None:
        ended = self.ended()
        why = ("PodCompleted" if self.phase() == "Succeeded" else "PodFailed") if ended else "ContainersNotReady"
        unready = [container.name for container in self.mains() if container.state != "running"]
        words = f"containers with unready status: [{' '.join(unready)}]" if unready and not ended else ""
        ready = not unready and not ended
        initialized = self.initialized()
        incomplete = [c.name for c in self.inits() if c.state != "terminated" or c.exit_code]
        waiting = f"containers with incomplete status: [{' '.join(incomplete)}]"
        set_condition(self.conditions, "PodReadyToStartContainers", str(self.prepared and not ended), now)
        if initialized:
            set_condition(self.conditions, "Initialized", "True", now, "PodCompleted" if ended else "")
        else:
            set_condition(self.conditions, "Initialized", "False", now, "ContainersNotInitialized", waiting)
        for kind in ("Ready", "ContainersReady"):
            if ready:
                set_condition(self.conditions, kind, "True", now)
            else:
                set_condition(self.conditions, kind, "False", now, why, words)
        set_condition(self.conditions, "PodScheduled", "True", now)
