# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy ``tekton``: a TaskRun with steps of its own, on any Tekton Pipelines.

Rules of the API are those of Tekton Pipelines (github.com/tektoncd/pipeline, docs/taskruns.md, pkg/apis/pipeline/v1, pkg/pod).
"""

from __future__ import annotations

from ...cluster.client import Cluster
from ...cluster.discovery import Resource
from ...cluster.goals import PENDING, Outcome
from ...cluster.objects import labels
from ...cluster.pods import STEP
from ...values.errors import EngineError
from ..image.strategy import namespace_of
from ..strategy import Context, Detection, Plan
from .following import Ended
from .steps import containers, volumes
from .strategy import PodStrategy

GROUP = "tekton.dev"
_VERSIONS = ("v1", "v1beta1")
_DIGEST, _URL = "IMAGE_DIGEST", "IMAGE_URL"  # what Tekton Chains signs an image by (Chains, "Type Hinting")
_TELL_URL = 'printf %s "$TARGET" >"$URL_FILE"; exec "$@"'
# Resources of which a container may ask for less than its limit (Kubernetes, "Extended resources": not those).
_NATIVE = ("cpu", "memory", "ephemeral-storage")
# The one reason for which a run waits before it has a pod (pkg/reconciler/taskrun, handlePodCreationError).
_WAITS = "ExceededResourceQuota"
_REFUSED = (
    "CouldntGetTask", "CreateContainerConfigError", "InvalidParamValue", "PodAdmissionFailed", "PodCreationFailed",
    "TaskRunResolutionFailed", "TaskRunValidationFailed", "TaskValidationFailed",
)  # fmt: skip


class TektonStrategy(PodStrategy):
    """No Task of a catalog or of the cluster: the TaskRun says all of it, and mounts no workspace."""

    name = "tekton"
    rank = 15
    reasons = {
        "TaskRunCancelled": "build_cancelled",
        "TaskRunImagePullFailed": "builder_image_unavailable",
        "TaskRunResultLargerThanAllowedLimit": "image_output_invalid",
        "TaskRunTimeout": "build_timeout",
        **dict.fromkeys(_REFUSED, "build_pod_refused"),
    }

    def resource(self, cluster: Cluster) -> Resource:
        """TaskRuns, at the newest version that is served."""
        found = _served(cluster)
        if found is None:
            raise EngineError(self._offers(cluster).why, "build_pod_refused")
        return found

    def manifest(self, context: Context, plan: Plan, name: str, files: dict[str, bytes]) -> dict:
        """Return the TaskRun."""
        build, resource = context.build, self.resource(context.cluster)
        steps = containers(context, plan, self.target(context, plan.key), f"$(results.{_DIGEST}.path)")
        template = {
            # What of Tekton runs in the pod asks the API server for nothing.
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            **({"nodeSelector": build.node_selector} if build.node_selector else {}),
        }
        return {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name, "namespace": namespace_of(context), "labels": labels("environment", plan.key)},
            "spec": {
                **({"serviceAccountName": build.service_account} if build.service_account else {}),
                # Without one Tekton ends a run after an hour; 0 is no limit.
                "timeout": f"{int(context.timeout or 0)}s",
                "podTemplate": template,
                "taskSpec": {
                    "results": [
                        {"name": _DIGEST, "description": "The digest of the image that was pushed."},
                        {"name": _URL, "description": "What it was pushed to."},
                    ],
                    "steps": [_step(number, one, resource.version) for number, one in enumerate(steps)],
                    "volumes": volumes(context, plan, files),
                },
            },
        }

    def judge(self, run: dict) -> Outcome:
        """By the condition Succeeded."""
        return succeeded(run)

    def selector(self, name: str) -> str:
        """By the label that Tekton gives to the pod."""
        return f"tekton.dev/taskRun={name}"

    def step(self, container: str) -> str:
        """Tekton calls the container of a step so."""
        return container.removeprefix(STEP)

    def digest(self, ended: Ended) -> str | None:
        """As the result says it."""
        results = (ended.run.get("status") or {}).get("results") or ()
        return next((one["value"] for one in results if one["name"] == _DIGEST), None)

    def _offers(self, cluster: Cluster) -> Detection:
        found = _served(cluster)
        if found:
            return Detection(True, f"{found.api_version} of Tekton Pipelines")
        if cluster.discovery.serves(GROUP, "taskruns") is None:
            return Detection(False, f"whether the cluster serves {GROUP} cannot be seen: discovery of it is denied.")
        return Detection(
            False,
            f"the cluster serves no TaskRuns of {GROUP} in {' or '.join(_VERSIONS)}: have Tekton Pipelines installed.",
        )


def succeeded(run: dict) -> Outcome:
    """Tell how a run stands by its condition Succeeded; why it has no pod yet is told while it pends."""
    for one in (run.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Succeeded":
            told = (one.get("reason"), one.get("message"))
            if one.get("status") == "Unknown":
                return Outcome("pending", *told) if told[0] == _WAITS else PENDING
            return Outcome("reached" if one.get("status") == "True" else "failed", *told)
    return PENDING


def _served(cluster: Cluster) -> Resource | None:
    for version in _VERSIONS:
        if version in (cluster.discovery.versions(GROUP) or ()):
            for one in cluster.discovery.resources(GROUP, version) or ():
                if one.plural == "taskruns":
                    return one
    return None


def as_step(number: int, container: dict) -> dict:
    """Return a container as the step of that number (from 0) of a pod of Tekton's."""
    step = dict(container)
    # Tekton leaves the logins of the service account's secrets in the home.
    step["env"] = [*container["env"], {"name": "HOME", "value": container["workingDir"]}]
    if number and container.get("resources"):
        step["resources"] = _idle(container["resources"])
    return step


def _step(number: int, container: dict, version: str) -> dict:
    """Return a step that does what a container would do."""
    step = as_step(number, container)
    if container["name"] == "push":
        step["env"].append({"name": "URL_FILE", "value": f"$(results.{_URL}.path)"})
        step["command"] = ["/bin/sh", "-c", _TELL_URL, "push", *container["command"]]
    if version == "v1" and "resources" in step:
        step["computeResources"] = step.pop("resources")
    return step


def _idle(resources: dict) -> dict:
    """Return the resources of a step that works after another: its limits, and no room beside the other's.

    The steps are containers side by side of which one works at a time, and Kubernetes adds up what they ask for.
    """
    limits = {name: value for name, value in (resources.get("limits") or {}).items() if name in _NATIVE}
    asked = {*limits, *(resources.get("requests") or {})}
    found = {"limits": limits, "requests": {name: "0" for name in sorted(asked) if name in _NATIVE}}
    return {name: value for name, value in found.items() if value}
