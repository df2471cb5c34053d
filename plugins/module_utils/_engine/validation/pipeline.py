# SPDX-License-Identifier: GPL-3.0-or-later
"""Run, judge, retry, repair, remember: from environments to verdicts."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..environment.store import Store
from ..notebook.golden.compare import compare
from ..report.summary import summarize
from ..requirements.names import distribution_of
from ..run.pod import launcher as pods
from ..run.process import run_all
from ..values.execution import PASSING, RunResult
from ..values.paths import cache_warning, default_cache_dir
from ..values.verdict import Verdict
from ..verdict.judge import from_build, judge, refuse
from ..verdict.sanitize import clean, mask
from .decision import compile_fail_on
from .delegated import Answer, run_delegated
from .memory import EXECUTED, Memory
from .pace import Pace
from .repair import repair
from .resource import check as check_delegation
from .shared import Shared
from .spec import Spec, check
from .work import Work, plan

RETRY_DELAY = 2.0  # seconds before the first new attempt after an infrastructure failure; doubled each time


@dataclass(frozen=True)
class Outcome:
    """What a validation ends with.

    verdicts: one a notebook, in the order of the notebooks. planned: notebooks that check mode would run.
    changed: something was run. fail: the ``fail_on`` expression matched. warnings: of the call, about no one notebook.
    keys: the key of each notebook's work, where it has one.
    """

    verdicts: tuple[Verdict, ...]
    summary: dict
    changed: bool
    fail: bool
    planned: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict)


def validate(spec: Spec, progress: Callable[[dict], None], *, dry_run: bool = False) -> Outcome:
    """Validate all notebooks of the spec.

    progress: called with ``{"event": "verdict", "notebook", "status", "text"}`` as each notebook ends.
    dry_run: run nothing; answer what is known and name what would run.
    Raises EngineError for a spec that cannot be meant; what happens to a notebook is a verdict, never an exception.
    """
    check(spec)
    fails = compile_fail_on(spec.fail_on)
    works = plan(spec)
    if spec.delegate:
        check_delegation(spec, [work for work in works.values() if work.image])
    session = _Session(spec, progress)
    for entry in spec.refused:
        session.end(refuse(entry["notebook"], entry["code"], entry["message"]))
    pending = session.unknown([work for _notebook, work in sorted(works.items())], keep=not dry_run)
    planned = tuple(work.notebook for work in pending) if dry_run else ()
    if not dry_run:
        session.run(pending)
    verdicts = tuple(session.verdicts[notebook] for notebook in sorted(session.verdicts))
    summary = summarize(verdicts)
    keys = {work.notebook: work.key for work in works.values()}
    return Outcome(verdicts, summary, bool(pending), fails(verdicts, summary), planned, session.warnings, keys)


class _Session:
    """The verdicts of one call as they fall."""

    def __init__(self, spec: Spec, progress: Callable[[dict], None]):
        self._spec = spec
        self._progress = progress
        cache_dir = spec.cache_dir or default_cache_dir()
        self._memory, self._store = Memory(cache_dir, spec.max_age), Store(cache_dir)
        self._homeless = "" if spec.cache_dir else cache_warning(cache_dir)
        target = spec.target
        self._shared = target and Shared(target.cluster, target.namespace, spec.max_age)
        self._pace = Pace(len(spec.notebooks), progress)
        self._secrets = tuple(value for value in spec.secrets.values() if value)
        self._again: list[Work] = []
        self._broken: list[Work] = []
        self.verdicts: dict[str, Verdict] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong beside the notebooks."""
        shared = self._shared.trouble if self._shared else ""
        return tuple(trouble for trouble in (self._homeless, shared) if trouble)

    def unknown(self, works: list[Work], *, keep: bool) -> list[Work]:
        """Return the works that have to run; end those whose build failed, or whose verdict is known from before.

        keep: what another machine found out may be kept on this one too.
        """
        ready = [work for work in works if not self._unbuilt(work)]
        left = [work for work in ready if not self._known(work, self._memory.find(work.key))]
        since = self._spec.since if self._spec.rerun == "always" else None
        wanted = self._shared and (self._spec.rerun != "always" or since is not None)
        asked = [work.key for work in left if work.image] if wanted else []
        told = self._shared.find(asked, since) if asked else {}
        if told and keep:
            self._memory.open()
        return [work for work in left if not self._told(work, told.get(work.key), keep)]

    def _unbuilt(self, work: Work) -> bool:
        build = work.environment.build
        if build.phase not in ("Failed", "Cancelled"):
            return False
        self.end(_complete(from_build(work.notebook, build, resolution=work.resolution), work))
        return True

    def _told(self, work: Work, told: tuple[Verdict, bytes | None] | None, keep: bool) -> bool:
        """End a work whose verdict the namespace keeps, and keep it here."""
        verdict, executed = told or (None, None)
        if verdict is None or not (self._counts(verdict) or self._spec.rerun == "always"):
            return False  # of what is always run again nothing is told but what this very call ran
        verdict = replace(verdict, cached=True, executed=None)
        if keep:
            workspace = self._memory.workspace()
            if executed is not None:
                Path(workspace, EXECUTED).write_bytes(executed)
            verdict = self._memory.keep(work.key, verdict, workspace)
        self.end(replace(verdict, environment_cached=True))
        return True

    def _known(self, work: Work, verdict: Verdict | None) -> bool:
        if verdict is None or not self._counts(verdict):
            return False
        self.end(replace(verdict, environment_cached=True))
        return True

    def _counts(self, verdict: Verdict) -> bool:
        rerun = self._spec.rerun
        return rerun == "never" or rerun == "failed" and verdict.status == "succeeded"

    def run(self, works: list[Work]) -> None:
        """Run the works to their ends: again after infrastructure failures, repaired after missing modules."""
        self._memory.open()
        number, delay = 0, RETRY_DELAY if self._spec.retry_delay is None else self._spec.retry_delay
        self._pace.begin(len(works))
        try:
            while works:
                self._again, self._broken, number = [], [], number + 1
                self._run_here([work for work in works if not work.image])
                self._run_in_pods([work for work in works if work.image], number)
                if self._again:
                    self._wait(delay)
                    delay *= 2
                works = self._again + self._repair(self._broken)
        finally:
            if self._shared:
                self._shared.close()

    def _wait(self, delay: float) -> None:
        """Wait before runs again. Raises Stopped where somebody asks for that meanwhile."""
        most = self._spec.retry_delay_most
        seconds = delay if most is None else min(delay, most)
        stop = self._spec.target and self._spec.target.stop
        if stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)
            stop.check()

    def _run_here(self, works: list[Work]) -> None:
        outputs = {work.key: (work, self._memory.workspace()) for work in works}
        requests = [work.request(self._spec, output) for work, output in outputs.values()]
        with contextlib.ExitStack() as held:
            for key in {work.environment.key for work in works}:
                held.enter_context(self._store.using(key))
            run_all(requests, workers=self._spec.workers, on_result=functools.partial(self._take, outputs))

    def _run_in_pods(self, works: list[Work], number: int) -> None:
        if works and number == 1:
            works = self._longest_first(works)
        if self._spec.delegate:
            run_delegated(works, self._spec, self._take_answer)
            return
        outputs = {work.key: (work, self._memory.workspace()) for work in works}
        requests = [(work.image, work.request(self._spec, output)) for work, output in outputs.values()]
        target = self._spec.target and replace(self._spec.target, round=number, secrets=self._spec.secrets)
        take = functools.partial(self._take, outputs)
        settle = self._shared.settle if self._shared else None
        pods.run_all(requests, target, workers=self._spec.workers, on_result=take, before_removal=settle)

    def _longest_first(self, works: list[Work]) -> list[Work]:
        """Order the works so that pods end together; what never ran is taken to be like the others."""
        took = self._shared.durations()
        average = sum(took.values()) / len(took) if took else 0.0
        return sorted(works, key=lambda work: -took.get(work.notebook, average))

    def end(self, verdict: Verdict) -> None:
        """Set the verdict of a notebook and say so."""
        self.verdicts[verdict.notebook] = verdict
        self._progress(
            {"event": "verdict", "notebook": verdict.notebook, "status": verdict.status, "text": describe(verdict)}
        )
        self._pace.ended(verdict)

    def _take(self, outputs: dict[str, tuple[Work, str]], result: RunResult) -> None:
        work, output = outputs[result.id]
        self._settle(work, _complete(self._judge(work, result), work), output, lasting=result.reason not in PASSING)

    def _take_answer(self, work: Work, answer: Answer) -> None:
        output = self._memory.workspace()
        if answer.executed is not None:
            Path(output, EXECUTED).write_bytes(answer.executed)
        lasting = answer.judged and answer.verdict.code not in PASSING  # codes of the table, by the same names
        self._settle(work, _complete(answer.verdict, work), output, lasting=lasting)

    def _settle(self, work: Work, verdict: Verdict, output: str, *, lasting: bool = True) -> None:
        """lasting: the same work would have the same verdict again."""
        if verdict.retryable and work.attempt <= self._spec.retries:
            self._again.append(replace(work, attempt=work.attempt + 1))
        elif verdict.distribution and verdict.code == "missing_module" and len(work.found) < self._spec.repair:
            self._broken.append(replace(work, failed=verdict))
            self.verdicts[work.notebook] = self._kept(work, verdict, output, lasting)
        else:
            self.end(self._kept(work, verdict, output, lasting))

    def _kept(self, work: Work, verdict: Verdict, output: str, lasting: bool) -> Verdict:
        executed = Path(output, EXECUTED)
        for file in (executed, Path(output, "results.json")):
            if file.exists():
                hide(file, self._secrets)
        if verdict.retryable or not lasting:  # the next call is to try again, so nothing is remembered
            return replace(verdict, executed=str(executed) if executed.exists() else None)
        verdict = self._memory.keep(work.key, verdict, output)
        if work.image and self._shared and not self._spec.delegate:  # what an operator judges it keeps itself
            executed = Path(verdict.executed).read_bytes() if verdict.executed else None
            self._shared.keep(work.key, verdict, executed)
        return verdict

    def _judge(self, work: Work, result: RunResult) -> Verdict:
        executed = json.loads(Path(result.executed).read_text(encoding="utf-8")) if result.executed else None
        comparison = None
        if work.golden and executed and result.reason == "completed":
            comparison = compare(executed, work.golden, work.golden_options, golden_name=work.settings.golden)
        return judge(
            result,
            executed=executed,
            policies=work.policies,
            comparison=comparison,
            resolution=work.resolution,
            distribution_of=distribution_of,
            secrets=self._secrets,
        )

    def _repair(self, broken: list[Work]) -> list[Work]:
        works, given_up = repair(broken, self._spec, self._progress) if broken else ([], [])
        for work in given_up:
            self.end(self.verdicts[work.notebook])
        return works


def _complete(verdict: Verdict, work: Work) -> Verdict:
    return replace(
        verdict,
        tier=work.resolution.tier if work.resolution else None,
        requirements=work.environment.requirements,
        requirements_found=work.found,
        environment=work.environment.key,
        environment_cached=bool(work.environment.environment and work.environment.environment.cached),
        attempts=work.attempt,
    )


def describe(verdict: Verdict) -> str:
    """Return the line that the console shows for a verdict."""
    word = "ok" if verdict.status == "succeeded" else "FAILED"
    time_taken = "cached" if verdict.cached else f"{verdict.duration:.1f}s"
    cause = f": {verdict.code}: {verdict.cause}" if verdict.cause else ""
    name = " ".join(clean(verdict.notebook).split())  # a file's name may hold line breaks and escape sequences
    return f"{word:<6} {time_taken:>7}  {name}{cause}"


def hide(file: Path, secrets: tuple[str, ...]) -> None:
    """Mask secrets in a JSON file of a run: the executed notebook, its sources included, and the results."""
    data = json.loads(file.read_text(encoding="utf-8"))
    masked = _masked(data, secrets)
    if masked != data:
        file.write_text(json.dumps(masked, indent=1), encoding="utf-8")


def _masked(item, secrets: tuple[str, ...], key: str = ""):
    if isinstance(item, dict):
        return {name: _masked(value, secrets, name) for name, value in item.items()}
    if isinstance(item, list) and (key in ("source", "text") or "/" in key) and all(isinstance(x, str) for x in item):
        return mask("".join(item), secrets).splitlines(keepends=True)  # nbformat's multiline strings
    if isinstance(item, list):
        return [_masked(value, secrets) for value in item]
    return mask(item, secrets) if isinstance(item, str) and not key.startswith("image/") else item
