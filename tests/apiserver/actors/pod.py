# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated runtime: containers are timers that print lines, as the rules of the test say."""

from __future__ import annotations

from ..values import timestamp
from .delivery import Deliveries
from .entrypoint import SKIPPED, Turns, is_step, termination_message
from .environment import MissingReference, data_of
from .pod_status import Container, PodRun


class SimulatedRuntime:
    def __init__(self, server):
        self._server = server
        self._clock = server.clock
        self._running: dict[tuple[str, str], _Simulation] = {}
        self._turns = Turns()
        self._deliveries = Deliveries(server)

    def image_user(self, image: str) -> int | None:
        return None  # nobody knows; such a pod just runs

    def prepare(self, pod: dict, run: PodRun) -> None:
        """Only looks whether what the volumes need is there."""
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes") or []:
            for source, plural, field in (("configMap", "configmaps", "name"), ("secret", "secrets", "secretName")):
                reference = volume.get(source)
                if reference and not reference.get("optional"):
                    try:
                        data_of(self._server, plural, namespace, reference[field])
                    except MissingReference as missing:
                        raise MissingReference(f'"{volume["name"]}" : {missing}') from None

    def start(self, pod: dict, run: PodRun, container: Container, environment: dict[str, str], done) -> None:
        behaviour = run.rule.of(container.name)
        if run.rule.results and container.name not in run.rule.containers:
            behaviour = self._deliveries.behaviour(pod, container.spec, run.rule.results, behaviour)
        simulation = _Simulation(self._server, pod, run, container, done, self._turns, behaviour)
        self._running[(run.uid, container.name)] = simulation
        before = _step_before(run, container)
        if before:
            self._turns.wait(run.uid, before.name, simulation.start)
        else:
            simulation.start()

    def stop(self, run: PodRun, container: Container, grace: float) -> None:
        if simulation := self._running.get((run.uid, container.name)):
            simulation.end(143 if grace else 137)

    def remove(self, run: PodRun) -> None:
        for name in run.containers:
            self._running.pop((run.uid, name), None)

    def close(self) -> None:
        self._running.clear()


def _step_before(run: PodRun, container: Container) -> Container | None:
    """The step of Tekton's that has to end before this one works."""
    steps = [one for one in run.mains() if is_step(one.spec)]
    place = steps.index(container) if container in steps else 0
    return steps[place - 1] if place else None


class _Simulation:
    def __init__(self, server, pod: dict, run: PodRun, container: Container, done, turns: Turns, behaviour):
        metadata = pod["metadata"]
        self._clock, self._done, self._ended = server.clock, done, False
        self._uid, self._container, self._turns, self._skipped = run.uid, container, turns, False
        self._behaviour = behaviour
        whole = run.rule.failure in {"Evicted", "NodeLost"}  # of the pod
        self._failure = run.rule.failure if whole or run.rule.hits(container.spec.get("image", "")) else ""
        self._writer = server.logs.open(metadata["namespace"], metadata["name"], container.name)
        self._endless = container.sidecar or (
            not container.init and pod["spec"].get("restartPolicy", "Always") == "Always"
        )

    def start(self, skip: bool = False) -> None:
        if self._ended:
            return
        if skip:
            self._skipped = True
            self._write(SKIPPED)
            self.end(1)
            return
        behaviour = self._behaviour
        for at, line in behaviour.logs:
            if at <= 0:
                self._write(line)
            else:
                self._clock.call_later(at, lambda line=line: self._write(line))
        if self._failure == "OOMKilled":
            self._clock.call_later(behaviour.seconds or 0, lambda: self.end(137, "OOMKilled"))
        elif self._failure in {"Evicted", "NodeLost"}:
            return  # the kubelet ends the whole pod
        elif behaviour.seconds is not None or behaviour.exit_code or not self._endless:
            seconds = behaviour.seconds or 0
            self._clock.call_later(seconds, lambda: self.end(behaviour.exit_code, "", behaviour.message))

    def _write(self, line: str) -> None:
        if not self._ended:
            self._writer.write(line.encode() + b"\n")

    def end(self, exit_code: int, reason: str = "", message: str = "") -> None:
        if not self._ended:
            self._ended = True
            self._writer.close()
            if is_step(self._container.spec):
                moment = timestamp(self._clock.now())
                message = termination_message(self._container.spec, message, moment, self._skipped)
            self._done(exit_code, reason, message)
            self._turns.end(self._uid, self._container.name, exit_code)
