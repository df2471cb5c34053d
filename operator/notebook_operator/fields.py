# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of a job's spec: where it acts, or why a job that sets it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# Path below spec -> the module here that reads it. What stands below a path that ends with ** is read as a whole.
ACTS = {
    "notebook.git.url": "source",
    "notebook.git.ref": "source",
    "notebook.git.credentialsSecret": "source",
    "notebook.path": "question",
    "goldenNotebook.git.url": "source",
    "goldenNotebook.git.ref": "source",
    "goldenNotebook.git.credentialsSecret": "source",
    "goldenNotebook.path": "question",
    "directory": "question",
    "exclude[]": "question",
    "parameters.**": "question",
    "timeout": "question",
    "cellTimeout": "question",
    "limits.**": "question",
    "retries": "question",
    "rerun": "question",
    "podConfig.containerImage": "environment",
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
    "comparisonConfig.**": "policies",
    "validationConfig.strictMode": "policies",
    "validationConfig.failOnStderr": "policies",
    "validationConfig.failOnWarnings": "policies",
    "validationConfig.detectSilentFailures": "policies",
    "validationConfig.checkOutputTypes": "policies",
    "validationConfig.expectedOutputs[].**": "policies",
    "modelValidation.enabled": "fields",
}


@dataclass(frozen=True)
class Refusal:
    """harmless: values that ask for nothing, such as the default. why: what to do, the rest of a sentence."""

    harmless: tuple
    why: str


_POLICIES = (
    "name the policies themselves: strictMode, failOnStderr, failOnWarnings, detectSilentFailures, expectedOutputs"
)
REFUSED = {
    "modelValidation.**": Refusal(
        (), "models are not looked at yet; leave modelValidation out, or set its enabled to false"
    ),
    "validationConfig.level": Refusal(("development",), _POLICIES),
    "validationConfig.requireExplicitExitCodes": Refusal(
        (False,), "a notebook has no exit code; a cell that raises SystemExit fails as it is"
    ),
    "validationConfig.verifyAssertions": Refusal(
        (False,), "an assertion that does not hold fails its cell as it is; leave the field out"
    ),
    "validationConfig.educationalMode": Refusal((False,), "advice comes without examples; leave the field out"),
}


def refused(spec: dict) -> str | None:
    """Return one sentence on the first field that the operator does not act on, None where it acts on all."""
    if not (spec.get("modelValidation") or {}).get("enabled", True):
        spec = {name: value for name, value in spec.items() if name != "modelValidation"}
    for path, value in leaves(spec):
        if covering(ACTS, path):
            continue
        known = covering(REFUSED, path)
        if known is None:
            return f"The operator does not know the field {path}: leave it out, or deploy an operator that does."
        if value not in REFUSED[known].harmless:
            return f"The operator does not act on {path} ({value}): {REFUSED[known].why}."
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
