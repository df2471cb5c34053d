# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime that truly executes containers: each one a process with its own root, user and volumes.

Differs from a real node: the network is the host's, resource limits are not enforced, probes and hooks are not run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ..admission.pods import security
from ..clock import RealClock
from .environment import expand, field_of
from .pod_status import Container, PodRun
from .volumes import Volumes

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MESSAGE_LIMIT, FALLBACK_LIMIT, FALLBACK_LINES = 4096, 2048, 80
START_ERROR = 128
# The numbers of the capabilities that a container runtime grants when nothing is said.
CAPABILITIES = {
    **{"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8},
    "NET_BIND_SERVICE": 10,
}
SANDBOX = str(Path(__file__).with_name("sandbox.py"))


def unavailable() -> str:
    """Why this machine cannot run containers as processes; empty when it can."""
    if os.geteuid() != 0:
        return "Pods as processes need root, to become the user of a container."
    probe = subprocess.run([sys.executable, "-I", "-S", SANDBOX, "probe"], capture_output=True, text=True, check=False)
    return f"Pods as processes: {probe.stderr.strip().splitlines()[-1]}" if probe.returncode else ""


class ProcessRuntime:
    """`images` maps a pattern of image references to what the image holds:
    `bind` {container path: host path} (read only), `env`, `user`, `working_dir`, `command`."""

    def __init__(self, server):
        if reason := unavailable():
            raise RuntimeError(reason)
        self._server = server
        self._clock = RealClock()  # processes run in real time, whatever clock the server has
        self._directory = Path(server.directory) / "pods"
        self._claims = Path(server.directory) / "claims"
        self._volumes: dict[str, dict[str, Path]] = {}
        self._processes: dict[tuple[str, str], Process] = {}
        self._lock = threading.Lock()

    def image(self, reference: str) -> dict:
        for pattern, image in (self._server.images or {}).items():
            if fnmatchcase(reference, pattern):
                return image
        return {}

    def image_user(self, image: str) -> int | None:
        return self.image(image).get("user", 0)

    def prepare(self, pod: dict, run: PodRun) -> None:
        directory = self._directory / run.uid / "volumes"
        directory.mkdir(parents=True, exist_ok=True)
        self._volumes[run.uid] = Volumes(self._server, pod, directory, self._claims, run.address).make()

    def start(self, pod: dict, run: PodRun, container: Container, environment: dict[str, str], done) -> None:
        home = self._directory / run.uid / container.name
        image = self.image(container.spec.get("image", ""))
        spec = sandbox_spec(pod, container.spec, image, environment)
        spec["binds"] += self._binds(pod, run, container.spec, environment)
        metadata = pod["metadata"]
        writer = self._server.logs.open(metadata["namespace"], metadata["name"], container.name)
        process = Process(self._clock, home, spec, container.spec, writer, done)
        with self._lock:
            self._processes[(run.uid, container.name)] = process
        process.start()

    def _binds(self, pod: dict, run: PodRun, spec: dict, environment: dict[str, str]) -> list[dict]:
        binds = []
        for mount in spec.get("volumeMounts") or []:
            source = self._volumes[run.uid][mount["name"]]
            part = mount.get("subPath") or expand(mount.get("subPathExpr", ""), environment)
            if part:
                source = source / part.lstrip("/")
                if not source.exists():
                    source.mkdir(parents=True)
                    shutil.copystat(source.parent, source)
            volume = next(entry for entry in pod["spec"]["volumes"] if entry["name"] == mount["name"])
            projected = (
                not {"emptyDir", "persistentVolumeClaim", "hostPath", "ephemeral"} & set(volume) and len(volume) > 1
            )
            read_only = bool(mount.get("readOnly")) or projected
            binds.append({"source": str(source), "target": mount["mountPath"].rstrip("/"), "read_only": read_only})
        return binds

    def stop(self, run: PodRun, container: Container, grace: float) -> None:
        with self._lock:
            process = self._processes.get((run.uid, container.name))
        if process:
            process.stop(grace)

    def remove(self, run: PodRun) -> None:
        with self._lock:
            gone = [key for key in self._processes if key[0] == run.uid]
            processes = [self._processes.pop(key) for key in gone]
        for process in processes:
            process.kill()
        self._volumes.pop(run.uid, None)
        shutil.rmtree(self._directory / run.uid, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            processes = list(self._processes.values())
        for process in processes:
            process.kill()
        self._clock.stop()
        for directory in (self._directory, self._claims):
            shutil.rmtree(directory, ignore_errors=True)


def sandbox_spec(pod: dict, container: dict, image: dict, environment: dict[str, str]) -> dict:
    """What sandbox.py needs to know of a container, but for its volumes."""
    own, general = security(container), security(pod["spec"])
    user = own.get("runAsUser", general.get("runAsUser", image.get("user", 0)))
    groups = [*(general.get("supplementalGroups") or [])]
    if general.get("fsGroup") is not None:
        groups.append(general["fsGroup"])
    values = {"PATH": PATH, "HOME": "/root" if user == 0 else "/", **image.get("env", {}), **environment}
    arguments = [*(container.get("command") or image.get("command") or []), *(container.get("args") or [])]
    capabilities = own.get("capabilities") or {}
    granted = set() if "ALL" in (capabilities.get("drop") or []) else set(CAPABILITIES)
    granted = (granted - set(capabilities.get("drop") or [])) | (set(capabilities.get("add") or []) & set(CAPABILITIES))
    return {
        "command": [expand(argument, values) for argument in arguments],
        "environment": values,
        "working_directory": container.get("workingDir") or image.get("working_dir", ""),
        "hostname": pod["spec"].get("hostname") or field_of(pod, "metadata.name", ""),
        "user": user,
        "group": own.get("runAsGroup", general.get("runAsGroup", 0)),
        "groups": groups,
        "capabilities": sorted(CAPABILITIES[name] for name in granted),
        "read_only_root": bool(own.get("readOnlyRootFilesystem")),
        # As the kubelet does it (kubernetes/pkg/securitycontext, AddNoNewPrivileges).
        "no_new_privileges": own.get("allowPrivilegeEscalation") is False,
        "binds": [
            {"source": str(source), "target": str(target), "read_only": True, "system": True}
            for target, source in image.get("bind", {}).items()
        ],
    }


class Process:
    """One container as a process; its thread starts it, reads its output, and waits for its end."""

    def __init__(self, clock, home: Path, spec: dict, container: dict, writer, done):
        self._clock, self._spec, self._writer, self._done = clock, spec, writer, done
        self._policy = container.get("terminationMessagePolicy", "File")
        self._message = home / "termination-log"
        self._tail = b""
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._running = self._killed = self._asked = False
        shutil.rmtree(home, ignore_errors=True)
        (home / "root").mkdir(parents=True)
        self._message.touch()
        self._message.chmod(0o666)
        target = str(PurePosixPath(container.get("terminationMessagePath") or "/dev/termination-log"))
        spec["root"] = str(home / "root")
        spec["binds"].append({"source": str(self._message), "target": target})
        # It must outlive its process: the kernel kills the process when the thread that started it ends.
        self._thread = threading.Thread(target=self._run, name=f"container {container['name']}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float) -> None:
        """SIGTERM now (or as soon as the command runs), SIGKILL after `grace` seconds."""
        if grace <= 0:
            self._signal(signal.SIGKILL)
            return
        with self._lock:
            self._asked = True
            running = self._running
        if running:
            self._signal(signal.SIGTERM)
        self._clock.call_later(grace, lambda: self._signal(signal.SIGKILL))

    def kill(self) -> None:
        """End the process and wait for its end."""
        self._signal(signal.SIGKILL)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            self._killed = self._killed or number == signal.SIGKILL
            if self._process is None or self._process.returncode is not None:
                return
            try:
                # The child is process 1 of the container; with it end all others there.
                children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(
                    encoding="ascii"
                )
                for child in children.split():
                    os.kill(int(child), number)
                if not children and number == signal.SIGKILL:
                    self._process.kill()
            except (FileNotFoundError, ProcessLookupError):
                return

    def _run(self) -> None:
        code, reason, message = START_ERROR, "StartError", ""
        try:
            if not self._spec["command"]:
                message = "no command specified: the image has none, and the container names none"
            else:
                code, error = self._execute()
                reason = "StartError" if error else ""
                code = START_ERROR if error else code
                message = f"failed to create containerd task: {error}" if error else self._termination_message(code)
        except OSError as error:
            message = str(error)
        finally:
            self._writer.close()
            self._done(code, reason, message)

    def _execute(self) -> tuple[int, str]:
        spec_read, spec_write = os.pipe()
        status_read, status_write = os.pipe()
        self._spawn(spec_read, status_write)
        os.close(spec_read)
        os.close(status_write)
        try:
            with os.fdopen(spec_write, "w") as file:
                json.dump(self._spec, file)
        except BrokenPipeError:
            pass  # killed before it had read anything
        with os.fdopen(status_read) as file:
            error = file.read()
        with self._lock:
            self._running, asked = True, self._asked
        if asked:
            self._signal(signal.SIGTERM)
        while chunk := self._process.stdout.read1(65536):
            self._writer.write(chunk)
            self._tail = (self._tail + chunk)[-FALLBACK_LIMIT:]
        self._process.stdout.close()
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:  # so that no signal goes to a process id that has been given away
            code = self._process.wait()
        return (128 - code if code < 0 else code), error

    def _spawn(self, spec_read: int, status_write: int) -> None:
        """`_lock` is held while the process comes into being, so that `kill` cannot miss it."""
        launcher = [sys.executable, "-I", "-S", SANDBOX, str(spec_read), str(status_write)]
        with self._lock:
            if self._killed:
                raise OSError("killed before it started")
            self._process = subprocess.Popen(
                launcher,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(spec_read, status_write),
                start_new_session=True,
                cwd="/",
            )

    def _termination_message(self, code: int) -> str:
        text = self._message.read_bytes()[:MESSAGE_LIMIT].decode("utf-8", "replace")
        if not text and code and self._policy == "FallbackToLogsOnError":
            lines = self._tail.decode("utf-8", "replace").splitlines(keepends=True)
            text = "".join(lines[-FALLBACK_LINES:])
        return text
