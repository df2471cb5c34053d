# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules of the definition refuse, for clusters that do not ask them; and words on what jobs of other times hold."""

from __future__ import annotations

from collections.abc import Iterator

_GONE = "mlops.dev/comparison-"  # annotations that early documents set a comparison by
_SOURCES = ("persistentVolumeClaim", "configMap", "secret", "emptyDir", "projected")


def problem(spec: dict) -> str | None:
    """Return one sentence on the first thing that a rule would have refused, None where there is nothing."""
    return next(_problems(spec), None)


def _problems(spec: dict) -> Iterator[str]:
    if "gitRepo" in spec["notebook"]:
        yield "notebook.gitRepo is called git now: write git: {url: ..., ref: ...}, where ref was branch."
    if "git" not in spec["notebook"]:
        yield "Name the repository by notebook.git.url and notebook.git.ref."
    pod = spec["podConfig"]
    if "imageRef" in pod and (pod.get("buildConfig") or {}).get("enabled"):
        yield "podConfig.imageRef is an image that is there, and buildConfig builds another one: leave one out."
    for one in pod.get("env", ()):
        if "valueFrom" in one and _count(one["valueFrom"], "secretKeyRef", "configMapKeyRef") != 1:
            yield f"The variable {one['name']} of podConfig.env needs exactly one of secretKeyRef and configMapKeyRef in valueFrom."
    for one in pod.get("envFrom", ()):
        if _count(one, "secretRef", "configMapRef") != 1:
            yield "An entry of podConfig.envFrom needs exactly one of secretRef and configMapRef."
    for one in pod.get("volumes", ()):
        if _count(one, *_SOURCES) != 1:
            yield f"The volume {one['name']} of podConfig.volumes needs exactly one of {', '.join(_SOURCES[:-1])} and {_SOURCES[-1]}."


def _count(given: dict, *names: str) -> int:
    return sum(name in given for name in names)


def notes(metadata: dict) -> list[str]:
    """Return a sentence on each annotation that once meant something and is not acted on."""
    return [
        f"The annotation {name} does nothing: say it by spec.comparisonConfig."
        for name in sorted(metadata.get("annotations") or {})
        if name.startswith(_GONE)
    ]
