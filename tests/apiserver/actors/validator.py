# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the operator of notebooks: gives each NotebookValidationJob the verdict that its contract asks for.

The contract is `operator/crds`, and what `Validator` does for those who wait: it says at once that it has seen a generation,
says when the notebook runs, keeps the verdict in full in a ConfigMap, and last of all sets ValidationComplete. It is no
operator: it runs notebooks by the engine's own executor `job`, builds no images, looks at no models and tries nothing again.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from ..errors import ApiError
from ..values import timestamp
from .actor import Actor, itself, set_condition

GROUP = "mlops.mlops.dev"
PLURAL = f"notebookvalidationjobs.{GROUP}"
DEFINITION = Path(__file__).resolve().parents[3] / "operator" / "crds" / "notebookvalidationjobs.yaml"
KEY = "notebooks.mlops.dev/key"
_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
_TOGETHER = 4  # notebooks at once
_LARGEST = 100  # results in a status


@dataclass
class Steering:
    """repositories: address -> directory that git clones in its place. silent: nothing is done. stuck: notebooks (patterns)
    that begin and never end. verdicts: by pattern, given without a run. keeps: verdicts are kept in ConfigMaps. gate: called
    before a notebook begins."""

    repositories: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    stuck: tuple[str, ...] = ()
    verdicts: dict[str, object] = field(default_factory=dict)
    keeps: bool = True
    gate: Callable[[], object] = bool


def define(server) -> None:
    """Bring the definition of NotebookValidationJob into the cluster."""
    definition = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    server.system.create("customresourcedefinitions.apiextensions.k8s.io", definition)


def install(server, **steering) -> Steering:
    """Let a server have the operator; what is returned steers it while it works."""
    define(server)
    steers = Steering(**steering)
    server.add_actors(functools.partial(Validator, steers=steers))
    return steers


class Validator(Actor):
    name = "notebook-operator"
    watches = {PLURAL: itself}

    def __init__(self, server, activity, steers: Steering):
        super().__init__(server, activity)
        self._steers, self._begun = steers, set()
        self._pool = ThreadPoolExecutor(_TOGETHER)

    def stop(self) -> None:
        super().stop()
        self._pool.shutdown(cancel_futures=True)

    def reconcile(self, namespace: str, name: str) -> None:
        job = self.system.find(PLURAL, namespace, name)
        if job is None or job["metadata"].get("deletionTimestamp") or self._steers.silent:
            return
        told = (job["metadata"]["uid"], job["metadata"]["generation"])
        if told not in self._begun:
            self._begun.add(told)
            self._say(job, "Pending", "Unknown", "Queued", "It waits for its turn.", startTime=self._now())
            self._pool.submit(self._validate, job)

    def _validate(self, job: dict) -> None:
        path = job["spec"]["notebook"]["path"]
        stuck = any(fnmatchcase(path, pattern) for pattern in self._steers.stuck)
        try:
            self._steers.gate()
            if self._is_out_of_date(job):
                return
            self._say(job, "ValidationRunning", "Unknown", "Running", "The notebook runs.")
            if stuck:
                return
            given = [one for pattern, one in self._steers.verdicts.items() if fnmatchcase(path, pattern)]
            verdict, executed = (given[0], None) if given else _run(self.server, job, self._steers.repositories)
            self._end(job, verdict, executed)
        except ApiError as error:
            if error.code not in (404, 409):  # the job was deleted or changed meanwhile
                traceback.print_exc(file=sys.stderr)
        except Exception:  # nobody looks at what a thread raises
            traceback.print_exc(file=sys.stderr)

    def _is_out_of_date(self, job: dict) -> bool:
        metadata = job["metadata"]
        found = self.system.find(PLURAL, metadata["namespace"], metadata["name"]) or job
        return found["metadata"]["generation"] != metadata["generation"]

    def _end(self, job: dict, verdict, executed: bytes | None) -> None:
        from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.kept import pack

        passed = verdict.status == "succeeded"
        status = {name: getattr(verdict, name) for name in ("code", "category", "cause", "cell") if not passed}
        status |= {"advice": list(verdict.advice), "retryable": verdict.retryable, "completionTime": self._now()}
        status["results"] = [_result(cell) for cell in verdict.cells[:_LARGEST]]
        if self._steers.keeps:
            metadata = job["metadata"]
            held = pack(metadata["labels"][KEY], metadata["namespace"], verdict, executed)
            if self.system.find("configmaps", metadata["namespace"], held["metadata"]["name"]):
                self.system.delete("configmaps", metadata["namespace"], held["metadata"]["name"])
            self.system.create("configmaps", held)
            status["verdict"] = {"configMap": held["metadata"]["name"]}
        message = verdict.cause or "The notebook passed."
        reason = "ValidationComplete" if passed else "NotebookFailed"
        self._say(job, "Succeeded" if passed else "Failed", str(passed), reason, message, **status)

    def _say(self, job: dict, phase: str, complete: str, reason: str, message: str, **more) -> None:
        metadata = job["metadata"]
        found = self.system.find(PLURAL, metadata["namespace"], metadata["name"]) or {}
        status = {**found.get("status", {})}
        status |= {"observedGeneration": metadata["generation"], "phase": phase, "message": message, **more}
        conditions = [dict(one) for one in status.get("conditions") or ()]
        set_condition(conditions, "ValidationComplete", complete, self.clock.now(), reason, message)
        conditions[0]["observedGeneration"] = metadata["generation"]
        status["conditions"] = conditions
        body = {"status": {name: value for name, value in status.items() if value is not None}}
        self.system.patch(PLURAL, metadata["namespace"], metadata["name"], body, "status")

    def _now(self) -> str:
        return timestamp(self.clock.now())


def _result(cell) -> dict:
    told = {"cellIndex": cell.index, "cellType": cell.type, "status": cell.status}
    told |= {"executionTime": f"{cell.duration:.3f}s"} if cell.duration is not None else {}
    return {**told, **({"errorMessage": cell.error, "output": "\n".join(cell.traceback)} if cell.error else {})}


def _run(server, job: dict, repositories: dict[str, str]):
    """The verdict of the engine on a clone of what the job names, and the executed notebook."""
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.pipeline import validate
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.judge import refuse

    wanted = job["spec"]
    with tempfile.TemporaryDirectory(prefix="operator-") as directory:
        problem = _clone(wanted["notebook"]["git"], f"{directory}/repository", repositories)
        if problem:
            return refuse(wanted["notebook"]["path"], "source_unavailable", problem), None
        with Cluster({"host": server.url, "ca_cert": server.ca_file, "api_key": server.token}) as cluster:
            spec = _spec(job, f"{directory}/repository", f"{directory}/cache", cluster)
            try:
                (verdict,) = validate(spec, lambda event: None).verdicts
            except EngineError as error:
                return refuse(wanted["notebook"]["path"], error.code, error.message), None
        executed = Path(verdict.executed).read_bytes() if verdict.executed else None
        return replace(verdict, executed=None), executed


def _clone(git: dict, directory: str, repositories: dict[str, str]) -> str | None:
    """What git says where it fails."""
    local = [(f"url.{place}.insteadOf", url) for url, place in repositories.items()]
    config = [("safe.directory", "*"), *local]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": str(len(config))}
    for number, (name, value) in enumerate(config):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    for words in (["clone", "-q", "--", git["url"], directory], ["-C", directory, "checkout", "-q", git["ref"], "--"]):
        done = subprocess.run(["git", *words], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1]
    return None


def _spec(job: dict, repository: str, cache: str, cluster):
    """The question as the engine takes it."""
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.launcher import Target
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.options import PodOptions
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.spec import Settings, Spec
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.environment import EnvironmentResult
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import Limits

    wanted, pod = job["spec"], job["spec"]["podConfig"]
    root = wanted.get("directory", "")
    image = {"kind": "image", "reference": pod["containerImage"], "digest": "sha256:0", "key": "k", "cached": True}
    image |= {"strategy": "prebuilt", "python": "python3"}
    notebook = os.path.relpath(wanted["notebook"]["path"], root or ".")
    built = {"key": "k", "notebooks": [notebook], "requirements": [], "environment": image}
    golden = wanted.get("goldenNotebook")
    limits = wanted.get("limits", {})
    return Spec(
        path=Path(repository, root),
        environments=(EnvironmentResult.from_dict({**built, "build": {"name": "k", "phase": "Cached"}}),),
        defaults=Settings(
            parameters=wanted.get("parameters", {}),
            timeout=_seconds(wanted["timeout"]),
            cell_timeout=_seconds(wanted.get("cellTimeout", "0s")),
            golden=os.path.relpath(golden["path"], root or ".") if golden else None,
            policies=_policies(wanted.get("validationConfig", {})),
            comparison=_comparison(wanted.get("comparisonConfig", {})),
        ),
        exclude=tuple(wanted.get("exclude", ())),
        environment={one["name"]: one["value"] for one in pod.get("env", ())},
        limits=Limits(
            **{name: int(limits[key]) or None for name, key in _LIMITS.items() if key in limits},
            cpu=_seconds(limits.get("cpuTime", "0s")),
        ),
        retries=0,
        rerun="always",
        cache_dir=cache,
        target=Target(cluster, job["metadata"]["namespace"], PodOptions(patience=_seconds(pod.get("patience", "60s")))),
    )


_LIMITS = {"memory": "memory", "processes": "processes", "file_size": "fileSize", "output": "output"}


def _seconds(duration: str) -> float | None:
    """Seconds of a duration such as 1h30m; None for no limit."""
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or None


def _policies(given: dict) -> dict:
    names = {"strict": "strictMode", "fail_on_stderr": "failOnStderr", "fail_on_warnings": "failOnWarnings"}
    names["detect_silent_failures"] = "detectSilentFailures"
    found = {name: given[key] for name, key in names.items() if key in given}
    return {**found, "expected_outputs": [_snake(one) for one in given.get("expectedOutputs", ())]}


def _comparison(given: dict) -> dict:
    found = _snake({name: value for name, value in given.items() if name not in ("strategy", "ignoreOutputTypes")})
    for name, short in (("relative_tolerance", "rtol"), ("absolute_tolerance", "atol")):
        if name in found:
            found[short] = found.pop(name)
    return {**found, **({"ignore_outputs": given["ignoreOutputTypes"]} if "ignoreOutputTypes" in given else {})}


def _snake(given: dict) -> dict:
    """The same with the names of the engine: minValue as min_value. A default that checks nothing is left out."""
    found = {re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name): value for name, value in given.items()}
    return {name: value for name, value in found.items() if (name, value) != ("not_empty", False)}
