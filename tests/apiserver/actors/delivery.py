# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated pod of a validation delivers: results as the product's program writes them, of a notebook that nobody ran."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import replace
from fnmatch import fnmatchcase

from .rules import Behaviour

INDEX = "batch.kubernetes.io/job-completion-index"
_ERROR = {"ename": "ValueError", "evalue": "a simulated failure", "traceback": []}


class Deliveries:
    """Reads what the pods of Jobs are asked, each batch once."""

    def __init__(self, server):
        self._server, self._lock = server, threading.Lock()
        self._batches: dict[str, dict] = {}

    def behaviour(self, pod: dict, container: dict, wanted: dict[str, str], usual: Behaviour) -> Behaviour:
        """What a container of such a pod does. wanted: from patterns for paths of notebooks to the reason of the result."""
        role = (container.get("command") or [""])[-1]
        if role not in ("run", "deliver"):
            return usual
        request = self._request(pod)
        reason = next(told for pattern, told in wanted.items() if fnmatchcase(request["notebook"], pattern))
        files = _files(request, reason)
        if role == "run":
            return replace(usual, message=_announced(files))
        return replace(usual, logs=tuple((0.0, line) for line in _lines(files)), seconds=0.0)

    def _request(self, pod: dict) -> dict:
        """The request of the pod's index, from the ConfigMap that its volume `batch` names."""
        name = next(one["configMap"]["name"] for one in pod["spec"]["volumes"] if one["name"] == "batch")
        with self._lock:
            if name not in self._batches:  # its name is a hash of its content
                found = self._server.system.find("configmaps", pod["metadata"]["namespace"], name)
                self._batches[name] = json.loads(found["data"]["batch.json"])
            requests = self._batches[name]["requests"]
        index = pod["metadata"]["annotations"][INDEX]
        return requests[index] if isinstance(requests, dict) else requests[int(index)]


def _announced(files: dict[str, bytes]) -> str:
    return f"{hashlib.sha256(files['results.json']).hexdigest()} {sum(map(len, files.values()))}"


def _files(request: dict, reason: str) -> dict[str, bytes]:
    good = reason == "completed"
    cell = {"id": "c0", "cell_type": "code", "source": "1", "outputs": [], "execution_count": 1}
    cell["metadata"] = {"mlops_notebooks": {"source_index": 0}}
    executed = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    told = {
        "id": request["id"],
        "notebook": request["notebook"],
        "reason": reason,
        "cells": [{"index": 0, "type": "code", "status": "Success" if good else "Failure", "duration": 0.01}],
        "cell": None if good else 0,
        "error": None if good else _ERROR,
        "duration": 0.01,
        "executed": "executed.ipynb",
        "executed_sha256": hashlib.sha256(executed).hexdigest(),
    }
    return {"results.json": json.dumps(told).encode(), "executed.ipynb": executed}


def _lines(files: dict[str, bytes]) -> list[str]:
    lines = []
    for name, data in files.items():
        lines.append(json.dumps({"file": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}))
        lines.append(base64.b64encode(data).decode())
    return [*lines, json.dumps({"end": True})]
