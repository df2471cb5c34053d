# SPDX-License-Identifier: GPL-3.0-or-later
"""The ConfigMap of one environment: the files that its build sees, and, once it is made, the image."""

from __future__ import annotations

import base64
import json
import os
import tempfile

from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.kinds import CONFIG_MAPS
from ...cluster.objects import labels
from ...values.errors import EngineError
from ..image.context import BuildContext
from ..lines import without_credentials

IMAGE = "notebooks.mlops.dev/image"
_LIMIT = 1_000_000  # bytes; an object of Kubernetes may have 1 MiB ("ConfigMaps", Motivation)


def record_name(key: str) -> str:
    """Return the name of the ConfigMap of a key."""
    return f"notebook-environment-{key}"


def image_of(cluster: Cluster, namespace: str, key: str) -> str | None:
    """Return the image of a key by digest, None where there is none yet."""
    found = cluster.find(CONFIG_MAPS.path(namespace, record_name(key)))
    return ((found or {}).get("metadata", {}).get("annotations") or {}).get(IMAGE)


def keep_image(cluster: Cluster, namespace: str, key: str, reference: str, deadline: Deadline) -> None:
    """Note the image of a key in its ConfigMap, which makes it count."""
    cluster.request(
        "PATCH", CONFIG_MAPS.path(namespace, record_name(key)), body={"metadata": {"annotations": {IMAGE: reference}}},
        content_type="application/merge-patch+json", repeat=True, deadline=deadline,
    )  # fmt: skip


def record(
    namespace: str, key: str, strategy: str, base: str, requirements: tuple[str, ...], files: dict[str, bytes]
) -> dict:
    """Return the ConfigMap. files: path in the build's context -> content; see ``places``.

    Raises EngineError (``requirements_invalid``) where it would be larger than Kubernetes takes.
    """
    text, binary = {}, {}
    for name, path in places(files):
        try:
            text[name] = files[path].decode()
        except UnicodeDecodeError:
            binary[name] = base64.b64encode(files[path]).decode()
    size = sum(len(one.encode()) for one in (*text.values(), *binary.values()))
    if size > _LIMIT:
        raise EngineError(
            f"The local files that the build needs take {size} bytes, and a ConfigMap holds {_LIMIT}: put packages on an index,"
            " leave out what the image does not copy, or choose a strategy of OpenShift (s2i, docker).",
            "requirements_invalid",
        )
    annotations = {
        "notebooks.mlops.dev/base": base,
        "notebooks.mlops.dev/strategy": strategy,
        "notebooks.mlops.dev/requirements": json.dumps([without_credentials(line) for line in requirements]),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(key), "namespace": namespace, "labels": labels("environment", key), "annotations": annotations,
        },
        **({"data": text} if text else {}),
        **({"binaryData": binary} if binary else {}),
    }  # fmt: skip


def places(files) -> list[tuple[str, str]]:
    """Return for each file the name of its entry, which knows no directories, and its path."""
    return [(path if "/" not in path else f"file-{number}", path) for number, path in enumerate(sorted(files))]


def items(files) -> list[dict]:
    """Return the ``items`` of a volume of the ConfigMap, by which the files have their paths again."""
    return [{"key": name, "path": path} for name, path in places(files)]


def contents(context: BuildContext) -> dict[str, bytes]:
    """Return the files of a build's context, the copies among them, by their paths."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        context.write(directory)
        for top, _folders, names in os.walk(directory):
            for name in names:
                path = os.path.join(top, name)
                with open(path, "rb") as stream:
                    found[os.path.relpath(path, directory)] = stream.read()
    return found
