# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image to build upon is now: its digest and its configuration, as OpenShift reads them from the registry."""

from __future__ import annotations

import weakref

from ...cluster.client import Cluster
from ...cluster.discovery import Resource
from ...values.errors import EngineError
from ..image.base import BaseImage, by_digest, configuration
from .builds import TAGS

_IMPORTS = Resource("image.openshift.io", "v1", "imagestreamimports", "ImageStreamImport", True)
_IMAGES = Resource("image.openshift.io", "v1", "imagestreamimages", "ImageStreamImage", True)
# cluster -> (namespace, reference) -> image: a call that tries several strategies asks the registry once.
_SEEN: weakref.WeakKeyDictionary[Cluster, dict[tuple[str, str], BaseImage]] = weakref.WeakKeyDictionary()
_INTERNAL = "image-registry.openshift-image-registry.svc:5000/"


def inspect(cluster: Cluster, namespace: str, reference: str) -> BaseImage:
    """Return the image that a reference stands for at this moment. Writes nothing.

    The registry is asked by an ImageStreamImport with ``import: false``, with the pull secrets of the namespace; an image
    of the internal registry is read from its stream, by tag or digest. Once for each Cluster.
    Raises EngineError (``builder_image_unavailable``).
    """
    seen = _SEEN.setdefault(cluster, {})
    if (namespace, reference) not in seen:
        seen[namespace, reference] = _inspect(cluster, namespace, reference)
    return seen[namespace, reference]


def _inspect(cluster: Cluster, namespace: str, reference: str) -> BaseImage:
    tag = _in_stream(reference)
    image = _of_stream(cluster, reference, *tag) if tag else _of_registry(cluster, namespace, reference)
    digest = image["metadata"]["name"]
    return BaseImage(by_digest(reference, digest), digest, **configuration(image.get("dockerImageMetadata") or {}))


def _in_stream(reference: str) -> tuple[str, str] | None:
    """Return namespace and ``stream:tag`` or ``stream@digest`` of an image of the internal registry, None for any other."""
    if not reference.startswith(_INTERNAL):
        return None
    namespace, _slash, name = reference.removeprefix(_INTERNAL).partition("/")
    return namespace, name if ":" in name else f"{name}:latest"


def _of_stream(cluster: Cluster, reference: str, namespace: str, name: str) -> dict:
    # The stream answers with the account's own rights, where an import from the internal registry would need a login.
    found = cluster.find((_IMAGES if "@" in name else TAGS).path(namespace, name))
    if found is None:
        raise _unavailable(reference, f"the image stream has no such {'digest' if '@' in name else 'tag'}")
    return found["image"]


def _of_registry(cluster: Cluster, namespace: str, reference: str) -> dict:
    image = {"from": {"kind": "DockerImage", "name": reference}, "referencePolicy": {"type": "Source"}}
    body = {
        "apiVersion": _IMPORTS.api_version,
        "kind": "ImageStreamImport",
        "metadata": {"name": "notebook-environments", "namespace": namespace},
        "spec": {"import": False, "images": [image]},
    }
    # Nothing is written, so asking twice is as good as asking once.
    answer = cluster.request("POST", _IMPORTS.path(namespace), body=body, repeat=True)
    found = ((answer.get("status") or {}).get("images") or [{}])[0]
    status = found.get("status") or {}
    if status.get("status") == "Failure" or not found.get("image"):
        raise _unavailable(reference, status.get("message") or "the registry gave no answer")
    return found["image"]


def _unavailable(reference: str, why: str) -> EngineError:
    return EngineError(
        f"The image {reference} to build upon cannot be read ({why.rstrip('.')}): correct base, or link a pull secret for its"
        " registry in the namespace.",
        "builder_image_unavailable",
    )
