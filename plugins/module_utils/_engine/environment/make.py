# SPDX-License-Identifier: GPL-3.0-or-later
"""From resolutions to environments: each distinct one is made once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..values.environment import Build, Environment, EnvironmentResult
from ..values.errors import EngineError
from ..values.paths import default_cache_dir
from ..values.resolution import Resolution
from .buildlog import BuildLog
from .key import unresolved_key
from .lines import without_credentials
from .registry import Registry
from .strategy import Context, Plan, Strategy
from .venv import VenvStrategy

REUSE = ("if-exists", "never", "verify")


@dataclass
class _Group:
    """The notebooks that share one environment."""

    plan: Plan
    failure: EngineError | None = None
    notebooks: list[str] = field(default_factory=list)


def make(
    resolutions: Sequence[Resolution],
    *,
    strategy: str = "auto",
    source: str | None = None,
    base: str | None = None,
    reuse: str = "if-exists",
    timeout: float | None = None,
    cache_dir: str | None = None,
    installer: str = "auto",
    max_size: int | None = None,
    max_age: float | None = None,
    check: bool = False,
    progress: Callable[[dict], None] | None = None,
    strategies: Iterable[Strategy] = (),
    community: str | None = None,
    clean: Callable[[str], str] = without_credentials,
    **more,
) -> list[EnvironmentResult]:
    """Make or find the environments that the resolutions need, one result for each distinct content key.

    strategy: ``auto`` or a name. source: directory that paths in requirement lines are relative to.
    base: interpreter (path or version) or image to build upon.
    reuse: ``if-exists``, ``never`` (always build) or ``verify`` (check what is found, build where it is unsound).
    timeout: seconds for one build. max_size, max_age: bytes and seconds of unused environments to keep.
    check: only say what would be built (phase ``Planned``). progress: called with each event.
    strategies: further ones beside ``venv``. community: the one of another collection that ``auto`` may take.
    clean: takes out of a line of a log what nobody may read. more: further fields of the Context, by their names.

    A failed build (phase ``Failed``) does not stop the others. Raises EngineError where nothing can begin.
    """
    context = Context(
        cache_dir=cache_dir or default_cache_dir(), base=base, installer=installer, timeout=timeout,
        max_size=max_size, max_age=max_age, **({"source": source} if source else {}), **more,
    )  # fmt: skip
    chosen = Registry([VenvStrategy(), *strategies]).choose(strategy, context, community)
    report = progress or (lambda _event: None)
    groups = _group(chosen, context, resolutions)
    results = [_one(chosen, context, group, reuse, check, report, clean) for group in groups]
    if not check:
        chosen.prune(context, tuple(result.key for result in results))
    return results


def _group(strategy: Strategy, context: Context, resolutions: Sequence[Resolution]) -> list[_Group]:
    groups: dict[str, _Group] = {}
    for resolution in resolutions:
        failure = None
        try:
            plan = strategy.plan(context, resolution)
        except EngineError as error:
            failure = error
            key = unresolved_key(resolution.requirements, resolution.python_requires)
            plan = Plan(key=key, requirements=resolution.requirements)
        group = groups.setdefault(plan.key, _Group(plan, failure))
        group.notebooks.append(resolution.notebook)
        group.plan = replace(group.plan, imports={**group.plan.imports, **plan.imports})
    return list(groups.values())


def _one(
    strategy: Strategy, context: Context, group: _Group, reuse: str, check: bool, report, clean
) -> EnvironmentResult:
    start, key = time.monotonic(), group.plan.key
    log = BuildLog(strategy.log_path(context, key), report, label=f"[{key[:8]}] ", clean=clean)
    environment, failure = None, group.failure
    try:
        if failure is None:
            environment = _find_or_create(strategy, context, group, reuse, check, log)
    except EngineError as error:
        failure = error
        log(error.message)
    finally:
        kept = log.close()
    if failure:
        phase = "Failed"
    elif environment:
        phase = "Cached" if environment.cached else "Complete"
    else:
        phase = "Planned"
    begun = failure.details.get("build") if failure else None
    build = Build(
        name=begun.name if begun else log.build or key, phase=phase, reason=failure.code if failure else None, message=failure.message if failure else None,
        log_tail=log.tail(), log=kept, duration=round(time.monotonic() - start, 3), stages=log.stages or None,
        commit=group.plan.commit,
    )  # fmt: skip
    return EnvironmentResult(
        key=key,
        notebooks=tuple(dict.fromkeys(group.notebooks)),
        requirements=group.plan.requirements,
        build=build,
        environment=environment,
        warnings=group.plan.warnings,
    )


def _find_or_create(
    strategy: Strategy, context: Context, group: _Group, reuse: str, check: bool, log: BuildLog
) -> Environment | None:
    """Return the environment, None where it would be built (check)."""
    found = None if reuse == "never" else strategy.find(context, group.plan.key)
    unsound = strategy.verify(context, found) if found and reuse == "verify" else None
    if found and not unsound:
        return found
    if check:
        return None
    log.say(f"building for {_shown(group.notebooks)} ({strategy.name})")
    if unsound:
        log.say(f"{unsound} Making it anew.")
    made = strategy.create(context, group.plan, log, replace=reuse == "never" or bool(unsound))
    log.say("found, made by another run" if made.cached else f"ready: {made.reference}")
    return made


def _shown(notebooks: list[str]) -> str:
    return notebooks[0] + (f" and {len(notebooks) - 1} more" if len(notebooks) > 1 else "")
