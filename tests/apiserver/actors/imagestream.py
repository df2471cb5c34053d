# SPDX-License-Identifier: GPL-3.0-or-later
"""ImageStreams of OpenShift: their repository, the tags that builds push or imports bring, and the view of each tag."""

from __future__ import annotations

import hashlib
from datetime import datetime

from ..values import clone, timestamp
from .actor import Actor, itself, key_of

STREAMS, TAGS, IMAGES = (f"{name}.image.openshift.io" for name in ("imagestreams", "imagestreamtags", "images"))
REGISTRY = "image-registry.openshift-image-registry.svc:5000"


class ImageStreamController(Actor):
    name = "imagestream-controller"
    watches = {STREAMS: itself}

    def observe(self, event: str, plural: str, obj: dict) -> None:
        """Deleting the view of a tag deletes the tag; this wakes the stream for it."""
        if plural == TAGS and event == "DELETED":
            namespace, name = key_of(obj)
            self._deleted.add((namespace, name))
            self.enqueue((namespace, name.split(":")[0]))

    def __init__(self, server, activity):
        super().__init__(server, activity)
        self._deleted: set[tuple[str, str]] = set()

    def reconcile(self, namespace: str, name: str) -> None:
        stream = self.system.find(STREAMS, namespace, name)
        if stream is None:
            for tag in self.system.list(TAGS, namespace):
                if tag["metadata"]["name"].startswith(f"{name}:"):
                    self._delete_view(tag)
            return
        before = clone(stream)
        status = stream.setdefault("status", {})
        status["dockerImageRepository"] = f"{REGISTRY}/{namespace}/{name}"
        self._drop_deleted(stream)
        self._import(stream)
        if stream["status"] != before.get("status") or stream.get("spec") != before.get("spec"):
            stream = self.system.update(STREAMS, stream)
            self.system.update_status(STREAMS, {**stream, "status": status})
        self._show(stream, status)

    def _drop_deleted(self, stream: dict) -> None:
        namespace, name = key_of(stream)
        gone = {
            tag.split(":", 1)[1] for where, tag in self._deleted if where == namespace and tag.startswith(f"{name}:")
        }
        if not gone:
            return
        self._deleted -= {(namespace, f"{name}:{tag}") for tag in gone}
        for part, key in ((stream["status"], "tag"), (stream.get("spec") or {}, "name")):
            if part.get("tags"):
                part["tags"] = [entry for entry in part["tags"] if entry[key] not in gone]

    def _import(self, stream: dict) -> None:
        """A tag of the spec that is new or stands for another image brings that image; the stand-in reaches no registry.

        An image of another stream is pulled from this one afterwards (openshift-apiserver, imagestream strategy, tagsChanged).
        """
        shown = {
            entry["tag"]: entry["items"][0]["image"] for entry in stream["status"].get("tags") or [] if entry["items"]
        }
        namespace, name = key_of(stream)
        for tag in (stream.get("spec") or {}).get("tags") or []:
            source = tag.get("from") or {}
            place, _at, digest = source.get("name", "").partition("@")
            if source.get("kind") == "DockerImage":
                # What a tag elsewhere stands for is looked up once.
                digest = digest or shown.get(tag["name"]) or _digest_of(source["name"])
                reference = f"{place.rsplit(':', 1)[0]}@{digest}"
            elif source.get("kind") == "ImageStreamImage":
                if image_in_stream(self.system, source.get("namespace") or namespace, source["name"]) is None:
                    continue
                reference = f"{REGISTRY}/{namespace}/{name}@{digest}"
            else:
                continue
            if shown.get(tag["name"]) != digest:
                _put_tag(stream, tag["name"], reference, digest, self.clock.now())
                _ensure_image(self.system, digest, reference)

    def _show(self, stream: dict, status: dict) -> None:
        namespace, name = key_of(stream)
        wanted = {}
        for entry in status.get("tags") or []:
            if entry.get("items"):
                wanted[f"{name}:{entry['tag']}"] = entry["items"][0]
        for tag in self.system.list(TAGS, namespace):
            shown = tag["metadata"]["name"]
            if shown.startswith(f"{name}:") and shown not in wanted:
                self._delete_view(tag)
        for shown, item in wanted.items():
            self._put_view(stream, shown, item)

    def _put_view(self, stream: dict, name: str, item: dict) -> None:
        namespace = stream["metadata"]["namespace"]
        image = {"metadata": {"name": item["image"]}, "dockerImageReference": item["dockerImageReference"]}
        known = self.system.find(IMAGES, None, item["image"]) or {}
        image |= {field: known[field] for field in ("dockerImageMetadata",) if field in known}
        old = self.system.find(TAGS, namespace, name)
        if old is None:
            metadata = {"name": name, "namespace": namespace}
            view = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStreamTag", "metadata": metadata}
            self.system.create(
                TAGS, {**view, "image": image, "generation": item["generation"], "lookupPolicy": {"local": False}}
            )
        elif old.get("image") != image:
            self.system.update(TAGS, {**old, "image": image, "generation": item["generation"]})

    def _delete_view(self, tag: dict) -> None:
        self.system.delete(TAGS, *key_of(tag))
        self._deleted.discard(key_of(tag))


def _put_tag(stream: dict, tag: str, reference: str, digest: str, now: datetime) -> None:
    tags = stream.setdefault("status", {}).setdefault("tags", [])
    entry = next((entry for entry in tags if entry["tag"] == tag), None)
    if entry is None:
        entry = {"tag": tag, "items": []}
        tags.append(entry)
    if entry["items"] and entry["items"][0]["image"] == digest:
        return
    generation = stream["metadata"].get("generation", 1)
    item = {"created": timestamp(now), "dockerImageReference": reference, "image": digest, "generation": generation}
    entry["items"].insert(0, item)


def _ensure_image(system, digest: str, reference: str, labels: dict[str, str] | None = None) -> None:
    if system.find(IMAGES, None, digest) is None:
        image = {"apiVersion": "image.openshift.io/v1", "kind": "Image", "metadata": {"name": digest}}
        config = {"dockerImageMetadata": {"Config": {"Labels": labels}}} if labels else {}
        system.create(IMAGES, {**image, "dockerImageReference": reference, **config})


def push_tag(
    system, now: datetime, namespace: str, name: str, digest: str, labels: dict[str, str] | None = None
) -> None:
    """What the internal registry does when an image with these labels is pushed to `stream:tag`."""
    stream_name, _colon, tag = name.partition(":")
    stream = system.get(STREAMS, namespace, stream_name)
    reference = f"{REGISTRY}/{namespace}/{stream_name}@{digest}"
    _put_tag(stream, tag or "latest", reference, digest, now)
    _ensure_image(system, digest, reference, labels)
    system.update_status(STREAMS, stream)


def resolve(system, namespace: str, name: str) -> str | None:
    """The pullable reference of an ImageStreamTag, None where there is none."""
    stream_name, _colon, tag = name.partition(":")
    stream = system.find(STREAMS, namespace, stream_name)
    for entry in ((stream or {}).get("status") or {}).get("tags") or []:
        if entry["tag"] == (tag or "latest") and entry.get("items"):
            return entry["items"][0]["dockerImageReference"]
    return None


def image_in_stream(system, namespace: str, name: str) -> dict | None:
    """The ImageStreamImage `stream@digest`, None where the stream has no such image."""
    stream_name, _at, digest = name.partition("@")
    stream = system.find(STREAMS, namespace, stream_name) or {}
    for entry in (stream.get("status") or {}).get("tags") or []:
        for item in entry.get("items") or []:
            if item["image"] == digest:
                known = system.find(IMAGES, None, digest) or {}
                image = {"metadata": {"name": digest}, "dockerImageReference": item["dockerImageReference"]}
                image |= {field: known[field] for field in ("dockerImageMetadata",) if field in known}
                metadata = {"name": name, "namespace": namespace}
                return {
                    "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamImage", "metadata": metadata, "image": image,
                }  # fmt: skip
    return None


def import_stream(server, namespace: str, request: dict) -> dict:
    """Answer an ImageStreamImport from what `server.external_images` says; an image that it does not name is taken as found."""
    system, now, spec = server.system, server.clock.now(), request.get("spec") or {}
    name, writes = request["metadata"]["name"], bool(spec.get("import"))
    stream = system.find(STREAMS, namespace, name) if writes else None
    if writes and stream is None:
        fresh = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream"}
        stream = system.create(STREAMS, {**fresh, "metadata": {"name": name, "namespace": namespace}})
    done = []
    for entry in spec.get("images") or []:
        source = entry["from"]["name"]
        known = server.external_images.get(source, {})
        if "failure" in known:
            done.append({"status": {"metadata": {}, "status": "Failure", **known["failure"]}})
            continue
        digest = source.partition("@")[2] or known.get("digest") or _digest_of(source)
        reference = f"{source.rsplit('@', 1)[0].rsplit(':', 1)[0]}@{digest}"
        tag = (entry.get("to") or {}).get("name") or (
            source.rsplit(":", 1)[1] if ":" in source.rsplit("/", 1)[-1] else "latest"
        )
        metadata = {"kind": "DockerImage", "apiVersion": "image.openshift.io/1.0", "Config": known.get("config", {})}
        image = {
            "metadata": {"name": digest}, "dockerImageReference": reference, "dockerImageMetadata": metadata,
        }  # fmt: skip
        done.append({"status": {"metadata": {}, "status": "Success"}, "image": image, "tag": tag})
        if stream is not None:
            _put_tag(stream, tag, reference, digest, now)
            _ensure_image(system, digest, reference)
    if stream is not None:
        stream = system.update_status(STREAMS, stream)
    return {**request, "status": {"images": done, **({"import": stream} if stream is not None else {})}}


def _digest_of(reference: str) -> str:
    return "sha256:" + hashlib.sha256(reference.encode()).hexdigest()
