# SPDX-License-Identifier: GPL-3.0-or-later
"""One build for two runs that need the same at once: whoever starts it claims the BuildConfig first."""

from __future__ import annotations

import time
import uuid

from ...cluster.deadline import Deadline, pause
from ...cluster.errors import ClusterError
from ...values.errors import EngineError
from .builds import CONFIGS, Builds
from .manifests import CLAIM
from .outcome import has_ended, number_of

PATIENCE = 20.0  # seconds for whoever claimed a build to start it


def claimed(builds: Builds, name: str) -> dict | None:
    """Claim the next build of a BuildConfig; return None where it is ours to start, else the build that others started.

    The claim names the number of the build to be. It is written against the version that was read, so of two runs one
    gets it; the other waits for that build. A claim that is not followed by a build may be taken over after PATIENCE.
    """
    until, failures, awaited = Deadline.after(min(PATIENCE, builds.deadline.left())), 0, None
    while True:
        config = builds.config(name)
        # A build that was waited for may have ended between two looks.
        theirs = [
            one for one in builds.of(name)
            if not (one.get("status") or {}).get("cancelled")
            and (not has_ended(one) or (awaited and number_of(one) >= awaited))
        ]  # fmt: skip
        if theirs:
            return theirs[-1]
        following = (config.get("status") or {}).get("lastVersion", 0) + 1
        held = (config["metadata"].get("annotations") or {}).get(CLAIM, "").partition(" ")[0] == str(following)
        if (not held or until.passed()) and _claim(builds, config, following):
            return None
        awaited = awaited or following
        if builds.deadline.passed():
            raise EngineError(f"Another run claimed the build of {name}, and none began in time.", "build_timeout")
        failures += 1
        time.sleep(min(1.0, pause(failures), builds.deadline.left()))


def _claim(builds: Builds, config: dict, number: int) -> bool:
    metadata = config["metadata"]
    body = {
        "metadata": {
            "resourceVersion": metadata["resourceVersion"],
            "annotations": {CLAIM: f"{number} {uuid.uuid4().hex}"},
        }
    }
    try:
        builds.cluster.request(
            "PATCH", CONFIGS.path(builds.namespace, metadata["name"]), body=body, deadline=builds.deadline,
            content_type="application/merge-patch+json",
        )  # fmt: skip
    except ClusterError as error:
        if error.status == 409:
            return False
        raise
    return True
