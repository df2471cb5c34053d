# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of a job's spec: where it acts, or why a job that sets it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import shape

# Path below spec -> the module that reads it. What stands below a path that ends with ** is read as a whole.
ACTS = {
    "notebook.git.url": "source",
    "notebook.git.ref": "source",
    "notebook.git.credentialsSecret": "source",
    "notebook.path": "question",
    "notebook.paths[]": "question",
    "goldenNotebook.git.url": "source",
    "goldenNotebook.git.ref": "source",
    "goldenNotebook.git.credentialsSecret": "source",
    "goldenNotebook.path": "question",
    "goldenNotebook.directory": "question",
    "directory": "question",
    "exclude[]": "question",
    "parameters.**": "question",
    "timeout": "question",
    "totalTimeout": "reconcile",
    "cellTimeout": "question",
    "limits.**": "question",
    "retries": "pod",
    "retryPolicy.limit": "pod",
    "retryPolicy.backoff": "pod",
    "retryPolicy.maxBackoff": "pod",
    "parallelism": "running",
    "artifacts.formats[]": "artifacts",
    "artifacts.claim.name": "pod",
    "artifacts.claim.path": "pod",
    "rerun": "question",
    "suspend": "lifecycle",
    "schedule": "schedule",
    "timeZone": "schedule",
    "ttlSecondsAfterFinished": "lifecycle",
    "podConfig.containerImage": "environment",
    "podConfig.imageRef": "environment",
    "podConfig.serviceAccountName": "pod",
    "podConfig.resources.**": "pod",
    "podConfig.env[].**": "pod",
    "podConfig.envFrom[].**": "pod",
    "podConfig.credentials[]": "pod",
    "podConfig.volumes[].**": "pod",
    "podConfig.volumeMounts[].**": "pod",
    "podConfig.tolerations[].**": "pod",
    "podConfig.nodeSelector.**": "pod",
    "podConfig.affinity.**": "pod",
    "podConfig.priorityClassName": "pod",
    "podConfig.runtimeClassName": "pod",
    "podConfig.imagePullSecrets[].name": "pod",
    "podConfig.labels.**": "pod",
    "podConfig.annotations.**": "pod",
    "podConfig.queue": "pod",
    "podConfig.patience": "pod",
    "podConfig.buildConfig.enabled": "environment",
    "podConfig.buildConfig.strategy": "environment",
    "podConfig.buildConfig.baseImage": "environment",
    "podConfig.buildConfig.dockerfile": "environment",
    "podConfig.buildConfig.autoGenerateRequirements": "environment",
    "podConfig.buildConfig.requirementsFile": "environment",
    "podConfig.buildConfig.requirementsSources[]": "environment",
    "podConfig.buildConfig.preferDockerfile": "environment",
    "podConfig.buildConfig.fallbackStrategy": "environment",
    "podConfig.buildConfig.strategyConfig.**": "environment",
    "podConfig.buildConfig.timeout": "environment",
    "podConfig.buildConfig.reuse": "environment",
    "comparisonConfig.**": "policies",
    "validationConfig.level": "policies",
    "validationConfig.verifyAssertions": "assertions",
    "validationConfig.strictMode": "policies",
    "validationConfig.failOnStderr": "policies",
    "validationConfig.failOnWarnings": "policies",
    "validationConfig.detectSilentFailures": "policies",
    "validationConfig.checkOutputTypes": "policies",
    "validationConfig.expectedOutputs[].**": "policies",
    "modelValidation.**": "models",
}


@dataclass(frozen=True)
class Refusal:
    """harmless: values that ask for nothing, such as the default. why: what to do, the rest of a sentence."""

    harmless: tuple
    why: str


# What the definition says by CEL, for clusters that do not evaluate it: a path, two fields of it, of which there is exactly one
# or at most one, and the sentence.
_ONE_OF = (
    ("notebook", "path", "paths", True, "name one notebook by notebook.path, or many by notebook.paths"),
    (
        "goldenNotebook",
        "path",
        "directory",
        True,
        "name one golden notebook by goldenNotebook.path, or many by goldenNotebook.directory",
    ),
    ("", "retries", "retryPolicy", False, "give retries, or retryPolicy, and not both"),
    (
        "podConfig",
        "containerImage",
        "imageRef",
        False,
        "give podConfig.containerImage, or podConfig.imageRef, and not both",
    ),
)
REFUSED = {
    "notebook.gitRepo.**": Refusal((), "it is called git now"),
    "validationConfig.requireExplicitExitCodes": Refusal(
        (False,), "a notebook has no exit code; a cell that raises SystemExit fails as it is"
    ),
    "validationConfig.educationalMode": Refusal((False,), "advice comes without examples; leave the field out"),
}


def refused(spec: dict) -> str | None:
    """Return one sentence on the first field that the operator does not act on, None where it acts on all."""
    problem = shape.problem(spec) or _contradiction(spec)
    if problem:
        return problem
    for path, value in leaves(spec):
        if covering(ACTS, path):
            continue
        known = covering(REFUSED, path)
        if known is None:
            return f"The operator does not know the field {path}: leave it out, or deploy an operator that does."
        if value not in REFUSED[known].harmless:
            return f"The operator does not act on {path} ({value}): {REFUSED[known].why}."
    return None


def _contradiction(spec: dict) -> str | None:
    for path, one, other, exactly, sentence in _ONE_OF:
        given = spec.get(path) if path else spec
        count = (one in given) + (other in given) if given is not None else int(exactly)
        if count > 1 or exactly and count == 0:
            return f"{sentence[0].upper()}{sentence[1:]}."
    if "paths" in spec["notebook"] and "path" in spec.get("goldenNotebook", {}):
        return (
            "goldenNotebook.path is for one notebook: name the directory that mirrors them by goldenNotebook.directory."
        )
    pod = spec["podConfig"]
    if not (pod.get("buildConfig") or {}).get("enabled") and not {"containerImage", "imageRef"} & set(pod):
        return "Give podConfig.containerImage or podConfig.imageRef, or let an image be built with buildConfig.enabled."
    return None


def covering(table: dict, path: str) -> str | None:
    """Return the entry of a table that a path falls under."""
    if path in table:
        return path
    for entry in table:
        head = entry.removesuffix(".**")
        if head != entry and (path == head or path.startswith((f"{head}.", f"{head}["))):
            return entry
    return None


def leaves(value, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the path and value of all that is no object and no list; an empty one counts as a value."""
    if isinstance(value, dict) and (value or not path):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    elif value not in (None, {}):
        yield path, value
