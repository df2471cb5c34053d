# SPDX-License-Identifier: GPL-3.0-or-later
"""A Build of OpenShift as data: whether it has ended, what holds it up, what it made, and why it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...cluster.events import is_over_quota
from ...values.environment import Build, Image
from ...values.errors import EngineError
from ..image.base import by_digest
from ..image.words import closer, last_words
from .inputs import commit_of

ENDED = ("Complete", "Failed", "Error", "Cancelled")
# Reasons (openshift/api, build/v1) of a build that waits for something that may come yet.
_BLOCKED = ("CannotCreateBuildPod", "CannotRetrieveServiceAccount", "InvalidOutputReference", "InvalidImageReference",
            "MissingPushSecret", "CannotCreateBuildPodSpec")  # fmt: skip
# reason: code, step
_REASONS = {
    "FetchSourceFailed": ("source_unavailable", "fetching the source"),
    "FetchImageContentFailed": ("source_unavailable", "fetching content of an image"),
    "InvalidContextDirectory": ("source_unavailable", "finding the context directory"),
    "ManageDockerfileFailed": ("build_failed", "preparing the Dockerfile"),
    "PullBuilderImageFailed": ("builder_image_unavailable", "pulling the builder image"),
    "InvalidImageReference": ("builder_image_unavailable", "finding the builder image"),
    "AssembleFailed": ("build_failed", "assemble"),
    "DockerBuildFailed": ("build_failed", "the Dockerfile"),
    "PostCommitHookFailed": ("build_failed", "the post-commit hook"),
    "PushImageToRegistryFailed": ("image_push_failed", "pushing the image"),
    "InvalidOutputReference": ("image_output_invalid", "finding the output image stream"),
    "MissingPushSecret": ("image_output_invalid", "finding the push secret"),
    "OutOfMemoryKilled": ("build_out_of_memory", "running the build pod"),
    "BuildPodEvicted": ("build_pod_lost", "running the build pod"),
    "BuildPodDeleted": ("build_pod_lost", "running the build pod"),
    "CannotCreateBuildPod": ("build_pod_refused", "creating the build pod"),
    "CannotCreateBuildPodSpec": ("build_pod_refused", "creating the build pod"),
    "CannotRetrieveServiceAccount": ("builder_account_missing", "finding the service account"),
    "CancelledBuild": ("build_cancelled", "running the build pod"),
}
_ACCOUNT = re.compile(
    r"serviceaccounts? \"?[\w.-]+\"? not found|service account [\w./\"-]+ was not found", re.IGNORECASE
)


def phase_of(build: dict) -> str:
    """Return the phase, which a build that was just made may lack."""
    return (build.get("status") or {}).get("phase") or "New"


def has_ended(build: dict) -> bool:
    """Return whether the phase is final."""
    return phase_of(build) in ENDED


def blocked_by(build: dict) -> str | None:
    """Return the reason for which a build that has not begun is held up, None where it is not."""
    reason = (build.get("status") or {}).get("reason")
    return reason if phase_of(build) in ("New", "Pending") and reason in _BLOCKED else None


def number_of(build: dict) -> int:
    """Return the build's number within its BuildConfig."""
    told = (build["metadata"].get("annotations") or {}).get("openshift.io/build.number", "")
    return int(told) if told.isdecimal() else 0


def config_of(build: dict) -> str | None:
    """Return the name of the BuildConfig, whole: the label holds a part of a long one."""
    return ((build.get("status") or {}).get("config") or {}).get("name")


def image_of(build: dict) -> Image | None:
    """Return the image of a complete build, None where it put out none."""
    status = build.get("status") or {}
    pullspec = status.get("outputDockerImageReference")
    digest = ((status.get("output") or {}).get("to") or {}).get("imageDigest")
    if not pullspec or not digest or phase_of(build) != "Complete":
        return None
    return Image(by_digest(pullspec, digest), digest, pullspec)


def summary(build: dict, tail: Sequence[str] = (), log: str | None = None, failure: EngineError | None = None) -> Build:
    """Return the build as the module returns it. The server's own words stand in failure."""
    status = build.get("status") or {}
    stages = {one["name"]: round(one.get("durationMilliseconds", 0) / 1000, 3) for one in status.get("stages") or ()}
    return Build(
        name=build["metadata"]["name"],
        phase=phase_of(build),
        reason=failure.code if failure else None,
        message=failure.message if failure else None,
        log_tail=tuple(tail),
        log=log,
        duration=round((status.get("duration") or 0) / 1e9, 3),
        stages=stages,
        commit=commit_of(build),
    )


def failure_of(build: dict, tail: Sequence[str], events: Sequence[str] = ()) -> EngineError | None:
    """Return why a build failed, or is held up: the step, and its last words. None for one that is well.

    tail: the last lines of its log, cleaned. events: messages of its FailedCreate events, which alone say why a pod was refused.
    """
    status = build.get("status") or {}
    reason = status.get("reason") or ""
    if phase_of(build) == "Complete" or not (has_ended(build) or blocked_by(build)):
        return None
    code, step = _REASONS.get(reason, ("build_failed", _last_stage(status)))
    if phase_of(build) == "Cancelled":
        code, step = _REASONS["CancelledBuild"]
    words = last_words(tail) or status.get("message") or "no reason was given"
    code, words = _closer(code, step, words, tail, events)
    limit = (build.get("spec") or {}).get("completionDeadlineSeconds")
    if reason in ("GenericBuildFailed", "") and limit and (status.get("duration") or 0) / 1e9 >= limit:
        code, words = "build_timeout", f"the completion deadline of the BuildConfig ({limit} s) was over"
    name, reason = build["metadata"]["name"], reason or phase_of(build)
    verb = "is held up" if blocked_by(build) else "failed"
    return EngineError(f"Build {name} {verb} in its step '{step}' ({reason}): {words.rstrip('.')}.", code)


def _closer(code: str, step: str, words: str, tail: Sequence[str], events: Sequence[str]) -> tuple[str, str]:
    """Return a code and words that tell more than the build's reason does, where the log or the events do."""
    if code == "build_pod_refused" and events:
        words = events[-1]
        if is_over_quota(words):
            return "quota_exceeded", words
        return ("builder_account_missing" if _ACCOUNT.search(words) else code), words
    return closer(code, step in ("assemble", "the Dockerfile"), words, tail)


def _last_stage(status: dict) -> str:
    stages = status.get("stages") or ()
    return stages[-1]["name"] if stages else "running the build pod"
