# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a build of a BuildConfig: built, started, waited, cancelled, absent."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass, field

from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.goals import absent
from ...values.base import Value
from ...values.environment import Build, Image
from ...values.errors import EngineError
from ...values.stop import Stop
from ..buildlog import BuildLog
from .builds import Builds, unfinished
from .inputs import Wanted, builder_of, check, digest, inputs_of
from .outcome import blocked_by, failure_of, has_ended, image_of, number_of, phase_of, summary
from .source import Upload, opened
from .watching import TimedOut, settle, until, watch

STATES = ("built", "started", "waited", "cancelled", "absent")
PATIENCE = 60.0  # seconds for a service account, a quota or an image stream to come
_STOPPING = 30.0  # seconds for a cancelled build to end
_AT_ONCE = 5.0  # seconds for asking for a cancellation, where somebody waits for nothing else
_RETRY_DELAY = 10.0  # seconds before a build that may pass is started again


@dataclass(frozen=True)
class Task:
    """What is asked for: options of the module, by their names.

    retryable: whether a failure of this code may pass on another try. patience, delay: seconds. on_timeout: ``cancel`` or
    ``leave``; None cancels only a build that was started here. fresh: build even though there is one of the same inputs.
    stop: cancels a build that was started here, and lets none be started, which raises Stopped.
    """

    state: str
    name: str | None = None
    build: str | None = None
    namespace: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    source: str | None = None
    timeout: float = 1800.0
    on_timeout: str | None = None
    retries: int = 1
    dry_run: bool = False
    retryable: object = bool
    patience: float = PATIENCE
    delay: float = _RETRY_DELAY
    fresh: bool = False
    stop: Stop = field(default_factory=Stop)

    def cancels(self, ours: bool) -> bool:
        """Return whether a build that has not ended in time is cancelled; ours: it was started here."""
        return ours if self.on_timeout is None else self.on_timeout == "cancel"


@dataclass(frozen=True)
class Result(Value):
    """builds: the names that ``cancelled`` and ``absent`` dealt with. before, after: for a diff."""

    changed: bool
    build: Build | None = None
    image: Image | None = None
    builds: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    before: dict | None = None
    after: dict | None = None


def bring_about(cluster: Cluster, task: Task, log: BuildLog) -> Result:
    """Bring a build into the state that is asked for.

    Raises EngineError; where a build was begun or seen, its details have ``build`` and ``changed``.
    """
    builds = Builds(cluster, task.namespace, Deadline.after(task.timeout), task.patience)
    work = {"built": _build, "started": _build, "waited": _wait, "cancelled": _cancel, "absent": _remove}
    try:
        return work[task.state](builds, task, log)
    finally:
        log.close()


def _build(builds: Builds, task: Task, log: BuildLog) -> Result:
    config = builds.config(task.name)
    with opened(task.source) as upload:
        wanted = dataclasses.replace(task.wanted, content=upload.digest if upload else None)
        if (config["spec"].get("source") or {}).get("type") == "Binary" and upload is None:
            raise EngineError(
                f"BuildConfig {task.name} takes a binary source: name a directory or an archive with source."
            )
        check(config, wanted)
        inputs = digest(config, wanted)
        known = builds.of(task.name) if task.state == "built" and not task.fresh else []
        newest = max((one for one in known if phase_of(one) == "Complete"), key=number_of, default=None)
        if newest and inputs_of(newest) == inputs and _still_stands(builds, config, newest):
            told = dataclasses.replace(summary(newest), message="The newest complete build has the same inputs.")
            return Result(False, told, image_of(newest))
        before = {"newest": newest["metadata"]["name"], "inputs": inputs_of(newest)} if newest else {}
        if task.dry_run:
            planned = f"{task.name}-{(config.get('status') or {}).get('lastVersion', 0) + 1}"
            return Result(True, Build(planned, "Planned"), before=before, after={"newest": planned, "inputs": inputs})
        result = _attempts(builds, task, log, config, wanted, inputs, upload)
    return dataclasses.replace(result, before=before, after={"newest": result.build.name, "inputs": inputs})


def _still_stands(builds: Builds, config: dict, build: dict) -> bool:
    """Return whether the build's builder image is still the newest, and its own image still where it was put."""
    builder, used = builder_of(config["spec"]), builder_of(build["spec"]).get("name", "")
    if builder.get("kind") == "ImageStreamTag" and not used.endswith(f"@{builds.digest_of_tag(builder)}"):
        return False
    output, image = (config["spec"].get("output") or {}).get("to") or {}, image_of(build)
    if output.get("kind") == "ImageStreamTag":
        return image is not None and builds.digest_of_tag(output) == image.digest
    return True


def _attempts(builds: Builds, task: Task, log: BuildLog, config, wanted: Wanted, inputs: str, upload: Upload | None):
    left = task.retries
    while True:
        task.stop.check()
        build = builds.start(config, wanted, inputs, upload)
        if task.state == "started":
            log.say(f"{build['metadata']['name']}: started")
            return Result(True, summary(build))
        try:
            return dataclasses.replace(_follow(builds, task, log, build, ours=True), changed=True)
        except EngineError as error:
            if not left or not task.retryable(error.code) or task.delay >= builds.deadline.left():
                raise
            log.say(f"{error.message} It may pass: another build starts in {task.delay:g} s.")
            log.forget()
            left -= 1
            time.sleep(task.delay)


def _follow(builds: Builds, task: Task, log: BuildLog, build: dict, *, ours: bool) -> Result:
    try:
        if ours:
            name = build["metadata"]["name"]
            log.say(f"{name}: started")
            task.stop.listen(lambda: _cancel_quietly(builds, name))
        build, warnings = watch(builds, build, log)
    except TimedOut as over:
        raise _timed_out(builds, task, log, over.build or build, over.why, ours) from None
    except KeyboardInterrupt:
        if task.cancels(ours):
            builds.cancel(build["metadata"]["name"], Deadline.after(_AT_ONCE))
        raise
    except EngineError as error:
        raise _with_build(error, summary(build, log.tail(), log.kept, error), ours) from None
    file = log.kept
    failure = failure_of(build, log.tail())
    if failure:
        raise _with_build(failure, summary(build, log.tail(), file, failure), ours, warnings=list(warnings))
    return Result(False, summary(build, log.tail(), file), image_of(build), warnings=warnings)


def _cancel_quietly(builds: Builds, name: str) -> None:
    with contextlib.suppress(ClusterError):
        builds.cancel(name, Deadline.after(_AT_ONCE))


def _timed_out(
    builds: Builds, task: Task, log: BuildLog, build: dict, why: EngineError | None, ours: bool
) -> EngineError:
    name, left = build["metadata"]["name"], "It goes on"
    if task.cancels(ours):
        left = _stop(builds, [name])
    held = blocked_by(build) is not None and why is not None
    reason = f" ({why.message.rstrip('.')})" if why else ""
    message = f"Build {name} had not ended after {task.timeout:g} s; its phase was {phase_of(build)}{reason}. {left}."
    failure = EngineError(f"{why.message} {left}.", why.code) if held else EngineError(message, "build_timeout")
    changed = ours or task.cancels(ours)
    return _with_build(failure, summary(build, log.tail(), log.kept, failure), changed)


def _stop(builds: Builds, names: list[str]) -> str:
    """Cancel builds; say how that went."""
    until_then = Deadline.after(_STOPPING)
    try:
        for name in names:
            builds.cancel(name, until_then)
        waited = settle(builds, names, until(has_ended), until_then)
    except ClusterError as error:
        return f"It could not be cancelled: {error.message.rstrip('.')}"
    return "It did not end when it was cancelled" if waited.pending else "It was cancelled"


def _with_build(error: EngineError, build: Build, changed: bool, **more) -> EngineError:
    return EngineError(error.message, error.code, build=build, changed=changed, **more)


def _wait(builds: Builds, task: Task, log: BuildLog) -> Result:
    chosen = _chosen(builds, task)
    if not chosen:
        raise EngineError(f"There is no build of BuildConfig {task.name} to wait for: start one.", "cluster_not_found")
    build = chosen[-1]
    if has_ended(build) or not task.dry_run:
        return _follow(builds, task, log, build, ours=False)
    return Result(False, summary(build))


def _cancel(builds: Builds, task: Task, log: BuildLog) -> Result:
    chosen = unfinished(_chosen(builds, task))
    names = [build["metadata"]["name"] for build in chosen]
    last = summary(chosen[-1]) if chosen else None
    before = {build["metadata"]["name"]: phase_of(build) for build in chosen}
    if chosen and not task.dry_run:
        for name in names:
            builds.cancel(name)
            log.say(f"{name}: cancelled")
        waited = settle(builds, names, until(has_ended), builds.deadline, keep=lambda found: found)
        if waited.pending:
            raise EngineError(
                f"Build {', '.join(waited.pending)} had not ended {task.timeout:g} s after it was cancelled: look at its pod.",
                "build_timeout", build=last, changed=True,
            )  # fmt: skip
        last = summary(waited.kept[names[-1]]) if names[-1] in waited.kept else last
    return Result(bool(names), last, None, tuple(names), (), before, dict.fromkeys(names, "Cancelled"))


def _remove(builds: Builds, task: Task, log: BuildLog) -> Result:
    chosen = _chosen(builds, task, must=False)
    names = [build["metadata"]["name"] for build in chosen]
    if chosen and not task.dry_run:
        for build in chosen:
            builds.delete(build)
            log.say(f"{build['metadata']['name']}: deleted")
        waited = settle(builds, names, absent(), builds.deadline)
        if waited.pending:
            raise EngineError(
                f"Build {', '.join(waited.pending)} was still there after {task.timeout:g} s: look at its finalizers.",
                "cluster_timeout", changed=True,
            )  # fmt: skip
    before = {build["metadata"]["name"]: phase_of(build) for build in chosen}
    return Result(bool(names), None, None, tuple(names), (), before, {})


def _chosen(builds: Builds, task: Task, must: bool = True) -> list[dict]:
    """Return the build that is named, else all builds of the BuildConfig, the oldest first."""
    if not task.build:
        return builds.of(task.name)
    found = builds.get(task.build, task.name)
    if found is None and must:
        raise EngineError(f"There is no build {task.build} in the namespace {builds.namespace}.", "cluster_not_found")
    return [found] if found else []
