# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in the cluster of a desk, and jobs that look at them."""

from __future__ import annotations

import itertools
import json
import sys

from operator_support import ROOT

sys.path.insert(0, str(ROOT / "tests" / "unit" / "models"))
import model_servers as servers  # noqa: E402

__all__ = ["KINDS", "PREDICTION", "READY", "ROWS", "SUMS", "isvc", "looked", "runs", "servers"]
KINDS = {
    "argo-cd": ("argoproj.io", "Application", "applications", "v1alpha1"),
    "kserve": ("serving.kserve.io", "InferenceService", "inferenceservices", "v1beta1"),
    "ray-serve": ("ray.io", "RayService", "rayservices", "v1"),
    "seldon": ("machinelearning.seldon.io", "SeldonDeployment", "seldondeployments", "v1"),
    "bentoml": ("serving.yatai.ai", "BentoDeployment", "bentodeployments", "v2alpha1"),
}
READY = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Available", "status": "True"}]}
ROWS, SUMS = [[1, 2], [3, 4]], [3, 7]
PREDICTION = {"testData": json.dumps(ROWS), "expectedOutput": json.dumps(SUMS)}
_NAMES = (f"job-{number}" for number in itertools.count())


def isvc(desk, url: str | None, name: str = servers.MODEL, space: str = "team", status: dict = READY, **more) -> None:
    told = {**status, **({"url": url} if url else {})}
    desk.create(
        "inferenceservices.serving.kserve.io",
        "serving.kserve.io/v1beta1",
        "InferenceService",
        name,
        space,
        status=told,
        **more,
    )


def looked(desk, **given) -> dict:
    """The status of a job that looks at models."""
    return desk.status(next(_NAMES), modelValidation={"timeout": "5s", **given})


def runs(desk) -> list:
    return desk.server.journal.entries(r"/jobs\b", verb="create")
