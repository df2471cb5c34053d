# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of tests for pods: how long they take, what they print, how they end."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase

ANNOTATION = "apiserver.test/rule"
FAILURES = frozenset(
    "Unschedulable ErrImagePull ImagePullBackOff InvalidImageName CreateContainerConfigError OOMKilled Evicted NodeLost".split()
)


@dataclass(frozen=True)
class Behaviour:
    """What one simulated container does."""

    seconds: float | None = None  # None: at once, or for ever where restartPolicy is Always
    exit_code: int = 0
    logs: tuple[tuple[float, str], ...] = ()  # seconds after the start, line
    message: str = ""  # what it leaves as its termination message


@dataclass(frozen=True)
class PodRule(Behaviour):
    """A rule for the pods that match all of namespace, name, image (patterns with `*`) and labels."""

    namespace: str = "*"
    name: str = "*"
    image: str = "*"  # of any container; failures of a container befall those of such an image only
    labels: dict[str, str] = field(default_factory=dict)
    start_seconds: float = 0.0  # until the containers start
    failure: str = ""  # one of FAILURES; those of a running container come after `seconds`
    containers: dict[str, Behaviour] = field(default_factory=dict)  # what differs, by container name
    times: int = 0  # for how many pods; 0 is for all
    build: dict[str, str] = field(default_factory=dict)  # what a build pod reports: reason, message, digest, commit
    results: dict[str, str] = field(default_factory=dict)  # pattern of a notebook's path -> reason, see delivery.py

    def matches(self, pod: dict) -> bool:
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        images = [container.get("image", "") for container in pod["spec"]["containers"]]
        return (
            fnmatchcase(metadata["namespace"], self.namespace)
            and fnmatchcase(metadata["name"], self.name)
            and any(fnmatchcase(image, self.image) for image in images)
            and all(labels.get(key) == value for key, value in self.labels.items())
        )

    def hits(self, image: str) -> bool:
        """Whether a failure of one container befalls those of this image."""
        return fnmatchcase(image, self.image)

    def of(self, container: str) -> Behaviour:
        return self.containers.get(container, self)


def parse(rule: dict) -> PodRule:
    """A rule from JSON; ValueError names what is unknown."""
    known = {entry.name for entry in fields(PodRule)}
    if unknown := sorted(set(rule) - known):
        raise ValueError(f"A pod rule has no field {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
    if rule.get("failure", "") not in FAILURES | {""}:
        raise ValueError(f"The failure {rule['failure']!r} is none of {', '.join(sorted(FAILURES))}.")
    values = dict(rule)
    values["logs"] = tuple((float(at), line) for at, line in rule.get("logs", ()))
    values["containers"] = {
        name: Behaviour(**{**entry, "logs": tuple(tuple(line) for line in entry.get("logs", ()))})
        for name, entry in rule.get("containers", {}).items()
    }
    return PodRule(**values)


class PodRules:
    """The rules of one server; among those that match a pod, the one added last counts.

    A pod may also carry its rule as JSON in the annotation `apiserver.test/rule`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[PodRule, list[str]]] = []  # with the pods that each has been used for
        self._taken: dict[str, PodRule] = {}

    def add(self, rule: dict) -> None:
        with self._lock:
            self._rules.append((parse(rule), []))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def all(self) -> list[dict]:
        with self._lock:
            return [{**asdict(rule), "used": len(used)} for rule, used in self._rules]

    def of(self, pod: dict) -> PodRule:
        """The rule of a pod; the first question for a pod decides it."""
        uid = pod["metadata"]["uid"]
        if uid not in self._taken:
            self._taken[uid] = self._choose(pod)
        return self._taken[uid]

    def forget(self, uid: str) -> None:
        self._taken.pop(uid, None)

    def _choose(self, pod: dict) -> PodRule:
        if text := (pod["metadata"].get("annotations") or {}).get(ANNOTATION):
            return parse(json.loads(text))
        with self._lock:
            for rule, used in reversed(self._rules):
                if rule.matches(pod) and (not rule.times or len(used) < rule.times):
                    used.append(pod["metadata"]["uid"])
                    return rule
        return PodRule()
