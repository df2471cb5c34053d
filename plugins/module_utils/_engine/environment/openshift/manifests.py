# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one environment on OpenShift: a stream for the images of a namespace, a BuildConfig for each key."""

from __future__ import annotations

import json

from ...cluster.objects import KEY, labels
from ..image.base import BaseImage
from ..lines import without_credentials

STREAM = "notebook-environments"
CLAIM = "notebooks.mlops.dev/claim"
_API = "build.openshift.io/v1"


def config_name(key: str) -> str:
    """Return the name of the BuildConfig of a key."""
    return f"notebook-environment-{key}"


def tag_of(key: str) -> str:
    """Return the ImageStreamTag of a key."""
    return f"{STREAM}:{key}"


def stream(namespace: str) -> dict:
    """Return the ImageStream that has a tag for each key."""
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStream",
        "metadata": {"name": STREAM, "namespace": namespace, "labels": labels("environment", "all")},
    }


def build_config(
    namespace: str, key: str, strategy: str, base: BaseImage, requirements: tuple[str, ...], check: list[str], timeout: float | None
) -> dict:  # fmt: skip
    """Return the BuildConfig of one environment; its source comes with each build.

    strategy: ``s2i`` or ``docker``. check: the command that has to succeed in the image before it is pushed.
    timeout: seconds after which OpenShift itself ends a build, whatever became of us.
    """
    wanted = labels("environment", key)
    lines = json.dumps([without_credentials(line) for line in requirements])
    source = {"from": {"kind": "DockerImage", "name": base.reference}}
    spec = {
        "source": {"type": "Binary", "binary": {}},
        "strategy": {"type": "Docker", "dockerStrategy": {}}
        if strategy == "docker"
        else {"type": "Source", "sourceStrategy": source},
        "output": {
            "to": {"kind": "ImageStreamTag", "name": tag_of(key)},
            "imageLabels": [{"name": KEY, "value": key}, {"name": "notebooks.mlops.dev/base", "value": base.reference}],
        },
        "postCommit": {"command": check},
        "runPolicy": "Serial",
        "successfulBuildsHistoryLimit": 1,
        "failedBuildsHistoryLimit": 2,
        "triggers": [],
        **({"completionDeadlineSeconds": int(timeout)} if timeout else {}),
    }
    annotations = {"notebooks.mlops.dev/base": base.reference, "notebooks.mlops.dev/requirements": lines}
    metadata = {"name": config_name(key), "namespace": namespace, "labels": wanted, "annotations": annotations}
    return {"apiVersion": _API, "kind": "BuildConfig", "metadata": metadata, "spec": spec}
