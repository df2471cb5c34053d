# SPDX-License-Identifier: GPL-3.0-or-later
"""From the module's options to a validation, and from its outcome to the module's result."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..cluster.client import Cluster
from ..run.pod import merging
from ..run.pod.launcher import Target
from ..run.pod.options import PodOptions, PodSource, ResultsClaim
from ..values.base import plain
from ..values.environment import EnvironmentResult
from ..values.errors import EngineError
from ..values.execution import Limits
from ..values.resolution import Resolution
from .bucket import Bucket
from .pipeline import validate
from .spec import Settings, Spec

_PODS = 10  # at once, where nothing is said
_UNITS = {"": 1, "b": 1, **{letter: 1000**power for power, letter in enumerate("kmgt", 1)}}
_UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}
_UNITS |= {f"{letter}i": 1024**power for power, letter in enumerate("kmgt", 1)}
_UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}


def perform(module, progress, cluster: Cluster | None = None) -> dict:
    """Do what the module ``notebook_validation`` is asked, and return its result.

    cluster: where notebooks are run whose environment is an image.
    Raises EngineError for bad options, and, with the result in its details, where ``fail_on`` matches, or where the verdicts
    cannot be written to a bucket.
    """
    bucket = Bucket.of(module.params["results"])
    outcome = validate(_spec(module.params, cluster), progress, dry_run=module.check_mode)
    result = {
        "changed": outcome.changed,
        "verdicts": plain(outcome.verdicts),
        "summary": outcome.summary,
        "fail_on_matched": outcome.fail,
        "warnings": list(outcome.warnings),
    }
    if module.check_mode:
        result["planned"] = list(outcome.planned)
    elif bucket and (told := bucket.keep(outcome)):
        raise EngineError(told, code="results_unkept", **result)
    if outcome.fail:
        raise EngineError(
            f"{outcome.summary['failed']} of {outcome.summary['total']} notebooks failed; fail_on is {module.params['fail_on']!r}.",
            code="validation_failed",
            **result,
        )
    return result


def byte_count(text: str, name: str) -> int | None:
    """Return the number of bytes in a size such as ``4GiB``, ``500M`` or ``0`` (None: no limit).

    Units are those of Kubernetes quantities and of ``du``: k, M, G, T by 1000 and Ki, Mi, Gi, Ti by 1024, with or without B.
    Raises EngineError for anything else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if unit is None:
        raise EngineError(
            f"{name} is {text!r}, which is no size: give a number with a unit, such as 4GiB, or 0 for no limit."
        )
    return int(float(match[1]) * unit) or None


def _spec(params: dict, cluster: Cluster | None) -> Spec:
    limits = params["limits"] or {}
    environments = _environments(params)
    target = _target(cluster, params, environments)
    return Spec(
        path=Path(params["path"]).absolute(),
        environments=environments,
        target=target,
        delegate=target is not None and params["executor"] == "operator",
        resolutions=tuple(_values(Resolution, params["resolutions"], "resolutions")),
        refused=_refused(params["refused"]),
        defaults=Settings(
            parameters=params["parameters"],
            timeout=params["timeout"] or None,
            cell_timeout=params["cell_timeout"] or None,
            policies=params["policies"],
            comparison=params["comparison"],
        ),
        overrides=tuple(params["overrides"]),
        golden=(params["golden"] or "").strip("/") or None,
        exclude=tuple(params["exclude"]),
        environment={name: str(value) for name, value in params["environment_variables"].items()},
        secrets=_passed(params["pass_variables"]),
        limits=Limits(
            memory=byte_count(limits.get("memory", "4GiB"), "limits.memory"),
            cpu=limits.get("cpu") or None,
            processes=limits.get("processes", 512) or None,
            file_size=byte_count(limits.get("file_size", "4GiB"), "limits.file_size"),
            output=byte_count(limits.get("output", "64MiB"), "limits.output"),
        ),
        workers=params["workers"] or (_PODS if target else os.cpu_count() or 1),
        **{name: params[name] for name in ("rerun", "max_age", "repair", "retries", "fail_on", "cache_dir")},
    )


def _refused(entries: list[dict]) -> tuple[dict, ...]:
    if any(not {"notebook", "code", "message"} <= entry.keys() for entry in entries):
        raise EngineError(
            "refused has an entry without notebook, code or message: hand on what notebook_requirements returned as refused."
        )
    return tuple(entries)


def _passed(names: list[str]) -> dict:
    for name in names:
        if name not in os.environ:
            raise EngineError(
                f"pass_variables names {name}, which is not set: set it in the environment of the task, or leave it out."
            )
    return {name: os.environ[name] for name in names}


def _environments(params: dict) -> tuple[EnvironmentResult, ...]:
    """Return the environments, each fit for the executor that is asked for."""
    found = tuple(_values(EnvironmentResult, params["environments"], "environments"))
    for one in found:
        kind = one.environment.kind if one.environment else None
        if kind == "image" and params["executor"] == "process":
            raise EngineError(
                f"The environment of {one.notebooks[0]} is the image {one.environment.reference}, and the executor process runs"
                " notebooks in virtual environments of this machine: choose the executor job, or the strategy venv."
            )
        if kind == "venv" and params["executor"] in ("job", "operator"):
            raise EngineError(
                f"The environment of {one.notebooks[0]} is a virtual environment of this machine, and the executor"
                f" {params['executor']} runs notebooks in images: make one with a strategy that does, or choose the executor process."
            )
    return found


def _target(cluster: Cluster | None, params: dict, environments: tuple[EnvironmentResult, ...]) -> Target | None:
    """Return where pods run; None where none is needed. Raises EngineError where one is, and no cluster is named."""
    images = [one for one in environments if one.environment and one.environment.kind == "image"]
    if not images:
        return None
    if cluster is None:
        raise EngineError(
            f"The environment of {images[0].notebooks[0]} is an image, and no cluster is named to run it in: give kubeconfig, or"
            " host and api_key.",
            "cluster_config",
        )
    options = PodOptions.of(params["pod"] or {})
    merging.require_mergeable(options, [*params["environment_variables"], *params["pass_variables"]])
    return Target(
        cluster, params["namespace"] or cluster.namespace, options, gives_uid=cluster.discovery.is_openshift() is True,
        source=_source(params["source"]), results=_claim(params),
    )  # fmt: skip


def _source(given: dict | None) -> PodSource | None:
    source = PodSource(**{name: value for name, value in (given or {}).items() if value})
    merging.require_source(source)
    return source if source.url or source.claim else None


def _claim(params: dict) -> ResultsClaim | None:
    results = params["results"] or {}
    if not results.get("claim"):
        return None
    claim = ResultsClaim(results["claim"], results["path"] or "")
    merging.require_results(claim, params["pass_variables"])
    if params["executor"] == "operator":
        raise EngineError(
            "results.claim is for pods of the executor job, and the executor is operator: use results.bucket."
        )
    return claim


def _values(kind, items: list[dict], name: str):
    try:
        return [kind.from_dict(item) for item in items]
    except (TypeError, KeyError, AttributeError) as error:
        raise EngineError(
            f"{name} is not what the module that makes it returned ({error}): hand its result on unchanged."
        ) from error
