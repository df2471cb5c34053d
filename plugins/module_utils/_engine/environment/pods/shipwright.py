# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy ``shipwright``: a BuildStrategy and a Build that say how an image is made, and a BuildRun that makes it.

Rules of the API are those of Shipwright Build 0.20 (github.com/shipwright-io/build, docs/ and pkg/apis/build/v1beta1).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence

from ...cluster.apply import apply
from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.discovery import Resource
from ...cluster.goals import PENDING, REACHED, Outcome
from ...cluster.objects import labels
from ...cluster.pods import STEP
from ...cluster.removal import remove
from ...values.errors import EngineError
from ..image.recipes import check
from ..image.strategy import namespace_of
from ..strategy import Context, Detection, Plan
from .following import Ended
from .record import record_name
from .steps import containers, volumes
from .strategy import PodStrategy
from .tekton import TektonStrategy, as_step, succeeded

GROUP, VERSION = "shipwright.io", "v1beta1"
API = f"{GROUP}/{VERSION}"
BUILDS = Resource(GROUP, VERSION, "builds", "Build", True)
BUILD_RUNS = Resource(GROUP, VERSION, "buildruns", "BuildRun", True)
_PARAMETER = "check"
_NOT_TAKEN = "build_pod_refused"
_POLL = 0.2  # seconds; a Build is registered within a moment
_REFUSED = (
    "BuildNotFound", "BuildRegistrationFailed", "BuildStrategyNotFound", "VolumeDoesNotExist", "TaskRunGenerationFailed",
)  # fmt: skip


class ShipwrightStrategy(PodStrategy):
    """What is the same for all keys is the BuildStrategy's, named by its content; what differs is the Build's."""

    name = "shipwright"
    rank = 12
    # docs/buildrun.md, "Understanding the state of a BuildRun"; those of a TaskRun come through as they are.
    reasons = {
        **TektonStrategy.reasons,
        "BuildRunTimeout": "build_timeout",
        "BuildRunCanceled": "build_cancelled",
        "StepOutOfMemory": "build_out_of_memory",
        "PodEvicted": "build_pod_lost",
        "ServiceAccountNotFound": "builder_account_missing",
        **dict.fromkeys(_REFUSED, "build_pod_refused"),
    }

    def resource(self, cluster: Cluster) -> Resource:
        """BuildRuns."""
        return BUILD_RUNS

    def prepare(self, context: Context, plan: Plan, files: dict[str, bytes]) -> Sequence[dict]:
        """Return the BuildStrategy, then the Build, which is looked at for it as soon as it is there."""
        strategy = _build_strategy(context, plan)
        return strategy, self._build(context, plan, strategy["metadata"]["name"], files)

    def ready(self, context: Context, plan: Plan, files: dict[str, bytes], deadline: Deadline) -> None:
        """Wait until Shipwright has registered the Build; a BuildRun of one that it has not fails at once.

        A Build that it has turned down is made anew once: it looks again only at one that changes, and may have looked
        before it knew the BuildStrategy.
        """
        cluster, namespace, name = context.cluster, namespace_of(context), record_name(plan.key)
        outcome = self._registered(cluster, namespace, name, deadline)
        if outcome.state == "failed":
            remove(cluster, BUILDS, deadline, name=name, namespace=namespace, waiting=False)
            apply(cluster, self.prepare(context, plan, files)[-1], deadline=deadline)
            outcome = self._registered(cluster, namespace, name, deadline)
        if outcome.state == "failed":
            words = (outcome.message or "no reason was given").rstrip(".")
            raise EngineError(f"Shipwright does not take the Build {name}: {words} ({outcome.reason}).", _NOT_TAKEN)
        if outcome.state == "pending":
            raise EngineError(
                f"Shipwright has not looked at the Build {name} for {self.patience:g} s: see whether its controller runs in"
                " the cluster.", _NOT_TAKEN,
            )  # fmt: skip

    def manifest(self, context: Context, plan: Plan, name: str, files: dict[str, bytes]) -> dict:
        """Return the BuildRun."""
        account = context.build.service_account
        return {
            "apiVersion": API,
            "kind": "BuildRun",
            "metadata": _metadata(context, name, labels("environment", plan.key)),
            "spec": {
                "build": {"name": record_name(plan.key)},
                # Without one Tekton ends a run after an hour; 0 is no limit.
                "timeout": f"{int(context.timeout or 0)}s",
                **({"serviceAccount": account} if account else {}),
            },
        }

    def judge(self, run: dict) -> Outcome:
        """By the condition Succeeded, which is that of the TaskRun."""
        return succeeded(run)

    def selector(self, name: str) -> str:
        """By the label that Shipwright gives to the TaskRun, and Tekton to its pod."""
        return f"buildrun.shipwright.io/name={name}"

    def step(self, container: str) -> str:
        """Tekton calls the container of a step so."""
        return container.removeprefix(STEP)

    def digest(self, ended: Ended) -> str | None:
        """As the step that pushes left it as the result ``shp-image-digest``."""
        return ((ended.run.get("status") or {}).get("output") or {}).get("digest")

    def delete(self, context: Context, key: str) -> bool:
        """Remove the Build too; the BuildStrategy stays, for it is that of other keys as well."""
        super().delete(context, key)
        remove(
            context.cluster, BUILDS, Deadline.after(60), name=record_name(key), namespace=namespace_of(context), waiting=False
        )  # fmt: skip
        return True

    def _offers(self, cluster: Cluster) -> Detection:
        versions = cluster.discovery.versions(GROUP)
        if versions is None:
            return Detection(False, f"whether the cluster serves {GROUP} cannot be seen: discovery of it is denied.")
        if VERSION in versions:
            return Detection(True, f"{API} of Shipwright")
        if versions:
            return Detection(
                False, f"the cluster serves {GROUP} as {', '.join(versions)} only: have a Shipwright installed that serves"
                f" {VERSION}.",
            )  # fmt: skip
        return Detection(False, f"the cluster serves no {GROUP}: have Shipwright Build installed.")

    def _build(self, context: Context, plan: Plan, strategy: str, files: dict[str, bytes]) -> dict:
        mounted = [one for one in volumes(context, plan, files) if "emptyDir" not in one]
        selector = context.build.node_selector
        return {
            "apiVersion": API,
            "kind": "Build",
            "metadata": _metadata(context, record_name(plan.key), labels("environment", plan.key)),
            "spec": {
                "strategy": {"name": strategy, "kind": "BuildStrategy"},
                "paramValues": [{"name": _PARAMETER, "values": [{"value": word} for word in _verify(context, plan)]}],
                # No pushSecret: Shipwright would add it to the service account for good. The steps have it as a volume.
                "output": {"image": self.target(context, plan.key)},
                "volumes": mounted,
                **({"nodeSelector": selector} if selector else {}),
            },
        }

    def _registered(self, cluster: Cluster, namespace: str, name: str, deadline: Deadline) -> Outcome:
        soon = Deadline.after(min(self.patience, deadline.left()))
        while True:
            outcome = _taken(cluster.find(BUILDS.path(namespace, name), deadline=soon) or {})
            if outcome.settled or soon.passed():
                return outcome
            time.sleep(min(_POLL, soon.left()))


def _taken(build: dict) -> Outcome:
    status = build.get("status") or {}
    if status.get("registered") == "False":
        return Outcome("failed", status.get("reason"), status.get("message"))
    return REACHED if status.get("registered") == "True" else PENDING


def _verify(context: Context, plan: Plan) -> list[str]:
    return check(plan.imports, context.image.tests)


def _build_strategy(context: Context, plan: Plan) -> dict:
    """Return the BuildStrategy of these options, without anything of the key."""
    work = containers(context, plan, "$(params.shp-output-image)", "$(results.shp-image-digest.path)")
    steps = [as_step(number, one) for number, one in enumerate(work)]
    for step in steps:
        if step["name"] == "check":
            step["command"] = step["command"][: -len(_verify(context, plan))]
            step["args"] = [f"$(params.{_PARAMETER}[*])"]
    mounted = dict.fromkeys(mount["name"] for step in steps for mount in step["volumeMounts"])
    spec = {
        "parameters": [
            {"name": _PARAMETER, "type": "array", "description": "The command that tells whether the image is sound."}
        ],
        "steps": steps,
        "volumes": [{"name": name, "overridable": True, "emptyDir": {}} for name in mounted],
    }
    # So that another version of this collection, or other options, have a BuildStrategy of their own.
    version = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
    return {
        "apiVersion": API,
        "kind": "BuildStrategy",
        "metadata": _metadata(context, f"notebook-environment-{version}", labels("build-strategy", version)),
        "spec": spec,
    }


def _metadata(context: Context, name: str, known: dict) -> dict:
    return {"name": name, "namespace": namespace_of(context), "labels": known}
