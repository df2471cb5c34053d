# SPDX-License-Identifier: GPL-3.0-or-later
"""A notebook to validate as a resource of the operator, and its status as a verdict; ``operator/crds`` is the contract."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from ..cluster.discovery import Resource
from ..cluster.objects import labels
from ..notebook.golden.options import GoldenOptions
from ..run.pod.options import PodOptions
from ..values import repository
from ..values.errors import EngineError
from ..values.verdict import CellVerdict, Verdict
from ..verdict.expected import ExpectedOutput
from ..verdict.policies import Policies
from . import kept
from .spec import Spec
from .work import Work

JOBS = Resource("mlops.mlops.dev", "v1alpha1", "notebookvalidationjobs", "NotebookValidationJob", True)
COMPONENT = "validation"
_VOLUMES = ("persistentVolumeClaim", "configMap", "secret", "emptyDir")
_ADVICE = "or choose the executor job."


def name_of(work: Work) -> str:
    """Return the name of the resource: the same work finds the same one."""
    return f"notebook-{kept.short(work.key)}"


def check(spec: Spec, works: Sequence[Work]) -> None:
    """Refuse what the operator cannot be asked, before anything is written. Raises EngineError."""
    source, options = spec.target.source, spec.target.options
    if source is None or not source.url:
        raise EngineError(
            f"The executor operator clones the notebooks itself, and source.url names no repository: give it, {_ADVICE}"
        )
    repository.require_sound(source.url, source.ref, source.path)
    if not source.ref:
        raise EngineError("The executor operator needs source.ref: give the branch, tag or commit of the notebooks.")
    if source.image:
        raise EngineError(f"The operator has an image of its own for git: leave source.image out, {_ADVICE}")
    if spec.secrets:
        raise EngineError(
            f"The executor operator cannot carry {', '.join(sorted(spec.secrets))} of pass_variables: put them into a Secret that"
            f" pod.env_from names, {_ADVICE}"
        )
    for volume in options.volumes:
        if not any(kind in volume for kind in _VOLUMES):
            raise EngineError(
                f"The operator knows no volume such as {volume.get('name')} of pod.volumes: use one of {', '.join(_VOLUMES)},"
                f" {_ADVICE}"
            )
    for work in works:
        manifest(work, spec)


def manifest(work: Work, spec: Spec) -> dict:
    """Return the resource that asks the operator for the verdict on a work."""
    source, settings = spec.target.source, work.settings
    git = {"url": source.url, "ref": source.ref, **({"credentialsSecret": source.secret} if source.secret else {})}
    root = source.path.strip("/")
    limits = spec.limits
    wanted = {
        "notebook": {"git": git, "path": posixpath.join(root, work.notebook)},
        "directory": root,
        "exclude": list(spec.exclude),
        "parameters": settings.parameters,
        "timeout": _duration(settings.timeout),
        "cellTimeout": _duration(settings.cell_timeout),
        "limits": {
            "memory": str(limits.memory or 0),
            "cpuTime": _duration(limits.cpu),
            "processes": limits.processes or 0,
            "fileSize": str(limits.file_size or 0),
            "output": str(limits.output or 0),
        },
        "retries": 0,  # whoever asks tries again
        "rerun": spec.rerun,
        "podConfig": _pod(work.image, spec.environment, spec.target.options),
        "validationConfig": _policies(work.policies),
    }
    if settings.golden:
        wanted["goldenNotebook"] = {"git": git, "path": posixpath.join(root, settings.golden)}
        wanted["comparisonConfig"] = _comparison(work.golden_options)
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": name_of(work),
            "namespace": spec.target.namespace,
            "labels": labels(COMPONENT, kept.short(work.key)),
        },
        "spec": {name: value for name, value in wanted.items() if value not in ("", [], {}, None)},
    }


def _pod(image: str, environment: dict, options: PodOptions) -> dict:
    wanted = {
        "containerImage": image,
        "env": [*({"name": name, "value": value} for name, value in environment.items()), *options.env],
        "serviceAccountName": options.service_account,
        "resources": _texts(options.resources),
        "envFrom": list(options.env_from),
        "credentials": list(options.credentials),
        "volumes": list(options.volumes),
        "volumeMounts": list(options.volume_mounts),
        "tolerations": list(options.tolerations),
        "nodeSelector": options.node_selector,
        "affinity": options.affinity,
        "priorityClassName": options.priority_class,
        "runtimeClassName": options.runtime_class,
        "imagePullSecrets": [{"name": name} for name in options.image_pull_secrets],
        "labels": options.labels,
        "annotations": options.annotations,
        "queue": options.queue,
        "patience": _duration(options.patience),
    }
    return {name: value for name, value in wanted.items() if value not in ("", [], {}, None)}


def _texts(resources: dict) -> dict:
    """Return quantities as text, in which form a schema of a custom resource can hold them all."""
    return {
        part: {name: str(value) for name, value in amounts.items()} if isinstance(amounts, dict) else amounts
        for part, amounts in resources.items()
    }


def _policies(policies: Policies) -> dict:
    return {
        "strictMode": policies.strict,
        "failOnStderr": policies.fail_on_stderr,
        "failOnWarnings": policies.fail_on_warnings,
        "detectSilentFailures": policies.detect_silent_failures,
        "expectedOutputs": [_expected(item) for item in policies.expected_outputs],
    }


def _expected(item: ExpectedOutput) -> dict:
    told: dict = {"cell": item.cell, **({"expression": item.expression} if item.expression else {})}
    if "equals" in item.checks and item.equals is None:
        raise EngineError("expected_outputs cannot ask the operator for equals: null: use type: null.")
    if "type" in item.checks:
        told["type"] = item.type
    if "shape" in item.checks:
        told["shape"] = ",".join(str(length) for length in item.shape)
    if "min_value" in item.checks:
        told["minValue"] = repr(item.min_value)
    if "max_value" in item.checks:
        told["maxValue"] = repr(item.max_value)
    if "not_empty" in item.checks:
        told["notEmpty"] = item.not_empty
    for name in ("equals", "matches"):
        if name in item.checks:
            told[name] = getattr(item, name)
    return told


def _comparison(options: GoldenOptions) -> dict:
    tolerances = {"relativeTolerance": options.rtol, "absoluteTolerance": options.atol}
    return {
        **{name: repr(value) for name, value in tolerances.items() if value is not None},
        "imageTolerance": repr(options.image_tolerance),
        "ignoreTimestamps": options.ignore_timestamps,
        "ignoreAddresses": options.ignore_addresses,
        "ignoreTimings": options.ignore_timings,
        "ignoreExecutionCount": options.ignore_execution_count,
        "ignoreOutputTypes": list(options.ignore_outputs),
        "compareSource": options.compare_source,
        "patterns": [{"pattern": pattern, "replacement": text} for pattern, text in options.patterns],
    }


def _duration(seconds: float | None) -> str:
    return f"{seconds or 0:.3f}".rstrip("0").rstrip(".") + "s"


def has_begun(found: dict) -> bool:
    """Return whether the operator has said anything of the resource."""
    return bool(found.get("status"))


def runs(found: dict) -> bool:
    """Return whether the operator says that the notebook runs."""
    return (found.get("status") or {}).get("phase") in ("ValidationRunning", "Running")


def passed(found: dict) -> bool | None:
    """Return whether the notebook passed, None while the operator has no verdict on the resource as it is now.

    Kubernetes API conventions, "Typical status properties": a condition of an older generation is out of date.
    """
    status, generation = found.get("status") or {}, found["metadata"].get("generation", 1)
    for one in status.get("conditions") or ():
        seen = one.get("observedGeneration", status.get("observedGeneration", 0))
        if one["type"] == "ValidationComplete" and one["status"] in ("True", "False") and seen >= generation:
            return one["status"] == "True"
    return None


def verdict_of(work: Work, found: dict) -> Verdict:
    """Return the verdict as far as the status tells it."""
    status = found["status"]
    succeeded = passed(found)
    return Verdict(
        notebook=work.notebook,
        status="succeeded" if succeeded else "failed",
        code=None if succeeded else status.get("code") or "system_error",
        category=None if succeeded else status.get("category") or "infrastructure",
        cause=None if succeeded else status.get("cause") or status.get("message") or "The operator does not say why.",
        advice=tuple(status.get("advice") or ()),
        retryable=bool(status.get("retryable")),
        cell=status.get("cell"),
        cells=tuple(_cell(one) for one in status.get("results") or ()),
        attempts=1 + (status.get("retryCount") or 0),
        warnings=("The operator kept no verdict in full: the executed notebook and the comparison are not told.",),
    )


def _cell(told: dict) -> CellVerdict:
    took = re.fullmatch(r"([0-9.]+)s", told.get("executionTime") or "")
    return CellVerdict(
        index=told["cellIndex"],
        type=told.get("cellType") or "code",
        status=told["status"],
        duration=float(took[1]) if took else None,
        error=told.get("errorMessage"),
        traceback=tuple((told.get("output") or "").splitlines()),
    )
