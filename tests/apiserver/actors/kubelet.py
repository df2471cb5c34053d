# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet of the one node `node-1`, with scheduler: leads each pod through its life; a runtime does the running."""

from __future__ import annotations

import math
import re
from typing import Protocol

from ..admission.pods import security
from ..values import timestamp
from .actor import Actor, Key, itself, key_of
from .environment import MissingReference, environment_of
from .pod_status import Container, PodRun

NODE = "node-1"
BUILD = "openshift.io/build.name"  # pods with this annotation are only simulated
GRACE = 30
IMAGE = re.compile(r"^[a-z0-9]+([._/:-]+[a-zA-Z0-9]+)*(:[\w.-]{1,128})?(@sha256:[0-9a-f]{64})?$")
RETRY = 2.0  # seconds until a missing reference is looked for again
PULL_BACKOFF = 10.0
RESTART_BACKOFF = 10.0
MAX_BACKOFF = 300.0
ENDING = {  # failures of a running pod, with reason and message of the condition DisruptionTarget
    "Evicted": ("TerminationByKubelet", "The node was low on resource: memory."),
    "NodeLost": ("DeletionByTaintManager", f"Node {NODE}, on which the pod was running, is unresponsive"),
}
LOST = "The container could not be located when the pod was terminated"


class Runtime(Protocol):
    """Runs containers. `done(exit_code, reason, message)` is called once for each container started."""

    def image_user(self, image: str) -> int | None:
        """The user that the image names, if it does."""

    def prepare(self, pod: dict, run: PodRun) -> None:
        """Make the volumes; MissingReference when something lacks."""

    def start(self, pod: dict, run: PodRun, container: Container, environment: dict[str, str], done) -> None:
        """Start one container."""

    def stop(self, run: PodRun, container: Container, grace: float) -> None:
        """End one container, by force after `grace` seconds."""

    def remove(self, run: PodRun) -> None:
        """Forget a pod and its volumes."""

    def close(self) -> None:
        """End everything."""


class Kubelet(Actor):
    name = "kubelet"

    def __init__(self, server, activity, runtime: Runtime, build_runtime: Runtime):
        super().__init__(server, activity)
        self._runtime, self._build_runtime = runtime, build_runtime
        needed = ("configmaps", "secrets", "persistentvolumeclaims", "serviceaccounts")
        self.watches = {"pods": itself, **dict.fromkeys(needed, self._blocked)}
        self._runs: dict[Key, PodRun] = {}
        self._addresses = 1

    def stop(self) -> None:
        super().stop()
        self._runtime.close()
        self._build_runtime.close()

    def _blocked(self, obj: dict) -> list[Key]:
        namespace = obj["metadata"]["namespace"]
        return [key for key, run in list(self._runs.items()) if run.blocked and key[0] == namespace]

    def reconcile(self, namespace: str, name: str) -> None:
        key = (namespace, name)
        pod = self.system.find("pods", namespace, name)
        if pod is None:
            self._forget(key)
            return
        run = self._run_of(key, pod)
        if pod["metadata"].get("deletionTimestamp"):
            self._end(pod, run)
        elif not run.outcome:
            pod = self._advance(pod, run)
        self._save(pod, run)
        if pod["metadata"].get("deletionTimestamp") and not run.running():
            run.runtime.remove(run)
            self.system.delete("pods", namespace, name, grace_seconds=0)

    def _run_of(self, key: Key, pod: dict) -> PodRun:
        run = self._runs.get(key)
        if run and run.uid != pod["metadata"]["uid"]:
            self._forget(key)
            run = None
        if run is None:
            self._addresses += 1
            address = f"10.128.{self._addresses // 256 % 256}.{self._addresses % 256}"
            run = self._runs[key] = PodRun.of(pod, self.server.pod_rules.of(pod), address)
            run.runtime = self._build_runtime if BUILD in (pod["metadata"].get("annotations") or {}) else self._runtime
            status = pod.get("status") or {}
            if status.get("phase") in {"Succeeded", "Failed"}:
                run.outcome = (status["phase"], status.get("reason", ""), status.get("message", ""))
        return run

    def _forget(self, key: Key) -> None:
        run = self._runs.pop(key, None)
        if run:
            for container in run.running():
                run.runtime.stop(run, container, 0)
            run.runtime.remove(run)
            self.server.pod_rules.forget(run.uid)

    def _save(self, pod: dict, run: PodRun) -> None:
        if pod.get("status", {}).get("phase") in {"Succeeded", "Failed"} and not run.scheduled:
            return  # ended by somebody else
        status = run.status(pod, self.clock.now())
        if status != pod.get("status"):
            pod["status"] = status
            self.system.update_status("pods", pod)

    def _advance(self, pod: dict, run: PodRun) -> dict:
        if not run.scheduled:
            if obstacle := self._obstacle(pod, run):
                self._unschedulable(pod, run, obstacle)
                return pod
            pod = self._schedule(pod, run)
        if run.started is None:
            run.started = self.clock.now()
            run.start_at = self._due(pod, run.rule.start_seconds)
            run.deadline = self._due(pod, pod["spec"].get("activeDeadlineSeconds"))
        if self._ended_by_rule(pod, run) or self._over_deadline(pod, run):
            self._finish_when_stopped(run)
            return pod
        if self.clock.monotonic() >= run.start_at and self._prepare(pod, run):
            self._run_containers(pod, run)
        return pod

    def _due(self, pod: dict, seconds: float | None) -> float:
        """The monotonic time after so many seconds, at which the pod will be looked at again."""
        if seconds is None:
            return math.inf
        due = self.clock.monotonic() + seconds  # first, so that the call cannot come too early
        self._later(pod, seconds)
        return due

    def _later(self, pod: dict, seconds: float) -> None:
        if seconds > 0:
            self.enqueue_later(key_of(pod), seconds)

    def _schedule(self, pod: dict, run: PodRun) -> dict:
        if not pod["spec"].get("nodeName"):
            # Straight into the store, as the binding subresource does: an ordinary update may not set the node.
            pod["spec"]["nodeName"] = NODE
            pod = self.server.store.update(self.server.registry.named("pods"), pod)
        run.scheduled, run.blocked = True, False
        namespace, name = key_of(pod)
        self.record(pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {NODE}")
        return pod

    def _obstacle(self, pod: dict, run: PodRun) -> str:
        """Why no node takes the pod."""
        if run.rule.failure == "Unschedulable":
            return run.rule.message or "0/1 nodes are available: 1 Insufficient memory."
        for volume in pod["spec"].get("volumes") or []:
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if name and self.system.find("persistentvolumeclaims", pod["metadata"]["namespace"], name) is None:
                run.blocked = True
                return f'0/1 nodes are available: persistentvolumeclaim "{name}" not found.'
        return ""

    def _unschedulable(self, pod: dict, run: PodRun, message: str) -> None:
        if any(condition.get("message") == message for condition in run.conditions):
            return
        moment = timestamp(self.clock.now())
        fields = {"status": "False", "reason": "Unschedulable", "message": message, "lastTransitionTime": moment}
        run.conditions = [{"type": "PodScheduled", **fields}]
        self.record(pod, "Warning", "FailedScheduling", message)

    def _over_deadline(self, pod: dict, run: PodRun) -> bool:
        if self.clock.monotonic() < run.deadline:
            return False
        message = "Pod was active on the node longer than the specified deadline"
        self._stop_all(pod, run)
        run.outcome = ("Failed", "DeadlineExceeded", message)
        return True

    def _ended_by_rule(self, pod: dict, run: PodRun) -> bool:
        """Eviction or the loss of the node, `seconds` after the containers have started."""
        failure = run.rule.failure
        if failure not in ENDING or not run.running():
            return False
        if run.failure_at is None:
            run.failure_at = self._due(pod, run.rule.seconds or 0)
        if self.clock.monotonic() < run.failure_at:
            return False
        reason, message = ENDING[failure]
        moment = timestamp(self.clock.now())
        condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
        run.conditions.append({**condition, "lastTransitionTime": moment})
        self._stop_all(pod, run, 0)
        run.outcome = ("Failed", failure, message)
        return True

    def _finish_when_stopped(self, run: PodRun) -> None:
        for container in run.containers.values():
            if container.state == "waiting":
                container.end(self.clock.now(), 137, "ContainerStatusUnknown", LOST)

    def _stop_all(self, pod: dict, run: PodRun, grace: float | None = None) -> None:
        """Stop every container; without `grace` in the time that the pod asks for."""
        if grace is None:
            grace = pod["spec"].get("terminationGracePeriodSeconds", GRACE)
        if not run.stopping:
            run.stopping = True
            for container in run.running():
                run.runtime.stop(run, container, grace)

    def _end(self, pod: dict, run: PodRun) -> None:
        """A pod that is being deleted: containers get their grace, then its phase is final."""
        grace = pod["metadata"].get("deletionGracePeriodSeconds")
        self._stop_all(pod, run, grace)
        if not run.running() and not run.outcome and run.scheduled:
            failed = any(container.state != "terminated" or container.exit_code for container in run.mains())
            run.outcome = ("Failed" if failed else "Succeeded", "", "")

    def _prepare(self, pod: dict, run: PodRun) -> bool:
        if run.prepared:
            return True
        try:
            run.runtime.prepare(pod, run)
        except MissingReference as missing:
            if not run.blocked:
                self.record(pod, "Warning", "FailedMount", f"MountVolume.SetUp failed for volume {missing}")
            run.blocked = True
            self._later(pod, RETRY)
            return False
        run.blocked, run.prepared = False, True
        return True

    def _run_containers(self, pod: dict, run: PodRun) -> None:
        policy = pod["spec"].get("restartPolicy", "Always")
        for container in run.inits():
            if container.state == "terminated" and container.exit_code:
                if policy == "Never":
                    self._stop_all(pod, run)
                    run.outcome = ("Failed", "", "")
                    return
                self._restart(pod, run, container)
            if container.state == "waiting":
                self._start(pod, run, container)
            ready = container.state == "running" if container.sidecar else container.state == "terminated"
            if not ready or (not container.sidecar and container.exit_code):
                return
        for container in run.mains():
            if container.state == "terminated" and (
                policy == "Always" or (policy == "OnFailure" and container.exit_code)
            ):
                self._restart(pod, run, container)
            if container.state == "waiting":
                self._start(pod, run, container)
        if all(container.state == "terminated" for container in run.mains()):
            failed = any(container.exit_code for container in run.mains())
            self._stop_all(pod, run)  # sidecars
            run.outcome = ("Failed" if failed else "Succeeded", "", "")

    def _restart(self, pod: dict, run: PodRun, container: Container) -> None:
        container.last = container.as_state()
        delay = min(MAX_BACKOFF, RESTART_BACKOFF * 2 ** (container.restarts - 1)) if container.restarts else 0.0
        container.not_before = self.clock.monotonic() + delay
        namespace, name = key_of(pod)
        words = f"back-off {delay:g}s restarting failed container={container.name} pod={name}_{namespace}({run.uid})"
        container.wait("CrashLoopBackOff" if delay else "ContainerCreating", words if delay else "")
        self._later(pod, delay)

    def _start(self, pod: dict, run: PodRun, container: Container) -> None:
        if self.clock.monotonic() < container.not_before or not self._pulled(pod, run, container):
            return
        run.blocked = False
        try:
            self._check_user(pod, run, container)
            environment = environment_of(self.server, pod, container.spec, run.address)
        except MissingReference as missing:
            run.blocked = True
            container.wait("CreateContainerConfigError", str(missing))
            self._later(pod, RETRY)
            return
        if run.rule.failure == "CreateContainerConfigError":
            container.wait("CreateContainerConfigError", run.rule.message or 'secret "missing" not found')
            return
        container.run(self.clock.now())
        run.runtime.start(pod, run, container, environment, self._done(pod, container))
        if run.rule.failure in ENDING:
            self.enqueue(key_of(pod))

    def _done(self, pod: dict, container: Container):
        key = key_of(pod)

        def done(exit_code: int, reason: str = "", message: str = "") -> None:
            container.end(self.clock.now(), exit_code, reason, message)
            self.enqueue(key)

        return done

    def _pulled(self, pod: dict, run: PodRun, container: Container) -> bool:
        image, failure = container.spec.get("image", ""), run.rule.failure
        if failure == "InvalidImageName" or not IMAGE.match(image):
            why = f'couldn\'t parse image name "{image}": invalid reference format'
            container.wait("InvalidImageName", f'Failed to apply default image tag "{image}": {why}')
            return False
        if failure not in {"ErrImagePull", "ImagePullBackOff"} or not run.rule.hits(image):
            return True
        container.attempts += 1
        delay = min(MAX_BACKOFF, PULL_BACKOFF * 2 ** (container.attempts // 2))
        container.not_before = self.clock.monotonic() + (delay if container.attempts % 2 == 0 else 0.1)
        if container.attempts % 2:
            text = run.rule.message or f'failed to pull and unpack image "{image}": not found'
            container.wait("ErrImagePull", text)
            self.record(pod, "Warning", "Failed", f'Failed to pull image "{image}": {text}')
        else:
            container.wait("ImagePullBackOff", f'Back-off pulling image "{image}"')
            self.record(pod, "Normal", "BackOff", f'Back-off pulling image "{image}"')
        self._later(pod, container.not_before - self.clock.monotonic())
        return False

    def _check_user(self, pod: dict, run: PodRun, container: Container) -> None:
        own, general = security(container.spec), security(pod["spec"])
        if not own.get("runAsNonRoot", general.get("runAsNonRoot")):
            return
        user = own.get("runAsUser", general.get("runAsUser"))
        namespace, name = key_of(pod)
        where = f'(pod: "{name}_{namespace}({pod["metadata"]["uid"]})", container: {container.name})'
        if user == 0:
            raise MissingReference(f"container's runAsUser breaks non-root policy {where}")
        if user is None and run.runtime.image_user(container.spec.get("image", "")) == 0:
            raise MissingReference(f"container has runAsNonRoot and image will run as root {where}")
